//! JSON-RPC: methods of Ethereum nodes, and the simulation's own (`sim_*`).

use std::sync::Arc;

use alloy_primitives::U256;
use serde_json::{Value, json};

use crate::{
    RpcError,
    block::Block,
    chain::{Chain, Reorganisation, Treatment},
    fault::Fault,
    filter,
    params::Params,
    render, simulate,
};

const BATCH_LIMIT: usize = 1_000;
const HISTORY_LIMIT: u64 = 1_024;

impl Chain {
    /// Performs one call; `params` is a JSON array. The answer is the raw JSON of the result.
    pub fn rpc(&mut self, method: &str, params: &str) -> Result<Vec<u8>, RpcError> {
        let parsed: Value = if params.trim().is_empty() {
            Value::Array(Vec::new())
        } else {
            serde_json::from_str(params)
                .map_err(|error| RpcError::params(format!("params: {error}")))?
        };
        self.answer(method, &parsed)
            .map(|value| value.to_string().into_bytes())
    }

    /// Performs a JSON-RPC body, one request or a batch, and answers in the same shape.
    pub fn rpc_body(&mut self, body: &[u8]) -> Vec<u8> {
        let failed = |id: Value, code: i64, message: String| json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}});
        let answer = match serde_json::from_slice::<Value>(body) {
            Err(error) => failed(Value::Null, -32_700, format!("parse error: {error}")),
            Ok(Value::Array(members)) if members.is_empty() || members.len() > BATCH_LIMIT => {
                failed(
                    Value::Null,
                    -32_600,
                    format!("a batch has 1 to {BATCH_LIMIT} members"),
                )
            }
            Ok(Value::Array(members)) => members.iter().map(|member| self.member(member)).collect(),
            Ok(single) => self.member(&single),
        };
        answer.to_string().into_bytes()
    }

    fn member(&mut self, request: &Value) -> Value {
        let id = request.get("id").cloned().unwrap_or_default();
        let empty = Value::Array(Vec::new());
        let outcome = match request.get("method").and_then(Value::as_str) {
            None => Err(RpcError {
                code: -32_600,
                message: "invalid request".to_owned(),
                data: None,
            }),
            Some(method) => self.answer(method, request.get("params").unwrap_or(&empty)),
        };
        match outcome {
            Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err(RpcError {
                code,
                message,
                data: None,
            }) => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
            }
            Err(RpcError {
                code,
                message,
                data,
            }) => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message, "data": data}})
            }
        }
    }

    fn answer(&mut self, method: &str, params: &Value) -> Result<Value, RpcError> {
        *self.calls.entry(method.to_owned()).or_default() += 1;
        let params = Params(params);
        if method.starts_with("sim_") {
            return self.own(method, &params);
        }
        let mut treatment = Treatment::default();
        match self.faults.next(method) {
            None => {}
            Some(Fault::Null) => return Ok(Value::Null),
            Some(Fault::Error { code, message }) => {
                return Err(RpcError {
                    code,
                    message,
                    data: None,
                });
            }
            Some(Fault::Drop { taken }) => {
                if taken {
                    // Whatever came of it, the caller never hears.
                    let _ = self.perform(method, &params, treatment);
                }
                return Err(RpcError::timeout());
            }
            Some(Fault::Delay { blocks }) => treatment.delay_blocks = blocks,
            Some(Fault::Revert { bps }) => treatment.adverse_bps = bps.min(9_999),
            Some(Fault::Reorganise { depth, hold }) => {
                let depth = depth.min(self.head().number - self.finalized_number());
                if depth > 0 {
                    self.reorganise(&Reorganisation {
                        depth,
                        blocks: depth,
                        hold,
                        ..Reorganisation::default()
                    })?;
                }
            }
        }
        self.perform(method, &params, treatment)
    }

    fn perform(
        &mut self,
        method: &str,
        params: &Params<'_>,
        treatment: Treatment,
    ) -> Result<Value, RpcError> {
        if method == "eth_sendRawTransaction" {
            let raw = render::bytes(params.need(0)?)?;
            return self
                .send(&raw, treatment)
                .map(|hash| render::data(hash.as_slice()));
        }
        self.read(method, params)
    }

    fn read(&self, method: &str, params: &Params<'_>) -> Result<Value, RpcError> {
        match method {
            "eth_chainId" => Ok(render::quantity(self.genesis.chain_id)),
            "net_version" => Ok(Value::String(self.genesis.chain_id.to_string())),
            "web3_clientVersion" => Ok(Value::String(format!(
                "sep-sim/{}",
                env!("CARGO_PKG_VERSION")
            ))),
            "eth_syncing" => Ok(Value::Bool(false)),
            "eth_blockNumber" => Ok(render::quantity(self.head().number)),
            "eth_getBlockByNumber" => {
                let whole = params.at(1).and_then(Value::as_bool).unwrap_or_default();
                let number = self.number_of(params.need(0)?)?;
                Ok(self
                    .at_number(number)
                    .map_or(Value::Null, |block| render::block(block, whole)))
            }
            "eth_getBlockByHash" => {
                let whole = params.at(1).and_then(Value::as_bool).unwrap_or_default();
                let hash = render::hash(params.need(0)?)?;
                Ok(self
                    .by_hash(&hash)
                    .map_or(Value::Null, |block| render::block(block, whole)))
            }
            "eth_getLogs" => filter::logs(self, &Params(params.need(0)?)),
            "eth_call" => {
                let block = self.block_of(params.at(1))?;
                simulate::call(self, params.need(0)?, &block, params.at(2))
            }
            "eth_estimateGas" => {
                simulate::estimate(self, params.need(0)?, &*self.block_of(params.at(1))?)
            }
            "eth_simulateV1" => {
                simulate::simulate(self, params.need(0)?, &*self.block_of(params.at(1))?)
            }
            "eth_getTransactionCount" => self.transaction_count(params),
            "eth_getBalance" => {
                let account = render::address(params.need(0)?)?;
                let block = self.block_of(params.at(1))?;
                Ok(render::wide(self.kept(&block)?.account(account).balance))
            }
            "eth_getCode" => {
                let account = render::address(params.need(0)?)?;
                let block = self.block_of(params.at(1))?;
                let code: &[u8] = if self.kept(&block)?.contract(account).is_some() {
                    &[0xfe]
                } else {
                    &[]
                };
                Ok(render::data(code))
            }
            "eth_maxPriorityFeePerGas" => Ok(render::wide(self.genesis.suggested_tip)),
            "eth_gasPrice" => Ok(render::wide(
                self.next_base_fee() + self.genesis.suggested_tip,
            )),
            "eth_feeHistory" => self.fee_history(params),
            "eth_getTransactionReceipt" => {
                let hash = render::hash(params.need(0)?)?;
                Ok(self
                    .mined(&hash)
                    .map_or(Value::Null, |(block, place, mined)| {
                        render::receipt(block, place, mined)
                    }))
            }
            "eth_getTransactionByHash" => {
                let hash = render::hash(params.need(0)?)?;
                let mined = self.mined(&hash);
                let found = mined
                    .map(|(block, place, mined)| render::mined_transaction(block, place, mined));
                let waiting = || {
                    self.pool
                        .get(&hash)
                        .map(|pooled| render::pending_transaction(pooled))
                };
                Ok(found.or_else(waiting).unwrap_or_default())
            }
            _ => Err(RpcError::no_method(method)),
        }
    }

    fn transaction_count(&self, params: &Params<'_>) -> Result<Value, RpcError> {
        let account = render::address(params.need(0)?)?;
        if params.at(1).and_then(Value::as_str) == Some("pending") {
            let nonce = self.head_world().account(account).nonce;
            return Ok(render::quantity(self.pool.pending_nonce(account, nonce)));
        }
        let block = self.block_of(params.at(1))?;
        Ok(render::quantity(self.kept(&block)?.account(account).nonce))
    }

    fn fee_history(&self, params: &Params<'_>) -> Result<Value, RpcError> {
        let wanted = render::small(params.need(0)?)?.clamp(1, HISTORY_LIMIT);
        let newest = self.number_of(params.need(1)?)?;
        let newest = self
            .at_number(newest)
            .ok_or_else(|| RpcError::server("request beyond head block"))?
            .number;
        let oldest = (newest + 1).saturating_sub(wanted);
        let percentiles = params.at(2).and_then(Value::as_array);
        let blocks = (oldest..=newest).filter_map(|number| self.at_number(number));
        let (mut fees, mut ratios, mut rewards) = (Vec::new(), Vec::new(), Vec::new());
        for block in blocks {
            fees.push(render::wide(block.base_fee));
            #[expect(clippy::cast_precision_loss, reason = "gas numbers are below 2^53")]
            ratios.push(json!(block.gas_used as f64 / block.gas_limit as f64));
            if let Some(percentiles) = percentiles {
                rewards.push(block_rewards(block, percentiles));
            }
        }
        let after = self
            .at_number(newest + 1)
            .map_or_else(|| self.next_base_fee(), |block| block.base_fee);
        fees.push(render::wide(after));
        let mut history = json!({
            "oldestBlock": render::quantity(oldest), "baseFeePerGas": fees, "gasUsedRatio": ratios,
        });
        if percentiles.is_some() {
            history["reward"] = Value::Array(rewards);
        }
        Ok(history)
    }

    /// The number that a tag or quantity means; it may lie beyond the head.
    pub(crate) fn number_of(&self, block: &Value) -> Result<u64, RpcError> {
        match block.as_str() {
            Some("latest" | "pending") => Ok(self.head().number),
            Some("earliest") => Ok(0),
            Some("safe") => Ok(self.safe_number()),
            Some("finalized") => Ok(self.finalized_number()),
            _ => render::small(block),
        }
    }

    /// The block that a tag, quantity or EIP-1898 object means; latest where it is left out.
    fn block_of(&self, block: Option<&Value>) -> Result<Arc<Block>, RpcError> {
        let Some(block) = block else {
            return Ok(self.head().clone());
        };
        if block.is_object() {
            let fields = Params(block);
            if let Some(hash) = fields.field("blockHash") {
                let hash = render::hash(hash)?;
                let found = self
                    .by_hash(&hash)
                    .ok_or_else(|| RpcError::server("header for hash not found"))?;
                if fields.flag("requireCanonical", false) && !self.is_canonical(found) {
                    return Err(RpcError::server("hash is not currently canonical"));
                }
                return Ok(found.clone());
            }
            let number = self.number_of(fields.need_field("blockNumber")?)?;
            return self
                .at_number(number)
                .cloned()
                .ok_or_else(|| RpcError::server("header not found"));
        }
        let number = self.number_of(block)?;
        self.at_number(number)
            .cloned()
            .ok_or_else(|| RpcError::server("header not found"))
    }

    fn kept(&self, block: &Block) -> Result<&crate::world::World, RpcError> {
        let world = self.world(&block.hash).map(Arc::as_ref);
        world.ok_or_else(|| {
            RpcError::server("missing trie node: the state of this block is no longer kept")
        })
    }
}

/// Tips at percentiles of a block's gas.
fn block_rewards(block: &Block, percentiles: &[Value]) -> Value {
    let mut tips: Vec<(U256, u64)> = (block.transactions.iter().filter(|mined| mined.gas_used > 0))
        .map(|mined| {
            (
                mined.effective_gas_price.saturating_sub(block.base_fee),
                mined.gas_used,
            )
        })
        .collect();
    tips.sort_unstable();
    let at = |percentile: f64| {
        #[expect(clippy::cast_precision_loss, reason = "gas numbers are below 2^53")]
        let threshold = block.gas_used as f64 * percentile / 100.0;
        let mut sum = 0;
        for (tip, gas) in &tips {
            sum += gas;
            #[expect(clippy::cast_precision_loss, reason = "gas numbers are below 2^53")]
            if sum as f64 >= threshold {
                return *tip;
            }
        }
        tips.last().map(|(tip, _)| *tip).unwrap_or_default()
    };
    percentiles
        .iter()
        .map(|percentile| render::wide(at(percentile.as_f64().unwrap_or_default())))
        .collect()
}
