use std::collections::HashSet;

use alloy_dyn_abi::{DynSolType, DynSolValue, Specifier};
use alloy_json_abi::{Event, EventParam};
use alloy_primitives::B256;
use alloy_primitives::map::B256Map;

use crate::abi::{EMPTY, has_empty, signature_error};
use crate::batch::{Column, LogBatch, LogPlace};
use crate::names::without_member_names;
use crate::{DecodeError, TypeList, WordKind, json};

/// An argument of an event.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its declared name, or `arg` and its position.
    pub name: String,
    /// Its declared type.
    pub kind: DynSolType,
    /// Whether it travels as a topic; one that is no single word travels as a hash.
    pub indexed: bool,
    /// The word it is read from; `None` where the general decoder reads it.
    pub word: Option<WordKind>,
    place: usize,
}

/// The compiled form of an event signature.
#[derive(Clone, Debug)]
pub struct EventLayout {
    /// The event's name.
    pub name: String,
    /// The canonical signature, whose hash is the first topic.
    pub signature: String,
    /// The first topic.
    pub topic: B256,
    /// The arguments in declared order.
    pub fields: Vec<Field>,
    topic_count: usize,
    body: Body,
}

/// How the data of an event is laid out.
#[derive(Clone, Debug)]
enum Body {
    /// So many words, one for each argument.
    Words(usize),
    /// A list for the general decoder.
    List(TypeList),
}

/// Decoders for a set of events, found by first topic and number of topics.
#[derive(Clone, Debug)]
pub struct EventDecoder {
    layouts: Vec<EventLayout>,
    by_topic: B256Map<Vec<usize>>,
}

impl EventLayout {
    /// Compiles `event Transfer(address indexed from, address indexed to, uint256 value)`.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let event = Event::parse(&without_member_names(text, 2))
            .map_err(|error| signature_error(text, &error))?;
        if event.anonymous {
            return Err(signature_error(
                text,
                "an anonymous event cannot be told from others",
            ));
        }
        let mut fields = Vec::with_capacity(event.inputs.len());
        let (mut topics, mut words) = (0, 0);
        for (at, parameter) in event.inputs.iter().enumerate() {
            let counter = if parameter.indexed {
                &mut topics
            } else {
                &mut words
            };
            fields.push(Field::new(text, at, parameter, *counter)?);
            *counter += 1;
        }
        if topics > 3 {
            return Err(signature_error(
                text,
                "an event has three indexed arguments at most",
            ));
        }
        let mut names = HashSet::new();
        if let Some(field) = fields
            .iter()
            .find(|field| !names.insert(field.name.as_str()))
        {
            return Err(signature_error(
                text,
                &format!("the argument {} is declared twice", field.name),
            ));
        }
        let body = if fields.iter().all(|field| field.word.is_some()) {
            Body::Words(words)
        } else {
            let types = fields
                .iter()
                .filter(|field| !field.indexed)
                .map(|field| field.kind.clone());
            Body::List(TypeList::new(types.collect()))
        };
        Ok(Self {
            signature: event.signature(),
            topic: event.selector(),
            name: event.name,
            fields,
            topic_count: topics + 1,
            body,
        })
    }

    pub(crate) fn columns(&self) -> Vec<Column> {
        self.fields
            .iter()
            .map(|field| match field.word {
                Some(kind) => Column::Words(kind, Vec::new()),
                None => Column::Values(Vec::new()),
            })
            .collect()
    }

    /// Appends the arguments of one log to the columns, or says why not and appends nothing.
    pub(crate) fn decode_into(
        &self,
        topics: &[B256],
        data: &[u8],
        columns: &mut [Column],
    ) -> Result<(), &'static str> {
        let topic = |field: &Field| topics.get(field.place + 1).map(|topic| topic.0);
        match &self.body {
            Body::Words(count) => {
                if data.len() != count * 32 {
                    return Err("the data has the wrong length");
                }
                let (words, _) = data.as_chunks::<32>();
                let word = |field: &Field| {
                    if field.indexed {
                        topic(field)
                    } else {
                        words.get(field.place).copied()
                    }
                };
                if !self.fields.iter().all(|field| clean(field, word(field))) {
                    return Err("the padding of an argument is dirty");
                }
                for (field, column) in self.fields.iter().zip(columns) {
                    if let (Column::Words(_, rows), Some(word)) = (column, word(field)) {
                        rows.push(word);
                    }
                }
            }
            Body::List(types) => {
                if !self
                    .fields
                    .iter()
                    .filter(|field| field.indexed)
                    .all(|field| clean(field, topic(field)))
                {
                    return Err("the padding of an argument is dirty");
                }
                let values = types
                    .decode_exact(data)
                    .map_err(|_| "the data is not the canonical encoding")?;
                let mut values = values.into_iter();
                for (field, column) in self.fields.iter().zip(columns) {
                    match column {
                        Column::Words(_, rows) if field.indexed => rows.extend(topic(field)),
                        Column::Words(_, rows) => {
                            rows.extend(values.next().as_ref().and_then(word_of));
                        }
                        Column::Values(rows) => rows.extend(values.next()),
                    }
                }
            }
        }
        Ok(())
    }
}

impl Field {
    fn new(
        text: &str,
        at: usize,
        parameter: &EventParam,
        place: usize,
    ) -> Result<Self, DecodeError> {
        let kind: DynSolType = parameter
            .resolve()
            .map_err(|error| signature_error(text, &error))?;
        if has_empty(&kind) {
            return Err(signature_error(text, EMPTY));
        }
        let word = match WordKind::of(&kind) {
            None if parameter.indexed => Some(WordKind::FixedBytes(32)),
            word => word,
        };
        let name = if parameter.name.is_empty() {
            format!("arg{at}")
        } else {
            parameter.name.clone()
        };
        Ok(Self {
            name,
            kind,
            indexed: parameter.indexed,
            word,
            place,
        })
    }
}

impl EventDecoder {
    /// Compiles signatures; two that cannot be told apart by their topics are refused.
    pub fn new<T: AsRef<str>>(signatures: &[T]) -> Result<Self, DecodeError> {
        let mut layouts: Vec<EventLayout> = Vec::with_capacity(signatures.len());
        let mut by_topic: B256Map<Vec<usize>> = B256Map::default();
        for text in signatures {
            let layout = EventLayout::parse(text.as_ref())?;
            let same = by_topic.entry(layout.topic).or_default();
            if same
                .iter()
                .any(|at| layouts[*at].topic_count == layout.topic_count)
            {
                return Err(signature_error(
                    text.as_ref(),
                    "another signature has the same topics",
                ));
            }
            same.push(layouts.len());
            layouts.push(layout);
        }
        Ok(Self { layouts, by_topic })
    }

    /// The compiled signatures in the order given.
    pub fn layouts(&self) -> &[EventLayout] {
        &self.layouts
    }

    /// Decodes logs given as address, topics and data.
    pub fn decode<'a>(
        &self,
        logs: impl IntoIterator<Item = (&'a [u8], &'a [B256], &'a [u8])>,
    ) -> LogBatch {
        let mut batch = LogBatch::new(self);
        for (address, topics, data) in logs {
            match <[u8; 20]>::try_from(address) {
                Ok(address) => batch.push(
                    self,
                    Some(address.into()),
                    topics,
                    data,
                    LogPlace::default(),
                ),
                Err(_) => batch.push_malformed(
                    None,
                    topics,
                    data,
                    LogPlace::default(),
                    "the address is not 20 bytes",
                ),
            }
        }
        batch
    }

    /// Decodes the JSON array of an `eth_getLogs` answer or of a receipt's `logs`.
    pub fn decode_json(&self, text: &[u8]) -> Result<LogBatch, DecodeError> {
        json::decode(self, text)
    }

    /// The layout for these topics: `Ok(None)` where the first one is unknown.
    pub(crate) fn find(&self, topics: &[B256]) -> Result<Option<usize>, &'static str> {
        let Some(candidates) = topics.first().and_then(|topic| self.by_topic.get(topic)) else {
            return Ok(None);
        };
        let found = candidates
            .iter()
            .copied()
            .find(|at| self.layouts[*at].topic_count == topics.len());
        found
            .map(Some)
            .ok_or("the event has another number of indexed arguments")
    }
}

fn clean(field: &Field, word: Option<[u8; 32]>) -> bool {
    match (field.word, word) {
        (Some(kind), Some(word)) => kind.is_clean(&word),
        _ => false,
    }
}

fn word_of(value: &DynSolValue) -> Option<[u8; 32]> {
    value.as_word().map(|word| word.0)
}
