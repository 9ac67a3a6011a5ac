//! Decoding of event logs and calls: declared signatures become decoders, hostile bytes become rows of their own.
//!
//! An event whose arguments are all single words is read by its word layout into columns. Every other one goes
//! through the general decoder and counts only if its encoding is the canonical one.

mod abi;
mod batch;
mod error;
mod event;
mod json;
mod layout;
mod names;
mod plain;
mod word;

pub use abi::{AbiCall, TypeList, checksum_address, is_checksum_valid};
pub use alloy_dyn_abi::{DynSolType, DynSolValue};
pub use alloy_primitives::{Address, B256, I256, U256, keccak256};
pub use batch::{Argument, Column, Counts, LogBatch, LogPlace, Row, RowKind};
pub use error::DecodeError;
pub use event::{EventDecoder, EventLayout, Field};
pub use plain::count_with_alloy;
pub use word::WordKind;
