"""The bytes of the log and its hash tree, in native code; the one door of this room to it."""

from sep_native.log import (
    Draft,
    Placed,
    Tree,
    draft_plain,
    encode_plain,
    inclusion_proof,
    inclusion_proof_from_subtrees,
    leaf_hash,
    place_batch,
    plan_plain,
    subtree_root,
    tree_root,
    verify_inclusion,
)

__all__ = [
    "Draft",
    "Placed",
    "Tree",
    "draft_plain",
    "encode_plain",
    "inclusion_proof",
    "inclusion_proof_from_subtrees",
    "leaf_hash",
    "place_batch",
    "plan_plain",
    "subtree_root",
    "tree_root",
    "verify_inclusion",
]
