//! JSON as Ethereum nodes write it, and its parts read back.

use alloy_primitives::{Address, B256, Bloom, BloomInput, U256, hex};
use serde_json::{Map, Value, json};

use crate::{
    RpcError,
    block::{Block, Body, Mined},
    machine::Entry,
    mempool::Pooled,
};

pub(crate) fn quantity(value: u64) -> Value {
    Value::String(format!("{value:#x}"))
}

pub(crate) fn wide(value: U256) -> Value {
    Value::String(format!("{value:#x}"))
}

pub(crate) fn data(bytes: &[u8]) -> Value {
    Value::String(hex::encode_prefixed(bytes))
}

fn lower(address: Address) -> Value {
    data(address.as_slice())
}

pub(crate) fn address(value: &Value) -> Result<Address, RpcError> {
    let text = value.as_str().unwrap_or_default();
    hex::decode_to_array(text)
        .map(Address::new)
        .map_err(|_| RpcError::params(format!("{value} is no address")))
}

pub(crate) fn hash(value: &Value) -> Result<B256, RpcError> {
    let text = value.as_str().unwrap_or_default();
    hex::decode_to_array(text)
        .map(B256::new)
        .map_err(|_| RpcError::params(format!("{value} is no hash")))
}

pub(crate) fn bytes(value: &Value) -> Result<Vec<u8>, RpcError> {
    let text = value.as_str().filter(|text| text.starts_with("0x"));
    text.and_then(|text| hex::decode(text).ok())
        .ok_or_else(|| RpcError::params(format!("{value} is no 0x data")))
}

/// A hexadecimal quantity; the simulation's own methods take decimal texts and numbers too.
pub(crate) fn number(value: &Value) -> Result<U256, RpcError> {
    let refused = || RpcError::params(format!("{value} is no quantity"));
    match value {
        Value::Number(number) => number.as_u64().map(U256::from).ok_or_else(refused),
        Value::String(text) => match text.strip_prefix("0x") {
            Some("") => Err(refused()),
            Some(digits) => U256::from_str_radix(digits, 16).map_err(|_| refused()),
            None if text.is_empty() => Err(refused()),
            None => U256::from_str_radix(text, 10).map_err(|_| refused()),
        },
        _ => Err(refused()),
    }
}

pub(crate) fn small(value: &Value) -> Result<u64, RpcError> {
    number(value)?
        .try_into()
        .map_err(|_| RpcError::params(format!("{value} is above 2^64")))
}

pub(crate) fn block(block: &Block, whole: bool) -> Value {
    let transactions: Vec<Value> = (block.transactions.iter().enumerate())
        .map(|(place, mined)| {
            if whole {
                mined_transaction(block, place, mined)
            } else {
                data(mined.hash.as_slice())
            }
        })
        .collect();
    json!({
        "number": quantity(block.number),
        "hash": data(block.hash.as_slice()),
        "parentHash": data(block.parent_hash.as_slice()),
        "timestamp": quantity(block.timestamp),
        "baseFeePerGas": wide(block.base_fee),
        "gasLimit": quantity(block.gas_limit),
        "gasUsed": quantity(block.gas_used),
        "logsBloom": data(block.bloom.as_slice()),
        "miner": lower(Address::ZERO),
        "difficulty": "0x0",
        "extraData": "0x",
        "uncles": [],
        "transactions": transactions,
    })
}

pub(crate) fn log(
    block: &Block,
    place: usize,
    mined: &Mined,
    number: usize,
    entry: &Entry,
) -> Value {
    let mut value = entry_fields(entry);
    value.insert("blockNumber".to_owned(), quantity(block.number));
    value.insert("blockHash".to_owned(), data(block.hash.as_slice()));
    value.insert("blockTimestamp".to_owned(), quantity(block.timestamp));
    value.insert("transactionHash".to_owned(), data(mined.hash.as_slice()));
    value.insert("transactionIndex".to_owned(), quantity(place as u64));
    value.insert(
        "logIndex".to_owned(),
        quantity((mined.first_log + number) as u64),
    );
    value.insert("removed".to_owned(), Value::Bool(false));
    Value::Object(value)
}

/// What a log says, without where it stands.
pub(crate) fn entry_fields(entry: &Entry) -> Map<String, Value> {
    let mut value = Map::new();
    value.insert("address".to_owned(), lower(entry.address));
    let topics = entry
        .data
        .topics()
        .iter()
        .map(|topic| data(topic.as_slice()))
        .collect();
    value.insert("topics".to_owned(), Value::Array(topics));
    value.insert("data".to_owned(), data(&entry.data.data));
    value
}

pub(crate) fn receipt(block: &Block, place: usize, mined: &Mined) -> Value {
    let mut bloom = Bloom::ZERO;
    for entry in &mined.logs {
        bloom.accrue(BloomInput::Raw(entry.address.as_slice()));
        for topic in entry.data.topics() {
            bloom.accrue(BloomInput::Raw(topic.as_slice()));
        }
    }
    let logs: Vec<Value> = mined
        .logs
        .iter()
        .enumerate()
        .map(|(number, entry)| log(block, place, mined, number, entry))
        .collect();
    json!({
        "transactionHash": data(mined.hash.as_slice()),
        "transactionIndex": quantity(place as u64),
        "blockHash": data(block.hash.as_slice()),
        "blockNumber": quantity(block.number),
        "from": lower(mined.from),
        "to": lower(mined.to),
        "contractAddress": null,
        "status": quantity(u64::from(mined.ok)),
        "type": "0x2",
        "gasUsed": quantity(mined.gas_used),
        "cumulativeGasUsed": quantity(mined.cumulative_gas_used),
        "effectiveGasPrice": wide(mined.effective_gas_price),
        "logsBloom": data(bloom.as_slice()),
        "logs": logs,
    })
}

pub(crate) fn pending_transaction(pooled: &Pooled) -> Value {
    let mut value = transaction_fields(pooled);
    for name in ["blockHash", "blockNumber", "transactionIndex"] {
        value.insert(name.to_owned(), Value::Null);
    }
    value.insert("gasPrice".to_owned(), wide(pooled.fee_cap()));
    Value::Object(value)
}

pub(crate) fn mined_transaction(block: &Block, place: usize, mined: &Mined) -> Value {
    let mut value = match &mined.body {
        Body::Signed(pooled) => transaction_fields(pooled),
        Body::System { .. } => {
            let mut value = Map::new();
            value.insert("hash".to_owned(), data(mined.hash.as_slice()));
            value.insert("from".to_owned(), lower(mined.from));
            value.insert("to".to_owned(), lower(mined.to));
            value.insert("input".to_owned(), data(&[]));
            for name in ["nonce", "value", "gas"] {
                value.insert(name.to_owned(), quantity(0));
            }
            value.insert("type".to_owned(), quantity(2));
            value
        }
    };
    value.insert("blockHash".to_owned(), data(block.hash.as_slice()));
    value.insert("blockNumber".to_owned(), quantity(block.number));
    value.insert("transactionIndex".to_owned(), quantity(place as u64));
    value.insert("gasPrice".to_owned(), wide(mined.effective_gas_price));
    Value::Object(value)
}

fn transaction_fields(pooled: &Pooled) -> Map<String, Value> {
    let inner = &pooled.transaction.transaction;
    let fields = [
        ("hash", data(pooled.transaction.hash.as_slice())),
        ("from", lower(pooled.transaction.sender)),
        ("to", lower(inner.to)),
        ("nonce", quantity(inner.nonce)),
        ("value", wide(inner.value)),
        ("input", data(&inner.data)),
        ("gas", quantity(inner.gas_limit)),
        ("maxFeePerGas", wide(pooled.fee_cap())),
        ("maxPriorityFeePerGas", wide(pooled.tip_cap())),
        ("chainId", quantity(inner.chain_id)),
        ("type", quantity(2)),
        ("accessList", Value::Array(Vec::new())),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
