use alloy_primitives::{Address, B256};
use serde_json::Value;

use crate::{RpcError, block::Block, chain::Chain, machine::Entry, params::Params, render};

/// What `eth_getLogs` asks for.
pub(crate) struct Filter {
    addresses: Vec<Address>,
    /// For each place the topics allowed; none means any.
    topics: Vec<Vec<B256>>,
}

/// As many logs as one answer holds.
const LIMIT: usize = 20_000;

impl Filter {
    fn parse(filter: &Params<'_>) -> Result<Self, RpcError> {
        let addresses = match filter.field("address") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items
                .iter()
                .map(render::address)
                .collect::<Result<_, _>>()?,
            Some(one) => vec![render::address(one)?],
        };
        let topics = match filter.field("topics") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(places)) => {
                places.iter().map(alternatives).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(RpcError::params("topics is no array")),
        };
        Ok(Self { addresses, topics })
    }

    fn admits(&self, entry: &Entry) -> bool {
        let topics = entry.data.topics();
        (self.addresses.is_empty() || self.addresses.contains(&entry.address))
            && self.topics.len() <= topics.len()
            && self
                .topics
                .iter()
                .zip(topics)
                .all(|(allowed, topic)| allowed.is_empty() || allowed.contains(topic))
    }

    fn of_block(&self, block: &Block, found: &mut Vec<Value>) -> Result<(), RpcError> {
        for (place, mined) in block.transactions.iter().enumerate() {
            for (number, entry) in mined
                .logs
                .iter()
                .enumerate()
                .filter(|(_, entry)| self.admits(entry))
            {
                if found.len() == LIMIT {
                    return Err(RpcError::server(format!(
                        "query returned more than {LIMIT} results"
                    )));
                }
                found.push(render::log(block, place, mined, number, entry));
            }
        }
        Ok(())
    }
}

fn alternatives(place: &Value) -> Result<Vec<B256>, RpcError> {
    match place {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => items.iter().map(render::hash).collect(),
        one => Ok(vec![render::hash(one)?]),
    }
}

/// Answers `eth_getLogs`: by block hash (orphaned blocks too, as geth does) or by a range of the canonical chain.
pub(crate) fn logs(chain: &Chain, params: &Params<'_>) -> Result<Value, RpcError> {
    let filter = Filter::parse(params)?;
    let mut found = Vec::new();
    if let Some(hash) = params.field("blockHash") {
        let hash = render::hash(hash)?;
        let block = chain
            .by_hash(&hash)
            .ok_or_else(|| RpcError::server("unknown block"))?;
        filter.of_block(block, &mut found)?;
        return Ok(Value::Array(found));
    }
    let number = |name: &str| -> Result<u64, RpcError> {
        chain.number_of(
            params
                .field(name)
                .unwrap_or(&Value::String("latest".to_owned())),
        )
    };
    let (first, last) = (
        number("fromBlock")?,
        number("toBlock")?.min(chain.head().number),
    );
    if first > last && first <= chain.head().number {
        return Err(RpcError::params("invalid block range params"));
    }
    for number in first..=last {
        if let Some(block) = chain.at_number(number) {
            filter.of_block(block, &mut found)?;
        }
    }
    Ok(Value::Array(found))
}
