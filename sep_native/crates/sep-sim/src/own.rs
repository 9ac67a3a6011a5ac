//! The simulation's own methods: time, faults, prices, funds, counters.

use alloy_primitives::{Address, B256};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    RpcError,
    chain::{Chain, Reorganisation},
    fault::{Faults, Rule},
    market::sqrt_price_of,
    params::Params,
    render,
    system::SystemOperation,
};

const MINE_LIMIT: u64 = 100_000;

/// What `sim_setFaults` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    seed: Option<u64>,
    #[serde(default)]
    rules: Vec<Rule>,
}

impl Chain {
    pub(crate) fn own(&mut self, method: &str, params: &Params<'_>) -> Result<Value, RpcError> {
        match method {
            "sim_mine" => {
                let count = params.at(0).map_or(Ok(1), render::small)?;
                if count > MINE_LIMIT {
                    return Err(RpcError::params(format!(
                        "{count} blocks at once are too many"
                    )));
                }
                Ok((0..count)
                    .map(|_| self.mine())
                    .map(|hash| render::data(hash.as_slice()))
                    .collect())
            }
            "sim_setAutomine" => {
                self.automine = params
                    .need(0)?
                    .as_bool()
                    .ok_or_else(|| RpcError::params("true or false"))?;
                Ok(Value::Bool(self.automine))
            }
            "sim_setLeastBaseFee" => {
                self.least_base_fee = render::number(params.need(0)?)?;
                Ok(Value::Bool(true))
            }
            "sim_setFinality" => {
                self.finality_depth = render::small(params.need(0)?)?;
                self.safe_depth = params
                    .at(1)
                    .map_or(Ok(self.finality_depth.div_ceil(2)), render::small)?;
                Ok(Value::Bool(true))
            }
            "sim_setFaults" => {
                let wanted = Wanted::deserialize(params.need(0)?)
                    .map_err(|error| RpcError::params(format!("faults: {error}")))?;
                self.faults = Faults::new(wanted.seed.unwrap_or(self.genesis.seed), wanted.rules)?;
                Ok(Value::Bool(true))
            }
            "sim_reorg" => self.own_reorganise(params),
            "sim_dropTransaction" => Ok(Value::Bool(
                self.pool.remove(&render::hash(params.need(0)?)?),
            )),
            "sim_pendingTransactions" => Ok(self
                .pool
                .hashes()
                .iter()
                .map(|hash| render::data(hash.as_slice()))
                .collect()),
            "sim_mintToken" | "sim_setBalance" | "sim_nudge" | "sim_setPrice" => {
                let fields = Params(params.need(0)?);
                let operation = self.operation(method, &fields)?;
                self.queue(operation);
                // Queued alone, the act waits for the next block.
                let mine = fields.flag("mine", true);
                Ok(if mine {
                    render::data(self.mine().as_slice())
                } else {
                    Value::Null
                })
            }
            "sim_counters" => Ok(json!({
                "calls": self.calls,
                "blocks": self.head().number,
                "branches": self.branch,
                "faults": self.faults.fired(),
                "pool": self.pool.len(),
                "finalized": self.finalized_number(),
            })),
            "sim_genesis" => serde_json::to_value(&*self.genesis)
                .map_err(|error| RpcError::server(error.to_string())),
            _ => Err(RpcError::no_method(method)),
        }
    }

    fn own_reorganise(&mut self, params: &Params<'_>) -> Result<Value, RpcError> {
        let depth = render::small(params.need(0)?)?;
        let options = Params(params.at(1).unwrap_or(&Value::Null));
        let drop = match options.field("drop") {
            None => Vec::new(),
            Some(Value::Array(hashes)) => hashes
                .iter()
                .map(render::hash)
                .collect::<Result<Vec<B256>, _>>()?,
            Some(_) => return Err(RpcError::params("drop is no array of hashes")),
        };
        let wanted = Reorganisation {
            depth,
            blocks: options.small("blocks", depth)?,
            hold: options.small("hold", 0)?,
            drop,
            force: options.flag("force", false),
        };
        if wanted.blocks == 0 || wanted.blocks > MINE_LIMIT {
            return Err(RpcError::params("a new branch has at least one block"));
        }
        let (removed, added) = self.reorganise(&wanted)?;
        let texts = |hashes: Vec<B256>| {
            hashes
                .iter()
                .map(|hash| render::data(hash.as_slice()))
                .collect::<Value>()
        };
        Ok(json!({"removed": texts(removed), "added": texts(added)}))
    }

    fn known_pool(&self, fields: &Params<'_>) -> Result<Address, RpcError> {
        let pool = render::address(fields.need_field("pool")?)?;
        match self.head_world().pool(pool) {
            Some(_) => Ok(pool),
            None => Err(RpcError::params(format!("{pool} is no pool of this chain"))),
        }
    }

    /// The act that a method of the simulation asks for.
    fn operation(&self, method: &str, fields: &Params<'_>) -> Result<SystemOperation, RpcError> {
        match method {
            "sim_mintToken" => {
                let token = render::address(fields.need_field("token")?)?;
                if self.head_world().token(token).is_none() {
                    return Err(RpcError::params(format!(
                        "{token} is no token of this chain"
                    )));
                }
                let to = render::address(fields.need_field("to")?)?;
                let amount = render::number(fields.need_field("amount")?)?;
                Ok(SystemOperation::Mint { token, to, amount })
            }
            "sim_setBalance" => {
                let account = render::address(fields.need_field("address")?)?;
                let amount = render::number(fields.need_field("amount")?)?;
                Ok(SystemOperation::SetBalance { account, amount })
            }
            "sim_nudge" => {
                let pool = self.known_pool(fields)?;
                let bps = u32::try_from(fields.small("bps", 100)?)
                    .ok()
                    .filter(|bps| *bps < 10_000);
                let bps = bps.ok_or_else(|| RpcError::params("bps is below 10000"))?;
                Ok(SystemOperation::Nudge {
                    pool,
                    bps,
                    up: fields.flag("up", true),
                })
            }
            _ => {
                let pool = self.known_pool(fields)?;
                let amount0 = render::number(fields.need_field("amount0")?)?;
                let amount1 = render::number(fields.need_field("amount1")?)?;
                let sqrt_price = sqrt_price_of(amount0, amount1);
                if sqrt_price <= sep_amm::SQRT_PRICE_MIN || sqrt_price >= sep_amm::SQRT_PRICE_MAX {
                    return Err(RpcError::params("amount1 / amount0 is no price of a pool"));
                }
                Ok(SystemOperation::SetPrice { pool, sqrt_price })
            }
        }
    }
}
