use thiserror::Error;

/// Why bytes do not describe a tree or a place in one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TreeError {
    /// Concatenated hashes must be a multiple of 32 bytes.
    #[error("hashes are 32 bytes each; {0} bytes are not a whole number of them")]
    Ragged(usize),
    /// A tree has as many peaks as its size has set bits.
    #[error("a tree of {size} leaves has {expected} peaks, not {found}")]
    Peaks {
        /// Leaves in the tree.
        size: u64,
        /// Set bits of the size.
        expected: u32,
        /// Peaks handed in.
        found: usize,
    },
    /// A proof was asked for a leaf that the tree does not have.
    #[error("leaf {index} is outside a tree of {size} leaves")]
    OutOfRange {
        /// Index asked for, from 0.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// Only power-of-two runs of leaves are subtrees with a root of their own.
    #[error("a subtree has a power of two of leaves; {0} is none")]
    NotASubtree(usize),
    /// The leaves of the block that holds the index are missing or of the wrong width.
    #[error("the block around leaf {index} needs {expected} leaf hashes, not {found}")]
    Block {
        /// Index asked for, from 0.
        index: u64,
        /// Leaves that the block must have.
        expected: usize,
        /// Leaves handed in.
        found: usize,
    },
    /// The tail behind the full subtrees must be shorter than one of them.
    #[error(
        "the tail behind the full subtrees has {0} leaves; 256 or more make a subtree of their own"
    )]
    Tail(usize),
    /// An event is chained to an earlier event of its batch.
    #[error("event {index} of a batch cannot be chained to its event {earlier}")]
    Chain {
        /// Index of the event in the batch.
        index: usize,
        /// Index that it was said to follow.
        earlier: usize,
    },
}
