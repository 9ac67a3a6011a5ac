use crate::{
    Hash, SUBTREE_WIDTH, Tree, TreeError, leaf_hash,
    record::{Place, write_record},
    tree_root,
};

/// What stands before an event in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Previous {
    /// Nothing: it is the stream's first.
    Nothing,
    /// An event of an earlier batch, by its leaf hash.
    Leaf(Hash),
    /// An earlier event of this batch, by its index.
    InBatch(usize),
}

/// An event of a batch: encoded but for its place, which was decided.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// From `body` to `occ`, an object of its own.
    pub head: &'a [u8],
    /// From the end of `rec` to `ver`.
    pub tail: &'a [u8],
    /// Version in the stream.
    pub version: u64,
    /// What it is chained to.
    pub previous: Previous,
}

/// A batch as it goes into the log, and the log behind it.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// All records, joined.
    pub records: Vec<u8>,
    /// Where each record ends in `records`.
    pub ends: Vec<usize>,
    /// Leaf hash of each record.
    pub leaves: Vec<Hash>,
    /// The tree with the batch.
    pub tree: Tree,
    /// Roots of the 256-wide subtrees that the batch made full, in order.
    pub subtrees: Vec<Hash>,
    /// Leaves behind the last full subtree.
    pub tail: Vec<Hash>,
}

impl Batch {
    /// Joins records, chains and hashes them, and advances the tree, behind `tree` and the leaves of `tail`.
    pub fn new(
        mut tree: Tree,
        mut tail: Vec<Hash>,
        recorded: &[u8],
        entries: &[Entry<'_>],
    ) -> Result<Self, TreeError> {
        let room = |entry: &Entry<'_>| entry.head.len() + entry.tail.len() + 160;
        let mut records = Vec::with_capacity(entries.iter().map(room).sum());
        let mut ends = Vec::with_capacity(entries.len());
        let mut leaves: Vec<Hash> = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let previous = match &entry.previous {
                Previous::Nothing => None,
                Previous::Leaf(hash) => Some(hash),
                Previous::InBatch(earlier) => match leaves.get(*earlier) {
                    Some(hash) => Some(hash),
                    None => {
                        return Err(TreeError::Chain {
                            index,
                            earlier: *earlier,
                        });
                    }
                },
            };
            let start = records.len();
            let place = Place {
                pos: tree.size() + 1,
                previous,
                recorded,
                version: entry.version,
            };
            write_record(&mut records, entry.head, entry.tail, place);
            let leaf = leaf_hash(&records[start..]);
            ends.push(records.len());
            leaves.push(leaf);
            tree.append(leaf);
        }
        tail.extend_from_slice(&leaves);
        let full = tail.len() / SUBTREE_WIDTH * SUBTREE_WIDTH;
        let subtrees = tail[..full].chunks(SUBTREE_WIDTH).map(tree_root).collect();
        tail.drain(..full);
        Ok(Self {
            records,
            ends,
            leaves,
            tree,
            subtrees,
            tail,
        })
    }
}
