//! `sep_native.log`: the hash tree of the event log.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    pybacked::PyBackedBytes,
    types::{PyBytes, PyList},
};
use sep_log::{HASH_BYTES, Hash, Segments, TreeError, split_hashes};

/// Above this many bytes, hashing is worth letting other Python threads run.
const LONG_BYTES: usize = 16 * 1024;

pub(crate) fn refused(error: TreeError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn hash(name: &str, bytes: &[u8]) -> PyResult<Hash> {
    bytes.try_into().map_err(|_| {
        PyValueError::new_err(format!("{name} is {HASH_BYTES} bytes, not {}", bytes.len()))
    })
}

pub(crate) fn hashes(bytes: &[u8]) -> PyResult<&[Hash]> {
    split_hashes(bytes).map_err(refused)
}

/// Runs without the interpreter's lock where it pays.
fn run<T: Send>(py: Python<'_>, bytes: usize, work: impl FnOnce() -> T + Send) -> T {
    if bytes > LONG_BYTES {
        py.detach(work)
    } else {
        work()
    }
}

fn proof_list<'py>(py: Python<'py>, proof: Vec<Hash>) -> PyResult<Bound<'py, PyList>> {
    PyList::new(py, proof.iter().map(|sibling| PyBytes::new(py, sibling)))
}

/// The leaf hash of a record: SHA-256(0x00 || record).
#[pyfunction]
pub(crate) fn leaf_hash<'py>(py: Python<'py>, record: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &run(py, record.len(), || sep_log::leaf_hash(record)))
}

/// The root over concatenated leaf hashes.
#[pyfunction]
pub(crate) fn tree_root<'py>(py: Python<'py>, leaves: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let hashes = hashes(leaves)?;
    Ok(PyBytes::new(
        py,
        &run(py, leaves.len(), || sep_log::tree_root(hashes)),
    ))
}

/// The root of a full subtree; `ValueError` unless the number of leaves is a power of two.
#[pyfunction]
pub(crate) fn subtree_root<'py>(py: Python<'py>, leaves: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let hashes = hashes(leaves)?;
    let root = run(py, leaves.len(), || sep_log::subtree_root(hashes)).map_err(refused)?;
    Ok(PyBytes::new(py, &root))
}

/// Sibling hashes from leaf `index` (from 0) up to the root, over concatenated leaf hashes.
#[pyfunction]
pub(crate) fn inclusion_proof<'py>(
    py: Python<'py>,
    leaves: &[u8],
    index: u64,
) -> PyResult<Bound<'py, PyList>> {
    let hashes = hashes(leaves)?;
    let proof =
        run(py, leaves.len(), || sep_log::inclusion_proof(hashes, index)).map_err(refused)?;
    proof_list(py, proof)
}

/// The same proof from the roots of all full 256-wide subtrees, the 256 leaves of the one that holds `index` (empty
/// when `index` lies in the tail) and the leaves behind the last full subtree.
#[pyfunction]
pub(crate) fn inclusion_proof_from_subtrees<'py>(
    py: Python<'py>,
    index: u64,
    subtrees: &[u8],
    block: &[u8],
    tail: &[u8],
) -> PyResult<Bound<'py, PyList>> {
    let segments = Segments {
        subtrees: hashes(subtrees)?,
        block: hashes(block)?,
        tail: hashes(tail)?,
    };
    let proof = run(py, subtrees.len() + block.len() + tail.len(), || {
        sep_log::inclusion_proof_from_subtrees(index, segments)
    })
    .map_err(refused)?;
    proof_list(py, proof)
}

/// Hashes that show that the tree over the first `first` leaves grew into the one of these parts; `block` holds the 256
/// leaves around leaf `first` (empty where it lies in the tail).
#[pyfunction]
pub(crate) fn consistency_proof_from_subtrees<'py>(
    py: Python<'py>,
    first: u64,
    subtrees: &[u8],
    block: &[u8],
    tail: &[u8],
) -> PyResult<Bound<'py, PyList>> {
    let segments = Segments {
        subtrees: hashes(subtrees)?,
        block: hashes(block)?,
        tail: hashes(tail)?,
    };
    let proof = run(py, subtrees.len() + block.len() + tail.len(), || {
        sep_log::consistency_proof_from_subtrees(first, segments)
    })
    .map_err(refused)?;
    proof_list(py, proof)
}

/// Whether the proof leads from `first_root` over `first` leaves to `second_root` over `second`; malformed parts are
/// False.
#[pyfunction]
#[expect(
    clippy::needless_pass_by_value,
    reason = "a sequence of bytes arrives as an owned list"
)]
pub(crate) fn verify_consistency(
    first: u64,
    first_root: &[u8],
    second: u64,
    second_root: &[u8],
    proof: Vec<Vec<u8>>,
) -> bool {
    let siblings: Option<Vec<Hash>> = proof
        .iter()
        .map(|sibling| sibling.as_slice().try_into().ok())
        .collect();
    match (first_root.try_into(), siblings, second_root.try_into()) {
        (Ok(first_root), Some(siblings), Ok(second_root)) => {
            sep_log::verify_consistency(first, &first_root, second, &second_root, &siblings)
        }
        _ => false,
    }
}

/// Whether the proof leads from `leaf` at `index` to `root` in a tree of `size` leaves; malformed parts are False.
#[pyfunction]
#[expect(
    clippy::needless_pass_by_value,
    reason = "a sequence of bytes arrives as an owned list"
)]
pub(crate) fn verify_inclusion(
    leaf: &[u8],
    index: u64,
    size: u64,
    proof: Vec<Vec<u8>>,
    root: &[u8],
) -> bool {
    let siblings: Option<Vec<Hash>> = proof
        .iter()
        .map(|sibling| sibling.as_slice().try_into().ok())
        .collect();
    match (leaf.try_into(), siblings, root.try_into()) {
        (Ok(leaf), Some(siblings), Ok(root)) => {
            sep_log::verify_inclusion(&leaf, index, size, &siblings, &root)
        }
        _ => false,
    }
}

/// An append-only tree kept as its size and peaks; safe to share between threads.
#[pyclass(module = "sep_native.log", frozen)]
pub(crate) struct Tree(Mutex<sep_log::Tree>);

impl Tree {
    fn lock(&self) -> MutexGuard<'_, sep_log::Tree> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn from_state(tree: sep_log::Tree) -> Self {
        Self(Mutex::new(tree))
    }
}

#[pymethods]
impl Tree {
    #[new]
    #[pyo3(signature = (size = 0, peaks = None))]
    fn new(size: u64, peaks: Option<&[u8]>) -> PyResult<Self> {
        let peaks = hashes(peaks.unwrap_or_default())?.to_vec();
        Ok(Self(Mutex::new(
            sep_log::Tree::resume(size, peaks).map_err(refused)?,
        )))
    }

    /// Leaves so far.
    #[getter]
    fn size(&self) -> u64 {
        self.lock().size()
    }

    /// Concatenated roots of the full subtrees, widest first.
    #[getter]
    fn peaks<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.lock().peaks().as_flattened())
    }

    /// Adds one leaf hash.
    fn append(&self, leaf: &[u8]) -> PyResult<()> {
        let leaf = hash("leaf", leaf)?;
        self.lock().append(leaf);
        Ok(())
    }

    /// Adds concatenated leaf hashes, all or none.
    fn extend(&self, py: Python<'_>, leaves: &[u8]) -> PyResult<()> {
        let hashes = hashes(leaves)?;
        run(py, leaves.len(), || self.lock().extend(hashes));
        Ok(())
    }

    /// Adds the leaf hashes of records.
    fn extend_records(&self, py: Python<'_>, records: Vec<PyBackedBytes>) {
        let bytes = records.iter().map(|record| record.len()).sum();
        run(py, bytes, || {
            let leaves: Vec<Hash> = records
                .iter()
                .map(|record| sep_log::leaf_hash(record))
                .collect();
            self.lock().extend(&leaves);
        });
    }

    /// The root over all leaves so far.
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.lock().root())
    }

    /// An independent tree in the same state.
    fn copy(&self) -> Self {
        Self(Mutex::new(self.lock().clone()))
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> (u64, Bound<'py, PyBytes>) {
        (self.size(), self.peaks(py))
    }

    fn __repr__(&self) -> String {
        format!("Tree(size={})", self.size())
    }
}
