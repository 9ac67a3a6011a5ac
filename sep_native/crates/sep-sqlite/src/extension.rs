use std::{
    cell::RefCell,
    ffi::{c_char, c_int},
};

use rusqlite::{Connection, Result, ffi};

/// The name under which SQLite calls this library.
pub const ENTRY_POINT: &str = "sqlite3_seplog_init";

thread_local! {
    static LOADED: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// Called by SQLite when the library is loaded into a connection, on the thread that loads it.
///
/// # Safety
///
/// Only SQLite may call it, as `sqlite3_load_extension` does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sqlite3_seplog_init(
    database: *mut ffi::sqlite3,
    message: *mut *mut c_char,
    api: *mut ffi::sqlite3_api_routines,
) -> c_int {
    // SAFETY: SQLite hands in the connection that loads the extension, a place for a message and the table of its
    // functions, which lives as long as SQLite itself. The connection is kept on this thread only until `take`, whose
    // caller promises to let go of it before its owner closes it.
    unsafe { Connection::extension_init2(database, message, api, keep) }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the form that rusqlite calls, false for a library that may be unloaded"
)]
fn keep(connection: Connection) -> Result<bool> {
    LOADED.set(Some(connection));
    Ok(false)
}

/// The connection into which this thread has just loaded the library. It does not close it.
pub(crate) fn take() -> Option<Connection> {
    LOADED.take()
}
