//! The Python face of the native core: thin glue over crates that know no Python.

use pyo3::prelude::*;

mod amm;
mod book;
mod books;
mod convert;
mod decode;
mod errors;
mod generate;
mod ledger;
mod log;
mod log_writer;
mod path;
mod pools;
mod problem;
mod record;
mod route;
mod sign;
mod sim;
mod solution;

/// One flat extension module, re-exported by the noun modules of `sep_native`.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::amm::{
        ConcentratedLiquidity, ConstantProduct, Quote, sqrt_price_at_tick, tick_at_sqrt_price,
    };
    #[pymodule_export]
    use crate::book::SimExchange;
    #[pymodule_export]
    use crate::books::{Lane, OrderBook, Sampled};
    #[pymodule_export]
    use crate::decode::{
        DecodedLog, EventDecoder, LogBatch, LogIterator, checksum_address, count_with_alloy,
        decode, decode_call, decode_result, encode, encode_call, is_checksum_valid, keccak256,
        selector,
    };
    #[pymodule_export]
    use crate::generate::{DrawnNetwork, draw_network};
    #[pymodule_export]
    use crate::ledger::{Ledger, NoteSigner, Placed};
    #[pymodule_export]
    use crate::log::{
        Tree, consistency_proof_from_subtrees, inclusion_proof, inclusion_proof_from_subtrees,
        leaf_hash, subtree_root, tree_root, verify_consistency, verify_inclusion,
    };
    #[pymodule_export]
    use crate::log_writer::LogWriter;
    #[pymodule_export]
    use crate::path::{PathProblem, PathSolution};
    #[pymodule_export]
    use crate::pools::{StableSwap, WeightedProduct};
    #[pymodule_export]
    use crate::problem::{Limits, Problem};
    #[pymodule_export]
    use crate::record::{Draft, DraftedAppend, draft_append_plain, draft_plain, encode_plain};
    #[pymodule_export]
    use crate::route::Network;
    #[pymodule_export]
    use crate::sign::{
        Keystore, RecoveredTransaction, SignedTransaction, Transaction1559, recover_transaction,
    };
    #[pymodule_export]
    use crate::sim::{SimChain, SimRpcError, default_genesis};
    #[pymodule_export]
    use crate::solution::{BestPath, Leg, Solution, Verified};
}
