use std::sync::Arc;

use alloy_dyn_abi::DynSolValue;
use alloy_primitives::{Address, B256};

use crate::{EventDecoder, EventLayout, WordKind};

/// Where a log stands in its chain, as far as its source says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogPlace {
    /// Number of its block.
    pub block_number: Option<u64>,
    /// Hash of its block.
    pub block_hash: Option<B256>,
    /// Hash of its transaction.
    pub transaction_hash: Option<B256>,
    /// Its position in the block.
    pub log_index: Option<u64>,
    /// Whether the source says that a reorganisation took it back.
    pub removed: bool,
}

/// What became of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    /// It matched a signature: the event and the row within the event's columns.
    Decoded {
        /// Index of the signature.
        event: usize,
        /// Row within the event's columns.
        at: usize,
    },
    /// No signature has its first topic.
    Unknown,
    /// A signature has its first topic, or its source meant a log, and the bytes contradict it.
    Malformed(&'static str),
}

/// One argument of one event, over all its rows.
#[derive(Clone, Debug)]
pub enum Column {
    /// Single words, checked against their kind.
    Words(WordKind, Vec<[u8; 32]>),
    /// Values of the general decoder.
    Values(Vec<DynSolValue>),
}

/// One argument of one log.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a> {
    /// A checked word.
    Word(WordKind, &'a [u8; 32]),
    /// A value of the general decoder.
    Value(&'a DynSolValue),
}

impl Column {
    /// The value of one row.
    pub fn get(&self, at: usize) -> Option<Argument<'_>> {
        match self {
            Self::Words(kind, rows) => rows.get(at).map(|word| Argument::Word(*kind, word)),
            Self::Values(rows) => rows.get(at).map(Argument::Value),
        }
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Words(_, rows) => rows.len(),
            Self::Values(rows) => rows.len(),
        }
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How many logs went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Logs that matched a signature.
    pub decoded: usize,
    /// Logs whose first topic no signature has.
    pub unknown: usize,
    /// Logs that contradict their signature or are no logs.
    pub malformed: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    kind: RowKind,
    address: Option<Address>,
    place: LogPlace,
    topics_end: usize,
    data_end: usize,
}

/// Logs in the order given: raw bytes, what became of each, and the arguments in columns.
#[derive(Clone, Debug)]
pub struct LogBatch {
    layouts: Arc<[EventLayout]>,
    entries: Vec<Entry>,
    topics: Vec<B256>,
    data: Vec<u8>,
    columns: Vec<Vec<Column>>,
    rows_of: Vec<usize>,
    counts: Counts,
}

/// One log of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// What became of it.
    pub kind: RowKind,
    /// The contract that wrote it; `None` where its source does not say so readably.
    pub address: Option<Address>,
    /// Where it stands in its chain.
    pub place: LogPlace,
    /// Its topics.
    pub topics: &'a [B256],
    /// Its data.
    pub data: &'a [u8],
}

impl LogBatch {
    pub(crate) fn new(decoder: &EventDecoder) -> Self {
        Self {
            layouts: decoder.layouts().into(),
            entries: Vec::new(),
            topics: Vec::new(),
            data: Vec::new(),
            columns: decoder.layouts().iter().map(EventLayout::columns).collect(),
            rows_of: vec![0; decoder.layouts().len()],
            counts: Counts::default(),
        }
    }

    /// How many logs there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no log.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many logs went which way.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The compiled signatures that the logs were held against.
    pub fn layouts(&self) -> &[EventLayout] {
        &self.layouts
    }

    /// The columns of one event, in the order of its arguments.
    pub fn columns(&self, event: usize) -> Option<&[Column]> {
        self.columns.get(event).map(Vec::as_slice)
    }

    /// One log.
    pub fn row(&self, at: usize) -> Option<Row<'_>> {
        let entry = self.entries.get(at)?;
        let (topics_start, data_start) = at.checked_sub(1).map_or((0, 0), |before| {
            (
                self.entries[before].topics_end,
                self.entries[before].data_end,
            )
        });
        Some(Row {
            kind: entry.kind,
            address: entry.address,
            place: entry.place,
            topics: &self.topics[topics_start..entry.topics_end],
            data: &self.data[data_start..entry.data_end],
        })
    }

    /// The logs in order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).filter_map(|at| self.row(at))
    }

    pub(crate) fn push(
        &mut self,
        decoder: &EventDecoder,
        address: Option<Address>,
        topics: &[B256],
        data: &[u8],
        place: LogPlace,
    ) {
        let kind = match decoder.find(topics) {
            Ok(None) => RowKind::Unknown,
            Err(reason) => RowKind::Malformed(reason),
            Ok(Some(event)) => {
                match decoder.layouts()[event].decode_into(topics, data, &mut self.columns[event]) {
                    Ok(()) => {
                        let at = self.rows_of[event];
                        self.rows_of[event] += 1;
                        RowKind::Decoded { event, at }
                    }
                    Err(reason) => RowKind::Malformed(reason),
                }
            }
        };
        self.append(kind, address, topics, data, place);
    }

    pub(crate) fn push_malformed(
        &mut self,
        address: Option<Address>,
        topics: &[B256],
        data: &[u8],
        place: LogPlace,
        reason: &'static str,
    ) {
        self.append(RowKind::Malformed(reason), address, topics, data, place);
    }

    fn append(
        &mut self,
        kind: RowKind,
        address: Option<Address>,
        topics: &[B256],
        data: &[u8],
        place: LogPlace,
    ) {
        match kind {
            RowKind::Decoded { .. } => self.counts.decoded += 1,
            RowKind::Unknown => self.counts.unknown += 1,
            RowKind::Malformed(_) => self.counts.malformed += 1,
        }
        self.topics.extend_from_slice(topics);
        self.data.extend_from_slice(data);
        let (topics_end, data_end) = (self.topics.len(), self.data.len());
        self.entries.push(Entry {
            kind,
            address,
            place,
            topics_end,
            data_end,
        });
    }
}
