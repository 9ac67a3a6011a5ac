use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use sep_log::{HASH_BYTES, Hash, Placed, StreamHead};

use crate::{WriteError, extension};

// OR ROLLBACK, because a failing row ends the batch anyway: ABORT would first copy every page that a statement changes.
const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const MOVE_HEAD: &str = "UPDATE log_head SET pos = ?, peaks = ?, last_rec = ? \
     WHERE one = 1 AND store_id = ? AND epoch = ? AND pos = ?";
const EVENT: &str = "INSERT OR ROLLBACK INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const ID: &str = "INSERT OR ROLLBACK INTO event_ids VALUES (?, ?)";
const STREAM: &str = "INSERT OR ROLLBACK INTO streams (stream, version, last_hash) VALUES (?, ?, ?) \
     ON CONFLICT (stream) DO UPDATE SET version = excluded.version, last_hash = excluded.last_hash \
     WHERE streams.version < excluded.version";
const NODE: &str = "INSERT INTO merkle_nodes VALUES (8, ?, ?)";
const CHECKPOINT: &str = "INSERT INTO log_checkpoints VALUES (?, ?, ?, ?)";
const HEAD_OF_STREAM: &str = "SELECT version, last_hash FROM streams WHERE stream = ?";
const LAST_OF_STREAM: &str =
    "SELECT version, leaf_hash FROM events WHERE stream = ? ORDER BY version DESC LIMIT 1";

/// The tables of a log, through the connection of somebody else, who must outlive it.
#[derive(Debug)]
pub struct LogFile {
    connection: Connection,
}

impl LogFile {
    /// The log of the connection into which this thread has just loaded the library; `None` when there is none.
    pub fn loaded() -> Option<Self> {
        extension::take().map(|connection| Self { connection })
    }

    /// Writes a batch in a transaction that it leaves open, or rolled back after most failures.
    pub fn write(&self, placed: &Placed, key_id: &str) -> Result<(), WriteError> {
        let connection = &self.connection;
        let (batch, decided) = (&placed.batch, &placed.decided);
        connection.prepare_cached(BEGIN)?.execute([])?;
        let moved = connection.prepare_cached(MOVE_HEAD)?.execute(params![
            number(placed.size()),
            batch.tree.peaks().as_flattened(),
            placed.recorded_at,
            placed.before.store_id.as_slice(),
            number(placed.before.epoch),
            number(placed.size_before),
        ])?;
        if moved != 1 {
            return Err(WriteError::Displaced);
        }
        let mut statement = connection.prepare_cached(EVENT)?;
        for ((index, event), leaf) in decided.iter().enumerate().zip(&batch.leaves) {
            let draft = &event.draft;
            statement.execute(params![
                position(placed, index),
                &*event.stream,
                number(event.version),
                draft.id.as_slice(),
                draft.kind,
                draft.schema_version,
                placed.recorded_at,
                draft.correlation.as_ref().map(<[u8; 16]>::as_slice),
                draft.cause.as_ref().map(<[u8; 16]>::as_slice),
                placed.record(index),
                leaf.as_slice(),
            ])?;
        }
        let mut statement = connection.prepare_cached(ID)?;
        for (index, event) in decided.iter().enumerate() {
            statement.execute(params![event.draft.id.as_slice(), position(placed, index)])?;
        }
        let mut statement = connection.prepare_cached(STREAM)?;
        for &index in &placed.latest {
            let event = &decided[index];
            statement.execute(params![
                &*event.stream,
                number(event.version),
                batch.leaves[index].as_slice()
            ])?;
        }
        if !batch.subtrees.is_empty() {
            let mut statement = connection.prepare_cached(NODE)?;
            for (place, root) in (placed.first_subtree()..).zip(&batch.subtrees) {
                statement.execute(params![number(place), root.as_slice()])?;
            }
        }
        connection.prepare_cached(CHECKPOINT)?.execute(params![
            number(placed.size()),
            placed.root.as_slice(),
            placed.note,
            key_id,
        ])?;
        Ok(())
    }

    /// Makes the open transaction durable.
    pub fn commit(&self) -> Result<(), WriteError> {
        self.connection.prepare_cached(COMMIT)?.execute([])?;
        Ok(())
    }

    /// Ends an open transaction without a trace. A file that refuses heals itself when it is opened again.
    pub fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// Where streams stand; one that the log does not know is at version 0. What the table of streams says is held to
    /// the events themselves: a disk may have changed it.
    pub fn stream_heads(
        &self,
        streams: &[Arc<str>],
    ) -> Result<Vec<(Arc<str>, StreamHead)>, WriteError> {
        let mut table = self.connection.prepare_cached(HEAD_OF_STREAM)?;
        let mut events = self.connection.prepare_cached(LAST_OF_STREAM)?;
        let mut heads = Vec::with_capacity(streams.len());
        for stream in streams {
            let row = head_in(&mut table, stream)?;
            if row != head_in(&mut events, stream)? {
                return Err(corrupt(format!(
                    "the table of streams is wrong about '{stream}': its last event is another one"
                )));
            }
            let head = match row {
                None => StreamHead::default(),
                Some((version, last_hash)) => StreamHead {
                    version: version.unsigned_abs(),
                    last_hash: Some(hash(&last_hash)?),
                },
            };
            heads.push((stream.clone(), head));
        }
        Ok(heads)
    }
}

fn head_in(
    statement: &mut CachedStatement<'_>,
    stream: &str,
) -> Result<Option<(i64, Vec<u8>)>, WriteError> {
    let row = statement.query_row([stream], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(row.optional()?)
}

fn position(placed: &Placed, index: usize) -> i64 {
    number(placed.size_before + index as u64 + 1)
}

/// SQLite counts with signed integers; a log ends long before they do.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn hash(bytes: &[u8]) -> Result<Hash, WriteError> {
    let length = bytes.len();
    let wrong = format!("a stream's last hash has {length} bytes, not {HASH_BYTES}");
    bytes.try_into().map_err(|_| corrupt(wrong))
}

fn corrupt(message: String) -> WriteError {
    WriteError::Sqlite {
        code: rusqlite::ffi::SQLITE_CORRUPT,
        message,
    }
}
