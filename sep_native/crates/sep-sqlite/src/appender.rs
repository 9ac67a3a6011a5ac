use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sep_log::{Ledger, Outlook, Placed, TreeError};

use crate::{LogFile, Queue, Queued, WriteError, pace::Pace};

/// The most events of one batch, but for those of its last append.
pub const MOST_EVENTS: usize = 512;
/// The most bytes of one batch, but for those of its last append.
pub const MOST_BYTES: usize = 1024 * 1024;

/// Why the loop handed over: what it had taken and did not answer is in the hands of its caller.
#[derive(Debug)]
pub enum Halt<T> {
    /// The queue has ended.
    Stopped,
    /// One of the appends cannot be planned without a look at the log, or somebody wants to see each step.
    Undecided(Vec<Queued<T>>),
    /// An id or version of the batch stands in the log already; nothing was written.
    Repeated(Vec<Queued<T>>),
    /// Nothing was written; or, while committing, nobody knows.
    Failed {
        /// The appends of the batch.
        items: Vec<Queued<T>>,
        /// What happened.
        error: Failure,
        /// Whether the commit had begun.
        committing: bool,
    },
}

/// What ended a batch.
#[derive(Debug)]
pub enum Failure {
    /// SQLite or the log's head.
    Write(WriteError),
    /// The tree.
    Tree(TreeError),
    /// A bug: nobody knows how far it came.
    Fault,
}

/// A log that is open for writing. One thread serves it; the caller keeps the order.
#[derive(Debug)]
pub struct Appender {
    ledger: Arc<Mutex<Ledger>>,
    file: LogFile,
    key_id: String,
    pace: Pace,
}

impl Appender {
    /// A log that stands where the ledger says.
    pub fn new(ledger: Arc<Mutex<Ledger>>, file: LogFile) -> Self {
        let key_id = lock(&ledger).signer().key_id();
        Self {
            ledger,
            file,
            key_id,
            pace: Pace::new(),
        }
    }

    /// What a commit takes, however small.
    pub fn commit_time(&self) -> Duration {
        self.pace.commit()
    }

    /// Waits for appends and takes as many as a batch holds; none at the end of the queue.
    pub fn take<T>(&mut self, queue: &Queue<T>) -> Vec<Queued<T>> {
        queue.take(&mut self.pace, MOST_EVENTS, MOST_BYTES)
    }

    /// Takes, plans, writes and commits, and hands each batch over when it is durable, until something is for others to
    /// decide.
    pub fn serve<T>(
        &mut self,
        queue: &Queue<T>,
        mut durable: impl FnMut(Vec<Queued<T>>, Placed, Duration),
    ) -> Halt<T> {
        loop {
            let items = self.take(queue);
            if items.is_empty() {
                return Halt::Stopped;
            }
            if items.iter().any(|item| item.stepwise) {
                return Halt::Undecided(items);
            }
            match self.guarded(&items) {
                Ok(Some(placed)) => {
                    self.pace.answered(items.len(), queue.len(), Instant::now());
                    durable(items, placed, self.pace.commit());
                }
                Ok(None) => return Halt::Undecided(items),
                Err((Failure::Write(error), false)) if error.is_constraint() => {
                    self.file.roll_back();
                    return Halt::Repeated(items);
                }
                Err((error, committing)) => {
                    return Halt::Failed {
                        items,
                        error,
                        committing,
                    };
                }
            }
        }
    }

    /// A bug ends the batch, whose producers must hear of it, and not the process.
    fn guarded<T>(&mut self, items: &[Queued<T>]) -> Result<Option<Placed>, (Failure, bool)> {
        catch_unwind(AssertUnwindSafe(|| self.append(items))).unwrap_or(Err((Failure::Fault, true)))
    }

    fn append<T>(&mut self, items: &[Queued<T>]) -> Result<Option<Placed>, (Failure, bool)> {
        let before = |error| (Failure::Write(error), false);
        let appends = || items.iter().map(|item| &*item.append);
        let now = items.iter().map(|item| item.taken_at).max().unwrap_or(0);
        let ledger = self.ledger.clone();
        let mut ledger = lock(&ledger);
        let unknown = ledger.unknown_streams(appends());
        if !unknown.is_empty() {
            for (stream, head) in self.file.stream_heads(&unknown).map_err(before)? {
                ledger.learn(stream, head);
            }
        }
        let placed = match ledger.plan(appends(), now) {
            Ok(Outlook::Placed(placed)) => *placed,
            Ok(Outlook::Undecided) => return Ok(None),
            Err(error) => return Err((Failure::Tree(error), false)),
        };
        self.file.write(&placed, &self.key_id).map_err(before)?;
        let start = Instant::now();
        self.file
            .commit()
            .map_err(|error| (Failure::Write(error), true))?;
        self.pace.committed(start.elapsed(), placed.decided.len());
        ledger.adopt(&placed);
        Ok(Some(placed))
    }

    /// Writes a batch that others planned, in a transaction that it leaves open.
    pub fn write(&self, placed: &Placed) -> Result<(), WriteError> {
        self.file.write(placed, &self.key_id)
    }

    /// Others have answered appends of a batch.
    pub fn answered(&mut self, appends: usize, queued: usize) {
        self.pace.answered(appends, queued, Instant::now());
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}
