//! `sep_native.log`: events as bytes, encoded but for their place in the log.

use std::sync::Arc;

use pyo3::{
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyBool, PyBytes, PyDict, PyInt, PyList, PyString, PyTuple, PyType},
};
use sep_log::{
    ANY_VERSION, Append, EventId, SOME_VERSION, Write,
    record::{
        LARGEST_INTEGER, LARGEST_RECORD_BYTES, ROOM_FOR_PLACE_BYTES, is_key, is_stream, is_type,
        write_integer, write_number, write_text, write_uuid,
    },
};

const DEEPEST_NESTING: usize = 64;
static UUID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static EXACT: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static NO_STREAM: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static EXISTS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static ANY: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// An event that is encoded but for its place in the log.
#[pyclass(module = "sep_native.log", frozen)]
pub(crate) struct Draft(pub(crate) Arc<sep_log::Draft>);

#[pymethods]
impl Draft {
    #[new]
    #[pyo3(signature = (id, r#type, schema_version, correlation, cause, head, tail))]
    fn new(
        id: EventId,
        r#type: String,
        schema_version: i64,
        correlation: Option<EventId>,
        cause: Option<EventId>,
        head: &[u8],
        tail: &[u8],
    ) -> Self {
        Self(Arc::new(sep_log::Draft {
            id,
            kind: r#type,
            schema_version,
            correlation,
            cause,
            bytes: [head, tail].concat(),
            split: head.len(),
        }))
    }

    /// What the event is known by.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.id)
    }

    /// Kind of fact.
    #[getter]
    fn r#type(&self) -> &str {
        &self.0.kind
    }

    /// Version of the body's schema.
    #[getter]
    fn schema_version(&self) -> i64 {
        self.0.schema_version
    }

    /// The undertaking that it belongs to.
    #[getter]
    fn correlation<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.correlation.map(|id| PyBytes::new(py, &id))
    }

    /// What led to it.
    #[getter]
    fn cause<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.0.cause.map(|id| PyBytes::new(py, &id))
    }

    /// From `body` to `occ`, an object of its own.
    #[getter]
    fn head<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.head())
    }

    /// From the end of `rec` to `ver`.
    #[getter]
    fn tail<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.tail())
    }

    /// The most bytes that its record may take.
    #[getter]
    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
}

/// Stream, drafts, the version at which the stream must stand, and the expectation that says so.
type WriteOf<D> = (String, Vec<D>, i64, Py<PyAny>);

/// One atomic append, encoded but for its place.
#[pyclass(module = "sep_native.log", frozen)]
pub(crate) struct DraftedAppend {
    pub(crate) append: Arc<Append>,
    expected: Vec<Py<PyAny>>,
    /// Conditions on streams that it does not write.
    #[pyo3(get)]
    conditions: Py<PyTuple>,
}

#[pymethods]
impl DraftedAppend {
    /// Each write is a tuple of stream, drafts, the version at which the stream must stand (-1 for any, -2 for any but
    /// none), and the expectation that says so.
    #[new]
    fn new(writes: Vec<WriteOf<Py<Draft>>>, conditions: Bound<'_, PyTuple>) -> Self {
        let mut expected = Vec::with_capacity(writes.len());
        let writes = writes
            .into_iter()
            .map(|(stream, drafts, needed, expectation)| {
                expected.push(expectation);
                Write {
                    stream: stream.into(),
                    needed,
                    drafts: drafts.iter().map(|draft| draft.get().0.clone()).collect(),
                }
            })
            .collect();
        Self {
            append: Arc::new(Append::new(writes, !conditions.is_empty())),
            expected,
            conditions: conditions.unbind(),
        }
    }

    /// What it writes, as the constructor takes it.
    #[getter]
    fn writes(&self, py: Python<'_>) -> Vec<WriteOf<Draft>> {
        let writes = self.append.writes.iter().zip(&self.expected);
        writes
            .map(|(write, expected)| {
                let drafts = write.drafts.iter().cloned().map(Draft).collect();
                let stream = (*write.stream).to_owned();
                (stream, drafts, write.needed, expected.clone_ref(py))
            })
            .collect()
    }

    /// Events in all writes.
    #[getter]
    fn event_count(&self) -> usize {
        self.append.event_count
    }

    /// The most bytes that their records may take.
    #[getter]
    fn size_bytes(&self) -> usize {
        self.append.size_bytes
    }
}

/// The draft of an append without conditions; `None` when one of its events is not made of plain values, or anything
/// breaks a rule of the log. `moment_text` makes the text of a moment.
#[pyfunction]
pub(crate) fn draft_append_plain(
    writes: &Bound<'_, PyAny>,
    store: &[u8],
    epoch: u64,
    moment_text: &Bound<'_, PyAny>,
) -> PyResult<Option<DraftedAppend>> {
    let py = writes.py();
    let mut drafted: Vec<Write> = Vec::new();
    let mut expectations = Vec::new();
    for write in writes.try_iter()? {
        let write = write?;
        let stream = write.getattr(intern!(py, "stream"))?;
        let expected = write.getattr(intern!(py, "expected"))?;
        let Some(needed) = needed(&expected)? else {
            return Ok(None);
        };
        let mut drafts: Vec<Arc<sep_log::Draft>> = Vec::new();
        for event in write.getattr(intern!(py, "events"))?.try_iter()? {
            let event = event?;
            let occurred = event.getattr(intern!(py, "occurred_at"))?;
            let occurred = if occurred.is_none() {
                None
            } else {
                Some(moment_text.call1((occurred,))?.cast_into::<PyBytes>()?)
            };
            let occurred = occurred.as_ref().map(PyBytesMethods::as_bytes);
            let Some(draft) = drafted_plain(&event, &stream, store, epoch, occurred)? else {
                return Ok(None);
            };
            drafts.push(Arc::new(draft));
        }
        let Ok(stream) = stream.cast_exact::<PyString>() else {
            return Ok(None);
        };
        let stream = stream.to_str()?;
        if drafts.is_empty() || drafted.iter().any(|other| &*other.stream == stream) {
            return Ok(None);
        }
        drafted.push(Write {
            stream: stream.into(),
            needed,
            drafts,
        });
        expectations.push(expected.unbind());
    }
    let append = Append::new(drafted, false);
    if append.event_count == 0 || !distinct(&append) {
        return Ok(None);
    }
    Ok(Some(DraftedAppend {
        append: Arc::new(append),
        expected: expectations,
        conditions: PyTuple::empty(py).unbind(),
    }))
}

fn distinct(append: &Append) -> bool {
    if append.event_count == 1 {
        return true;
    }
    let mut ids: Vec<&EventId> = append
        .writes
        .iter()
        .flat_map(|write| write.drafts.iter().map(|draft| &draft.id))
        .collect();
    ids.sort_unstable();
    ids.windows(2).all(|pair| pair[0] != pair[1])
}

/// The version that an expectation stands for; `None` for what is no expectation.
fn needed(expected: &Bound<'_, PyAny>) -> PyResult<Option<i64>> {
    const MODULE: &str = "sep_hooks.store";
    let py = expected.py();
    let class = expected.get_type();
    if class.is(EXACT.import(py, MODULE, "Exact")?) {
        let version = expected.getattr(intern!(py, "version"))?;
        let Ok(version) = version.cast_exact::<PyInt>() else {
            return Ok(None);
        };
        // No stream gets beyond the largest integer, and larger ones are for the slow way to say.
        return Ok(version
            .extract::<i64>()
            .ok()
            .filter(|version| (0..=LARGEST_INTEGER).contains(version)));
    }
    if class.is(ANY.import(py, MODULE, "AnyVersion")?) {
        return Ok(Some(ANY_VERSION));
    }
    if class.is(NO_STREAM.import(py, MODULE, "NoStream")?) {
        return Ok(Some(0));
    }
    if class.is(EXISTS.import(py, MODULE, "Exists")?) {
        return Ok(Some(SOME_VERSION));
    }
    Ok(None)
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
    let drafted = drafted_plain(event, stream, store, epoch, occurred)?;
    Ok(drafted.map(|draft| Draft(Arc::new(draft))))
}

fn drafted_plain(
    event: &Bound<'_, PyAny>,
    stream: &Bound<'_, PyAny>,
    store: &[u8],
    epoch: u64,
    occurred: Option<&[u8]>,
) -> PyResult<Option<sep_log::Draft>> {
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
    write_id(&mut out, cause.as_ref());
    out.extend_from_slice(b",\"corr\":");
    write_id(&mut out, correlation.as_ref());
    out.extend_from_slice(b",\"epoch\":");
    write_number(&mut out, epoch);
    out.extend_from_slice(b",\"id\":");
    write_id(&mut out, Some(&id));
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
    Ok(Some(sep_log::Draft {
        id,
        kind: kind_text.to_owned(),
        schema_version: version,
        correlation,
        cause,
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
fn uuid(value: &Bound<'_, PyAny>) -> PyResult<Option<Option<EventId>>> {
    if value.is_none() {
        return Ok(Some(None));
    }
    let py = value.py();
    if !value.get_type().is(UUID.import(py, "uuid", "UUID")?) {
        return Ok(None);
    }
    // Its `bytes` are made of this, in Python.
    let number: u128 = value.getattr(intern!(py, "int"))?.extract()?;
    Ok(Some(Some(number.to_be_bytes())))
}

fn write_id(out: &mut Vec<u8>, id: Option<&EventId>) {
    match id {
        None => out.extend_from_slice(b"null"),
        Some(id) => write_uuid(out, id),
    }
}
