"""The bytes of the log and its hash tree, in native code; the one door of this room to it."""

from sep_native.log import (
    Draft,
    DraftedAppend,
    Ledger,
    LogWriter,
    NoteSigner,
    Placed,
    Tree,
    draft_append_plain,
    draft_plain,
    encode_plain,
    inclusion_proof,
    inclusion_proof_from_subtrees,
    leaf_hash,
    subtree_root,
    tree_root,
    verify_inclusion,
)

__all__ = [
    "Draft",
    "DraftedAppend",
    "Ledger",
    "LogWriter",
    "NoteSigner",
    "Placed",
    "Tree",
    "draft_append_plain",
    "draft_plain",
    "encode_plain",
    "inclusion_proof",
    "inclusion_proof_from_subtrees",
    "leaf_hash",
    "subtree_root",
    "tree_root",
    "verify_inclusion",
]
