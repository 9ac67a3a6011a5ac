use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256, U256};
use sep_sign::RecoveredTransaction;

/// A transaction that waits for a block.
#[derive(Debug, Clone)]
pub(crate) struct Pooled {
    pub(crate) transaction: RecoveredTransaction,
    /// Order of arrival.
    pub(crate) arrival: u64,
    /// The first block that may include it.
    pub(crate) not_before: u64,
    /// How far the price moves against it before it executes.
    pub(crate) adverse_bps: u32,
}

impl Pooled {
    pub(crate) fn nonce(&self) -> u64 {
        self.transaction.transaction.nonce
    }

    pub(crate) fn fee_cap(&self) -> U256 {
        U256::from(self.transaction.transaction.max_fee_per_gas)
    }

    pub(crate) fn tip_cap(&self) -> U256 {
        U256::from(self.transaction.transaction.max_priority_fee_per_gas)
    }

    /// What a producer gains per gas at this base fee.
    pub(crate) fn tip(&self, base_fee: U256) -> U256 {
        self.tip_cap().min(self.fee_cap().saturating_sub(base_fee))
    }

    /// The most that it can take from its sender; None above 2^256.
    pub(crate) fn cost(&self) -> Option<U256> {
        let inner = &self.transaction.transaction;
        self.fee_cap()
            .checked_mul(U256::from(inner.gas_limit))?
            .checked_add(inner.value)
    }

    /// Whether it may take the place of another: at least an eighth more of both fees.
    fn outbids(&self, other: &Self) -> bool {
        let enough = |new: U256, old: U256| new >= old + old.div_ceil(U256::from(8)).max(U256::ONE);
        enough(self.fee_cap(), other.fee_cap()) && enough(self.tip_cap(), other.tip_cap())
    }
}

/// Transactions by sender and nonce; those above a gap wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mempool {
    lanes: BTreeMap<Address, BTreeMap<u64, Arc<Pooled>>>,
    by_hash: BTreeMap<B256, (Address, u64)>,
}

impl Mempool {
    pub(crate) fn len(&self) -> usize {
        self.by_hash.len()
    }

    pub(crate) fn get(&self, hash: &B256) -> Option<&Arc<Pooled>> {
        let (sender, nonce) = self.by_hash.get(hash)?;
        self.lanes.get(sender)?.get(nonce)
    }

    /// Adds a transaction, or replaces the one at its nonce; false where it bids too little for that.
    pub(crate) fn insert(&mut self, pooled: Pooled) -> bool {
        let (sender, nonce) = (pooled.transaction.sender, pooled.nonce());
        let lane = self.lanes.entry(sender).or_default();
        if let Some(old) = lane.get(&nonce) {
            if !pooled.outbids(old) {
                return false;
            }
            self.by_hash.remove(&old.transaction.hash);
        }
        self.by_hash
            .insert(pooled.transaction.hash, (sender, nonce));
        lane.insert(nonce, Arc::new(pooled));
        true
    }

    /// Takes a transaction back that had been included.
    pub(crate) fn restore(&mut self, pooled: Pooled) {
        let (sender, nonce, hash) = (
            pooled.transaction.sender,
            pooled.nonce(),
            pooled.transaction.hash,
        );
        let lane = self.lanes.entry(sender).or_default();
        if let Some(old) = lane.insert(nonce, Arc::new(pooled)) {
            self.by_hash.remove(&old.transaction.hash);
        }
        self.by_hash.insert(hash, (sender, nonce));
    }

    pub(crate) fn remove(&mut self, hash: &B256) -> bool {
        let Some((sender, nonce)) = self.by_hash.remove(hash) else {
            return false;
        };
        if let Some(lane) = self.lanes.get_mut(&sender) {
            lane.remove(&nonce);
        }
        true
    }

    /// Forgets what the sender's nonce has passed.
    pub(crate) fn consumed(&mut self, sender: Address, next_nonce: u64) {
        let Some(lane) = self.lanes.get_mut(&sender) else {
            return;
        };
        let waiting = lane.split_off(&next_nonce);
        for old in std::mem::replace(lane, waiting).values() {
            self.by_hash.remove(&old.transaction.hash);
        }
    }

    /// The nonce after all that could follow `nonce` without a gap.
    pub(crate) fn pending_nonce(&self, sender: Address, nonce: u64) -> u64 {
        let Some(lane) = self.lanes.get(&sender) else {
            return nonce;
        };
        let mut next = nonce;
        while lane.contains_key(&next) {
            next += 1;
        }
        next
    }

    /// What all waiting transactions of a sender may cost, without the one at `except`.
    pub(crate) fn queued_cost(&self, sender: Address, except: u64) -> U256 {
        let lane = self.lanes.get(&sender).into_iter().flatten();
        lane.filter(|(nonce, _)| **nonce != except)
            .filter_map(|(_, pooled)| pooled.cost())
            .fold(U256::ZERO, U256::saturating_add)
    }

    /// For each sender the transaction at the nonce that is its turn.
    pub(crate) fn heads(
        &self,
        nonce: impl Fn(Address) -> u64,
    ) -> impl Iterator<Item = &Arc<Pooled>> {
        self.lanes
            .iter()
            .filter_map(move |(sender, lane)| lane.get(&nonce(*sender)))
    }

    /// All hashes, in order of sender and nonce.
    pub(crate) fn hashes(&self) -> Vec<B256> {
        self.lanes
            .values()
            .flat_map(BTreeMap::values)
            .map(|pooled| pooled.transaction.hash)
            .collect()
    }
}
