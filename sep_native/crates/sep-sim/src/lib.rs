//! A deterministic Ethereum-like chain in memory: signed transactions in, blocks, receipts and logs out, spoken to by
//! JSON-RPC. Contracts are emulated by address with the exact pool mathematics of `sep-amm`; faults are seeded.
//!
//! The same genesis and the same calls give the same block hashes, always. There is no clock and no thread inside.
#![forbid(unsafe_code)]

mod abi;
mod block;
mod chain;
mod demo;
mod error;
mod fault;
mod fees;
mod filter;
mod gas;
mod genesis;
mod machine;
mod market;
mod mempool;
mod own;
mod params;
mod pool;
mod render;
mod router;
mod rpc;
mod simulate;
mod system;
mod token;
mod world;

pub use chain::Chain;
pub use demo::default_genesis;
pub use error::{RpcError, TIMEOUT_CODE};
pub use genesis::{Genesis, GenesisError};
