//! The Python face of the native core: thin glue over crates that know no Python.

use pyo3::prelude::*;

mod log;
mod sign;

/// One flat extension module, re-exported by the noun modules of `sep_native`.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::log::{
        Tree, inclusion_proof, inclusion_proof_from_subtrees, leaf_hash, subtree_root, tree_root,
        verify_inclusion,
    };
    #[pymodule_export]
    use crate::sign::{
        Keystore, RecoveredTransaction, SignedTransaction, Transaction1559, recover_transaction,
    };
}
