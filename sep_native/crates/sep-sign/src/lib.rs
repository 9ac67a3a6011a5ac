//! Signing: an encrypted key file (Web3 secret storage, version 3), EIP-1559 transactions, recovery of their sender.
//!
//! A key exists as a value of this crate alone: it is zeroised when dropped, never printed, never handed out.
#![forbid(unsafe_code)]

mod error;
mod keyfile;
mod keystore;
mod transaction;

pub use alloy_primitives::{Address, U256};
pub use error::SignError;
pub use keystore::{DEFAULT_SCRYPT_LOG_N, Keystore};
pub use transaction::{
    RecoveredTransaction, SignedTransaction, Transaction1559, parse_address, recover_transaction,
};
