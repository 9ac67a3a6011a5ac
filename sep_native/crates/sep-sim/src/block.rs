use std::sync::Arc;

use alloy_primitives::{Address, B256, Bloom, BloomInput, Keccak256, U256};

use crate::{machine::Entry, mempool::Pooled, system::SystemOperation};

/// A block with its transactions.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub(crate) number: u64,
    pub(crate) hash: B256,
    pub(crate) parent_hash: B256,
    pub(crate) timestamp: u64,
    pub(crate) base_fee: U256,
    pub(crate) gas_limit: u64,
    pub(crate) gas_used: u64,
    pub(crate) bloom: Bloom,
    pub(crate) transactions: Vec<Mined>,
}

/// A transaction in a block, with its receipt.
#[derive(Debug, Clone)]
pub(crate) struct Mined {
    pub(crate) hash: B256,
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) body: Body,
    pub(crate) ok: bool,
    pub(crate) gas_used: u64,
    pub(crate) cumulative_gas_used: u64,
    pub(crate) effective_gas_price: U256,
    pub(crate) first_log: usize,
    pub(crate) logs: Vec<Entry>,
}

/// Who caused a transaction.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Signed(Arc<Pooled>),
    /// The chain's own act; `again` where it is repeated after a reorganisation.
    System {
        operation: SystemOperation,
        again: bool,
    },
}

impl Block {
    /// Fills in bloom and hash: over parent, header fields, branch and everything that the transactions did.
    pub(crate) fn sealed(mut self, branch: u64, salt: &[u8]) -> Self {
        let mut hasher = Keccak256::new();
        hasher.update(b"sep-sim/block");
        hasher.update(salt);
        hasher.update(self.parent_hash);
        for field in [
            branch,
            self.number,
            self.timestamp,
            self.gas_limit,
            self.gas_used,
        ] {
            hasher.update(field.to_be_bytes());
        }
        hasher.update(self.base_fee.to_be_bytes::<32>());
        for mined in &self.transactions {
            hasher.update(mined.hash);
            hasher.update([u8::from(mined.ok)]);
            hasher.update(mined.gas_used.to_be_bytes());
            hasher.update(mined.effective_gas_price.to_be_bytes::<32>());
            for entry in &mined.logs {
                self.bloom.accrue(BloomInput::Raw(entry.address.as_slice()));
                hasher.update(entry.address);
                hasher.update([u8::try_from(entry.data.topics().len()).unwrap_or(u8::MAX)]);
                for topic in entry.data.topics() {
                    self.bloom.accrue(BloomInput::Raw(topic.as_slice()));
                    hasher.update(topic);
                }
                hasher.update(entry.data.data.len().to_be_bytes());
                hasher.update(&entry.data.data);
            }
        }
        self.hash = hasher.finalize();
        self
    }

    /// Logs so far, over all transactions.
    pub(crate) fn log_count(&self) -> usize {
        self.transactions
            .last()
            .map_or(0, |mined| mined.first_log + mined.logs.len())
    }
}
