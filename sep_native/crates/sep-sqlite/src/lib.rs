//! The writing side of a log in SQLite: a queue of appends, and the loop that plans, writes and commits them in batches.
//!
//! It brings no SQLite of its own. The library is a SQLite extension: whoever owns the connection loads it through its
//! own SQLite, whose functions are used from then on, because two copies in one process would break each other's locks.

mod appender;
mod error;
mod extension;
mod file;
mod pace;
mod queue;
mod restraint;

pub use appender::{Appender, Failure, Halt, MOST_BYTES, MOST_EVENTS};
pub use error::WriteError;
pub use extension::{ENTRY_POINT, sqlite3_seplog_init};
pub use file::LogFile;
pub use queue::{Queue, Queued};
pub use restraint::Restraint;
