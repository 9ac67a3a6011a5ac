//! `sep_native.log`: the writing side of a log file, which works without the interpreter's lock.

use std::{
    collections::VecDeque,
    io::{Read as _, Write as _},
    os::{fd::AsRawFd as _, unix::net::UnixStream},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use pyo3::{
    exceptions::PyRuntimeError,
    intern,
    prelude::*,
    types::{PyBytes, PyList, PyTuple},
};
use sep_log::Hash;
use sep_sqlite::{
    Appender, ENTRY_POINT, Failure, Halt, LogFile, Queue, Queued, Restraint, WriteError,
};

use crate::{
    errors::{detached, fault},
    ledger::{Ledger, Placed},
    log::refused,
    record::DraftedAppend,
};

/// Commits that take longer are waited for at rest.
const QUICK_COMMIT: Duration = Duration::from_millis(1);
/// A producer that is back within this time is in a hurry.
const SOON: Duration = Duration::from_micros(500);

type Ticket = Py<PyAny>;

/// What a batch is answered with.
enum Report {
    Durable(Durable),
    Told(Py<PyTuple>),
}

/// What the event loop needs to know of a batch; the rest of it is let go where it was written.
struct Durable {
    items: Vec<Queued<Ticket>>,
    answers: Vec<(u64, u64)>,
    size: u64,
    root: Hash,
    note: String,
}

/// Answers on their way to the event loop, and how it hears of them.
struct Answers {
    reports: Mutex<VecDeque<Report>>,
    ready: AtomicBool,
    /// Whether the loop looks by itself, so that nobody needs to wake it.
    watched: AtomicBool,
    bell: UnixStream,
    ear: UnixStream,
    /// Nanoseconds that a commit takes.
    commit: AtomicU64,
    watch: Mutex<Watch>,
}

struct Watch {
    collected_at: Option<Instant>,
    until: Instant,
    restraint: Restraint,
}

impl Answers {
    fn new() -> std::io::Result<Self> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        Ok(Self {
            reports: Mutex::default(),
            ready: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            bell,
            ear,
            commit: AtomicU64::new(0),
            watch: Mutex::new(Watch {
                collected_at: None,
                until: Instant::now(),
                restraint: Restraint::default(),
            }),
        })
    }

    fn push(&self, report: Report) {
        lock(&self.reports).push_back(report);
        self.ready.store(true, Ordering::SeqCst);
        if !self.watched.load(Ordering::SeqCst) {
            // A full pipe has bytes enough to wake the loop.
            let _ = (&self.bell).write(&[1]);
        }
    }

    /// Whether to look for the answer without a rest: commits are quick, and the last answer led to this append.
    fn is_awaited(&self) -> bool {
        let commit = Duration::from_nanos(self.commit.load(Ordering::Relaxed));
        if commit.is_zero() || commit > QUICK_COMMIT {
            return false;
        }
        let mut watch = lock(&self.watch);
        let now = Instant::now();
        let soon = |at: Instant| now.duration_since(at) <= SOON;
        if !watch.restraint.permits(now) || !watch.collected_at.is_some_and(soon) {
            return false;
        }
        watch.until = now + commit * 2 + SOON;
        watch.restraint.begin(now);
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The queue of a log, the thread's work on it, and the answers.
#[pyclass(module = "sep_native.log", frozen)]
pub(crate) struct LogWriter {
    queue: Queue<Ticket>,
    answers: Answers,
    appender: Mutex<Option<Appender>>,
    result: Py<PyAny>,
}

impl LogWriter {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Appender) -> T + Send,
    ) -> PyResult<T> {
        let done = detached(py, || lock(&self.appender).as_mut().map(work))?;
        done.ok_or_else(|| PyRuntimeError::new_err("no log is attached"))
    }
}

#[pymethods]
impl LogWriter {
    /// `result` makes the answer to an append of its first and last position.
    #[new]
    fn new(result: Py<PyAny>) -> PyResult<Self> {
        Ok(Self {
            queue: Queue::default(),
            answers: Answers::new()?,
            appender: Mutex::new(None),
            result,
        })
    }

    /// The name of the entry point by which SQLite loads this module into a connection.
    #[classattr]
    fn entry_point() -> &'static str {
        ENTRY_POINT
    }

    /// Works on the connection into which this thread has just loaded this module, until `detach`.
    fn attach(&self, ledger: &Ledger) -> PyResult<()> {
        let file = LogFile::loaded()
            .ok_or_else(|| PyRuntimeError::new_err("this thread has not loaded a connection"))?;
        *lock(&self.appender) = Some(Appender::new(ledger.0.clone(), file));
        Ok(())
    }

    /// Lets go of the connection, which may then be closed.
    fn detach(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || drop(lock(&self.appender).take()))
    }

    // On the event loop.

    /// Queues an append that was taken at a moment; `stepwise` lets others see each step of its commit. Whether to
    /// look for its answer with `poll`, again and again, instead of waiting until the descriptor is readable.
    fn put(&self, ticket: Ticket, append: &DraftedAppend, taken_at: i64, stepwise: bool) -> bool {
        let awaited = self.answers.is_awaited();
        if awaited {
            self.answers.watched.store(true, Ordering::SeqCst);
        }
        self.queue.put(Queued {
            append: append.append.clone(),
            taken_at,
            stepwise,
            ticket,
        });
        awaited
    }

    /// Ends the queue behind what is in it.
    fn stop(&self) {
        self.queue.stop();
    }

    /// Whether answers are there; `None` when they are not and looking again is not worth it.
    fn poll(&self) -> Option<bool> {
        let answers = &self.answers;
        let mut watch = lock(&answers.watch);
        if answers.ready.load(Ordering::SeqCst) {
            watch.restraint.rewarded();
            return Some(true);
        }
        let now = Instant::now();
        if watch.restraint.look(now) && now < watch.until {
            return Some(false);
        }
        answers.watched.store(false, Ordering::SeqCst);
        answers.ready.load(Ordering::SeqCst).then_some(true)
    }

    /// Becomes readable when there are answers.
    fn fileno(&self) -> i32 {
        self.answers.ear.as_raw_fd()
    }

    /// All answers so far, one tuple a batch: tickets, their outcomes, bytes that they took in the queue, and position,
    /// root and note of the checkpoint, or `None` where nothing was written.
    fn answers<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let answers = &self.answers;
        let mut bytes = [0; 64];
        if !answers.watched.swap(false, Ordering::SeqCst) {
            while (&answers.ear)
                .read(&mut bytes)
                .is_ok_and(|count| count == bytes.len())
            {}
        }
        answers.ready.store(false, Ordering::SeqCst);
        let reports = std::mem::take(&mut *lock(&answers.reports));
        let told = reports
            .into_iter()
            .map(|report| match report {
                Report::Told(told) => Ok(told.into_bound(py)),
                Report::Durable(durable) => self.told(py, durable),
            })
            .collect::<PyResult<Vec<_>>>();
        lock(&answers.watch).collected_at = Some(Instant::now());
        told
    }

    // On the thread.

    /// Takes, writes and answers batches until something is to be decided: a tuple of what, the tickets of a batch,
    /// and more. `stopped`; `undecided`; `repeated`, after rolling back; `failed` and `unknown`, with what happened:
    /// an exception, code and message of SQLite, or `displaced` where the log's head has moved.
    fn serve<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let halt = self.with(py, |appender| {
            appender.serve(&self.queue, |items, placed, commit| {
                let nanoseconds = u64::try_from(commit.as_nanos()).unwrap_or(u64::MAX);
                self.answers.commit.store(nanoseconds, Ordering::Relaxed);
                self.answers.push(Report::Durable(Durable {
                    items,
                    size: placed.size(),
                    answers: placed.answers,
                    root: placed.root,
                    note: placed.note,
                }));
            })
        })?;
        let raised = PyErr::take(py);
        let tickets =
            |items: Vec<Queued<Ticket>>| PyList::new(py, items.into_iter().map(|item| item.ticket));
        match halt {
            Halt::Stopped => ("stopped", PyList::empty(py), py.None()).into_pyobject(py),
            Halt::Undecided(items) => ("undecided", tickets(items)?, py.None()).into_pyobject(py),
            Halt::Repeated(items) => ("repeated", tickets(items)?, py.None()).into_pyobject(py),
            Halt::Failed {
                items,
                error,
                committing,
            } => {
                let what = if committing { "unknown" } else { "failed" };
                let error = match raised {
                    Some(raised) => raised.into_value(py).into_any(),
                    None => failure(py, error)?,
                };
                (what, tickets(items)?, error).into_pyobject(py)
            }
        }
    }

    /// Waits for appends and takes a batch of them; none at the end of the queue.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let items = self.with(py, |appender| appender.take(&self.queue))?;
        PyList::new(py, items.into_iter().map(|item| item.ticket))
    }

    /// Writes a batch in a transaction that it leaves open: `None`, or what happened, as `serve` says it.
    fn write(&self, py: Python<'_>, placed: &Placed) -> PyResult<Option<Py<PyAny>>> {
        let written = self.with(py, |appender| appender.write(&placed.0))?;
        match (written, PyErr::take(py)) {
            (Ok(()), _) => Ok(None),
            (Err(_), Some(raised)) => Err(raised),
            (Err(error), None) => failure(py, Failure::Write(error)).map(Some),
        }
    }

    /// Gives an answer, as `answers` gives it.
    fn tell(&self, py: Python<'_>, told: Bound<'_, PyTuple>) -> PyResult<()> {
        let count = told.get_item(0)?.len()?;
        self.answers.push(Report::Told(told.unbind()));
        self.with(py, |appender| appender.answered(count, self.queue.len()))
    }
}

impl LogWriter {
    fn told<'py>(&self, py: Python<'py>, durable: Durable) -> PyResult<Bound<'py, PyTuple>> {
        let result = self.result.bind(py);
        let outcomes = durable
            .answers
            .iter()
            .map(|(first, last)| result.call1((*first, *last)))
            .collect::<PyResult<Vec<_>>>()?;
        let items = durable.items;
        let size_bytes: usize = items.iter().map(|item| item.append.size_bytes).sum();
        let root = PyBytes::new(py, &durable.root);
        (
            PyList::new(py, items.into_iter().map(|item| item.ticket))?,
            outcomes,
            size_bytes,
            (durable.size, root, durable.note),
        )
            .into_pyobject(py)
    }
}

/// `displaced` where the log's head has moved, code and message of SQLite, or an exception.
fn failure(py: Python<'_>, failure: Failure) -> PyResult<Py<PyAny>> {
    match failure {
        Failure::Write(WriteError::Displaced) => {
            Ok(intern!(py, "displaced").clone().into_any().unbind())
        }
        Failure::Write(WriteError::Sqlite { code, message }) => {
            Ok((code, message).into_pyobject(py)?.into_any().unbind())
        }
        Failure::Tree(error) => Ok(refused(error).into_value(py).into_any()),
        Failure::Fault => Ok(fault(py).into_value(py).into_any()),
    }
}
