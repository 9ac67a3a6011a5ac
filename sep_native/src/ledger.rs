//! `sep_native.log`: the appender's memory of a log, and batches in their place.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyBytes, PyDict, PyInt, PyList, PyTuple},
};
use sep_log::{Decided, HASH_BYTES, Hash, LogHead, Outlook, Previous, StreamHead};

use crate::{
    errors::detached,
    log::{Tree, hashes, refused},
    record::{Draft, DraftedAppend},
};

/// The key of one log, which signs its checkpoints; native code keeps it, and wipes it at the end.
#[pyclass(module = "sep_native.log", frozen)]
pub(crate) struct NoteSigner(Arc<sep_log::NoteSigner>);

#[pymethods]
impl NoteSigner {
    #[new]
    fn new(origin: String, seed: &[u8]) -> PyResult<Self> {
        let seed = seed.try_into().map_err(|_| {
            PyValueError::new_err(format!("a seed has 32 bytes, not {}", seed.len()))
        })?;
        Ok(Self(Arc::new(sep_log::NoteSigner::new(origin, seed))))
    }

    /// The public half.
    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.public_key())
    }

    /// The signed note of a checkpoint.
    fn sign(&self, epoch: u64, size: u64, root: &[u8]) -> PyResult<String> {
        Ok(self.0.sign(epoch, size, &hash("root", root)?))
    }
}

/// A batch in its place: rows for the tables, the tree behind it and the note that is signed over it.
#[pyclass(module = "sep_native.log", frozen)]
pub(crate) struct Placed(pub(crate) Arc<sep_log::Placed>);

#[pymethods]
impl Placed {
    /// The columns of all events, one after the other: pos, stream, version, id, type, sv, rec, corr, cause, record,
    /// leaf hash.
    #[getter]
    fn events<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let placed = &self.0;
        let rows = PyList::empty(py);
        for (index, (event, leaf)) in placed.decided.iter().zip(&placed.batch.leaves).enumerate() {
            let draft = &event.draft;
            rows.append(placed.size_before + index as u64 + 1)?;
            rows.append(&*event.stream)?;
            rows.append(event.version)?;
            rows.append(PyBytes::new(py, &draft.id))?;
            rows.append(&draft.kind)?;
            rows.append(draft.schema_version)?;
            rows.append(placed.recorded_at)?;
            rows.append(draft.correlation.map(|id| PyBytes::new(py, &id)))?;
            rows.append(draft.cause.map(|id| PyBytes::new(py, &id)))?;
            rows.append(PyBytes::new(py, placed.record(index)))?;
            rows.append(PyBytes::new(py, leaf))?;
        }
        Ok(rows)
    }

    /// Version and leaf hash of the last event of each stream that is written.
    #[getter]
    fn heads<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let heads = PyDict::new(py);
        for &index in &self.0.latest {
            let event = &self.0.decided[index];
            let leaf = PyBytes::new(py, &self.0.batch.leaves[index]);
            heads.set_item(&*event.stream, (event.version, leaf))?;
        }
        Ok(heads)
    }

    /// First and last position of each append, where they were planned together.
    #[getter]
    fn answers(&self) -> Vec<(u64, u64)> {
        self.0.answers.clone()
    }

    /// The tree with the batch.
    #[getter]
    fn tree(&self) -> Tree {
        Tree::from_state(self.0.batch.tree.clone())
    }

    /// The root over the log with the batch.
    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.root)
    }

    /// The signed note that says so.
    #[getter]
    fn note(&self) -> &str {
        &self.0.note
    }

    /// Microseconds since 1970 when it was recorded.
    #[getter]
    fn recorded_at(&self) -> i64 {
        self.0.recorded_at
    }

    /// Roots of the 256-wide subtrees that the batch made full, in order.
    #[getter]
    fn subtrees<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        let subtrees = self.0.batch.subtrees.iter();
        subtrees.map(|root| PyBytes::new(py, root)).collect()
    }

    /// Leaves, joined, behind the last full subtree.
    #[getter]
    fn tail<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.batch.tail.as_flattened())
    }
}

/// The appender's memory of a log: its tree, the heads of its streams, its key. Planning changes nothing; `adopt` takes
/// a batch over that is durable.
#[pyclass(module = "sep_native.log", frozen)]
pub(crate) struct Ledger(pub(crate) Arc<Mutex<sep_log::Ledger>>);

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, sep_log::Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Ledger {
    /// A log of `size` events with its peaks, the leaf hashes, joined, behind its last full 256-wide subtree, and the
    /// moment of its last event in microseconds.
    #[new]
    fn new(
        store_id: [u8; 16],
        epoch: u64,
        size: u64,
        peaks: &[u8],
        tail: &[u8],
        last_recorded: i64,
        signer: &NoteSigner,
    ) -> PyResult<Self> {
        let head = LogHead {
            store_id,
            epoch,
            last_recorded,
        };
        let tree = sep_log::Tree::resume(size, hashes(peaks)?.to_vec()).map_err(refused)?;
        let tail = hashes(tail)?.to_vec();
        let ledger = sep_log::Ledger::new(head, tree, tail, signer.0.clone());
        Ok(Self(Arc::new(Mutex::new(ledger))))
    }

    /// Size, peaks, and the moment of the last event.
    fn head<'py>(&self, py: Python<'py>) -> (u64, Bound<'py, PyBytes>, i64) {
        let ledger = self.lock();
        let tree = ledger.tree();
        let peaks = PyBytes::new(py, tree.peaks().as_flattened());
        (tree.size(), peaks, ledger.head().last_recorded)
    }

    /// Version and leaf hash of a stream's last event; `None` when they are not known.
    fn stream<'py>(
        &self,
        py: Python<'py>,
        stream: &str,
    ) -> Option<(u64, Option<Bound<'py, PyBytes>>)> {
        let head = self.lock().stream(stream)?;
        let last_hash = head.last_hash.map(|hash| PyBytes::new(py, &hash));
        Some((head.version, last_hash))
    }

    /// Takes in what the store says about a stream; one that it does not know is at version 0.
    fn learn(&self, stream: &str, version: u64, last_hash: Option<&[u8]>) -> PyResult<()> {
        let last_hash = last_hash
            .map(|bytes| hash("leaf hash", bytes))
            .transpose()?;
        self.lock()
            .learn(stream.into(), StreamHead { version, last_hash });
        Ok(())
    }

    /// Decides on appends and places their events; `None` when one has conditions, would be refused, may repeat
    /// another, or speaks of a stream that is not known.
    fn plan(
        &self,
        py: Python<'_>,
        appends: Vec<Py<DraftedAppend>>,
        now: i64,
    ) -> PyResult<Option<Placed>> {
        let appends: Vec<_> = appends
            .iter()
            .map(|append| append.get().append.clone())
            .collect();
        let ledger = self.0.clone();
        let outlook = detached(py, move || {
            let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            ledger.plan(appends.iter().map(|append| &**append), now)
        })?;
        match outlook.map_err(refused)? {
            Outlook::Placed(placed) => Ok(Some(Placed(Arc::new(*placed)))),
            Outlook::Undecided => Ok(None),
        }
    }

    /// Places events that were decided on. Each entry is a tuple of stream, draft, version, and what stands before it
    /// in its stream: `None`, a leaf hash, or the index of an earlier entry.
    fn place(&self, py: Python<'_>, entries: &Bound<'_, PyList>, now: i64) -> PyResult<Placed> {
        let decided = entries
            .iter()
            .map(|entry| {
                let entry = entry.cast_into::<PyTuple>()?;
                let (stream, draft, version, before): (
                    String,
                    Bound<'_, Draft>,
                    u64,
                    Bound<'_, PyAny>,
                ) = entry.extract()?;
                Ok(Decided {
                    stream: stream.into(),
                    draft: draft.get().0.clone(),
                    version,
                    previous: previous(&before)?,
                })
            })
            .collect::<PyResult<Vec<_>>>()?;
        let ledger = self.0.clone();
        let placed = detached(py, move || {
            let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            ledger.place(decided, Vec::new(), now)
        })?;
        Ok(Placed(Arc::new(placed.map_err(refused)?)))
    }

    /// Goes on from a batch that is durable.
    fn adopt(&self, placed: &Placed) {
        self.lock().adopt(&placed.0);
    }
}

fn hash(name: &str, bytes: &[u8]) -> PyResult<Hash> {
    bytes.try_into().map_err(|_| {
        PyValueError::new_err(format!(
            "a {name} is {HASH_BYTES} bytes, not {}",
            bytes.len()
        ))
    })
}

fn previous(before: &Bound<'_, PyAny>) -> PyResult<Previous> {
    if let Ok(leaf) = before.cast_exact::<PyBytes>() {
        Ok(Previous::Leaf(hash("leaf hash", leaf.as_bytes())?))
    } else if before.is_none() {
        Ok(Previous::Nothing)
    } else if let Ok(index) = before.cast_exact::<PyInt>() {
        Ok(Previous::InBatch(index.extract()?))
    } else {
        Err(PyTypeError::new_err(
            "an event follows nothing, a leaf hash or an earlier entry",
        ))
    }
}
