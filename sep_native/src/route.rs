//! `sep_native.route`: the network of markets.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};
use sep_route::MarketState;

use crate::amm::{ConcentratedLiquidity, ConstantProduct, Quote};
use crate::books::{Lane, OrderBook, Sampled};
use crate::convert::{number, unsigned};
use crate::errors;
use crate::path::{PathProblem, PathSolution};
use crate::pools::{StableSwap, WeightedProduct};
use crate::problem::Problem;
use crate::solution::Solution;

type Pair<'py> = (Bound<'py, PyInt>, Bound<'py, PyInt>);

/// Markets and their states. A search works on the states of the moment it began.
#[pyclass(module = "sep_native.route", frozen)]
pub(crate) struct Network(Mutex<Arc<sep_route::Network>>);

impl From<sep_route::Network> for Network {
    fn from(network: sep_route::Network) -> Self {
        Self(Mutex::new(Arc::new(network)))
    }
}

impl Network {
    fn lock(&self) -> MutexGuard<'_, Arc<sep_route::Network>> {
        // The network is replaced or changed in one call that does not panic half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshot(&self) -> Arc<sep_route::Network> {
        Arc::clone(&self.lock())
    }
}

/// A state of whatever family; its class says which.
fn state_of(state: &Bound<'_, PyAny>) -> PyResult<MarketState> {
    if let Ok(pool) = state.cast::<ConstantProduct>() {
        Ok(MarketState::ConstantProduct(pool.get().0))
    } else if let Ok(pool) = state.cast::<ConcentratedLiquidity>() {
        Ok(MarketState::Concentrated(pool.get().0.clone()))
    } else if let Ok(pool) = state.cast::<StableSwap>() {
        Ok(MarketState::StableSwap(pool.get().0.clone()))
    } else if let Ok(pool) = state.cast::<WeightedProduct>() {
        Ok(MarketState::Weighted(pool.get().0.clone()))
    } else if let Ok(book) = state.cast::<OrderBook>() {
        Ok(MarketState::OrderBook(book.get().0.clone()))
    } else if let Ok(lane) = state.cast::<Lane>() {
        Ok(MarketState::Lane(lane.get().0))
    } else if let Ok(market) = state.cast::<Sampled>() {
        Ok(MarketState::Sampled(market.get().0.clone()))
    } else {
        Err(PyTypeError::new_err(format!(
            "a {} is no state of a market",
            state.get_type().name()?
        )))
    }
}

#[pymethods]
impl Network {
    #[new]
    fn new() -> Self {
        Self(Mutex::new(Arc::new(sep_route::Network::new())))
    }

    /// Adds a market or gives it a new state; assets in the order in which the state counts them.
    #[pyo3(signature = (market, assets, state, gas = 0))]
    fn set(
        &self,
        py: Python<'_>,
        market: &str,
        assets: Vec<String>,
        state: &Bound<'_, PyAny>,
        gas: u64,
    ) -> PyResult<()> {
        let state = state_of(state)?;
        let assets: Vec<&str> = assets.iter().map(String::as_str).collect();
        Arc::make_mut(&mut self.lock())
            .set(market, &assets, state, gas)
            .map_err(|error| errors::route(py, &error))
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

    /// The assets that a market trades, in its own order. Raises `KeyError`.
    fn assets_of(&self, market: &str) -> PyResult<Vec<String>> {
        let network = self.lock();
        let found = network
            .market(market)
            .map_err(|_| PyKeyError::new_err(market.to_owned()))?;
        Ok(network.assets_of(found).map(str::to_owned).collect())
    }

    /// What a pass through a market costs in gas. Raises `KeyError`.
    fn gas_of(&self, market: &str) -> PyResult<u64> {
        let network = self.lock();
        let found = network
            .market(market)
            .map_err(|_| PyKeyError::new_err(market.to_owned()))?;
        Ok(found.gas())
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

    /// What one market takes and gives for exactly `amount`; `asset_out` may be left open where there are two.
    #[pyo3(signature = (market, asset_in, amount, exact_in = true, asset_out = None))]
    fn quote(
        &self,
        py: Python<'_>,
        market: &str,
        asset_in: &str,
        amount: &Bound<'_, PyInt>,
        exact_in: bool,
        asset_out: Option<&str>,
    ) -> PyResult<Quote> {
        let amount = unsigned("amount", amount)?;
        let quote = self
            .snapshot()
            .quote(market, asset_in, asset_out, amount, exact_in);
        quote.map(Quote).map_err(|error| errors::route(py, &error))
    }

    /// The best single path for a problem.
    fn best_path(&self, py: Python<'_>, problem: &PathProblem) -> PyResult<PathSolution> {
        let network = self.snapshot();
        let begun = Instant::now();
        let solution = errors::detached(py, || network.best_path(&problem.0))?;
        let elapsed_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let solution = solution.map_err(|error| errors::route(py, &error))?;
        Ok(PathSolution {
            solution,
            elapsed_ns,
        })
    }

    /// The best plan for a problem, split over as many markets as it takes, with its certificate; from the prices of
    /// an earlier solution where one is given.
    #[pyo3(signature = (problem, before = None))]
    fn solve(
        &self,
        py: Python<'_>,
        problem: &Problem,
        before: Option<&Solution>,
    ) -> PyResult<Solution> {
        let network = self.snapshot();
        let solution = errors::detached(py, || match before {
            Some(before) => network.solve_from(&problem.0, &before.0),
            None => network.solve(&problem.0),
        })?;
        solution
            .map(Solution)
            .map_err(|error| errors::route(py, &error))
    }

    /// What a split in equal chunks buys, each along the path that is best by then, and the worth of its gas: a method
    /// to compare with. None where the problem is not one exact amount in, or no path leads there.
    fn greedy<'py>(
        &self,
        py: Python<'py>,
        problem: &Problem,
        chunks: u32,
    ) -> PyResult<Option<Pair<'py>>> {
        let network = self.snapshot();
        let found = errors::detached(py, || network.greedy(&problem.0, chunks))?;
        found
            .map(|(amount_out, gas_worth)| Ok((number(py, amount_out)?, number(py, gas_worth)?)))
            .transpose()
    }

    fn __len__(&self) -> usize {
        self.lock().markets().len()
    }
}
