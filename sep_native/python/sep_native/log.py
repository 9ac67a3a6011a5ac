"""The hash tree of the event log: RFC 9162 leaves, roots, peaks and inclusion proofs over SHA-256.

Lists of leaf hashes are concatenated 32-byte hashes; indexes count from 0 (position 1 is leaf 0).
"""

from sep_native._native import (
    Tree,
    inclusion_proof,
    inclusion_proof_from_subtrees,
    leaf_hash,
    subtree_root,
    tree_root,
    verify_inclusion,
)

__all__ = [
    "Tree",
    "inclusion_proof",
    "inclusion_proof_from_subtrees",
    "leaf_hash",
    "subtree_root",
    "tree_root",
    "verify_inclusion",
]
