//! `sep_native.route`: the best single path.

use std::collections::BTreeSet;

use pyo3::prelude::*;
use pyo3::types::PyInt;
use sep_route::{Ratio, Wide};

use crate::convert::{from_bytes, number, unsigned};
use crate::errors;
use crate::solution::Leg;

/// What is to be bought along one path, with what, within which limits.
#[pyclass(module = "sep_native.route", frozen)]
pub(crate) struct PathProblem(pub(crate) sep_route::PathProblem);

#[pymethods]
impl PathProblem {
    #[new]
    #[pyo3(
        signature = (want, amount, exact_in, funding, values = Vec::new(), max_hops = 4, exclude = Vec::new()),
        text_signature = "(want, amount, exact_in, funding, values=(), max_hops=4, exclude=())"
    )]
    fn new(
        py: Python<'_>,
        want: String,
        amount: &Bound<'_, PyInt>,
        exact_in: bool,
        funding: Vec<String>,
        values: Vec<(Bound<'_, PyInt>, Bound<'_, PyInt>)>,
        max_hops: usize,
        exclude: Vec<String>,
    ) -> PyResult<Self> {
        let values = values
            .iter()
            .map(|(above, below)| {
                Ok((
                    unsigned("a value's numerator", above)?,
                    unsigned("a value's denominator", below)?,
                ))
            })
            .collect::<PyResult<_>>()?;
        let amount = unsigned("amount", amount)?;
        let exclude: BTreeSet<String> = exclude.into_iter().collect();
        sep_route::PathProblem::new(want, amount, exact_in, funding, values, max_hops, exclude)
            .map(Self)
            .map_err(|error| errors::route(py, &error))
    }

    #[getter]
    fn want(&self) -> &str {
        self.0.want()
    }

    #[getter]
    fn amount<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.amount())
    }

    #[getter]
    fn exact_in(&self) -> bool {
        self.0.exact_in()
    }

    #[getter]
    fn funding(&self) -> Vec<String> {
        self.0.funding().to_vec()
    }

    #[getter]
    fn values<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Vec<(Bound<'py, PyInt>, Bound<'py, PyInt>)>> {
        self.0
            .values()
            .iter()
            .map(|(above, below)| Ok((number(py, *above)?, number(py, *below)?)))
            .collect()
    }

    #[getter]
    fn max_hops(&self) -> usize {
        self.0.max_hops()
    }

    #[getter]
    fn exclude(&self) -> Vec<String> {
        self.0.exclude().iter().cloned().collect()
    }
}

/// The best single path.
#[pyclass(module = "sep_native.route", frozen)]
pub(crate) struct PathSolution {
    pub(crate) solution: sep_route::PathSolution,
    pub(crate) elapsed_ns: u64,
}

#[pymethods]
impl PathSolution {
    #[getter]
    fn legs(&self) -> Vec<Leg> {
        self.solution.legs.iter().cloned().map(Leg).collect()
    }

    #[getter]
    fn amount_in<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.solution.amount_in)
    }

    #[getter]
    fn amount_out<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.solution.amount_out)
    }

    #[getter]
    fn funding(&self) -> &str {
        &self.solution.funding
    }

    #[getter]
    fn method(&self) -> &'static str {
        self.solution.method.name()
    }

    /// Exact quotes that were computed.
    #[getter]
    fn iterations(&self) -> u64 {
        self.solution.iterations
    }

    /// Output for input along the path at no size, before fees: numerator and denominator.
    #[getter]
    fn marginal<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyInt>, Bound<'py, PyInt>)> {
        ratio(py, &self.solution.marginal)
    }

    /// Output for input along the path at no size, after fees: numerator and denominator.
    #[getter]
    fn marginal_after_fees<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyInt>, Bound<'py, PyInt>)> {
        ratio(py, &self.solution.marginal_after_fees)
    }

    /// Markets that were not considered to the end, and why; sorted by name.
    #[getter]
    fn left_out(&self) -> Vec<(String, String)> {
        self.solution.left_out.clone()
    }

    #[getter]
    fn elapsed_ns(&self) -> u64 {
        self.elapsed_ns
    }

    /// Gas of all legs, as the markets were said to cost.
    #[getter]
    fn gas(&self) -> u64 {
        self.solution
            .legs
            .iter()
            .fold(0, |sum, leg| sum.saturating_add(leg.gas))
    }

    fn __repr__(&self) -> String {
        format!(
            "PathSolution(amount_in={}, amount_out={}, funding={:?}, legs={}, method={:?})",
            self.solution.amount_in,
            self.solution.amount_out,
            self.solution.funding,
            self.solution.legs.len(),
            self.solution.method.name()
        )
    }
}

fn ratio<'py>(py: Python<'py>, ratio: &Ratio) -> PyResult<(Bound<'py, PyInt>, Bound<'py, PyInt>)> {
    let wide = |value: &Wide| from_bytes(py, &value.to_be_bytes_trimmed_vec(), false);
    Ok((wide(&ratio.numerator)?, wide(&ratio.denominator)?))
}
