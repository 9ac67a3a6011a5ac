//! Native refusals as the contract's error classes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyType};
use sep_amm::AmmError;
use sep_decode::DecodeError;
use sep_route::RouteError;

/// A class of `sep_hooks.errors`, imported when it is first needed.
struct ErrorClass {
    name: &'static str,
    class: PyOnceLock<Py<PyType>>,
}

static NEED_TICKS: ErrorClass = ErrorClass::new("NeedTicks");
static INSUFFICIENT_LIQUIDITY: ErrorClass = ErrorClass::new("InsufficientLiquidity");
static NO_ROUTE: ErrorClass = ErrorClass::new("NoRoute");
static NATIVE_FAULT: ErrorClass = ErrorClass::new("NativeFault");

impl ErrorClass {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            class: PyOnceLock::new(),
        }
    }

    fn error(&self, py: Python<'_>, message: &str, next_step: &str) -> PyErr {
        let build = || {
            let class = self.class.import(py, "sep_hooks.errors", self.name)?;
            let next_step = [("next_step", next_step)].into_py_dict(py)?;
            class.call((message,), Some(&next_step))
        };
        build().map_or_else(|failure| failure, PyErr::from_value)
    }
}

/// Runs native work without the interpreter's lock; a bug in it stops the call, not the process.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    py.detach(|| catch_unwind(AssertUnwindSafe(work)))
        .map_err(|_| fault(py))
}

/// Runs native work that needs Python's own objects; a bug in it stops the call, not the process.
pub(crate) fn guarded<T>(py: Python<'_>, work: impl FnOnce() -> T) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| fault(py))
}

/// What a bug of the native core is reported as.
pub(crate) fn fault(py: Python<'_>) -> PyErr {
    NATIVE_FAULT.error(
        py,
        "the native core met a bug of its own; the call had no effect",
        "report it with the message on standard error",
    )
}

pub(crate) fn amm(py: Python<'_>, error: &AmmError) -> PyErr {
    let message = error.to_string();
    match error {
        AmmError::NeedTicks { .. } => {
            NEED_TICKS.error(py, &message, "load more ticks of the pool and ask again")
        }
        AmmError::InsufficientLiquidity { .. } | AmmError::AmountTooLarge => {
            INSUFFICIENT_LIQUIDITY.error(py, &message, "ask for less, or of another market")
        }
        AmmError::AmountTooSmall => {
            INSUFFICIENT_LIQUIDITY.error(py, &message, "ask for more, or of another market")
        }
        AmmError::ZeroAmount | AmmError::InvalidState(_) => PyValueError::new_err(message),
    }
}

pub(crate) fn route(py: Python<'_>, error: &RouteError) -> PyErr {
    match error {
        RouteError::Amm(error) => amm(py, error),
        RouteError::NoRoute(message) => NO_ROUTE.error(
            py,
            message,
            "allow more hops or markets, or change the amount",
        ),
        RouteError::UnknownMarket(_) | RouteError::UnknownAsset { .. } => {
            PyKeyError::new_err(error.to_string())
        }
        RouteError::Invalid(_) | RouteError::Refuted(_) => PyValueError::new_err(error.to_string()),
    }
}

pub(crate) fn decode(error: &DecodeError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
