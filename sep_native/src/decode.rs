//! `sep_native.decode`: event logs and calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::{PyIndexError, PyKeyError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};
use sep_decode::{
    AbiCall, Address, Argument, B256, Column, DynSolType, DynSolValue, I256, Row, RowKind,
    TypeList, U256, WordKind,
};

use crate::convert::{from_bytes, number, unsigned};
use crate::errors;

/// An address, topics and data.
type RawLog<'py> = (Bound<'py, PyBytes>, Vec<B256>, Bound<'py, PyBytes>);

fn raw_logs<'py>(logs: &Bound<'py, PyAny>) -> PyResult<Vec<RawLog<'py>>> {
    let mut held = Vec::with_capacity(logs.len().unwrap_or(0));
    for log in logs.try_iter()? {
        let (address, topics, data): (Bound<'_, PyBytes>, Bound<'_, PyAny>, Bound<'_, PyBytes>) =
            log?.extract()?;
        let topics = topics
            .try_iter()?
            .map(|topic| word(&topic?))
            .collect::<PyResult<Vec<B256>>>()?;
        held.push((address, topics, data));
    }
    Ok(held)
}

/// How many arguments alloy's own decoder finds in logs given as (address, topics, data), one by one.
#[pyfunction]
pub(crate) fn count_with_alloy(
    py: Python<'_>,
    signatures: Vec<String>,
    logs: &Bound<'_, PyAny>,
) -> PyResult<usize> {
    let held = raw_logs(logs)?;
    let logs = held
        .iter()
        .map(|(_, topics, data)| (topics.as_slice(), data.as_bytes()));
    let count = errors::guarded(py, || sep_decode::count_with_alloy(&signatures, logs))?;
    count.map_err(|error| errors::decode(&error))
}

/// Compiled decoders for a set of event signatures.
#[pyclass(module = "sep_native.decode", frozen)]
pub(crate) struct EventDecoder(Arc<sep_decode::EventDecoder>);

#[pymethods]
impl EventDecoder {
    #[new]
    fn new(py: Python<'_>, signatures: Vec<String>) -> PyResult<Self> {
        let decoder = errors::guarded(py, || sep_decode::EventDecoder::new(&signatures))?;
        decoder
            .map(|decoder| Self(Arc::new(decoder)))
            .map_err(|error| errors::decode(&error))
    }

    /// The first topic of each signature, in the order given.
    #[getter]
    fn topics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(
            py,
            self.0
                .layouts()
                .iter()
                .map(|layout| PyBytes::new(py, layout.topic.as_slice())),
        )
    }

    /// The canonical signatures, in the order given.
    #[getter]
    fn signatures(&self) -> Vec<String> {
        self.0
            .layouts()
            .iter()
            .map(|layout| layout.signature.clone())
            .collect()
    }

    /// Decodes logs given as (address, topics, data).
    fn decode(&self, py: Python<'_>, logs: &Bound<'_, PyAny>) -> PyResult<LogBatch> {
        let held = raw_logs(logs)?;
        let logs = held.iter().map(|(address, topics, data)| {
            (address.as_bytes(), topics.as_slice(), data.as_bytes())
        });
        let batch = errors::guarded(py, || self.0.decode(logs))?;
        Ok(LogBatch(Arc::new(batch)))
    }

    /// Decodes the JSON array of an `eth_getLogs` answer or of a receipt's `logs`.
    fn decode_json(&self, py: Python<'_>, json: &[u8]) -> PyResult<LogBatch> {
        let batch = errors::detached(py, || self.0.decode_json(json))?;
        batch
            .map(|batch| LogBatch(Arc::new(batch)))
            .map_err(|error| errors::decode(&error))
    }
}

/// Logs in the order given, and their arguments in columns.
#[pyclass(module = "sep_native.decode", frozen)]
pub(crate) struct LogBatch(Arc<sep_decode::LogBatch>);

#[pymethods]
impl LogBatch {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __iter__(&self) -> LogIterator {
        LogIterator {
            batch: Arc::clone(&self.0),
            next: AtomicUsize::new(0),
        }
    }

    fn __getitem__(&self, index: isize) -> PyResult<DecodedLog> {
        let at = if index < 0 {
            self.0.len().checked_add_signed(index)
        } else {
            Some(index.unsigned_abs())
        };
        match at.filter(|at| *at < self.0.len()) {
            Some(at) => Ok(DecodedLog {
                batch: Arc::clone(&self.0),
                at,
            }),
            None => Err(PyIndexError::new_err("there is no log at this index")),
        }
    }

    /// How many logs were decoded, unknown, malformed.
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = self.0.counts();
        let by_kind = PyDict::new(py);
        by_kind.set_item("decoded", counts.decoded)?;
        by_kind.set_item("unknown", counts.unknown)?;
        by_kind.set_item("malformed", counts.malformed)?;
        Ok(by_kind)
    }

    /// One argument of one event over all its logs, in order.
    fn column<'py>(
        &self,
        py: Python<'py>,
        event_index: usize,
        name: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        let layout = self.0.layouts().get(event_index);
        let layout =
            layout.ok_or_else(|| PyIndexError::new_err("there is no signature at this index"))?;
        let at = layout.fields.iter().position(|field| field.name == name);
        let column = at
            .zip(self.0.columns(event_index))
            .and_then(|(at, columns)| columns.get(at));
        let column = column.ok_or_else(|| PyKeyError::new_err(name.to_owned()))?;
        let values = (0..column.len())
            .map(|row| argument(py, column, row))
            .collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, values)
    }

    /// The positions of one event's logs in the batch, one for each row of its columns.
    fn positions(&self, event_index: usize) -> Vec<usize> {
        let belongs = |kind| matches!(kind, RowKind::Decoded { event, .. } if event == event_index);
        self.0
            .rows()
            .enumerate()
            .filter(|(_, row)| belongs(row.kind))
            .map(|(at, _)| at)
            .collect()
    }
}

/// Goes through a batch once.
#[pyclass(module = "sep_native.decode", frozen)]
pub(crate) struct LogIterator {
    batch: Arc<sep_decode::LogBatch>,
    next: AtomicUsize,
}

#[pymethods]
impl LogIterator {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self) -> Option<DecodedLog> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        (at < self.batch.len()).then(|| DecodedLog {
            batch: Arc::clone(&self.batch),
            at,
        })
    }
}

/// One log: decoded, unknown, or malformed with a reason.
#[pyclass(module = "sep_native.decode", frozen)]
pub(crate) struct DecodedLog {
    batch: Arc<sep_decode::LogBatch>,
    at: usize,
}

impl DecodedLog {
    fn row(&self) -> PyResult<Row<'_>> {
        self.batch
            .row(self.at)
            .ok_or_else(|| PyIndexError::new_err("there is no log at this index"))
    }

    fn layout(&self) -> PyResult<Option<(&sep_decode::EventLayout, &[Column], usize)>> {
        Ok(match self.row()?.kind {
            RowKind::Decoded { event, at } => self
                .batch
                .layouts()
                .get(event)
                .zip(self.batch.columns(event))
                .map(|(layout, columns)| (layout, columns, at)),
            RowKind::Unknown | RowKind::Malformed(_) => None,
        })
    }
}

#[pymethods]
impl DecodedLog {
    /// "decoded", "unknown" or "malformed".
    #[getter]
    fn kind(&self) -> PyResult<&'static str> {
        Ok(match self.row()?.kind {
            RowKind::Decoded { .. } => "decoded",
            RowKind::Unknown => "unknown",
            RowKind::Malformed(_) => "malformed",
        })
    }

    /// The event's name; empty unless decoded.
    #[getter]
    fn event(&self) -> PyResult<&str> {
        Ok(self
            .layout()?
            .map_or("", |(layout, _, _)| layout.name.as_str()))
    }

    /// Index of the signature; -1 unless decoded.
    #[getter]
    fn signature_index(&self) -> PyResult<isize> {
        Ok(match self.row()?.kind {
            RowKind::Decoded { event, .. } => event.cast_signed(),
            RowKind::Unknown | RowKind::Malformed(_) => -1,
        })
    }

    /// The contract, in lower case; empty where the source does not say it readably.
    #[getter]
    fn address(&self) -> PyResult<String> {
        Ok(self
            .row()?
            .address
            .as_ref()
            .map_or_else(String::new, address_text))
    }

    /// The arguments by name; empty unless decoded.
    #[getter]
    fn arguments<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let arguments = PyDict::new(py);
        if let Some((layout, columns, row)) = self.layout()? {
            for (field, column) in layout.fields.iter().zip(columns) {
                arguments.set_item(&field.name, argument(py, column, row)?)?;
            }
        }
        Ok(arguments)
    }

    #[getter]
    fn topics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(
            py,
            self.row()?
                .topics
                .iter()
                .map(|topic| PyBytes::new(py, topic.as_slice())),
        )
    }

    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.row()?.data))
    }

    #[getter]
    fn block_number(&self) -> PyResult<Option<u64>> {
        Ok(self.row()?.place.block_number)
    }

    #[getter]
    fn block_hash(&self) -> PyResult<Option<String>> {
        Ok(self.row()?.place.block_hash.map(|hash| hash.to_string()))
    }

    #[getter]
    fn transaction_hash(&self) -> PyResult<Option<String>> {
        Ok(self
            .row()?
            .place
            .transaction_hash
            .map(|hash| hash.to_string()))
    }

    #[getter]
    fn log_index(&self) -> PyResult<Option<u64>> {
        Ok(self.row()?.place.log_index)
    }

    /// Whether the source says that a reorganisation took the log back.
    #[getter]
    fn removed(&self) -> PyResult<bool> {
        Ok(self.row()?.place.removed)
    }

    /// Why the log is malformed.
    #[getter]
    fn reason(&self) -> PyResult<Option<&'static str>> {
        Ok(match self.row()?.kind {
            RowKind::Malformed(reason) => Some(reason),
            RowKind::Decoded { .. } | RowKind::Unknown => None,
        })
    }

    fn __repr__(&self) -> PyResult<String> {
        Ok(format!(
            "DecodedLog(kind={:?}, event={:?}, address={:?})",
            self.kind()?,
            self.event()?,
            self.address()?
        ))
    }
}

/// The call data for a function, `transfer(address,uint256)`.
#[pyfunction]
pub(crate) fn encode_call<'py>(
    py: Python<'py>,
    signature: &str,
    arguments: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let call = parse_call(py, signature)?;
    let values = values(call.inputs(), arguments)?;
    let data =
        errors::guarded(py, || call.encode(values))?.map_err(|error| errors::decode(&error))?;
    Ok(PyBytes::new(py, &data))
}

/// The encoding of values of these types, `uint256,(address,bool)[]`.
#[pyfunction]
pub(crate) fn encode<'py>(
    py: Python<'py>,
    types: &str,
    values: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let types = parse_types(py, types)?;
    let values = self::values(&types, values)?;
    let data =
        errors::guarded(py, || types.encode(values))?.map_err(|error| errors::decode(&error))?;
    Ok(PyBytes::new(py, &data))
}

/// The values of these types that `data` encodes; bytes behind them are ignored.
#[pyfunction]
pub(crate) fn decode<'py>(
    py: Python<'py>,
    types: &str,
    data: &[u8],
) -> PyResult<Bound<'py, PyTuple>> {
    let types = parse_types(py, types)?;
    let values = errors::guarded(py, || types.decode(data))?;
    tuple(py, &values.map_err(|error| errors::decode(&error))?)
}

/// The arguments of call data, which must begin with the function's selector.
#[pyfunction]
pub(crate) fn decode_call<'py>(
    py: Python<'py>,
    signature: &str,
    data: &[u8],
) -> PyResult<Bound<'py, PyTuple>> {
    let call = parse_call(py, signature)?;
    let values = errors::guarded(py, || call.decode(data))?;
    tuple(py, &values.map_err(|error| errors::decode(&error))?)
}

/// The values that a function answered, `balanceOf(address) returns (uint256)`.
#[pyfunction]
pub(crate) fn decode_result<'py>(
    py: Python<'py>,
    signature: &str,
    data: &[u8],
) -> PyResult<Bound<'py, PyTuple>> {
    let call = parse_call(py, signature)?;
    if call.outputs().types().is_empty() {
        return Err(PyValueError::new_err(format!(
            "{signature}: the signature names no result"
        )));
    }
    let values = errors::guarded(py, || call.outputs().decode(data))?;
    tuple(py, &values.map_err(|error| errors::decode(&error))?)
}

/// The first four bytes of a call of this function.
#[pyfunction]
pub(crate) fn selector<'py>(py: Python<'py>, signature: &str) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &parse_call(py, signature)?.selector()))
}

/// The Keccak-256 hash, with the padding that Ethereum uses.
#[pyfunction]
pub(crate) fn keccak256<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, sep_decode::keccak256(data).as_slice())
}

/// The mixed-case form of an address, whose capitals are a checksum (EIP-55).
#[pyfunction]
pub(crate) fn checksum_address(address: &str) -> PyResult<String> {
    sep_decode::checksum_address(address)
        .ok_or_else(|| PyValueError::new_err("an address is 0x and 40 hexadecimal digits"))
}

/// Whether an address is written exactly in its checksum form.
#[pyfunction]
pub(crate) fn is_checksum_valid(address: &str) -> bool {
    sep_decode::is_checksum_valid(address)
}

fn parse_call(py: Python<'_>, signature: &str) -> PyResult<AbiCall> {
    errors::guarded(py, || AbiCall::parse(signature))?.map_err(|error| errors::decode(&error))
}

fn parse_types(py: Python<'_>, types: &str) -> PyResult<TypeList> {
    errors::guarded(py, || TypeList::parse(types))?.map_err(|error| errors::decode(&error))
}

fn word(topic: &Bound<'_, PyAny>) -> PyResult<B256> {
    let bytes = topic.cast::<PyBytes>()?.as_bytes();
    B256::try_from(bytes)
        .map_err(|_| PyValueError::new_err(format!("a topic is 32 bytes, not {}", bytes.len())))
}

fn argument<'py>(py: Python<'py>, column: &Column, row: usize) -> PyResult<Bound<'py, PyAny>> {
    match column.get(row) {
        Some(Argument::Word(kind, word)) => word_value(py, kind, word),
        Some(Argument::Value(value)) => to_python(py, value),
        None => Err(PyIndexError::new_err("the column has no such row")),
    }
}

fn word_value<'py>(
    py: Python<'py>,
    kind: WordKind,
    word: &[u8; 32],
) -> PyResult<Bound<'py, PyAny>> {
    Ok(match kind {
        WordKind::Uint(_) => number(py, U256::from_be_bytes(*word))?.into_any(),
        WordKind::Int(_) => signed(py, I256::from_be_bytes(*word))?.into_any(),
        WordKind::Address => address_text(&Address::from_word(B256::from(*word)))
            .into_pyobject(py)?
            .into_any(),
        WordKind::Bool => PyBool::new(py, word[31] != 0).to_owned().into_any(),
        WordKind::FixedBytes(bytes) => PyBytes::new(py, &word[..bytes.min(32)]).into_any(),
    })
}

fn signed(py: Python<'_>, value: I256) -> PyResult<Bound<'_, PyInt>> {
    match i64::try_from(value) {
        Ok(value) => Ok(value.into_pyobject(py)?),
        Err(_) => from_bytes(py, &value.to_be_bytes::<32>(), true),
    }
}

fn address_text(address: &Address) -> String {
    format!("{address:#x}")
}

fn tuple<'py>(py: Python<'py>, values: &[DynSolValue]) -> PyResult<Bound<'py, PyTuple>> {
    let items = values
        .iter()
        .map(|value| to_python(py, value))
        .collect::<PyResult<Vec<_>>>()?;
    PyTuple::new(py, items)
}

fn to_python<'py>(py: Python<'py>, value: &DynSolValue) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        DynSolValue::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        DynSolValue::Int(value, _) => signed(py, *value)?.into_any(),
        DynSolValue::Uint(value, _) => number(py, *value)?.into_any(),
        DynSolValue::FixedBytes(word, bytes) => {
            PyBytes::new(py, &word[..(*bytes).min(32)]).into_any()
        }
        DynSolValue::Address(address) => address_text(address).into_pyobject(py)?.into_any(),
        DynSolValue::Function(function) => PyBytes::new(py, function.as_slice()).into_any(),
        DynSolValue::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        DynSolValue::String(text) => PyString::new(py, text).into_any(),
        DynSolValue::Array(values)
        | DynSolValue::FixedArray(values)
        | DynSolValue::Tuple(values) => tuple(py, values)?.into_any(),
    })
}

fn values(types: &TypeList, given: &Bound<'_, PyAny>) -> PyResult<Vec<DynSolValue>> {
    sequence(
        types.types().iter(),
        types.types().len(),
        given,
        "the arguments",
    )
}

fn sequence<'a>(
    types: impl Iterator<Item = &'a DynSolType>,
    count: usize,
    given: &Bound<'_, PyAny>,
    what: &str,
) -> PyResult<Vec<DynSolValue>> {
    if given.is_instance_of::<PyString>() || given.is_instance_of::<PyBytes>() {
        return Err(PyTypeError::new_err(format!(
            "{what} are a sequence, not text or bytes"
        )));
    }
    let found = given.len()?;
    if found != count {
        return Err(PyValueError::new_err(format!(
            "{what} are {count}, not {found}"
        )));
    }
    given
        .try_iter()?
        .zip(types)
        .map(|(value, kind)| from_python(kind, &value?))
        .collect()
}

fn from_python(kind: &DynSolType, value: &Bound<'_, PyAny>) -> PyResult<DynSolValue> {
    let misfit = || PyValueError::new_err(format!("{} is no {kind}", text_of(value)));
    Ok(match kind {
        DynSolType::Bool => {
            DynSolValue::Bool(value.cast::<PyBool>().map_err(|_| misfit())?.is_true())
        }
        DynSolType::Uint(bits) => {
            let number =
                unsigned("the number", whole(value).ok_or_else(misfit)?).map_err(|_| misfit())?;
            if number.bit_len() > *bits {
                return Err(misfit());
            }
            DynSolValue::Uint(number, *bits)
        }
        DynSolType::Int(bits) => {
            let number = whole(value).ok_or_else(misfit)?;
            let keywords = PyDict::new(value.py());
            keywords.set_item("signed", true)?;
            let bytes = number
                .call_method("to_bytes", (bits / 8, "big"), Some(&keywords))
                .map_err(|_| misfit())?;
            let number = I256::try_from_be_slice(bytes.cast::<PyBytes>()?.as_bytes());
            let number = number.ok_or_else(misfit)?;
            // The bytes are as wide as the type: the sign of a narrow one is spread over the word.
            let shift = 256 - bits;
            DynSolValue::Int((number << shift).asr(shift), *bits)
        }
        DynSolType::FixedBytes(count) => {
            let bytes = value.cast::<PyBytes>().map_err(|_| misfit())?.as_bytes();
            if bytes.len() != *count {
                return Err(misfit());
            }
            DynSolValue::FixedBytes(B256::right_padding_from(bytes), *count)
        }
        DynSolType::Function => {
            let bytes = value.cast::<PyBytes>().map_err(|_| misfit())?.as_bytes();
            DynSolValue::Function(bytes.try_into().map_err(|_| misfit())?)
        }
        DynSolType::Address => DynSolValue::Address(address(value).ok_or_else(misfit)?),
        DynSolType::Bytes => DynSolValue::Bytes(
            value
                .cast::<PyBytes>()
                .map_err(|_| misfit())?
                .as_bytes()
                .to_vec(),
        ),
        DynSolType::String => {
            DynSolValue::String(value.cast::<PyString>().map_err(|_| misfit())?.extract()?)
        }
        DynSolType::Array(inner) => {
            let count = value.len().map_err(|_| misfit())?;
            DynSolValue::Array(sequence(
                std::iter::repeat_n(&**inner, count),
                count,
                value,
                "the elements",
            )?)
        }
        DynSolType::FixedArray(inner, count) => DynSolValue::FixedArray(sequence(
            std::iter::repeat_n(&**inner, *count),
            *count,
            value,
            "the elements",
        )?),
        DynSolType::Tuple(types) => {
            DynSolValue::Tuple(sequence(types.iter(), types.len(), value, "the members")?)
        }
    })
}

/// A whole number; a truth value is none.
fn whole<'a, 'py>(value: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, PyInt>> {
    if value.is_instance_of::<PyBool>() {
        None
    } else {
        value.cast::<PyInt>().ok()
    }
}

/// An address of 20 bytes, or as text: in one case, or with a valid checksum.
fn address(value: &Bound<'_, PyAny>) -> Option<Address> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Address::try_from(bytes.as_bytes()).ok();
    }
    let text: String = value.extract().ok()?;
    let checksummed = sep_decode::checksum_address(&text)?;
    let digits = text.get(2..)?;
    let one_case = digits == digits.to_lowercase() || digits == digits.to_uppercase();
    if one_case || checksummed == text {
        checksummed.parse().ok()
    } else {
        None
    }
}

fn text_of(value: &Bound<'_, PyAny>) -> String {
    value
        .repr()
        .map_or_else(|_| "the value".to_owned(), |text| text.to_string())
}
