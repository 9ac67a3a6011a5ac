//! `sep_native.route`: plans with their certificates.

use pyo3::prelude::*;
use pyo3::types::PyInt;
use sep_route::Method;

use crate::convert::{number, unsigned};
use crate::errors;
use crate::problem::Problem;
use crate::route::Network;

type LegArguments<'py> = (
    String,
    String,
    String,
    Bound<'py, PyInt>,
    Bound<'py, PyInt>,
    u64,
);
type Amounts<'py> = Vec<(String, Bound<'py, PyInt>)>;

/// One market of a plan with its exact amounts.
#[pyclass(module = "sep_native.route", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct Leg(pub(crate) sep_route::Leg);

#[pymethods]
impl Leg {
    #[new]
    #[pyo3(signature = (market, asset_in, asset_out, amount_in, amount_out, gas = 0))]
    fn new(
        market: String,
        asset_in: String,
        asset_out: String,
        amount_in: &Bound<'_, PyInt>,
        amount_out: &Bound<'_, PyInt>,
        gas: u64,
    ) -> PyResult<Self> {
        Ok(Self(sep_route::Leg {
            market,
            asset_in,
            asset_out,
            amount_in: unsigned("amount_in", amount_in)?,
            amount_out: unsigned("amount_out", amount_out)?,
            gas,
        }))
    }

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

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<LegArguments<'py>> {
        let leg = &self.0;
        Ok((
            leg.market.clone(),
            leg.asset_in.clone(),
            leg.asset_out.clone(),
            self.amount_in(py)?,
            self.amount_out(py)?,
            leg.gas,
        ))
    }

    fn __repr__(&self) -> String {
        let leg = &self.0;
        format!(
            "Leg(market={:?}, asset_in={:?}, asset_out={:?}, amount_in={}, amount_out={})",
            leg.market, leg.asset_in, leg.asset_out, leg.amount_in, leg.amount_out
        )
    }
}

/// The best single path, for comparison.
#[pyclass(module = "sep_native.route", frozen)]
pub(crate) struct BestPath(sep_route::BestPath);

#[pymethods]
impl BestPath {
    #[getter]
    fn legs(&self) -> Vec<Leg> {
        self.0.legs.iter().cloned().map(Leg).collect()
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
    fn gas_worth<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.gas_worth)
    }

    /// Gas of all legs, as the markets were said to cost.
    #[getter]
    fn gas(&self) -> u64 {
        self.0
            .legs
            .iter()
            .fold(0, |sum, leg| sum.saturating_add(leg.gas))
    }
}

/// A plan with its certificate.
#[pyclass(module = "sep_native.route", frozen)]
pub(crate) struct Solution(pub(crate) sep_route::Solution);

/// What was computed anew from a snapshot and stored prices.
#[pyclass(module = "sep_native.route", frozen)]
pub(crate) struct Verified(sep_route::Verified);

#[pymethods]
impl Verified {
    /// What the legs reach, replayed with exact amounts.
    #[getter]
    fn objective(&self) -> f64 {
        self.0.objective
    }

    /// The bound at the stored prices.
    #[getter]
    fn bound(&self) -> f64 {
        self.0.bound
    }

    #[getter]
    fn gap(&self) -> f64 {
        self.0.gap
    }

    /// How many markets the bound covers.
    #[getter]
    fn covered(&self) -> usize {
        self.0.covered
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

#[pymethods]
impl Solution {
    /// A plan as somebody claims it, to be verified; what tells how it was found is left empty.
    #[staticmethod]
    #[pyo3(signature = (problem, legs, inputs, outputs, objective, prices, order, bound, gap, left_out))]
    fn claimed(
        problem: &Problem,
        legs: Vec<PyRef<'_, Leg>>,
        inputs: Amounts<'_>,
        outputs: Amounts<'_>,
        objective: f64,
        prices: Vec<(String, f64)>,
        order: Vec<String>,
        bound: f64,
        gap: f64,
        left_out: Vec<(String, String)>,
    ) -> PyResult<Self> {
        Ok(Self(sep_route::Solution {
            problem: problem.0.clone(),
            legs: legs.iter().map(|leg| leg.0.clone()).collect(),
            inputs: unsigned_amounts(inputs)?,
            outputs: unsigned_amounts(outputs)?,
            objective,
            prices,
            order,
            bound,
            gap,
            net_gap: gap,
            unlimited_gap: gap,
            gas_worth: sep_amm::U256::ZERO,
            best_path: None,
            method: Method::Dual,
            iterations: 0,
            evaluations: 0,
            elapsed_ns: 0,
            is_timed_out: false,
            left_out,
        }))
    }

    /// Computes legs, objective and bound again from a snapshot and the prices alone. Raises `ValueError` with the
    /// first thing that differs.
    fn verify(&self, py: Python<'_>, network: &Network) -> PyResult<Verified> {
        let network = network.snapshot();
        let verified = errors::detached(py, || self.0.verify(&network))?;
        verified
            .map(Verified)
            .map_err(|error| errors::route(py, &error))
    }

    #[getter]
    fn problem(&self) -> Problem {
        Problem(self.0.problem.clone())
    }

    /// The markets in an order in which each finds what it spends, loops of an arbitrage aside.
    #[getter]
    fn legs(&self) -> Vec<Leg> {
        self.0.legs.iter().cloned().map(Leg).collect()
    }

    /// What is spent of each asset, net.
    #[getter]
    fn inputs<'py>(&self, py: Python<'py>) -> PyResult<Amounts<'py>> {
        amounts(py, &self.0.inputs)
    }

    /// What is gained of each asset, net, remainders on the way among them.
    #[getter]
    fn outputs<'py>(&self, py: Python<'py>) -> PyResult<Amounts<'py>> {
        amounts(py, &self.0.outputs)
    }

    #[getter]
    fn objective(&self) -> f64 {
        self.0.objective
    }

    /// Price of a unit of each asset that the certificate covers, in the measure of the objective.
    #[getter]
    fn prices(&self) -> Vec<(String, f64)> {
        self.0.prices.clone()
    }

    /// Where loops had to be excluded: the order of assets that the certificate holds for.
    #[getter]
    fn order(&self) -> Vec<String> {
        self.0.order.clone()
    }

    #[getter]
    fn bound(&self) -> f64 {
        self.0.bound
    }

    /// How far from the bound at most, before gas.
    #[getter]
    fn gap(&self) -> f64 {
        self.0.gap
    }

    /// How far at most after gas, against the bound less the least gas of any plan.
    #[getter]
    fn net_gap(&self) -> f64 {
        self.0.net_gap
    }

    /// The gap before legs were chosen under gas and limits.
    #[getter]
    fn unlimited_gap(&self) -> f64 {
        self.0.unlimited_gap
    }

    #[getter]
    fn gas_worth<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.gas_worth)
    }

    /// Gas of all legs, as the markets were said to cost.
    #[getter]
    fn gas(&self) -> u64 {
        self.0.gas()
    }

    #[getter]
    fn best_path(&self) -> Option<BestPath> {
        self.0.best_path.clone().map(BestPath)
    }

    #[getter]
    fn method(&self) -> &'static str {
        self.0.method.name()
    }

    #[getter]
    fn iterations(&self) -> u32 {
        self.0.iterations
    }

    #[getter]
    fn evaluations(&self) -> u32 {
        self.0.evaluations
    }

    #[getter]
    fn elapsed_ns(&self) -> u64 {
        self.0.elapsed_ns
    }

    #[getter]
    fn is_timed_out(&self) -> bool {
        self.0.is_timed_out
    }

    /// Markets that the certificate does not cover, or that refused their amounts, and why; sorted by name.
    #[getter]
    fn left_out(&self) -> Vec<(String, String)> {
        self.0.left_out.clone()
    }

    fn __repr__(&self) -> String {
        format!(
            "Solution(inputs={:?}, outputs={:?}, legs={}, gap={:e}, method={:?})",
            self.0.inputs,
            self.0.outputs,
            self.0.legs.len(),
            self.0.gap,
            self.0.method.name()
        )
    }
}

fn unsigned_amounts(said: Amounts<'_>) -> PyResult<Vec<(String, sep_amm::U256)>> {
    said.into_iter()
        .map(|(asset, amount)| Ok((asset, unsigned("amount", &amount)?)))
        .collect()
}

fn amounts<'py>(py: Python<'py>, amounts: &[(String, sep_amm::U256)]) -> PyResult<Amounts<'py>> {
    amounts
        .iter()
        .map(|(asset, amount)| Ok((asset.clone(), number(py, *amount)?)))
        .collect()
}
