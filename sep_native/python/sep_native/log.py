"""The bytes of the event log, and its hash tree: RFC 9162 leaves, roots, peaks and inclusion proofs over SHA-256.

Lists of leaf hashes are concatenated 32-byte hashes; indexes count from 0 (position 1 is leaf 0).
"""

from sep_native._native import (
    Draft,
    DraftedAppend,
    Ledger,
    LogWriter,
    NoteSigner,
    Placed,
    Tree,
    consistency_proof_from_subtrees,
    draft_append_plain,
    draft_plain,
    encode_plain,
    inclusion_proof,
    inclusion_proof_from_subtrees,
    leaf_hash,
    subtree_root,
    tree_root,
    verify_consistency,
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
    "consistency_proof_from_subtrees",
    "draft_append_plain",
    "draft_plain",
    "encode_plain",
    "inclusion_proof",
    "inclusion_proof_from_subtrees",
    "leaf_hash",
    "subtree_root",
    "tree_root",
    "verify_consistency",
    "verify_inclusion",
]
