//! The Python face of the native core: thin glue over crates that know no Python.

use pyo3::prelude::*;

/// One flat extension module, re-exported by the noun modules of `sep_native`.
#[pymodule(gil_used = false)]
mod _native {}
