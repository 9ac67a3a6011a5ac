//! `sep_native.amm`: order books, lanes, and markets that are known by quotes alone.

use pyo3::prelude::*;
use pyo3::types::PyInt;
use sep_amm::{Ladder, LaneTerms, Level};

use crate::amm::Quote;
use crate::convert::{narrow, number, unsigned};
use crate::errors;

/// A book of resting orders, as someone sees it who takes: levels are (price in ticks, size in lots), best first.
#[pyclass(module = "sep_native.amm", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct OrderBook(pub(crate) sep_amm::OrderBook);

type BookArguments<'py> = (
    Vec<(u64, u64)>,
    Vec<(u64, u64)>,
    Bound<'py, PyInt>,
    Bound<'py, PyInt>,
    u32,
    Bound<'py, PyInt>,
);

#[pymethods]
impl OrderBook {
    #[new]
    #[pyo3(signature = (bids, asks, lot, tick, taker_fee_ppm, least_notional = None))]
    fn new(
        py: Python<'_>,
        bids: Vec<(u64, u64)>,
        asks: Vec<(u64, u64)>,
        lot: &Bound<'_, PyInt>,
        tick: &Bound<'_, PyInt>,
        taker_fee_ppm: &Bound<'_, PyInt>,
        least_notional: Option<&Bound<'_, PyInt>>,
    ) -> PyResult<Self> {
        let least_notional = match least_notional {
            Some(least) => unsigned("least_notional", least)?,
            None => sep_amm::U256::ZERO,
        };
        sep_amm::OrderBook::new(
            levels(bids),
            levels(asks),
            unsigned("lot", lot)?,
            unsigned("tick", tick)?,
            narrow("taker_fee_ppm", taker_fee_ppm)?,
            least_notional,
        )
        .map(Self)
        .map_err(|error| errors::amm(py, &error))
    }

    #[getter]
    fn bids(&self) -> Vec<(u64, u64)> {
        pairs(self.0.bids())
    }

    #[getter]
    fn asks(&self) -> Vec<(u64, u64)> {
        pairs(self.0.asks())
    }

    #[getter]
    fn lot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.lot())
    }

    #[getter]
    fn tick<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.tick())
    }

    #[getter]
    fn taker_fee_ppm(&self) -> u32 {
        self.0.taker_fee_ppm()
    }

    #[getter]
    fn least_notional<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.least_notional())
    }

    /// What an order that takes at once takes and gives; asset 0 is traded in lots, asset 1 pays.
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

    /// The order and the book after it.
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
            .map(|(quote, book)| (Quote(quote), Self(book)))
            .map_err(|error| errors::amm(py, &error))
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<BookArguments<'py>> {
        Ok((
            self.bids(),
            self.asks(),
            self.lot(py)?,
            self.tick(py)?,
            self.taker_fee_ppm(),
            self.least_notional(py)?,
        ))
    }

    fn __repr__(&self) -> String {
        format!(
            "OrderBook(bids={}, asks={}, lot={}, tick={})",
            self.0.bids().len(),
            self.0.asks().len(),
            self.0.lot(),
            self.0.tick()
        )
    }
}

type LaneArguments<'py> = (
    (Bound<'py, PyInt>, Bound<'py, PyInt>),
    Bound<'py, PyInt>,
    u32,
    Bound<'py, PyInt>,
    u32,
);

/// A way from asset 0 to asset 1 at a fixed rate; it has no way back.
#[pyclass(module = "sep_native.amm", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct Lane(pub(crate) sep_amm::Lane);

#[pymethods]
impl Lane {
    #[new]
    fn new(
        py: Python<'_>,
        rate: (Bound<'_, PyInt>, Bound<'_, PyInt>),
        fixed_fee: &Bound<'_, PyInt>,
        fee_ppm: &Bound<'_, PyInt>,
        capacity: &Bound<'_, PyInt>,
        delay_seconds: &Bound<'_, PyInt>,
    ) -> PyResult<Self> {
        sep_amm::Lane::new(LaneTerms {
            rate: (unsigned("rate", &rate.0)?, unsigned("rate", &rate.1)?),
            fixed_fee: unsigned("fixed_fee", fixed_fee)?,
            fee_ppm: narrow("fee_ppm", fee_ppm)?,
            capacity: unsigned("capacity", capacity)?,
            delay_seconds: narrow("delay_seconds", delay_seconds)?,
        })
        .map(Self)
        .map_err(|error| errors::amm(py, &error))
    }

    #[getter]
    fn rate<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyInt>, Bound<'py, PyInt>)> {
        let (above, below) = self.0.terms().rate;
        Ok((number(py, above)?, number(py, below)?))
    }

    #[getter]
    fn fixed_fee<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.terms().fixed_fee)
    }

    #[getter]
    fn fee_ppm(&self) -> u32 {
        self.0.terms().fee_ppm
    }

    #[getter]
    fn capacity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.terms().capacity)
    }

    #[getter]
    fn delay_seconds(&self) -> u32 {
        self.0.terms().delay_seconds
    }

    /// What a transfer of exactly `amount` takes and gives.
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

    /// The transfer and the lane after it.
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
            .map(|(quote, lane)| (Quote(quote), Self(lane)))
            .map_err(|error| errors::amm(py, &error))
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<LaneArguments<'py>> {
        Ok((
            self.rate(py)?,
            self.fixed_fee(py)?,
            self.fee_ppm(),
            self.capacity(py)?,
            self.delay_seconds(),
        ))
    }

    fn __repr__(&self) -> String {
        format!("Lane({:?})", self.0.terms())
    }
}

fn levels(pairs: Vec<(u64, u64)>) -> Vec<Level> {
    pairs
        .into_iter()
        .map(|(price, size)| Level { price, size })
        .collect()
}

fn pairs(levels: &[Level]) -> Vec<(u64, u64)> {
    levels
        .iter()
        .map(|level| (level.price, level.size))
        .collect()
}

/// A direction of a sampled market: asset in, asset out, and what came out for each amount in.
type Direction<'py> = (usize, usize, Vec<(Bound<'py, PyInt>, Bound<'py, PyInt>)>);

/// A market of which nothing is known but quotes at a ladder of sizes, for each direction that it trades.
#[pyclass(module = "sep_native.amm", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct Sampled(pub(crate) sep_amm::Sampled);

#[pymethods]
impl Sampled {
    #[new]
    fn new(py: Python<'_>, asset_count: usize, ladders: Vec<Direction<'_>>) -> PyResult<Self> {
        let ladders = ladders
            .into_iter()
            .map(|(asset_in, asset_out, samples)| {
                let samples = samples
                    .iter()
                    .map(|(amount_in, amount_out)| {
                        Ok((
                            unsigned("a sample's amount in", amount_in)?,
                            unsigned("a sample's amount out", amount_out)?,
                        ))
                    })
                    .collect::<PyResult<_>>()?;
                Ok(Ladder {
                    asset_in,
                    asset_out,
                    samples,
                })
            })
            .collect::<PyResult<_>>()?;
        sep_amm::Sampled::new(asset_count, ladders)
            .map(Self)
            .map_err(|error| errors::amm(py, &error))
    }

    #[getter]
    fn asset_count(&self) -> usize {
        self.0.asset_count()
    }

    /// What was sampled: asset in, asset out, and pairs of amount in and amount out.
    #[getter]
    fn ladders<'py>(&self, py: Python<'py>) -> PyResult<Vec<Direction<'py>>> {
        self.0
            .ladders()
            .iter()
            .map(|ladder| {
                let samples = ladder
                    .samples
                    .iter()
                    .map(|(amount_in, amount_out)| {
                        Ok((number(py, *amount_in)?, number(py, *amount_out)?))
                    })
                    .collect::<PyResult<_>>()?;
                Ok((ladder.asset_in, ladder.asset_out, samples))
            })
            .collect()
    }

    /// What a swap of exactly `amount` is expected to take and give.
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

    /// The swap and what is left of its ladder.
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
            .map(|(quote, market)| (Quote(quote), Self(market)))
            .map_err(|error| errors::amm(py, &error))
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> PyResult<(usize, Vec<Direction<'py>>)> {
        Ok((self.asset_count(), self.ladders(py)?))
    }

    fn __repr__(&self) -> String {
        format!(
            "Sampled(asset_count={}, directions={})",
            self.0.asset_count(),
            self.0.ladders().len()
        )
    }
}
