//! `sep_native.sign`: key files, EIP-1559 signatures, recovery of senders.

use std::path::PathBuf;

use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{IntoPyDict, PyBytes, PyInt},
};
use sep_sign::SignError;

// Signatures are shown to Python as text, so they carry the literal.
const _: () = assert!(sep_sign::DEFAULT_SCRYPT_LOG_N == 18);

/// 256-bit words: what the chain counts value in.
fn word_from_int(name: &str, value: &Bound<'_, PyInt>) -> PyResult<[u8; 32]> {
    let bytes = value
        .call_method1("to_bytes", (32, "big"))
        .map_err(|_| PyValueError::new_err(format!("{name} is outside 0..2^256-1")))?;
    bytes.extract()
}

fn int_from_word<'py>(py: Python<'py>, word: [u8; 32]) -> PyResult<Bound<'py, PyAny>> {
    py.get_type::<PyInt>()
        .call_method1("from_bytes", (PyBytes::new(py, &word), "big"))
}

/// Refusals are the contract's `SignerRefused`, undecodable bytes its `Permanent`.
fn raised(py: Python<'_>, error: &SignError) -> PyErr {
    let class = if matches!(error, SignError::Decode(_)) {
        "Permanent"
    } else {
        "SignerRefused"
    };
    let build = || {
        let next_step = [("next_step", error.next_step())].into_py_dict(py)?;
        py.import("sep_hooks.errors")?
            .getattr(class)?
            .call((error.to_string(),), Some(&next_step))
    };
    build().map_or_else(|failure| failure, PyErr::from_value)
}

/// An unsigned EIP-1559 call; fees in wei per gas. A mixed-case `to` must carry a valid checksum.
#[pyclass(module = "sep_native.sign", frozen, eq, hash)]
#[derive(PartialEq, Hash)]
pub(crate) struct Transaction1559(sep_sign::Transaction1559);

#[pymethods]
impl Transaction1559 {
    #[new]
    fn new(
        chain_id: u64,
        nonce: u64,
        to: &str,
        value: &Bound<'_, PyInt>,
        data: Vec<u8>,
        gas_limit: u64,
        max_fee_per_gas: u128,
        max_priority_fee_per_gas: u128,
    ) -> PyResult<Self> {
        Ok(Self(sep_sign::Transaction1559 {
            chain_id,
            nonce,
            to: sep_sign::parse_address(to).map_err(PyValueError::new_err)?,
            value: sep_sign::U256::from_be_bytes(word_from_int("value", value)?),
            data: data.into(),
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas,
        }))
    }

    #[getter]
    fn chain_id(&self) -> u64 {
        self.0.chain_id
    }

    #[getter]
    fn nonce(&self) -> u64 {
        self.0.nonce
    }

    /// EIP-55 text.
    #[getter]
    fn to(&self) -> String {
        self.0.to.to_string()
    }

    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        int_from_word(py, self.0.value.to_be_bytes())
    }

    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.data)
    }

    #[getter]
    fn gas_limit(&self) -> u64 {
        self.0.gas_limit
    }

    #[getter]
    fn max_fee_per_gas(&self) -> u128 {
        self.0.max_fee_per_gas
    }

    #[getter]
    fn max_priority_fee_per_gas(&self) -> u128 {
        self.0.max_priority_fee_per_gas
    }

    #[expect(
        clippy::type_complexity,
        reason = "the constructor's arguments in order"
    )]
    fn __getnewargs__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(
        u64,
        u64,
        String,
        Bound<'py, PyAny>,
        Bound<'py, PyBytes>,
        u64,
        u128,
        u128,
    )> {
        Ok((
            self.chain_id(),
            self.nonce(),
            self.to(),
            self.value(py)?,
            self.data(py),
            self.gas_limit(),
            self.max_fee_per_gas(),
            self.max_priority_fee_per_gas(),
        ))
    }

    fn __repr__(&self) -> String {
        let tx = &self.0;
        format!(
            "Transaction1559(chain_id={}, nonce={}, to='{}', value={})",
            tx.chain_id, tx.nonce, tx.to, tx.value
        )
    }
}

/// Bytes ready to broadcast, and the hash that identifies them.
#[pyclass(module = "sep_native.sign", frozen)]
pub(crate) struct SignedTransaction {
    signed: sep_sign::SignedTransaction,
}

#[pymethods]
impl SignedTransaction {
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.signed.raw)
    }

    #[getter]
    fn hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.signed.hash.as_slice())
    }

    fn __repr__(&self) -> String {
        format!("SignedTransaction(hash={})", self.signed.hash)
    }
}

/// A signed transaction read back, with the address whose key signed it.
#[pyclass(module = "sep_native.sign", frozen)]
pub(crate) struct RecoveredTransaction {
    recovered: sep_sign::RecoveredTransaction,
}

#[pymethods]
impl RecoveredTransaction {
    /// EIP-55 text.
    #[getter]
    fn sender(&self) -> String {
        self.recovered.sender.to_string()
    }

    #[getter]
    fn hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.recovered.hash.as_slice())
    }

    #[getter]
    fn transaction(&self) -> Transaction1559 {
        Transaction1559(self.recovered.transaction.clone())
    }

    fn __repr__(&self) -> String {
        format!(
            "RecoveredTransaction(sender='{}', hash={})",
            self.recovered.sender, self.recovered.hash
        )
    }
}

/// Reads a signed EIP-1559 call and recovers its sender. Raises `sep_hooks.errors.Permanent`.
#[pyfunction]
pub(crate) fn recover_transaction(py: Python<'_>, raw: &[u8]) -> PyResult<RecoveredTransaction> {
    let recovered = sep_sign::recover_transaction(raw).map_err(|error| raised(py, &error))?;
    Ok(RecoveredTransaction { recovered })
}

/// One unlocked key. It never becomes a Python object and is wiped with this one; refusals raise
/// `sep_hooks.errors.SignerRefused`.
#[pyclass(module = "sep_native.sign", frozen)]
pub(crate) struct Keystore(sep_sign::Keystore);

#[pymethods]
impl Keystore {
    /// Draws a new key and writes its encrypted file, mode 0600; an existing file is refused.
    #[staticmethod]
    #[pyo3(signature = (path, password, scrypt_log_n = 18))]
    fn create(py: Python<'_>, path: PathBuf, password: &[u8], scrypt_log_n: u8) -> PyResult<Self> {
        let made = py.detach(|| sep_sign::Keystore::create(&path, password, scrypt_log_n));
        made.map(Self).map_err(|error| raised(py, &error))
    }

    /// Writes the encrypted file of a key that is known already, as test chains' keys are.
    #[staticmethod]
    #[pyo3(signature = (path, private_key, password, scrypt_log_n = 18))]
    fn import_key(
        py: Python<'_>,
        path: PathBuf,
        private_key: &[u8],
        password: &[u8],
        scrypt_log_n: u8,
    ) -> PyResult<Self> {
        let made =
            py.detach(|| sep_sign::Keystore::import(&path, private_key, password, scrypt_log_n));
        made.map(Self).map_err(|error| raised(py, &error))
    }

    /// Opens a key file that only its owner can read.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf, password: &[u8]) -> PyResult<Self> {
        let opened = py.detach(|| sep_sign::Keystore::open(&path, password));
        opened.map(Self).map_err(|error| raised(py, &error))
    }

    /// EIP-55 text.
    #[getter]
    fn address(&self) -> String {
        self.0.address().to_string()
    }

    /// Signs deterministically: the same transaction gives the same bytes.
    fn sign_transaction(
        &self,
        py: Python<'_>,
        transaction: &Transaction1559,
    ) -> PyResult<SignedTransaction> {
        let signed = py
            .detach(|| self.0.sign_transaction(&transaction.0))
            .map_err(|error| raised(py, &error))?;
        Ok(SignedTransaction { signed })
    }

    fn __repr__(&self) -> String {
        format!("Keystore(address='{}')", self.0.address())
    }
}
