//! Whole numbers across the boundary, exact whatever their size.

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};
use sep_amm::U256;

/// A number from 0 to 2^256 - 1; `ValueError` names what is outside.
pub(crate) fn unsigned(name: &str, value: &Bound<'_, PyInt>) -> PyResult<U256> {
    let word: [u8; 32] = value
        .call_method1(
            intern!(value.py(), "to_bytes"),
            (32, intern!(value.py(), "little")),
        )
        .map_err(|_| PyValueError::new_err(format!("{name} is outside 0 to 2^256 - 1")))?
        .cast::<PyBytes>()?
        .as_bytes()
        .try_into()?;
    Ok(U256::from_le_bytes(word))
}

/// Numbers from 0 to 2^256 - 1, in order; `ValueError` names what is outside.
pub(crate) fn unsigned_each(name: &str, values: &Bound<'_, PyAny>) -> PyResult<Vec<U256>> {
    values
        .try_iter()?
        .map(|value| unsigned(name, value?.cast::<PyInt>()?))
        .collect()
}

/// A number that fits a native type; `ValueError` names what does not.
pub(crate) fn narrow<'py, T>(name: &str, value: &Bound<'py, PyInt>) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    value.extract::<T>().map_err(|_| {
        PyValueError::new_err(format!(
            "{name} does not fit a {}",
            std::any::type_name::<T>()
        ))
    })
}

/// The Python number of a native one.
pub(crate) fn number(py: Python<'_>, value: U256) -> PyResult<Bound<'_, PyInt>> {
    match value.as_limbs() {
        [low, 0, 0, 0] => Ok(low.into_pyobject(py)?),
        [low, high, 0, 0] => Ok((u128::from(*high) << 64 | u128::from(*low)).into_pyobject(py)?),
        _ => from_bytes(py, &value.to_be_bytes::<32>(), false),
    }
}

/// The Python number of big-endian bytes.
pub(crate) fn from_bytes<'py>(
    py: Python<'py>,
    bytes: &[u8],
    signed: bool,
) -> PyResult<Bound<'py, PyInt>> {
    let class = py.get_type::<PyInt>();
    let bytes = PyBytes::new(py, bytes);
    let number = if signed {
        let keywords = pyo3::types::PyDict::new(py);
        keywords.set_item(intern!(py, "signed"), true)?;
        class.call_method(
            intern!(py, "from_bytes"),
            (bytes, intern!(py, "big")),
            Some(&keywords),
        )?
    } else {
        class.call_method1(intern!(py, "from_bytes"), (bytes, intern!(py, "big")))?
    };
    Ok(number.cast_into::<PyInt>()?)
}
