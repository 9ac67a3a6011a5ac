//! `sep_native.log`: events as bytes. One call encodes an event, one call puts a whole batch into its place.

use std::collections::{HashMap, HashSet};

use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyBool, PyBytes, PyDict, PyInt, PyList, PyString, PyTuple, PyType},
};
use sep_log::{
    Batch, Entry, HASH_BYTES, Hash, Previous,
    record::{
        LARGEST_INTEGER, LARGEST_RECORD_BYTES, ROOM_FOR_PLACE_BYTES, is_key, is_stream, is_type,
        write_integer, write_number, write_text, write_uuid,
    },
};

use crate::log::{Tree, hashes, refused};

const DEEPEST_NESTING: usize = 64;
static UUID: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// An event that is encoded but for its place in the log.
#[pyclass(module = "sep_native.log", frozen)]
pub(crate) struct Draft {
    /// What the event is known by.
    #[pyo3(get)]
    id: Py<PyBytes>,
    /// Kind of fact.
    #[pyo3(get, name = "type")]
    kind: Py<PyString>,
    /// Version of the body's schema.
    #[pyo3(get)]
    schema_version: Py<PyInt>,
    /// The undertaking that it belongs to.
    #[pyo3(get)]
    correlation: Option<Py<PyBytes>>,
    /// What led to it.
    #[pyo3(get)]
    cause: Option<Py<PyBytes>>,
    bytes: Vec<u8>,
    split: usize,
}

impl Draft {
    fn parts(&self) -> (&[u8], &[u8]) {
        self.bytes.split_at(self.split)
    }
}

#[pymethods]
impl Draft {
    #[new]
    #[pyo3(signature = (id, r#type, schema_version, correlation, cause, head, tail))]
    fn new(
        id: Py<PyBytes>,
        r#type: Py<PyString>,
        schema_version: Py<PyInt>,
        correlation: Option<Py<PyBytes>>,
        cause: Option<Py<PyBytes>>,
        head: &[u8],
        tail: &[u8],
    ) -> Self {
        Self {
            id,
            kind: r#type,
            schema_version,
            correlation,
            cause,
            bytes: [head, tail].concat(),
            split: head.len(),
        }
    }

    /// From `body` to `occ`, an object of its own.
    #[getter]
    fn head<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.parts().0)
    }

    /// From the end of `rec` to `ver`.
    #[getter]
    fn tail<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.parts().1)
    }

    /// The most bytes that its record may take.
    #[getter]
    fn size_bytes(&self) -> usize {
        self.bytes.len() + ROOM_FOR_PLACE_BYTES
    }
}

/// The canonical JSON of a value that stands `outer_depth` levels inside another; `None` for whatever is not made of
/// plain `dict`, `list`, `tuple`, `str`, `int`, `bool` and `None`, or breaks a rule of the log.
#[pyfunction]
#[pyo3(signature = (value, outer_depth = 0))]
pub(crate) fn encode_plain<'py>(
    value: &Bound<'py, PyAny>,
    outer_depth: usize,
) -> Option<Bound<'py, PyBytes>> {
    let mut out = Vec::with_capacity(256);
    write_value(&mut out, value, outer_depth).then(|| PyBytes::new(value.py(), &out))
}

/// The draft of an event, read by attribute, with the time when it occurred as text; `None` for an event that is not
/// made of plain values or breaks a rule of the log.
#[pyfunction]
pub(crate) fn draft_plain(
    event: &Bound<'_, PyAny>,
    stream: &Bound<'_, PyAny>,
    store: &[u8],
    epoch: u64,
    occurred: Option<&[u8]>,
) -> PyResult<Option<Draft>> {
    let py = event.py();
    let body = event.getattr(intern!(py, "body"))?;
    let meta = event.getattr(intern!(py, "meta"))?;
    let kind = event.getattr(intern!(py, "type"))?;
    let schema_version = event.getattr(intern!(py, "schema_version"))?;
    let id = event.getattr(intern!(py, "id"))?;
    let correlation = event.getattr(intern!(py, "correlation_id"))?;
    let cause = event.getattr(intern!(py, "causation_id"))?;
    let (Ok(body), Ok(meta)) = (body.cast_exact::<PyDict>(), meta.cast_exact::<PyDict>()) else {
        return Ok(None);
    };
    let (Ok(kind), Ok(schema_version), Ok(stream)) = (
        kind.cast_into_exact::<PyString>(),
        schema_version.cast_into_exact::<PyInt>(),
        stream.cast_exact::<PyString>(),
    ) else {
        return Ok(None);
    };
    let (Ok(kind_text), Ok(version), Ok(stream)) = (
        kind.to_str(),
        schema_version.extract::<i64>(),
        stream.to_str(),
    ) else {
        return Ok(None);
    };
    if !is_type(kind_text) || !is_stream(stream) || !(1..=LARGEST_INTEGER).contains(&version) {
        return Ok(None);
    }
    let (Some(id), Some(correlation), Some(cause)) =
        (uuid(&id)?, uuid(&correlation)?, uuid(&cause)?)
    else {
        return Ok(None);
    };
    let Some(id) = id else {
        return Ok(None);
    };
    let mut out = Vec::with_capacity(640);
    out.extend_from_slice(b"{\"body\":");
    if !write_object(&mut out, body, 2) {
        return Ok(None);
    }
    out.extend_from_slice(b",\"cause\":");
    write_id(&mut out, cause.as_ref())?;
    out.extend_from_slice(b",\"corr\":");
    write_id(&mut out, correlation.as_ref())?;
    out.extend_from_slice(b",\"epoch\":");
    write_number(&mut out, epoch);
    out.extend_from_slice(b",\"id\":");
    write_id(&mut out, Some(&id))?;
    out.extend_from_slice(b",\"meta\":");
    if !write_object(&mut out, meta, 2) {
        return Ok(None);
    }
    out.extend_from_slice(b",\"occ\":");
    match occurred {
        None => out.extend_from_slice(b"null"),
        Some(text) => {
            out.push(b'"');
            out.extend_from_slice(text);
            out.push(b'"');
        }
    }
    out.push(b'}');
    let split = out.len();
    out.extend_from_slice(b"\",\"store\":\"");
    out.extend_from_slice(store);
    out.extend_from_slice(b"\",\"stream\":\"");
    out.extend_from_slice(stream.as_bytes());
    out.extend_from_slice(b"\",\"sv\":");
    write_number(&mut out, version.unsigned_abs());
    out.extend_from_slice(b",\"type\":\"");
    out.extend_from_slice(kind_text.as_bytes());
    out.extend_from_slice(b"\",\"v\":1,\"ver\":");
    if out.len() + ROOM_FOR_PLACE_BYTES > LARGEST_RECORD_BYTES {
        return Ok(None);
    }
    Ok(Some(Draft {
        id: id.unbind(),
        kind: kind.unbind(),
        schema_version: schema_version.unbind(),
        correlation: correlation.map(Bound::unbind),
        cause: cause.map(Bound::unbind),
        bytes: out,
        split,
    }))
}

/// Whether the value could be written; what stands in `out` after a refusal has no meaning.
fn write_value(out: &mut Vec<u8>, value: &Bound<'_, PyAny>, depth: usize) -> bool {
    if let Ok(text) = value.cast_exact::<PyString>() {
        let Ok(text) = text.to_str() else {
            return false; // a lone surrogate
        };
        write_text(out, text);
        true
    } else if value.is_none() {
        out.extend_from_slice(b"null");
        true
    } else if let Ok(number) = value.cast_exact::<PyInt>() {
        number
            .extract::<i64>()
            .is_ok_and(|number| write_integer(out, number))
    } else if let Ok(object) = value.cast_exact::<PyDict>() {
        write_object(out, object, depth + 1)
    } else if let Ok(truth) = value.cast_exact::<PyBool>() {
        out.extend_from_slice(if truth.is_true() { b"true" } else { b"false" });
        true
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        write_items(out, list.iter(), depth + 1)
    } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        write_items(out, tuple.iter(), depth + 1)
    } else {
        false
    }
}

fn write_items<'py>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    depth: usize,
) -> bool {
    if depth > DEEPEST_NESTING {
        return false;
    }
    out.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if !write_value(out, &item, depth) {
            return false;
        }
    }
    out.push(b']');
    true
}

fn write_object(out: &mut Vec<u8>, object: &Bound<'_, PyDict>, depth: usize) -> bool {
    if depth > DEEPEST_NESTING {
        return false;
    }
    let members: Vec<_> = object.iter().collect();
    let mut sorted = Vec::with_capacity(members.len());
    for (key, item) in &members {
        match key.cast_exact::<PyString>().map(|key| key.to_str()) {
            Ok(Ok(key)) if is_key(key) => sorted.push((key, item)),
            _ => return false,
        }
    }
    sorted.sort_unstable_by_key(|(key, _)| *key);
    out.push(b'{');
    for (index, (key, item)) in sorted.into_iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",\"" } else { b"\"" });
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\":");
        if !write_value(out, item, depth) {
            return false;
        }
    }
    out.push(b'}');
    true
}

/// The bytes of a UUID, `Some(None)` for `None`, and `None` for anything else.
#[expect(clippy::option_option, reason = "no id and no answer are two things")]
fn uuid<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Option<Bound<'py, PyBytes>>>> {
    if value.is_none() {
        return Ok(Some(None));
    }
    let py = value.py();
    if !value.get_type().is(UUID.import(py, "uuid", "UUID")?) {
        return Ok(None);
    }
    let bytes = value.getattr(intern!(py, "bytes"))?;
    Ok(Some(Some(bytes.cast_into::<PyBytes>()?)))
}

fn write_id(out: &mut Vec<u8>, id: Option<&Bound<'_, PyBytes>>) -> PyResult<()> {
    match id {
        None => out.extend_from_slice(b"null"),
        Some(id) => write_uuid(out, id.as_bytes().try_into()?),
    }
    Ok(())
}

/// A batch in its place: rows for the tables, and the tree behind it.
#[pyclass(module = "sep_native.log", frozen)]
pub(crate) struct Placed {
    /// The columns of all events, one after the other: pos, stream, version, id, type, sv, rec, corr, cause, record,
    /// leaf hash.
    #[pyo3(get)]
    events: Py<PyList>,
    /// Id and pos of all events, one after the other.
    #[pyo3(get)]
    ids: Py<PyList>,
    /// Stream, version and last leaf hash of all streams that were written, one after the other.
    #[pyo3(get)]
    streams: Py<PyList>,
    /// The same by stream.
    #[pyo3(get)]
    heads: Py<PyDict>,
    /// The answer to each append.
    #[pyo3(get)]
    outcomes: Py<PyList>,
    /// The tree with the batch.
    #[pyo3(get)]
    tree: Py<Tree>,
    /// Roots of the 256-wide subtrees that the batch made full, in order.
    #[pyo3(get)]
    subtrees: Vec<Py<PyBytes>>,
    /// Leaves, joined, behind the last full subtree.
    #[pyo3(get)]
    tail: Py<PyBytes>,
}

/// Where a batch goes: behind a tree and its tail, at a moment.
struct Behind<'a, 'py> {
    tree: sep_log::Tree,
    tail: &'a [u8],
    recorded: &'a [u8],
    recorded_at: &'a Bound<'py, PyInt>,
}

/// An event whose place was decided.
struct Decided<'py> {
    stream: Bound<'py, PyString>,
    draft: Bound<'py, Draft>,
    version: u64,
    previous: Previous,
}

/// Places the events of a batch. Each entry is a tuple of stream, draft, version, and what stands before it in its
/// stream: `None`, a leaf hash, or the index of an earlier entry.
#[pyfunction]
pub(crate) fn place_batch<'py>(
    tree: &Tree,
    tail: &[u8],
    recorded: &[u8],
    recorded_at: &Bound<'py, PyInt>,
    entries: &Bound<'py, PyList>,
) -> PyResult<Placed> {
    let decided = entries
        .iter()
        .map(|entry| {
            let (stream, draft, version, before): (_, _, _, Bound<'_, PyAny>) = entry.extract()?;
            Ok(Decided {
                stream,
                draft,
                version,
                previous: previous(&before)?,
            })
        })
        .collect::<PyResult<Vec<_>>>()?;
    let behind = Behind {
        tree: tree.state(),
        tail,
        recorded,
        recorded_at,
    };
    placed(entries.py(), behind, &decided, Vec::new())
}

/// Decides on appends and places their events; `None` when one has conditions, would be refused, or may repeat another.
///
/// An append is a tuple that begins with its writes and its conditions, a write one of stream, drafts and the version
/// at which the stream must stand: -1 for any, -2 for any but none. `heads` gives version and leaf hash of each stream.
/// `result` makes the answer of the first and last position.
#[pyfunction]
pub(crate) fn plan_plain<'py>(
    tree: &Tree,
    tail: &[u8],
    recorded: &[u8],
    recorded_at: &Bound<'py, PyInt>,
    appends: &Bound<'py, PyList>,
    heads: &Bound<'py, PyDict>,
    result: &Bound<'py, PyAny>,
) -> PyResult<Option<Placed>> {
    let py = appends.py();
    let tree = tree.state();
    let first = tree.size() + 1;
    let mut decided: Vec<Decided<'py>> = Vec::with_capacity(appends.len());
    let mut latest: HashMap<Vec<u8>, usize> = HashMap::with_capacity(appends.len());
    let mut ids: HashSet<Vec<u8>> = HashSet::with_capacity(appends.len());
    let mut outcomes = Vec::with_capacity(appends.len());
    for append in appends {
        let append = append.cast_into::<PyTuple>()?;
        if append.get_item(1)?.cast_into::<PyTuple>()?.len() > 0 {
            return Ok(None);
        }
        let start = decided.len();
        for write in append.get_item(0)?.cast_into::<PyTuple>()? {
            let write = write.cast_into::<PyTuple>()?;
            let stream = write.get_item(0)?.cast_into::<PyString>()?;
            let needed: i64 = write.get_item(2)?.extract()?;
            let name = stream.to_str()?.as_bytes();
            let (mut version, mut before) = match latest.get(name) {
                Some(&index) => (decided[index].version, Previous::InBatch(index)),
                None => match heads.get_item(&stream)? {
                    Some(head) => {
                        let (version, leaf): (u64, Bound<'py, PyAny>) = head.extract()?;
                        (version, previous(&leaf)?)
                    }
                    None => return Ok(None),
                },
            };
            let stands = match needed {
                -1 => true,
                -2 => version > 0,
                exact => u64::try_from(exact) == Ok(version),
            };
            if !stands {
                return Ok(None);
            }
            for draft in write.get_item(1)?.cast_into::<PyTuple>()? {
                let draft = draft.cast_into::<Draft>()?;
                if !ids.insert(draft.get().id.as_bytes(py).to_vec()) {
                    return Ok(None);
                }
                version += 1;
                let index = decided.len();
                decided.push(Decided {
                    stream: stream.clone(),
                    draft,
                    version,
                    previous: before,
                });
                before = Previous::InBatch(index);
            }
            latest.insert(name.to_vec(), decided.len() - 1);
        }
        outcomes.push(result.call1((first + start as u64, first + decided.len() as u64 - 1))?);
    }
    let behind = Behind {
        tree,
        tail,
        recorded,
        recorded_at,
    };
    placed(py, behind, &decided, outcomes).map(Some)
}

/// Joins, chains and hashes without the interpreter's lock, then makes the rows.
fn placed<'py>(
    py: Python<'py>,
    behind: Behind<'_, 'py>,
    decided: &[Decided<'py>],
    outcomes: Vec<Bound<'py, PyAny>>,
) -> PyResult<Placed> {
    let Behind {
        tree,
        tail,
        recorded,
        recorded_at,
    } = behind;
    let first = tree.size() + 1;
    let tail = hashes(tail)?.to_vec();
    let entries: Vec<Entry<'_>> = decided
        .iter()
        .map(|event| {
            let (head, tail) = event.draft.get().parts();
            Entry {
                head,
                tail,
                version: event.version,
                previous: event.previous,
            }
        })
        .collect();
    let batch = py
        .detach(|| Batch::new(tree, tail, recorded, &entries))
        .map_err(refused)?;
    let mut columns: Vec<Bound<'_, PyAny>> = Vec::with_capacity(decided.len() * 11);
    let mut ids: Vec<Bound<'_, PyAny>> = Vec::with_capacity(decided.len() * 2);
    let heads = PyDict::new(py);
    let none = py.None().into_bound(py);
    let mut start = 0;
    for (offset, (event, (end, leaf))) in
        (0_u64..).zip(decided.iter().zip(batch.ends.iter().zip(&batch.leaves)))
    {
        let draft = event.draft.get();
        let pos = (first + offset).into_pyobject(py)?.into_any();
        let version = event.version.into_pyobject(py)?.into_any();
        let id = draft.id.bind(py).clone().into_any();
        let leaf = PyBytes::new(py, leaf).into_any();
        let optional = |id: &Option<Py<PyBytes>>| match id {
            None => none.clone(),
            Some(id) => id.bind(py).clone().into_any(),
        };
        heads.set_item(&event.stream, (&version, &leaf))?;
        ids.push(id.clone());
        ids.push(pos.clone());
        columns.extend([
            pos,
            event.stream.clone().into_any(),
            version,
            id,
            draft.kind.bind(py).clone().into_any(),
            draft.schema_version.bind(py).clone().into_any(),
            recorded_at.clone().into_any(),
            optional(&draft.correlation),
            optional(&draft.cause),
            PyBytes::new(py, &batch.records[start..*end]).into_any(),
            leaf,
        ]);
        start = *end;
    }
    let mut streams: Vec<Bound<'_, PyAny>> = Vec::with_capacity(heads.len() * 3);
    for (stream, head) in &heads {
        let (version, leaf): (Bound<'_, PyAny>, Bound<'_, PyAny>) = head.extract()?;
        streams.extend([stream, version, leaf]);
    }
    Ok(Placed {
        events: PyList::new(py, columns)?.unbind(),
        ids: PyList::new(py, ids)?.unbind(),
        streams: PyList::new(py, streams)?.unbind(),
        heads: heads.unbind(),
        outcomes: PyList::new(py, outcomes)?.unbind(),
        tree: Py::new(py, Tree::from_state(batch.tree))?,
        subtrees: batch
            .subtrees
            .iter()
            .map(|root| PyBytes::new(py, root).unbind())
            .collect(),
        tail: PyBytes::new(py, batch.tail.as_flattened()).unbind(),
    })
}

fn previous(before: &Bound<'_, PyAny>) -> PyResult<Previous> {
    if let Ok(leaf) = before.cast_exact::<PyBytes>() {
        let leaf: Hash = leaf
            .as_bytes()
            .try_into()
            .map_err(|_| PyValueError::new_err(format!("a leaf hash is {HASH_BYTES} bytes")))?;
        Ok(Previous::Leaf(leaf))
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
