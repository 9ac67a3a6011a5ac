//! `sep_native.sim`: the simulated chain.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::{
    exceptions::{PyException, PyValueError},
    prelude::*,
    types::PyBytes,
};
use sep_sim::{Chain, Genesis, RpcError};

/// A JSON-RPC error of the simulated chain; code -32098 stands for an answer that never came.
#[pyclass(module = "sep_native.sim", extends = PyException, frozen)]
pub(crate) struct SimRpcError {
    #[pyo3(get)]
    code: i64,
    #[pyo3(get)]
    message: String,
    /// Revert data as 0x text.
    #[pyo3(get)]
    data: Option<String>,
}

#[pymethods]
impl SimRpcError {
    #[new]
    #[pyo3(signature = (code, message, data = None))]
    fn new(code: i64, message: String, data: Option<String>) -> Self {
        Self {
            code,
            message,
            data,
        }
    }

    fn __str__(&self) -> String {
        format!("{} (code {})", self.message, self.code)
    }
}

fn raised(py: Python<'_>, error: RpcError) -> PyErr {
    let RpcError {
        code,
        message,
        data,
    } = error;
    let build = || py.get_type::<SimRpcError>().call1((code, message, data));
    build().map_or_else(|failure| failure, PyErr::from_value)
}

/// A deterministic chain in memory; safe to share between threads, which it serves one after the other.
#[pyclass(module = "sep_native.sim", frozen)]
pub(crate) struct SimChain(Mutex<Chain>);

impl SimChain {
    fn lock(&self) -> MutexGuard<'_, Chain> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl SimChain {
    #[new]
    fn new(genesis_json: &str) -> PyResult<Self> {
        let genesis = Genesis::parse(genesis_json).and_then(Chain::new);
        Ok(Self(Mutex::new(genesis.map_err(|error| {
            PyValueError::new_err(error.to_string())
        })?)))
    }

    /// One call, its parameters a JSON array; the raw JSON of the result. Raises `SimRpcError`.
    #[pyo3(signature = (method, params_json = "[]"))]
    fn rpc<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        params_json: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let outcome = py.detach(|| self.lock().rpc(method, params_json));
        outcome
            .map(|result| PyBytes::new(py, &result))
            .map_err(|error| raised(py, error))
    }

    /// A JSON-RPC 2.0 body, one request or a batch, answered in the same shape; never raises.
    fn rpc_batch<'py>(&self, py: Python<'py>, body: &[u8]) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| self.lock().rpc_body(body)))
    }

    /// An independent chain in the same state.
    fn copy(&self, py: Python<'_>) -> Self {
        Self(Mutex::new(py.detach(|| self.lock().clone())))
    }
}

/// The genesis document of the demonstration: five pools around 3000 USDC per WETH, prices drawn from the seed.
#[pyfunction]
pub(crate) fn default_genesis(seed: u64) -> PyResult<String> {
    sep_sim::default_genesis(seed)
        .to_json()
        .map_err(|error| PyValueError::new_err(error.to_string()))
}
