//! The bytes of the log, its hash tree (RFC 9162 leaves, nodes, peaks and proofs over SHA-256) and its signed checkpoints.
//!
//! Position `n` of the log is leaf `n - 1`. A tree is kept as its *peaks*, the roots of the full subtrees from left to
//! right, one for each set bit of the size; that is all an appender needs to go on.
#![forbid(unsafe_code)]

mod batch;
mod draft;
mod error;
mod hash;
mod ledger;
mod moment;
mod note;
mod proof;
pub mod record;
mod tree;

pub use batch::{Batch, Entry, Previous};
pub use draft::{ANY_VERSION, Append, Draft, EventId, SOME_VERSION, Write};
pub use error::TreeError;
pub use hash::{HASH_BYTES, Hash, empty_root, leaf_hash, node_hash, split_hashes};
pub use ledger::{Decided, Ledger, LogHead, Outlook, Placed, StreamHead};
pub use moment::moment_text;
pub use note::NoteSigner;
pub use proof::{
    SUBTREE_WIDTH, Segments, consistency_proof_from_subtrees, inclusion_proof,
    inclusion_proof_from_subtrees, subtree_root, tree_root, verify_consistency, verify_inclusion,
};
pub use tree::Tree;
