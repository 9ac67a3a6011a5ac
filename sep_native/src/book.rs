//! `sep_native.book`: the simulated exchange.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::{exceptions::PyValueError, prelude::*};
use sep_book::{Exchange, ExchangeError, Genesis};

fn raised(error: ExchangeError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A deterministic exchange in memory; safe to share between threads, which it serves one after the other.
#[pyclass(module = "sep_native.book", frozen)]
pub(crate) struct SimExchange(Mutex<Exchange>);

impl SimExchange {
    fn lock(&self) -> MutexGuard<'_, Exchange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl SimExchange {
    /// An exchange as a genesis document says, its clock at `now_ms`. Raises `ValueError`.
    #[new]
    fn new(genesis_json: &str, now_ms: u64) -> PyResult<Self> {
        let made = Genesis::parse(genesis_json).and_then(|genesis| Exchange::new(genesis, now_ms));
        Ok(Self(Mutex::new(made.map_err(raised)?)))
    }

    /// Sends a message of an account, JSON with its `method`; the ticket of its answer.
    fn ask(&self, py: Python<'_>, account: &str, now_ms: u64, request_json: &str) -> PyResult<u64> {
        py.detach(|| self.lock().ask(account, now_ms, request_json))
            .map_err(raised)
    }

    /// The answer of a ticket as JSON, or how long it takes still. An answer is given once.
    fn told(&self, py: Python<'_>, ticket: u64, now_ms: u64) -> String {
        py.detach(|| self.lock().told(ticket, now_ms))
    }

    /// Does what no user can do, JSON with its `control`; the answer as JSON.
    fn control(&self, py: Python<'_>, request_json: &str) -> PyResult<String> {
        py.detach(|| self.lock().control(request_json))
            .map_err(raised)
    }

    /// An independent exchange in the same state.
    fn copy(&self, py: Python<'_>) -> Self {
        Self(Mutex::new(py.detach(|| self.lock().clone())))
    }
}
