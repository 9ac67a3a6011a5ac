use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use crate::{
    ANY_VERSION, Append, Batch, Draft, Entry, EventId, Hash, NoteSigner, Previous, SOME_VERSION,
    SUBTREE_WIDTH, Tree, TreeError, moment_text,
};

const MOST_CACHED_STREAMS: usize = 200_000;

/// Where a stream stands; version 0 means that it does not exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamHead {
    /// Version of its last event.
    pub version: u64,
    /// Leaf hash of its last event.
    pub last_hash: Option<Hash>,
}

/// Where a log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogHead {
    /// Identity of the log.
    pub store_id: [u8; 16],
    /// Fencing epoch of its writer.
    pub epoch: u64,
    /// Microseconds of the last event; the clock may go back, the log does not.
    pub last_recorded: i64,
}

/// An event whose version was decided.
#[derive(Debug, Clone)]
pub struct Decided {
    /// Its stream.
    pub stream: Arc<str>,
    /// The event.
    pub draft: Arc<Draft>,
    /// Version in the stream.
    pub version: u64,
    /// What it is chained to.
    pub previous: Previous,
}

/// What one commit writes.
#[derive(Debug)]
pub struct Placed {
    /// The log before it.
    pub before: LogHead,
    /// Events before it.
    pub size_before: u64,
    /// The events in order.
    pub decided: Vec<Decided>,
    /// Their records, leaf hashes and the tree behind them.
    pub batch: Batch,
    /// When they were recorded.
    pub recorded_at: i64,
    /// Index of the last event of each stream, in the order of their first ones.
    pub latest: Vec<usize>,
    /// The root over the log with the batch.
    pub root: Hash,
    /// The signed note that says so.
    pub note: String,
    /// First and last position of each append.
    pub answers: Vec<(u64, u64)>,
}

impl Placed {
    /// Index of the first 256-wide subtree that the batch may make full.
    pub fn first_subtree(&self) -> u64 {
        self.size_before / SUBTREE_WIDTH as u64
    }

    /// Events of the log with the batch.
    pub fn size(&self) -> u64 {
        self.batch.tree.size()
    }

    /// The record of an event of the batch.
    pub fn record(&self, index: usize) -> &[u8] {
        let start = match index.checked_sub(1) {
            None => Some(0),
            Some(before) => self.batch.ends.get(before).copied(),
        };
        match (start, self.batch.ends.get(index)) {
            (Some(start), Some(&end)) => self.batch.records.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }
}

/// What comes of planning appends without a look at the log.
#[derive(Debug)]
pub enum Outlook {
    /// All go through.
    Placed(Box<Placed>),
    /// One has conditions, would be refused, may repeat another, or speaks of a stream that is not known: decide them
    /// one by one.
    Undecided,
}

/// The appender's memory of a log: its tree, the heads of its streams, its key. Planning changes nothing;
/// `adopt` takes a batch over that is durable.
#[derive(Debug)]
pub struct Ledger {
    head: LogHead,
    tree: Tree,
    tail: Vec<Hash>,
    streams: HashMap<Arc<str>, StreamHead>,
    signer: Arc<NoteSigner>,
}

impl Ledger {
    /// A log behind `tree`, with the leaves behind its last full 256-wide subtree.
    pub fn new(head: LogHead, tree: Tree, tail: Vec<Hash>, signer: Arc<NoteSigner>) -> Self {
        Self {
            head,
            tree,
            tail,
            streams: HashMap::new(),
            signer,
        }
    }

    /// Where the log stands.
    pub fn head(&self) -> LogHead {
        self.head
    }

    /// The tree over all events.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The key that signs checkpoints.
    pub fn signer(&self) -> &NoteSigner {
        &self.signer
    }

    /// Where a stream stands, if that is known.
    pub fn stream(&self, stream: &str) -> Option<StreamHead> {
        self.streams.get(stream).copied()
    }

    /// Takes in what the store says about a stream.
    pub fn learn(&mut self, stream: Arc<str>, head: StreamHead) {
        self.streams.insert(stream, head);
    }

    /// Streams that appends write and whose heads are not known.
    pub fn unknown_streams<'a>(
        &self,
        appends: impl IntoIterator<Item = &'a Append>,
    ) -> Vec<Arc<str>> {
        let mut unknown: Vec<Arc<str>> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        for write in appends.into_iter().flat_map(|append| &append.writes) {
            if !self.streams.contains_key(&write.stream) && seen.insert(&write.stream) {
                unknown.push(write.stream.clone());
            }
        }
        unknown
    }

    /// Decides on appends and places their events.
    pub fn plan<'a>(
        &self,
        appends: impl ExactSizeIterator<Item = &'a Append>,
        now: i64,
    ) -> Result<Outlook, TreeError> {
        let first = self.tree.size() + 1;
        let mut decided: Vec<Decided> = Vec::with_capacity(appends.len());
        let mut latest: HashMap<&'a str, usize> = HashMap::with_capacity(appends.len());
        let mut ids: HashSet<EventId> = HashSet::with_capacity(appends.len());
        let mut answers = Vec::with_capacity(appends.len());
        for append in appends {
            if append.conditional {
                return Ok(Outlook::Undecided);
            }
            let start = decided.len() as u64;
            for write in &append.writes {
                let (mut version, mut previous) = match latest.get(&*write.stream) {
                    Some(&index) => (decided[index].version, Previous::InBatch(index)),
                    None => match self.streams.get(&write.stream) {
                        Some(head) => (
                            head.version,
                            head.last_hash.map_or(Previous::Nothing, Previous::Leaf),
                        ),
                        None => return Ok(Outlook::Undecided),
                    },
                };
                let stands = match write.needed {
                    ANY_VERSION => true,
                    SOME_VERSION => version > 0,
                    exact => u64::try_from(exact) == Ok(version),
                };
                if !stands || write.drafts.is_empty() {
                    return Ok(Outlook::Undecided);
                }
                for draft in &write.drafts {
                    if !ids.insert(draft.id) {
                        return Ok(Outlook::Undecided);
                    }
                    version += 1;
                    let index = decided.len();
                    decided.push(Decided {
                        stream: write.stream.clone(),
                        draft: draft.clone(),
                        version,
                        previous,
                    });
                    previous = Previous::InBatch(index);
                }
                latest.insert(&write.stream, decided.len() - 1);
            }
            answers.push((first + start, first + decided.len() as u64 - 1));
        }
        let placed = self.place(decided, answers, now)?;
        Ok(Outlook::Placed(Box::new(placed)))
    }

    /// Joins, chains, hashes and signs events that were decided on.
    pub fn place(
        &self,
        decided: Vec<Decided>,
        answers: Vec<(u64, u64)>,
        now: i64,
    ) -> Result<Placed, TreeError> {
        let recorded_at = now.max(self.head.last_recorded);
        let entries: Vec<Entry<'_>> = decided
            .iter()
            .map(|event| Entry {
                head: event.draft.head(),
                tail: event.draft.tail(),
                version: event.version,
                previous: event.previous,
            })
            .collect();
        let recorded = moment_text(recorded_at);
        let batch = Batch::new(
            self.tree.clone(),
            self.tail.clone(),
            recorded.as_bytes(),
            &entries,
        )?;
        let mut latest: Vec<usize> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::with_capacity(decided.len());
        for (index, event) in decided.iter().enumerate() {
            if let Some(&place) = places.get(&*event.stream) {
                latest[place] = index;
            } else {
                places.insert(&event.stream, latest.len());
                latest.push(index);
            }
        }
        let root = batch.tree.root();
        let note = self.signer.sign(self.head.epoch, batch.tree.size(), &root);
        Ok(Placed {
            before: self.head,
            size_before: self.tree.size(),
            decided,
            batch,
            recorded_at,
            latest,
            root,
            note,
            answers,
        })
    }

    /// Goes on from a batch that is durable.
    pub fn adopt(&mut self, placed: &Placed) {
        self.head.last_recorded = placed.recorded_at;
        self.tree.clone_from(&placed.batch.tree);
        self.tail.clone_from(&placed.batch.tail);
        if self.streams.len() > MOST_CACHED_STREAMS {
            self.streams.clear();
        }
        for &index in &placed.latest {
            let event = &placed.decided[index];
            let head = StreamHead {
                version: event.version,
                last_hash: Some(placed.batch.leaves[index]),
            };
            match self.streams.get_mut(&event.stream) {
                Some(known) => *known = head,
                None => {
                    self.streams.insert(event.stream.clone(), head);
                }
            }
        }
    }
}
