//! `sep_native.amm`: pools of two to eight assets.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList};
use sep_amm::StableRule;

use crate::amm::Quote;
use crate::convert::{narrow, number, unsigned, unsigned_each};
use crate::errors;

type Numbers<'py> = Bound<'py, PyList>;

/// A pool whose assets trade near one price (Curve's plain pools, Balancer's composable stable pools).
#[pyclass(module = "sep_native.amm", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct StableSwap(pub(crate) sep_amm::StableSwap);

#[pymethods]
impl StableSwap {
    #[new]
    fn new(
        py: Python<'_>,
        rule: &str,
        balances: &Bound<'_, PyAny>,
        rates: &Bound<'_, PyAny>,
        amplification: &Bound<'_, PyInt>,
        fee: &Bound<'_, PyInt>,
    ) -> PyResult<Self> {
        let rule = match rule {
            "curve" => StableRule::Curve,
            "balancer" => StableRule::Balancer,
            other => {
                return Err(PyValueError::new_err(format!(
                    "{other:?} is no rule of stable pools: curve or balancer"
                )));
            }
        };
        sep_amm::StableSwap::new(
            rule,
            unsigned_each("balances", balances)?,
            unsigned_each("rates", rates)?,
            narrow("amplification", amplification)?,
            narrow("fee", fee)?,
        )
        .map(Self)
        .map_err(|error| errors::amm(py, &error))
    }

    #[getter]
    fn rule(&self) -> &'static str {
        match self.0.rule() {
            StableRule::Curve => "curve",
            StableRule::Balancer => "balancer",
        }
    }

    #[getter]
    fn balances<'py>(&self, py: Python<'py>) -> PyResult<Numbers<'py>> {
        numbers(py, self.0.balances())
    }

    #[getter]
    fn rates<'py>(&self, py: Python<'py>) -> PyResult<Numbers<'py>> {
        numbers(py, self.0.rates())
    }

    #[getter]
    fn amplification(&self) -> u64 {
        self.0.amplification()
    }

    #[getter]
    fn fee(&self) -> u64 {
        self.0.fee()
    }

    /// What a swap of exactly `amount` takes and gives; assets by their place in the pool.
    fn quote(
        &self,
        py: Python<'_>,
        asset_in: usize,
        asset_out: usize,
        amount: &Bound<'_, PyInt>,
        exact_in: bool,
    ) -> PyResult<Quote> {
        let amount = unsigned("amount", amount)?;
        let quote = self.0.quote(asset_in, asset_out, amount, exact_in);
        quote.map(Quote).map_err(|error| errors::amm(py, &error))
    }

    /// The swap and the pool after it.
    fn after(
        &self,
        py: Python<'_>,
        asset_in: usize,
        asset_out: usize,
        amount: &Bound<'_, PyInt>,
        exact_in: bool,
    ) -> PyResult<(Quote, Self)> {
        let amount = unsigned("amount", amount)?;
        let after = self.0.after(asset_in, asset_out, amount, exact_in);
        after
            .map(|(quote, pool)| (Quote(quote), Self(pool)))
            .map_err(|error| errors::amm(py, &error))
    }

    /// The pool after the swap that an event announces.
    fn with_swap(
        &self,
        py: Python<'_>,
        asset_in: usize,
        amount_in: &Bound<'_, PyInt>,
        asset_out: usize,
        amount_out: &Bound<'_, PyInt>,
    ) -> PyResult<Self> {
        let amount_in = unsigned("amount_in", amount_in)?;
        let amount_out = unsigned("amount_out", amount_out)?;
        self.0
            .with_swap(asset_in, amount_in, asset_out, amount_out)
            .map(Self)
            .map_err(|error| errors::amm(py, &error))
    }

    fn __getnewargs__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(&'static str, Numbers<'py>, Numbers<'py>, u64, u64)> {
        Ok((
            self.rule(),
            self.balances(py)?,
            self.rates(py)?,
            self.amplification(),
            self.fee(),
        ))
    }

    fn __repr__(&self) -> String {
        format!(
            "StableSwap(rule={:?}, balances={:?}, amplification={}, fee={})",
            self.rule(),
            self.0.balances(),
            self.0.amplification(),
            self.0.fee()
        )
    }
}

/// A pool whose balances to the power of their weights have a product that never falls (Balancer).
#[pyclass(module = "sep_native.amm", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct WeightedProduct(pub(crate) sep_amm::WeightedProduct);

#[pymethods]
impl WeightedProduct {
    #[new]
    fn new(
        py: Python<'_>,
        balances: &Bound<'_, PyAny>,
        scaling: &Bound<'_, PyAny>,
        weights: Vec<u64>,
        fee: &Bound<'_, PyInt>,
    ) -> PyResult<Self> {
        sep_amm::WeightedProduct::new(
            unsigned_each("balances", balances)?,
            unsigned_each("scaling", scaling)?,
            weights,
            narrow("fee", fee)?,
        )
        .map(Self)
        .map_err(|error| errors::amm(py, &error))
    }

    #[getter]
    fn balances<'py>(&self, py: Python<'py>) -> PyResult<Numbers<'py>> {
        numbers(py, self.0.balances())
    }

    #[getter]
    fn scaling<'py>(&self, py: Python<'py>) -> PyResult<Numbers<'py>> {
        numbers(py, self.0.scaling())
    }

    #[getter]
    fn weights(&self) -> Vec<u64> {
        self.0.weights().to_vec()
    }

    #[getter]
    fn fee(&self) -> u64 {
        self.0.fee()
    }

    /// What a swap of exactly `amount` takes and gives; assets by their place in the pool.
    fn quote(
        &self,
        py: Python<'_>,
        asset_in: usize,
        asset_out: usize,
        amount: &Bound<'_, PyInt>,
        exact_in: bool,
    ) -> PyResult<Quote> {
        let amount = unsigned("amount", amount)?;
        let quote = self.0.quote(asset_in, asset_out, amount, exact_in);
        quote.map(Quote).map_err(|error| errors::amm(py, &error))
    }

    /// The swap and the pool after it.
    fn after(
        &self,
        py: Python<'_>,
        asset_in: usize,
        asset_out: usize,
        amount: &Bound<'_, PyInt>,
        exact_in: bool,
    ) -> PyResult<(Quote, Self)> {
        let amount = unsigned("amount", amount)?;
        let after = self.0.after(asset_in, asset_out, amount, exact_in);
        after
            .map(|(quote, pool)| (Quote(quote), Self(pool)))
            .map_err(|error| errors::amm(py, &error))
    }

    /// The pool after the swap that an event announces.
    fn with_swap(
        &self,
        py: Python<'_>,
        asset_in: usize,
        amount_in: &Bound<'_, PyInt>,
        asset_out: usize,
        amount_out: &Bound<'_, PyInt>,
    ) -> PyResult<Self> {
        let amount_in = unsigned("amount_in", amount_in)?;
        let amount_out = unsigned("amount_out", amount_out)?;
        self.0
            .with_swap(asset_in, amount_in, asset_out, amount_out)
            .map(Self)
            .map_err(|error| errors::amm(py, &error))
    }

    fn __getnewargs__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Numbers<'py>, Numbers<'py>, Vec<u64>, u64)> {
        Ok((
            self.balances(py)?,
            self.scaling(py)?,
            self.weights(),
            self.fee(),
        ))
    }

    fn __repr__(&self) -> String {
        format!(
            "WeightedProduct(balances={:?}, weights={:?}, fee={})",
            self.0.balances(),
            self.0.weights(),
            self.0.fee()
        )
    }
}

fn numbers<'py>(py: Python<'py>, values: &[sep_amm::U256]) -> PyResult<Numbers<'py>> {
    let list = PyList::empty(py);
    for value in values {
        list.append(number(py, *value)?)?;
    }
    Ok(list)
}
