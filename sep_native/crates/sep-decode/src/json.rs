use std::borrow::Cow;
use std::fmt;

use alloy_primitives::{Address, B256, hex};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use crate::batch::{LogBatch, LogPlace};
use crate::{DecodeError, EventDecoder};

/// Topics beyond this are no log of any chain that we know.
const TOPICS_MAX: usize = 4;

/// Reads an array of logs in one pass; where one element is no log at all, again and element by element, so
/// that one bad element costs itself alone.
pub(crate) fn decode(decoder: &EventDecoder, text: &[u8]) -> Result<LogBatch, DecodeError> {
    let mut batch = LogBatch::new(decoder);
    let mut scratch = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(text);
    let seed = Logs {
        decoder,
        batch: &mut batch,
        scratch: &mut scratch,
    };
    if seed
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .is_ok()
    {
        return Ok(batch);
    }
    let elements: Vec<&RawValue> =
        serde_json::from_slice(text).map_err(|error| DecodeError::Json(error.to_string()))?;
    let mut batch = LogBatch::new(decoder);
    for element in elements {
        match serde_json::from_str::<JsonLog<'_>>(element.get()) {
            Ok(log) => log.push(decoder, &mut batch, &mut scratch),
            Err(_) => batch.push_malformed(
                None,
                &[],
                &[],
                LogPlace::default(),
                "the element is not a log object",
            ),
        }
    }
    Ok(batch)
}

struct Logs<'b> {
    decoder: &'b EventDecoder,
    batch: &'b mut LogBatch,
    scratch: &'b mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for Logs<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Logs<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of logs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while let Some(log) = sequence.next_element::<JsonLog<'de>>()? {
            log.push(self.decoder, self.batch, self.scratch);
        }
        Ok(())
    }
}

/// A log as the JSON says it. Fields that hold unreadable hexadecimal make the row malformed, not the array.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonLog<'a> {
    address: Hex<20>,
    topics: Topics,
    #[serde(borrow)]
    data: Text<'a>,
    #[serde(default)]
    block_number: Quantity,
    #[serde(default)]
    block_hash: Hex<32>,
    #[serde(default)]
    transaction_hash: Hex<32>,
    #[serde(default)]
    log_index: Quantity,
    #[serde(default)]
    removed: bool,
}

impl JsonLog<'_> {
    fn push(self, decoder: &EventDecoder, batch: &mut LogBatch, scratch: &mut Vec<u8>) {
        let place = LogPlace {
            block_number: self.block_number.known(),
            block_hash: self.block_hash.known().map(B256::from),
            transaction_hash: self.transaction_hash.known().map(B256::from),
            log_index: self.log_index.known(),
            removed: self.removed,
        };
        let address = self.address.known().map(Address::from);
        let topics = &self.topics.words[..self.topics.count];
        let readable = decode_hex(&self.data.0, scratch);
        let data: &[u8] = if readable { scratch } else { &[] };
        let reason = if !readable {
            "the data is not hexadecimal"
        } else if address.is_none() {
            "the address is not 20 bytes of hexadecimal"
        } else if !self.topics.readable {
            "the topics are not at most four words of hexadecimal"
        } else if self.place_is_unreadable() {
            "the place in the chain is not hexadecimal"
        } else {
            return batch.push(decoder, address, topics, data, place);
        };
        batch.push_malformed(address, topics, data, place, reason);
    }

    fn place_is_unreadable(&self) -> bool {
        matches!(self.block_number, Quantity::Unreadable)
            || matches!(self.log_index, Quantity::Unreadable)
            || matches!(self.block_hash, Hex::Unreadable)
            || matches!(self.transaction_hash, Hex::Unreadable)
    }
}

/// Exactly so many bytes of hexadecimal behind `0x`.
#[derive(Clone, Copy, Default)]
enum Hex<const N: usize> {
    Known([u8; N]),
    #[default]
    Absent,
    Unreadable,
}

impl<const N: usize> Hex<N> {
    fn parse(text: &str) -> Self {
        let mut bytes = [0u8; N];
        match text.strip_prefix("0x") {
            Some(digits)
                if digits.len() == 2 * N && hex::decode_to_slice(digits, &mut bytes).is_ok() =>
            {
                Self::Known(bytes)
            }
            _ => Self::Unreadable,
        }
    }

    fn known(self) -> Option<[u8; N]> {
        match self {
            Self::Known(bytes) => Some(bytes),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

/// A number of at most 64 bits behind `0x`.
#[derive(Clone, Copy, Default)]
enum Quantity {
    Known(u64),
    #[default]
    Absent,
    Unreadable,
}

impl Quantity {
    fn parse(text: &str) -> Self {
        let digits = text
            .strip_prefix("0x")
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        digits
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .map_or(Self::Unreadable, Self::Known)
    }

    fn known(self) -> Option<u64> {
        match self {
            Self::Known(number) => Some(number),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

macro_rules! from_text {
    ($name:ident $(<const $n:ident: usize>)?) => {
        impl<'de $(, const $n: usize)?> Deserialize<'de> for $name $(<$n>)? {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct OfText $(<const $n: usize>)?;
                impl<'de $(, const $n: usize)?> Visitor<'de> for OfText $(<$n>)? {
                    type Value = $name $(<$n>)?;
                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str("hexadecimal text or null")
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                        Ok($name::parse(text))
                    }
                    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                        Ok($name::Absent)
                    }
                }
                deserializer.deserialize_any(OfText $(::<$n>)?)
            }
        }
    };
}

from_text!(Hex<const N: usize>);
from_text!(Quantity);

/// Text that is borrowed from the source where it holds no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfText;
        impl<'de> Visitor<'de> for OfText {
            type Value = Text<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("hexadecimal text")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(OfText)
    }
}

struct Topics {
    words: [B256; TOPICS_MAX],
    count: usize,
    readable: bool,
}

impl<'de> Deserialize<'de> for Topics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfArray;
        impl<'de> Visitor<'de> for OfArray {
            type Value = Topics;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array of topics")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Topics, A::Error> {
                let mut topics = Topics {
                    words: [B256::ZERO; TOPICS_MAX],
                    count: 0,
                    readable: true,
                };
                while topics.count < TOPICS_MAX {
                    match sequence.next_element::<Hex<32>>()? {
                        None => return Ok(topics),
                        Some(Hex::Known(word)) => topics.words[topics.count] = B256::from(word),
                        Some(_) => topics.readable = false,
                    }
                    topics.count += 1;
                }
                while sequence.next_element::<IgnoredAny>()?.is_some() {
                    topics.readable = false;
                }
                Ok(topics)
            }
        }
        deserializer.deserialize_seq(OfArray)
    }
}

/// Replaces the scratch bytes by those of the text; false where it is no hexadecimal behind `0x`.
fn decode_hex(text: &str, scratch: &mut Vec<u8>) -> bool {
    let Some(digits) = text.strip_prefix("0x") else {
        return false;
    };
    scratch.clear();
    scratch.resize(digits.len() / 2, 0);
    digits.len().is_multiple_of(2) && hex::decode_to_slice(digits, scratch).is_ok()
}
