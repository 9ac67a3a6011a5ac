use alloy_dyn_abi::{DynSolEvent, Specifier};
use alloy_json_abi::Event;
use alloy_primitives::B256;
use alloy_primitives::map::B256Map;

use crate::DecodeError;
use crate::abi::signature_error;

/// How many arguments alloy's own decoder finds in logs, given as topics and data, one by one: to compare speeds with.
/// Logs of other events, and those that it refuses, count nothing.
pub fn count_with_alloy<'a>(
    signatures: &[String],
    logs: impl Iterator<Item = (&'a [B256], &'a [u8])>,
) -> Result<usize, DecodeError> {
    let mut events: B256Map<DynSolEvent> = B256Map::default();
    for text in signatures {
        let event = Event::parse(text).map_err(|error| signature_error(text, &error))?;
        let resolved = event
            .resolve()
            .map_err(|error| signature_error(text, &error))?;
        events.insert(event.selector(), resolved);
    }
    let count = logs
        .filter_map(|(topics, data)| {
            let event = events.get(topics.first()?)?;
            let decoded = event.decode_log_parts(topics.iter().copied(), data).ok()?;
            Some(decoded.indexed.len() + decoded.body.len())
        })
        .sum();
    Ok(count)
}
