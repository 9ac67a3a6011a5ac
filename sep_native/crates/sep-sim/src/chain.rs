use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use alloy_primitives::{B256, Bloom, U256, keccak256};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use sep_sign::recover_transaction;

use crate::{
    Genesis, GenesisError, RpcError,
    block::{Block, Body, Mined},
    fault::Faults,
    fees::next_base_fee,
    gas,
    machine::{Halt, Machine},
    mempool::{Mempool, Pooled},
    router::swap_path,
    system::{SystemOperation, TRADER},
    world::World,
};

/// Worlds kept for reads in the past.
const WORLDS_KEPT: usize = 1_024;

/// A chain with its pool, its past and its faults. A clone goes its own way from here.
#[derive(Debug, Clone)]
pub struct Chain {
    pub(crate) genesis: Arc<Genesis>,
    salt: B256,
    canonical: Vec<Arc<Block>>,
    known: BTreeMap<B256, Arc<Block>>,
    worlds: BTreeMap<B256, Arc<World>>,
    recent: VecDeque<B256>,
    included: BTreeMap<B256, (u64, usize)>,
    pub(crate) pool: Mempool,
    queued: Vec<SystemOperation>,
    pub(crate) faults: Faults,
    pub(crate) calls: BTreeMap<String, u64>,
    pub(crate) branch: u64,
    arrivals: u64,
    pub(crate) automine: bool,
    /// Blocks ask no less, however empty they are.
    pub(crate) least_base_fee: U256,
    pub(crate) finality_depth: u64,
    pub(crate) safe_depth: u64,
}

/// How a sent transaction is treated beyond the rules.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Treatment {
    pub(crate) delay_blocks: u64,
    pub(crate) adverse_bps: u32,
}

/// A replacement of the newest blocks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reorganisation {
    pub(crate) depth: u64,
    /// Blocks of the new branch.
    pub(crate) blocks: u64,
    /// Blocks of the new branch that leave the returned transactions out.
    pub(crate) hold: u64,
    /// Transactions that are forgotten.
    pub(crate) drop: Vec<B256>,
    /// Whether finalized blocks may go.
    pub(crate) force: bool,
}

impl Chain {
    /// Starts a chain from its genesis document.
    pub fn new(genesis: Genesis) -> Result<Self, GenesisError> {
        genesis.check()?;
        let world = World::genesis(&genesis)?;
        let text = genesis.to_json()?;
        let salt = keccak256(text.as_bytes());
        let block = Block {
            number: 0,
            hash: B256::ZERO,
            parent_hash: B256::ZERO,
            timestamp: genesis.timestamp,
            base_fee: genesis.base_fee,
            gas_limit: genesis.gas_limit,
            gas_used: 0,
            bloom: Bloom::ZERO,
            transactions: Vec::new(),
        };
        let block = Arc::new(block.sealed(0, salt.as_slice()));
        let mut chain = Self {
            salt,
            canonical: Vec::new(),
            known: BTreeMap::new(),
            worlds: BTreeMap::new(),
            recent: VecDeque::new(),
            included: BTreeMap::new(),
            pool: Mempool::default(),
            queued: Vec::new(),
            faults: Faults::default(),
            calls: BTreeMap::new(),
            branch: 0,
            arrivals: 0,
            automine: genesis.automine,
            least_base_fee: U256::ZERO,
            finality_depth: genesis.finality_depth,
            safe_depth: genesis.safe_depth,
            genesis: Arc::new(genesis),
        };
        chain.adopt(block, world);
        Ok(chain)
    }

    pub(crate) fn head(&self) -> &Arc<Block> {
        // The chain begins with a block and a reorganisation never removes it.
        &self.canonical[self.canonical.len() - 1]
    }

    pub(crate) fn at_number(&self, number: u64) -> Option<&Arc<Block>> {
        self.canonical.get(usize::try_from(number).ok()?)
    }

    pub(crate) fn by_hash(&self, hash: &B256) -> Option<&Arc<Block>> {
        self.known.get(hash)
    }

    pub(crate) fn is_canonical(&self, block: &Block) -> bool {
        self.at_number(block.number)
            .is_some_and(|found| found.hash == block.hash)
    }

    pub(crate) fn finalized_number(&self) -> u64 {
        self.head().number.saturating_sub(self.finality_depth)
    }

    pub(crate) fn safe_number(&self) -> u64 {
        self.head().number.saturating_sub(self.safe_depth)
    }

    /// State after a block; None where it is too old.
    pub(crate) fn world(&self, hash: &B256) -> Option<&Arc<World>> {
        self.worlds.get(hash)
    }

    pub(crate) fn head_world(&self) -> Arc<World> {
        self.worlds
            .get(&self.head().hash)
            .cloned()
            .unwrap_or_default()
    }

    /// A transaction of the canonical chain, with its block and place.
    pub(crate) fn mined(&self, hash: &B256) -> Option<(&Block, usize, &Mined)> {
        let (number, place) = *self.included.get(hash)?;
        let block = self.at_number(number)?;
        Some((block, place, block.transactions.get(place)?))
    }

    pub(crate) fn next_base_fee(&self) -> U256 {
        let head = self.head();
        next_base_fee(head.base_fee, head.gas_used, head.gas_limit).max(self.least_base_fee)
    }

    /// Makes an act of the simulation wait for the next block.
    pub(crate) fn queue(&mut self, operation: SystemOperation) {
        self.queued.push(operation);
    }

    /// Takes a signed transaction into the pool by geth's rules, and mines it where the chain mines by itself.
    pub(crate) fn send(&mut self, raw: &[u8], treatment: Treatment) -> Result<B256, RpcError> {
        let transaction =
            recover_transaction(raw).map_err(|error| RpcError::server(error.to_string()))?;
        let (hash, sender) = (transaction.hash, transaction.sender);
        let pooled = Pooled {
            transaction,
            arrival: self.arrivals,
            not_before: (self.head().number + 1).saturating_add(treatment.delay_blocks),
            adverse_bps: treatment.adverse_bps,
        };
        self.check(&pooled)?;
        if self.pool.get(&hash).is_some() {
            return Err(RpcError::server("already known"));
        }
        let nonce = self.head_world().account(sender).nonce;
        self.check_nonce_and_funds(&pooled, nonce)?;
        if !self.pool.insert(pooled) {
            return Err(RpcError::server("replacement transaction underpriced"));
        }
        self.arrivals += 1;
        if self.automine
            && treatment.delay_blocks == 0
            && self.pool.pending_nonce(sender, nonce) > nonce
        {
            self.mine();
        }
        Ok(hash)
    }

    fn check(&self, pooled: &Pooled) -> Result<(), RpcError> {
        let inner = &pooled.transaction.transaction;
        let refused = |text: String| Err(RpcError::server(text));
        if inner.chain_id != self.genesis.chain_id {
            return refused(format!(
                "invalid sender: invalid chain id for signer: have {} want {}",
                inner.chain_id, self.genesis.chain_id
            ));
        }
        if inner.gas_limit > gas::TRANSACTION_LIMIT {
            return refused(format!(
                "transaction gas limit too high (cap: {}, tx: {})",
                gas::TRANSACTION_LIMIT,
                inner.gas_limit
            ));
        }
        if inner.gas_limit > self.genesis.gas_limit {
            return refused("exceeds block gas limit".to_owned());
        }
        if pooled.tip_cap() > pooled.fee_cap() {
            return refused("max priority fee per gas higher than max fee per gas".to_owned());
        }
        let needed = gas::intrinsic(&inner.data);
        if inner.gas_limit < needed {
            return refused(format!(
                "intrinsic gas too low: gas {}, minimum needed {needed}",
                inner.gas_limit
            ));
        }
        if pooled.tip_cap().is_zero() {
            return refused("transaction underpriced: gas tip cap 0, minimum needed 1".to_owned());
        }
        Ok(())
    }

    fn check_nonce_and_funds(&self, pooled: &Pooled, next: u64) -> Result<(), RpcError> {
        let (sender, nonce) = (pooled.transaction.sender, pooled.nonce());
        if nonce < next {
            return Err(RpcError::server(format!(
                "nonce too low: next nonce {next}, tx nonce {nonce}"
            )));
        }
        let balance = self.head_world().account(sender).balance;
        let insufficient = |detail: String| {
            Err(RpcError::server(format!(
                "insufficient funds for gas * price + value: {detail}"
            )))
        };
        let Some(cost) = pooled.cost() else {
            return insufficient(format!("balance {balance}, tx cost above 2^256"));
        };
        if balance < cost {
            return insufficient(format!(
                "balance {balance}, tx cost {cost}, overshot {}",
                cost - balance
            ));
        }
        let queued = self.pool.queued_cost(sender, nonce);
        if balance < queued.saturating_add(cost) {
            return insufficient(format!(
                "balance {balance}, queued cost {queued}, tx cost {cost}, overshot {}",
                queued.saturating_add(cost) - balance
            ));
        }
        Ok(())
    }

    /// Makes the next block.
    pub(crate) fn mine(&mut self) -> B256 {
        let parent = self.head().clone();
        let mut block = Block {
            number: parent.number + 1,
            hash: B256::ZERO,
            parent_hash: parent.hash,
            timestamp: parent.timestamp + self.genesis.block_interval_seconds,
            base_fee: self.next_base_fee(),
            gas_limit: self.genesis.gas_limit,
            gas_used: 0,
            bloom: Bloom::ZERO,
            transactions: Vec::new(),
        };
        let mut world = World::clone(&self.head_world());
        for operation in std::mem::take(&mut self.queued) {
            perform(&mut block, &mut world, operation, true);
        }
        if let Some(operation) = self.noise(block.number, &world) {
            perform(&mut block, &mut world, operation, false);
        }
        while let Some(pooled) = self.best(&block, &world) {
            for operation in adverse(&pooled, &world) {
                perform(&mut block, &mut world, operation, false);
            }
            execute(&mut block, &mut world, &pooled);
            self.pool
                .consumed(pooled.transaction.sender, pooled.nonce() + 1);
        }
        let block = Arc::new(block.sealed(self.branch, self.salt.as_slice()));
        let hash = block.hash;
        self.adopt(block, world);
        hash
    }

    /// Replaces the newest blocks. Their signed transactions return to the pool; acts of the simulation are repeated.
    pub(crate) fn reorganise(
        &mut self,
        wanted: &Reorganisation,
    ) -> Result<(Vec<B256>, Vec<B256>), RpcError> {
        let head = self.head().number;
        let Some(keep) = head.checked_sub(wanted.depth).filter(|_| wanted.depth > 0) else {
            return Err(RpcError::params(format!(
                "depth {} of a chain of {head} blocks",
                wanted.depth
            )));
        };
        if keep < self.finalized_number() && !wanted.force {
            return Err(RpcError::params(format!(
                "block {} is finalized",
                self.finalized_number()
            )));
        }
        if !self
            .at_number(keep)
            .is_some_and(|block| self.worlds.contains_key(&block.hash))
        {
            return Err(RpcError::params(format!(
                "the state of block {keep} is no longer kept"
            )));
        }
        self.branch += 1;
        let removed = self
            .canonical
            .split_off(usize::try_from(keep).unwrap_or(usize::MAX) + 1);
        let mut repeated = Vec::new();
        for mined in removed.iter().flat_map(|block| &block.transactions) {
            self.included.remove(&mined.hash);
            match &mined.body {
                Body::Signed(_) if wanted.drop.contains(&mined.hash) => {}
                Body::Signed(pooled) => self.pool.restore(Pooled {
                    not_before: (keep + 1).saturating_add(wanted.hold),
                    adverse_bps: 0,
                    ..Pooled::clone(pooled)
                }),
                Body::System {
                    operation,
                    again: true,
                } => repeated.push(operation.clone()),
                Body::System { .. } => {}
            }
        }
        repeated.append(&mut self.queued);
        self.queued = repeated;
        let added = (0..wanted.blocks).map(|_| self.mine()).collect();
        Ok((removed.iter().map(|block| block.hash).collect(), added))
    }

    fn adopt(&mut self, block: Arc<Block>, world: World) {
        for (place, mined) in block.transactions.iter().enumerate() {
            self.included.insert(mined.hash, (block.number, place));
        }
        self.known.insert(block.hash, block.clone());
        self.worlds.insert(block.hash, Arc::new(world));
        self.recent.push_back(block.hash);
        if self.recent.len() > WORLDS_KEPT
            && let Some(old) = self.recent.pop_front()
        {
            self.worlds.remove(&old);
        }
        self.canonical.push(block);
    }

    fn noise(&self, number: u64, world: &World) -> Option<SystemOperation> {
        let noise = self
            .genesis
            .noise
            .as_ref()
            .filter(|noise| noise.max_bps > 0)?;
        let pools = world.pools();
        let mut random = ChaCha8Rng::seed_from_u64(self.genesis.seed);
        random.set_stream(number);
        let pool =
            *pools.get(usize::try_from(random.next_u64() % pools.len().max(1) as u64).ok()?)?;
        let bps = u32::try_from(random.next_u64() % u64::from(noise.max_bps)).ok()? + 1;
        Some(SystemOperation::Nudge {
            pool,
            bps,
            up: random.next_u64() & 1 == 1,
        })
    }

    /// The transaction that a producer takes next: the highest tip, then the first to arrive.
    fn best(&self, block: &Block, world: &World) -> Option<Arc<Pooled>> {
        let fits = |pooled: &&Arc<Pooled>| {
            pooled.not_before <= block.number
                && pooled.fee_cap() >= block.base_fee
                && pooled.transaction.transaction.gas_limit <= block.gas_limit - block.gas_used
                && pooled
                    .cost()
                    .is_some_and(|cost| cost <= world.account(pooled.transaction.sender).balance)
        };
        let heads = self
            .pool
            .heads(|sender| world.account(sender).nonce)
            .filter(fits);
        heads
            .min_by_key(|pooled| (U256::MAX - pooled.tip(block.base_fee), pooled.arrival))
            .cloned()
    }
}

/// The moves of others that make a swap fail; none where the transaction is no swap.
fn adverse(pooled: &Pooled, world: &World) -> Vec<SystemOperation> {
    if pooled.adverse_bps == 0 {
        return Vec::new();
    }
    let Some((pools, mut asset)) = swap_path(&pooled.transaction.transaction.data) else {
        return Vec::new();
    };
    let mut operations = Vec::new();
    for address in pools {
        let Some((pool, zero_for_one)) = world
            .pool(address)
            .and_then(|pool| pool.direction(asset).map(|direction| (pool, direction)))
        else {
            break;
        };
        operations.push(SystemOperation::Nudge {
            pool: address,
            bps: pooled.adverse_bps,
            up: !zero_for_one,
        });
        asset = pool.assets(zero_for_one).1;
    }
    operations
}

/// Runs an act of the simulation; one that fails leaves no trace.
fn perform(block: &mut Block, world: &mut World, operation: SystemOperation, again: bool) {
    let before = world.clone();
    let mut machine = Machine::new(world, block.timestamp, u64::MAX);
    let done = machine.perform(&operation);
    let logs = machine.logs;
    if done.is_err() {
        *world = before;
        return;
    }
    block.transactions.push(Mined {
        hash: operation.hash(block.parent_hash, block.transactions.len()),
        from: TRADER,
        to: operation.target(),
        ok: true,
        gas_used: 0,
        cumulative_gas_used: block.gas_used,
        effective_gas_price: U256::ZERO,
        first_log: block.log_count(),
        logs,
        body: Body::System { operation, again },
    });
}

/// Runs a signed transaction: gas is paid and the nonce consumed whatever its call does.
fn execute(block: &mut Block, world: &mut World, pooled: &Arc<Pooled>) {
    let inner = &pooled.transaction.transaction;
    let sender = pooled.transaction.sender;
    let price = block.base_fee + pooled.tip(block.base_fee);
    let account = world.account_mut(sender);
    account.nonce += 1;
    let before = world.clone();
    let budget = inner.gas_limit - gas::intrinsic(&inner.data);
    let mut machine = Machine::new(world, block.timestamp, budget);
    let outcome = machine.call(sender, inner.to, inner.value, &inner.data);
    let (gas_left, logs) = (machine.gas_left, machine.logs);
    let ok = outcome.is_ok();
    if !ok {
        *world = before;
    }
    let gas_used = if outcome == Err(Halt::OutOfGas) {
        inner.gas_limit
    } else {
        inner.gas_limit - gas_left
    };
    let paid = price * U256::from(gas_used);
    // The pool and the choice of the block made sure that the balance covers the limit at the cap.
    let account = world.account_mut(sender);
    account.balance = account.balance.saturating_sub(paid);
    block.gas_used += gas_used;
    block.transactions.push(Mined {
        hash: pooled.transaction.hash,
        from: sender,
        to: inner.to,
        body: Body::Signed(pooled.clone()),
        ok,
        gas_used,
        cumulative_gas_used: block.gas_used,
        effective_gas_price: price,
        first_log: block.log_count(),
        logs: if ok { logs } else { Vec::new() },
    });
}
