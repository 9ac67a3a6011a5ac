//! Reads and simulations: calls on a copy of a world.

use alloy_primitives::{Address, Keccak256, U256};
use alloy_sol_types::SolError;
use serde_json::{Value, json};

use crate::{
    RpcError, abi,
    block::Block,
    chain::Chain,
    error::REVERT,
    gas,
    machine::{Entry, Halt, Machine},
    render,
    world::World,
};

/// An unsigned call.
struct Call {
    from: Address,
    to: Address,
    value: U256,
    data: Vec<u8>,
    gas: u64,
}

struct Done {
    outcome: Result<Vec<u8>, Halt>,
    gas_used: u64,
    logs: Vec<Entry>,
}

impl Call {
    fn parse(value: &Value) -> Result<Self, RpcError> {
        let field = |name: &str| value.get(name).filter(|field| !field.is_null());
        let to = field("to")
            .ok_or_else(|| RpcError::params("contract creation is not simulated: to is missing"))?;
        let data = field("input").or_else(|| field("data"));
        Ok(Self {
            from: field("from").map_or(Ok(Address::ZERO), render::address)?,
            to: render::address(to)?,
            value: field("value").map_or(Ok(U256::ZERO), render::number)?,
            data: data.map_or(Ok(Vec::new()), render::bytes)?,
            gas: field("gas")
                .map_or(Ok(gas::CALL_LIMIT), render::small)?
                .min(gas::CALL_LIMIT),
        })
    }

    /// Runs on a world and leaves it as a transaction would, fees aside.
    fn run(&self, world: &mut World, timestamp: u64) -> Done {
        let before = world.clone();
        let intrinsic = gas::intrinsic(&self.data);
        let Some(budget) = self.gas.checked_sub(intrinsic) else {
            return Done {
                outcome: Err(Halt::OutOfGas),
                gas_used: self.gas,
                logs: Vec::new(),
            };
        };
        let mut machine = Machine::new(world, timestamp, budget);
        let outcome = machine.call(self.from, self.to, self.value, &self.data);
        let (gas_left, logs) = (machine.gas_left, machine.logs);
        let gas_used = if outcome == Err(Halt::OutOfGas) {
            self.gas
        } else {
            self.gas - gas_left
        };
        if outcome.is_err() {
            *world = before;
            return Done {
                outcome,
                gas_used,
                logs: Vec::new(),
            };
        }
        Done {
            outcome,
            gas_used,
            logs,
        }
    }
}

fn halted(halt: &Halt) -> RpcError {
    match halt {
        Halt::OutOfGas => RpcError::server("out of gas"),
        Halt::Revert(data) => {
            let reason = abi::Error::abi_decode(data)
                .map(|error| format!(": {}", error.reason))
                .unwrap_or_default();
            RpcError {
                code: REVERT,
                message: format!("execution reverted{reason}"),
                data: Some(alloy_primitives::hex::encode_prefixed(data)),
            }
        }
    }
}

fn state(chain: &Chain, block: &Block) -> Result<World, RpcError> {
    let world = chain.world(&block.hash);
    world.map(|world| World::clone(world)).ok_or_else(|| {
        RpcError::server(format!(
            "missing trie node: the state of block {} is no longer kept",
            block.number
        ))
    })
}

/// Answers `eth_call`, with state overrides where they are given.
pub(crate) fn call(
    chain: &Chain,
    call: &Value,
    block: &Block,
    overrides: Option<&Value>,
) -> Result<Value, RpcError> {
    let mut world = state(chain, block)?;
    override_balances(&mut world, overrides)?;
    let done = Call::parse(call)?.run(&mut world, block.timestamp);
    done.outcome
        .map(|output| render::data(&output))
        .map_err(|halt| halted(&halt))
}

/// Answers `eth_estimateGas`: costs are fixed, so the estimate is exact.
pub(crate) fn estimate(chain: &Chain, call: &Value, block: &Block) -> Result<Value, RpcError> {
    let timestamp = block.timestamp + chain.genesis.block_interval_seconds;
    let done = Call::parse(call)?.run(&mut state(chain, block)?, timestamp);
    done.outcome
        .map(|_| render::quantity(done.gas_used))
        .map_err(|halt| halted(&halt))
}

/// Answers `eth_simulateV1`: blocks of calls on top of a block, each seeing what the earlier ones did.
pub(crate) fn simulate(chain: &Chain, request: &Value, parent: &Block) -> Result<Value, RpcError> {
    if request
        .get("validation")
        .and_then(Value::as_bool)
        .unwrap_or_default()
    {
        return Err(RpcError::params("validation true is not simulated"));
    }
    let blocks = request.get("blockStateCalls").and_then(Value::as_array);
    let blocks = blocks.ok_or_else(|| RpcError::params("blockStateCalls is no array"))?;
    let mut world = state(chain, parent)?;
    let mut results = Vec::new();
    for (place, block) in blocks.iter().enumerate() {
        let above = place as u64 + 1;
        let mut timestamp = parent.timestamp + above * chain.genesis.block_interval_seconds;
        if let Some(time) = block
            .get("blockOverrides")
            .and_then(|overrides| overrides.get("time"))
        {
            timestamp = render::small(time)?;
        }
        override_balances(&mut world, block.get("stateOverrides"))?;
        let calls = block
            .get("calls")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut log_index = 0;
        let mut answers = Vec::with_capacity(calls.len());
        for (number, call) in calls.iter().enumerate() {
            let done = Call::parse(call)?.run(&mut world, timestamp);
            answers.push(simulated(parent, place, number, &mut log_index, done));
        }
        results.push(json!({
            "number": render::quantity(parent.number + above),
            "timestamp": render::quantity(timestamp),
            "baseFeePerGas": "0x0",
            "gasLimit": render::quantity(parent.gas_limit),
            "calls": answers,
        }));
    }
    Ok(Value::Array(results))
}

fn override_balances(world: &mut World, overrides: Option<&Value>) -> Result<(), RpcError> {
    for (address, fields) in overrides.and_then(Value::as_object).into_iter().flatten() {
        let account = render::address(&Value::String(address.clone()))?;
        for (name, value) in fields.as_object().into_iter().flatten() {
            if name != "balance" {
                return Err(RpcError::params(format!(
                    "the override {name} is not simulated, only balance"
                )));
            }
            world.account_mut(account).balance = render::number(value)?;
        }
    }
    Ok(())
}

fn simulated(
    parent: &Block,
    block: usize,
    number: usize,
    log_index: &mut u64,
    done: Done,
) -> Value {
    let mut hasher = Keccak256::new();
    hasher.update(b"sep-sim/simulated");
    hasher.update(parent.hash);
    hasher.update(block.to_be_bytes());
    hasher.update(number.to_be_bytes());
    let hash = render::data(hasher.finalize().as_slice());
    let mut logs = Vec::with_capacity(done.logs.len());
    for entry in &done.logs {
        let mut log = render::entry_fields(entry);
        log.insert("transactionHash".to_owned(), hash.clone());
        log.insert(
            "transactionIndex".to_owned(),
            render::quantity(number as u64),
        );
        log.insert("logIndex".to_owned(), render::quantity(*log_index));
        log.insert(
            "blockNumber".to_owned(),
            render::quantity(parent.number + block as u64 + 1),
        );
        *log_index += 1;
        logs.push(Value::Object(log));
    }
    let gas_used = render::quantity(done.gas_used);
    match done.outcome {
        Ok(output) => json!({
            "status": "0x1", "returnData": render::data(&output), "gasUsed": gas_used, "logs": logs,
        }),
        Err(halt) => {
            let error = halted(&halt);
            let output = if let Halt::Revert(data) = &halt {
                data.as_slice()
            } else {
                &[]
            };
            json!({
                "status": "0x0", "returnData": render::data(output), "gasUsed": gas_used, "logs": [],
                "error": {"code": error.code, "message": error.message, "data": error.data},
            })
        }
    }
}
