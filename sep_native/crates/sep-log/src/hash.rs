use sha2::{Digest, Sha256};

use crate::TreeError;

/// Width of every hash in the tree.
pub const HASH_BYTES: usize = 32;

/// A leaf, a node or a root.
pub type Hash = [u8; HASH_BYTES];

/// `SHA-256(0x00 || record)`.
pub fn leaf_hash(record: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(record)
        .finalize()
        .into()
}

/// `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// The root of the tree without leaves: `SHA-256("")`.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// Concatenated hashes as a list.
pub fn split_hashes(bytes: &[u8]) -> Result<&[Hash], TreeError> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if rest.is_empty() {
        Ok(hashes)
    } else {
        Err(TreeError::Ragged(bytes.len()))
    }
}
