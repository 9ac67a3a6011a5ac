//! `sep_native.route`: what a plan is searched for, and within which limits.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyInt;
use sep_route::{Arbitrage, Fraction, Target, Utility};

use crate::convert::{number, unsigned};
use crate::errors;

type Part<'py> = (Bound<'py, PyInt>, Bound<'py, PyInt>);

/// What a plan may cost and use.
#[pyclass(module = "sep_native.route", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct Limits(sep_route::Limits);

#[pymethods]
impl Limits {
    #[new]
    #[pyo3(
        signature = (max_legs = None, max_hops = None, time_ms = None, arbitrage = false, exclude = Vec::new(), gas_price = None),
        text_signature = "(max_legs=None, max_hops=None, time_ms=None, arbitrage=False, exclude=(), gas_price=None)"
    )]
    fn new(
        max_legs: Option<usize>,
        max_hops: Option<usize>,
        time_ms: Option<u64>,
        arbitrage: bool,
        exclude: Vec<String>,
        gas_price: Option<Part<'_>>,
    ) -> PyResult<Self> {
        let gas_price = match gas_price {
            Some(price) => fraction("the price of gas", &price)?,
            None => sep_route::Limits::default().gas_price,
        };
        Ok(Self(sep_route::Limits {
            max_legs: max_legs.unwrap_or(usize::MAX),
            max_hops: max_hops.unwrap_or(usize::MAX),
            time: time_ms.map(Duration::from_millis),
            arbitrage: if arbitrage {
                Arbitrage::Include
            } else {
                Arbitrage::Exclude
            },
            exclude: exclude.into_iter().collect(),
            gas_price,
        }))
    }

    #[getter]
    fn max_legs(&self) -> Option<usize> {
        (self.0.max_legs != usize::MAX).then_some(self.0.max_legs)
    }

    #[getter]
    fn max_hops(&self) -> Option<usize> {
        (self.0.max_hops != usize::MAX).then_some(self.0.max_hops)
    }

    #[getter]
    fn time_ms(&self) -> Option<u64> {
        self.0
            .time
            .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    #[getter]
    fn arbitrage(&self) -> bool {
        self.0.arbitrage == Arbitrage::Include
    }

    #[getter]
    fn exclude(&self) -> Vec<String> {
        self.0.exclude.iter().cloned().collect()
    }

    /// Worth of a unit of gas in the measure of the objective: numerator and denominator.
    #[getter]
    fn gas_price<'py>(&self, py: Python<'py>) -> PyResult<Part<'py>> {
        let (above, below) = self.0.gas_price;
        Ok((number(py, above)?, number(py, below)?))
    }

    fn __repr__(&self) -> String {
        format!("Limits({:?})", self.0)
    }
}

/// What is wanted, within which limits.
#[pyclass(module = "sep_native.route", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct Problem(pub(crate) sep_route::Problem);

impl Problem {
    fn made(py: Python<'_>, utility: Utility, limits: Option<&Limits>) -> PyResult<Self> {
        let limits = limits.map_or_else(sep_route::Limits::default, |limits| limits.0.clone());
        sep_route::Problem::new(utility, limits)
            .map(Self)
            .map_err(|error| errors::route(py, &error))
    }
}

#[pymethods]
impl Problem {
    /// The most of `want` for exactly these amounts of one asset or of a basket.
    #[staticmethod]
    #[pyo3(signature = (spend, want, limits = None))]
    fn exact_in(
        py: Python<'_>,
        spend: Vec<(String, Bound<'_, PyInt>)>,
        want: String,
        limits: Option<&Limits>,
    ) -> PyResult<Self> {
        let spend = amounts(spend)?;
        Self::made(py, Utility::ExactIn { spend, want }, limits)
    }

    /// Exactly `amount` of `want` for the least worth of the funding assets, each with the worth of its unit.
    #[staticmethod]
    #[pyo3(signature = (want, amount, funding, limits = None))]
    fn exact_out(
        py: Python<'_>,
        want: String,
        amount: &Bound<'_, PyInt>,
        funding: Vec<(String, Part<'_>)>,
        limits: Option<&Limits>,
    ) -> PyResult<Self> {
        let amount = unsigned("amount", amount)?;
        let funding = funding
            .into_iter()
            .map(|(asset, worth)| Ok((asset, fraction("a reference value", &worth)?)))
            .collect::<PyResult<_>>()?;
        let utility = Utility::ExactOut {
            want,
            amount,
            funding,
        };
        Self::made(py, utility, limits)
    }

    /// Holdings turned into shares (asset, weight, worth of a unit) of the whole with the least loss of worth.
    #[staticmethod]
    #[pyo3(signature = (holdings, targets, limits = None))]
    fn rebalance(
        py: Python<'_>,
        holdings: Vec<(String, Bound<'_, PyInt>)>,
        targets: Vec<(String, u64, Part<'_>)>,
        limits: Option<&Limits>,
    ) -> PyResult<Self> {
        let holdings = amounts(holdings)?;
        let targets = targets
            .into_iter()
            .map(|(asset, weight, price)| {
                let price = fraction("a reference value", &price)?;
                Ok(Target {
                    asset,
                    weight,
                    price,
                })
            })
            .collect::<PyResult<_>>()?;
        Self::made(py, Utility::Rebalance { holdings, targets }, limits)
    }

    /// The most of `want` for nothing.
    #[staticmethod]
    #[pyo3(signature = (want, limits = None))]
    fn arbitrage(py: Python<'_>, want: String, limits: Option<&Limits>) -> PyResult<Self> {
        Self::made(py, Utility::Arbitrage { want }, limits)
    }

    /// Which of the four it is: `exact_in`, `exact_out`, `rebalance` or `arbitrage`.
    #[getter]
    fn kind(&self) -> &'static str {
        match self.0.utility() {
            Utility::ExactIn { .. } => "exact_in",
            Utility::ExactOut { .. } => "exact_out",
            Utility::Rebalance { .. } => "rebalance",
            Utility::Arbitrage { .. } => "arbitrage",
        }
    }

    #[getter]
    fn limits(&self) -> Limits {
        Limits(self.0.limits().clone())
    }

    fn __repr__(&self) -> String {
        format!("Problem({:?}, {:?})", self.0.utility(), self.0.limits())
    }
}

fn amounts(said: Vec<(String, Bound<'_, PyInt>)>) -> PyResult<Vec<(String, sep_amm::U256)>> {
    said.into_iter()
        .map(|(asset, amount)| Ok((asset, unsigned("amount", &amount)?)))
        .collect()
}

fn fraction(name: &str, (above, below): &Part<'_>) -> PyResult<Fraction> {
    Ok((unsigned(name, above)?, unsigned(name, below)?))
}
