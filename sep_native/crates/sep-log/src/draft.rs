use std::sync::Arc;

use crate::record::ROOM_FOR_PLACE_BYTES;

/// The version that stands for "wherever the stream is".
pub const ANY_VERSION: i64 = -1;
/// The version that stands for "wherever the stream is, but it must be".
pub const SOME_VERSION: i64 = -2;

/// Sixteen bytes that name an event.
pub type EventId = [u8; 16];

/// An event that is encoded but for its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What the event is known by.
    pub id: EventId,
    /// Kind of fact.
    pub kind: String,
    /// Version of the body's schema.
    pub schema_version: i64,
    /// The undertaking that it belongs to.
    pub correlation: Option<EventId>,
    /// What led to it.
    pub cause: Option<EventId>,
    /// The record but for its place: a head up to `occ`, and a tail behind `rec`.
    pub bytes: Vec<u8>,
    /// Where the tail begins.
    pub split: usize,
}

impl Draft {
    /// From `body` to `occ`, an object of its own.
    pub fn head(&self) -> &[u8] {
        self.bytes.get(..self.split).unwrap_or_default()
    }

    /// From the end of `rec` to `ver`.
    pub fn tail(&self) -> &[u8] {
        self.bytes.get(self.split..).unwrap_or_default()
    }

    /// The most bytes that its record may take.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len() + ROOM_FOR_PLACE_BYTES
    }
}

/// The drafts for one stream, and where that stream must stand.
#[derive(Debug, Clone)]
pub struct Write {
    /// Name of the stream.
    pub stream: Arc<str>,
    /// The version at which it must stand, or one of `ANY_VERSION` and `SOME_VERSION`.
    pub needed: i64,
    /// Its events in order.
    pub drafts: Vec<Arc<Draft>>,
}

/// One atomic append.
#[derive(Debug, Clone)]
pub struct Append {
    /// What it writes, each stream once.
    pub writes: Vec<Write>,
    /// Whether it also depends on streams that it does not write.
    pub conditional: bool,
    /// Events in all writes.
    pub event_count: usize,
    /// The most bytes that their records may take.
    pub size_bytes: usize,
}

impl Append {
    /// An append and its measures.
    pub fn new(writes: Vec<Write>, conditional: bool) -> Self {
        let drafts = || writes.iter().flat_map(|write| &write.drafts);
        let event_count = drafts().count();
        let size_bytes = drafts().map(|draft| draft.size_bytes()).sum();
        Self {
            writes,
            conditional,
            event_count,
            size_bytes,
        }
    }
}
