//! `sep_native.amm`: exact venue mathematics.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyTuple};
use sep_amm::{SwapLimit, Tick, TickTable};

use crate::convert::{narrow, number, unsigned};
use crate::errors;

/// What a swap takes and gives, in base units.
#[pyclass(module = "sep_native.amm", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct Quote(pub(crate) sep_amm::Quote);

#[pymethods]
impl Quote {
    #[new]
    #[pyo3(signature = (amount_in, amount_out, ticks_crossed = 0))]
    fn new(
        amount_in: &Bound<'_, PyInt>,
        amount_out: &Bound<'_, PyInt>,
        ticks_crossed: u32,
    ) -> PyResult<Self> {
        Ok(Self(sep_amm::Quote {
            amount_in: unsigned("amount_in", amount_in)?,
            amount_out: unsigned("amount_out", amount_out)?,
            ticks_crossed,
        }))
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
    fn ticks_crossed(&self) -> u32 {
        self.0.ticks_crossed
    }

    fn __getnewargs__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyInt>, Bound<'py, PyInt>, u32)> {
        Ok((
            self.amount_in(py)?,
            self.amount_out(py)?,
            self.0.ticks_crossed,
        ))
    }

    fn __repr__(&self) -> String {
        format!(
            "Quote(amount_in={}, amount_out={}, ticks_crossed={})",
            self.0.amount_in, self.0.amount_out, self.0.ticks_crossed
        )
    }
}

/// A pool of two reserves whose product never falls (Uniswap V2 and forks).
#[pyclass(module = "sep_native.amm", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct ConstantProduct(pub(crate) sep_amm::ConstantProduct);

#[pymethods]
impl ConstantProduct {
    #[new]
    fn new(
        py: Python<'_>,
        reserve0: &Bound<'_, PyInt>,
        reserve1: &Bound<'_, PyInt>,
        fee_ppm: &Bound<'_, PyInt>,
    ) -> PyResult<Self> {
        let (reserve0, reserve1) = (
            unsigned("reserve0", reserve0)?,
            unsigned("reserve1", reserve1)?,
        );
        sep_amm::ConstantProduct::new(reserve0, reserve1, narrow("fee_ppm", fee_ppm)?)
            .map(Self)
            .map_err(|error| errors::amm(py, &error))
    }

    #[getter]
    fn reserve0<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.reserve0())
    }

    #[getter]
    fn reserve1<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.reserve1())
    }

    #[getter]
    fn fee_ppm(&self) -> u32 {
        self.0.fee_ppm()
    }

    /// What a swap of exactly `amount` takes and gives.
    fn quote(
        &self,
        py: Python<'_>,
        zero_for_one: bool,
        amount: &Bound<'_, PyInt>,
        exact_in: bool,
    ) -> PyResult<Quote> {
        let amount = unsigned("amount", amount)?;
        let quote = self.0.quote(zero_for_one, amount, exact_in);
        quote.map(Quote).map_err(|error| errors::amm(py, &error))
    }

    /// The swap and the pool after it.
    fn after(
        &self,
        py: Python<'_>,
        zero_for_one: bool,
        amount: &Bound<'_, PyInt>,
        exact_in: bool,
    ) -> PyResult<(Quote, Self)> {
        let amount = unsigned("amount", amount)?;
        let after = self.0.after(zero_for_one, amount, exact_in);
        after
            .map(|(quote, pool)| (Quote(quote), Self(pool)))
            .map_err(|error| errors::amm(py, &error))
    }

    /// The state that a `Sync` event announces.
    fn with_sync(
        &self,
        py: Python<'_>,
        reserve0: &Bound<'_, PyInt>,
        reserve1: &Bound<'_, PyInt>,
    ) -> PyResult<Self> {
        let (reserve0, reserve1) = (
            unsigned("reserve0", reserve0)?,
            unsigned("reserve1", reserve1)?,
        );
        self.0
            .with_sync(reserve0, reserve1)
            .map(Self)
            .map_err(|error| errors::amm(py, &error))
    }

    fn __getnewargs__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyInt>, Bound<'py, PyInt>, u32)> {
        Ok((self.reserve0(py)?, self.reserve1(py)?, self.0.fee_ppm()))
    }

    fn __repr__(&self) -> String {
        format!(
            "ConstantProduct(reserve0={}, reserve1={}, fee_ppm={})",
            self.0.reserve0(),
            self.0.reserve1(),
            self.0.fee_ppm()
        )
    }
}

type NewArguments<'py> = (
    Bound<'py, PyInt>,
    i32,
    u128,
    u32,
    i32,
    Vec<(i32, i128, u128)>,
    (i32, i32),
);

/// A pool whose liquidity lies between ticks (Uniswap V3 and forks).
#[pyclass(module = "sep_native.amm", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct ConcentratedLiquidity(pub(crate) sep_amm::ConcentratedLiquidity);

#[pymethods]
impl ConcentratedLiquidity {
    #[new]
    #[pyo3(signature = (sqrt_price_x96, tick, liquidity, fee_ppm, tick_spacing, ticks, loaded = None))]
    fn new(
        py: Python<'_>,
        sqrt_price_x96: &Bound<'_, PyInt>,
        tick: &Bound<'_, PyInt>,
        liquidity: &Bound<'_, PyInt>,
        fee_ppm: &Bound<'_, PyInt>,
        tick_spacing: &Bound<'_, PyInt>,
        ticks: &Bound<'_, PyAny>,
        loaded: Option<(i32, i32)>,
    ) -> PyResult<Self> {
        let price = unsigned("sqrt_price_x96", sqrt_price_x96)?;
        let tick = narrow("tick", tick)?;
        let liquidity = narrow("liquidity", liquidity)?;
        let fee_ppm = narrow("fee_ppm", fee_ppm)?;
        let entries: Vec<Tick> = ticks
            .try_iter()?
            .map(|entry| tick_entry(&entry?))
            .collect::<PyResult<_>>()?;
        TickTable::new(narrow("tick_spacing", tick_spacing)?, entries, loaded)
            .and_then(|table| {
                sep_amm::ConcentratedLiquidity::new(price, tick, liquidity, fee_ppm, table)
            })
            .map(Self)
            .map_err(|error| errors::amm(py, &error))
    }

    /// The state that an `Initialize` event announces: a price, and no liquidity yet.
    #[staticmethod]
    fn initialized(
        py: Python<'_>,
        sqrt_price_x96: &Bound<'_, PyInt>,
        fee_ppm: &Bound<'_, PyInt>,
        tick_spacing: &Bound<'_, PyInt>,
    ) -> PyResult<Self> {
        let price = unsigned("sqrt_price_x96", sqrt_price_x96)?;
        let (fee_ppm, spacing) = (
            narrow("fee_ppm", fee_ppm)?,
            narrow("tick_spacing", tick_spacing)?,
        );
        sep_amm::ConcentratedLiquidity::initialized(price, fee_ppm, spacing)
            .map(Self)
            .map_err(|error| errors::amm(py, &error))
    }

    #[getter]
    fn sqrt_price_x96<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.sqrt_price_x96())
    }

    #[getter]
    fn tick(&self) -> i32 {
        self.0.tick()
    }

    #[getter]
    fn liquidity(&self) -> u128 {
        self.0.liquidity()
    }

    #[getter]
    fn fee_ppm(&self) -> u32 {
        self.0.fee_ppm()
    }

    #[getter]
    fn tick_spacing(&self) -> i32 {
        self.0.table().spacing()
    }

    /// Initialised ticks and the liquidity net at each, ascending.
    #[getter]
    fn ticks(&self) -> Vec<(i32, i128)> {
        self.0
            .table()
            .ticks()
            .iter()
            .map(|tick| (tick.index, tick.liquidity_net))
            .collect()
    }

    /// The range within which every initialised tick is known.
    #[getter]
    fn loaded(&self) -> (i32, i32) {
        self.0.table().loaded()
    }

    /// What a swap of exactly `amount` takes and gives; with a limit, as much as goes before that price.
    #[pyo3(signature = (zero_for_one, amount, exact_in, sqrt_price_limit_x96 = None))]
    fn quote(
        &self,
        py: Python<'_>,
        zero_for_one: bool,
        amount: &Bound<'_, PyInt>,
        exact_in: bool,
        sqrt_price_limit_x96: Option<&Bound<'_, PyInt>>,
    ) -> PyResult<Quote> {
        self.after(py, zero_for_one, amount, exact_in, sqrt_price_limit_x96)
            .map(|(quote, _)| quote)
    }

    /// The swap and the pool after it.
    #[pyo3(signature = (zero_for_one, amount, exact_in, sqrt_price_limit_x96 = None))]
    fn after(
        &self,
        py: Python<'_>,
        zero_for_one: bool,
        amount: &Bound<'_, PyInt>,
        exact_in: bool,
        sqrt_price_limit_x96: Option<&Bound<'_, PyInt>>,
    ) -> PyResult<(Quote, Self)> {
        let amount = unsigned("amount", amount)?;
        let limit = match sqrt_price_limit_x96 {
            Some(price) => SwapLimit::SqrtPrice(unsigned("sqrt_price_limit_x96", price)?),
            None => SwapLimit::Whole,
        };
        let after = self.0.after_within(zero_for_one, amount, exact_in, limit);
        after
            .map(|(quote, pool)| (Quote(quote), Self(pool)))
            .map_err(|error| errors::amm(py, &error))
    }

    /// The state that a `Swap` event announces.
    fn with_swap(
        &self,
        py: Python<'_>,
        sqrt_price_x96: &Bound<'_, PyInt>,
        tick: &Bound<'_, PyInt>,
        liquidity: &Bound<'_, PyInt>,
    ) -> PyResult<Self> {
        let price = unsigned("sqrt_price_x96", sqrt_price_x96)?;
        let (tick, liquidity) = (narrow("tick", tick)?, narrow("liquidity", liquidity)?);
        self.0
            .with_swap(price, tick, liquidity)
            .map(Self)
            .map_err(|error| errors::amm(py, &error))
    }

    /// The state after a `Mint` (`delta` above 0) or a `Burn` (below 0) from `lower` to `upper`.
    fn with_liquidity(
        &self,
        py: Python<'_>,
        lower: &Bound<'_, PyInt>,
        upper: &Bound<'_, PyInt>,
        delta: &Bound<'_, PyInt>,
    ) -> PyResult<Self> {
        let (lower, upper, delta) = (
            narrow("lower", lower)?,
            narrow("upper", upper)?,
            narrow("delta", delta)?,
        );
        self.0
            .with_liquidity(lower, upper, delta)
            .map(Self)
            .map_err(|error| errors::amm(py, &error))
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<NewArguments<'py>> {
        let table = self.0.table();
        let ticks = table
            .ticks()
            .iter()
            .map(|tick| (tick.index, tick.liquidity_net, tick.liquidity_gross));
        Ok((
            self.sqrt_price_x96(py)?,
            self.0.tick(),
            self.0.liquidity(),
            self.0.fee_ppm(),
            table.spacing(),
            ticks.collect(),
            table.loaded(),
        ))
    }

    fn __repr__(&self) -> String {
        format!(
            "ConcentratedLiquidity(sqrt_price_x96={}, tick={}, liquidity={}, fee_ppm={}, ticks={})",
            self.0.sqrt_price_x96(),
            self.0.tick(),
            self.0.liquidity(),
            self.0.fee_ppm(),
            self.0.table().ticks().len()
        )
    }
}

/// The square-root price at a tick, times 2^96.
#[pyfunction]
pub(crate) fn sqrt_price_at_tick<'py>(
    py: Python<'py>,
    tick: &Bound<'py, PyInt>,
) -> PyResult<Bound<'py, PyInt>> {
    let price = sep_amm::sqrt_price_at_tick(narrow("tick", tick)?);
    number(py, price.map_err(|error| errors::amm(py, &error))?)
}

/// The greatest tick whose square-root price is not above the one given.
#[pyfunction]
pub(crate) fn tick_at_sqrt_price(
    py: Python<'_>,
    sqrt_price_x96: &Bound<'_, PyInt>,
) -> PyResult<i32> {
    let price = unsigned("sqrt_price_x96", sqrt_price_x96)?;
    sep_amm::tick_at_sqrt_price(price).map_err(|error| errors::amm(py, &error))
}

/// A tick as (index, net) or (index, net, gross).
fn tick_entry(entry: &Bound<'_, PyAny>) -> PyResult<Tick> {
    let wrong = |_| {
        PyValueError::new_err(
            "a tick is (index, liquidity net) or (index, liquidity net, liquidity gross)",
        )
    };
    let tuple = entry.cast::<PyTuple>()?;
    if tuple.len() == 3 {
        let (index, liquidity_net, liquidity_gross) = tuple.extract().map_err(wrong)?;
        Ok(Tick {
            index,
            liquidity_net,
            liquidity_gross,
        })
    } else {
        let (index, liquidity_net) = tuple.extract().map_err(wrong)?;
        Ok(Tick::from_net(index, liquidity_net))
    }
}
