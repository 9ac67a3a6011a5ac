use alloy_dyn_abi::DynSolType;
use alloy_primitives::U256;

use crate::WordKind;

const WORD: usize = 32;

/// Where the canonical encoding of a list of values ends in `data`, or why the bytes are none.
///
/// One pass without allocation: every offset must be the one place that a canonical encoder chooses, so hostile
/// offsets that point many times at the same bytes end here and not in memory.
pub(crate) fn canonical_end(types: &[DynSolType], data: &[u8]) -> Result<usize, &'static str> {
    sequence(types.iter(), data, 0)
}

fn sequence<'a>(
    types: impl Iterator<Item = &'a DynSolType> + Clone,
    data: &[u8],
    start: usize,
) -> Result<usize, &'static str> {
    let heads = types
        .clone()
        .try_fold(0usize, |sum, kind| sum.checked_add(head_bytes(kind)?));
    let mut tail = heads
        .and_then(|heads| start.checked_add(heads))
        .filter(|tail| *tail <= data.len())
        .ok_or(SHORT)?;
    let mut head = start;
    for kind in types {
        if kind.is_dynamic() {
            if length(data, head)? != tail - start {
                return Err("the layout is not canonical");
            }
            tail = dynamic(kind, data, tail)?;
            head += WORD;
        } else {
            head = fixed(kind, data, head)?;
        }
    }
    Ok(tail)
}

fn dynamic(kind: &DynSolType, data: &[u8], at: usize) -> Result<usize, &'static str> {
    match kind {
        DynSolType::Bytes | DynSolType::String => {
            let begin = at + WORD;
            let length = length(data, at)?;
            let content = data
                .get(begin..)
                .and_then(|rest| rest.get(..length))
                .ok_or(SHORT)?;
            let end = begin + length.next_multiple_of(WORD);
            let padding = data.get(begin + length..end).ok_or(SHORT)?;
            if padding.iter().any(|byte| *byte != 0) {
                Err(DIRTY)
            } else if matches!(kind, DynSolType::String) && std::str::from_utf8(content).is_err() {
                Err("a string is not UTF-8")
            } else {
                Ok(end)
            }
        }
        DynSolType::Array(inner) => {
            let count = length(data, at)?;
            // Every element takes a word at least: more of them than words cannot be there.
            if count > data.len() / WORD {
                return Err(SHORT);
            }
            sequence(std::iter::repeat_n(&**inner, count), data, at + WORD)
        }
        DynSolType::FixedArray(inner, count) => {
            if *count > data.len() / WORD {
                return Err(SHORT);
            }
            sequence(std::iter::repeat_n(&**inner, *count), data, at)
        }
        DynSolType::Tuple(types) => sequence(types.iter(), data, at),
        _ => fixed(kind, data, at),
    }
}

fn fixed(kind: &DynSolType, data: &[u8], at: usize) -> Result<usize, &'static str> {
    match kind {
        DynSolType::FixedArray(inner, count) => {
            (0..*count).try_fold(at, |at, _| fixed(inner, data, at))
        }
        DynSolType::Tuple(types) => types.iter().try_fold(at, |at, kind| fixed(kind, data, at)),
        _ => {
            let word = word(data, at)?;
            match WordKind::of(kind) {
                Some(kind) if kind.is_clean(word) => Ok(at + WORD),
                _ => Err(DIRTY),
            }
        }
    }
}

/// Bytes that a value takes among the heads of its list.
fn head_bytes(kind: &DynSolType) -> Option<usize> {
    if kind.is_dynamic() {
        Some(WORD)
    } else {
        kind.minimum_words().checked_mul(WORD)
    }
}

fn word(data: &[u8], at: usize) -> Result<&[u8; WORD], &'static str> {
    data.get(at..).and_then(<[u8]>::first_chunk).ok_or(SHORT)
}

/// A length or offset; one that is longer than the data is no shorter than too long.
fn length(data: &[u8], at: usize) -> Result<usize, &'static str> {
    let number = U256::from_be_bytes(*word(data, at)?);
    usize::try_from(number)
        .ok()
        .filter(|number| *number <= data.len())
        .ok_or(SHORT)
}

const SHORT: &str = "the data is too short";
const DIRTY: &str = "a value is outside its type or its padding is dirty";
