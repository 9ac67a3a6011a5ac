"""The hash tree of the log, in native code; the one door of this room to it."""

from sep_native.log import (
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
