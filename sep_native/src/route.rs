//! `sep_native.route`: the network of markets and the search over it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};
use sep_route::{MarketState, Ratio, Wide};

use crate::amm::{ConcentratedLiquidity, ConstantProduct, Quote};
use crate::convert::{from_bytes, number, unsigned};
use crate::errors;

/// Markets and their states. A search works on the states of the moment it began.
#[pyclass(module = "sep_native.route", frozen)]
pub(crate) struct Network(Mutex<Arc<sep_route::Network>>);

impl Network {
    fn lock(&self) -> MutexGuard<'_, Arc<sep_route::Network>> {
        // The network is replaced or changed in one call that does not panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self) -> Arc<sep_route::Network> {
        Arc::clone(&self.lock())
    }

    fn set(
        &self,
        py: Python<'_>,
        market: &str,
        asset0: &str,
        asset1: &str,
        state: MarketState,
        gas: u64,
    ) -> PyResult<()> {
        Arc::make_mut(&mut self.lock())
            .set(market, asset0, asset1, state, gas)
            .map_err(|error| errors::route(py, &error))
    }
}

#[pymethods]
impl Network {
    #[new]
    fn new() -> Self {
        Self(Mutex::new(Arc::new(sep_route::Network::new())))
    }

    /// Adds a constant-product market or gives it a new state.
    #[pyo3(signature = (market, asset0, asset1, state, gas = 0))]
    fn set_constant_product(
        &self,
        py: Python<'_>,
        market: &str,
        asset0: &str,
        asset1: &str,
        state: &ConstantProduct,
        gas: u64,
    ) -> PyResult<()> {
        self.set(
            py,
            market,
            asset0,
            asset1,
            MarketState::ConstantProduct(state.0),
            gas,
        )
    }

    /// Adds a concentrated-liquidity market or gives it a new state.
    #[pyo3(signature = (market, asset0, asset1, state, gas = 0))]
    fn set_concentrated(
        &self,
        py: Python<'_>,
        market: &str,
        asset0: &str,
        asset1: &str,
        state: &ConcentratedLiquidity,
        gas: u64,
    ) -> PyResult<()> {
        self.set(
            py,
            market,
            asset0,
            asset1,
            MarketState::Concentrated(state.0.clone()),
            gas,
        )
    }

    /// Takes a market out; `KeyError` where there is none of this name.
    fn remove(&self, py: Python<'_>, market: &str) -> PyResult<()> {
        Arc::make_mut(&mut self.lock())
            .remove(market)
            .map_err(|error| errors::route(py, &error))
    }

    /// The names of the markets, sorted.
    fn markets(&self) -> Vec<String> {
        self.lock()
            .markets()
            .map(|market| market.id().to_owned())
            .collect()
    }

    /// SHA-256 over the canonical form of all markets, sorted by name.
    fn digest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let network = self.snapshot();
        let digest = errors::detached(py, move || network.digest())?;
        Ok(PyBytes::new(py, &digest))
    }

    /// A network of its own with the states of this moment.
    fn copy(&self) -> Self {
        Self(Mutex::new(self.snapshot()))
    }

    /// What one market takes and gives for exactly `amount`.
    #[pyo3(signature = (market, asset_in, amount, exact_in = true))]
    fn quote(
        &self,
        py: Python<'_>,
        market: &str,
        asset_in: &str,
        amount: &Bound<'_, PyInt>,
        exact_in: bool,
    ) -> PyResult<Quote> {
        let amount = unsigned("amount", amount)?;
        let quote = self.snapshot().quote(market, asset_in, amount, exact_in);
        quote.map(Quote).map_err(|error| errors::route(py, &error))
    }

    /// The best single path for a problem.
    fn solve(&self, py: Python<'_>, problem: &Problem) -> PyResult<Solution> {
        let network = self.snapshot();
        let begun = Instant::now();
        let solution = errors::detached(py, || network.solve(&problem.0))?;
        let elapsed_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let solution = solution.map_err(|error| errors::route(py, &error))?;
        Ok(Solution {
            solution,
            elapsed_ns,
        })
    }

    fn __len__(&self) -> usize {
        self.lock().markets().len()
    }
}

/// What is to be bought, with what, within which limits.
#[pyclass(module = "sep_native.route", frozen)]
pub(crate) struct Problem(sep_route::Problem);

#[pymethods]
impl Problem {
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
        sep_route::Problem::new(want, amount, exact_in, funding, values, max_hops, exclude)
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

/// One market of a path with its exact amounts.
#[pyclass(module = "sep_native.route", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct Leg(sep_route::Leg);

#[pymethods]
impl Leg {
    #[getter]
    fn market(&self) -> &str {
        &self.0.market
    }

    #[getter]
    fn asset_in(&self) -> &str {
        &self.0.asset_in
    }

    #[getter]
    fn asset_out(&self) -> &str {
        &self.0.asset_out
    }

    #[getter]
    fn amount_in<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.amount_in)
    }

    #[getter]
    fn amount_out<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.amount_out)
    }

    #[getter]
    fn gas(&self) -> u64 {
        self.0.gas
    }

    fn __repr__(&self) -> String {
        let leg = &self.0;
        format!(
            "Leg(market={:?}, asset_in={:?}, asset_out={:?}, amount_in={}, amount_out={})",
            leg.market, leg.asset_in, leg.asset_out, leg.amount_in, leg.amount_out
        )
    }
}

/// The best single path.
#[pyclass(module = "sep_native.route", frozen)]
pub(crate) struct Solution {
    solution: sep_route::Solution,
    elapsed_ns: u64,
}

#[pymethods]
impl Solution {
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
            "Solution(amount_in={}, amount_out={}, funding={:?}, legs={}, method={:?})",
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
