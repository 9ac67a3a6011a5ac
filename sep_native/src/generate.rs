//! `sep_native.testing`: networks drawn from a seed.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyInt;
use sep_route::generate::{Instance, Mix, Recipe, draw};

use crate::convert::number;
use crate::errors;
use crate::route::Network;

/// A drawn network with an order that suits it: `amount` of `source` for `target`.
#[pyclass(module = "sep_native.testing", frozen)]
pub(crate) struct DrawnNetwork(Instance);

#[pymethods]
impl DrawnNetwork {
    /// The markets, each time as a network of its own.
    #[getter]
    fn network(&self) -> Network {
        self.0.network.clone().into()
    }

    #[getter]
    fn source(&self) -> &str {
        &self.0.source
    }

    #[getter]
    fn target(&self) -> &str {
        &self.0.target
    }

    #[getter]
    fn amount<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyInt>> {
        number(py, self.0.amount)
    }

    /// Worth of a unit of gas in base units of the target: numerator and denominator.
    #[getter]
    fn gas_price<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyInt>, Bound<'py, PyInt>)> {
        let (above, below) = self.0.gas_price;
        Ok((number(py, above)?, number(py, below)?))
    }

    /// The network after a block in which one market in a hundred has moved.
    fn next_block(&self, py: Python<'_>) -> PyResult<Network> {
        errors::detached(py, || self.0.next_block()).map(Network::from)
    }
}

/// Draws a network: `mix` is `products`, `curved` or `books`.
#[pyfunction]
#[pyo3(signature = (markets, assets, mix, seed, stale_percent = 0, dead_end_percent = 0, edge_percent = 0))]
pub(crate) fn draw_network(
    py: Python<'_>,
    markets: usize,
    assets: usize,
    mix: &str,
    seed: u64,
    stale_percent: u64,
    dead_end_percent: u64,
    edge_percent: u64,
) -> PyResult<DrawnNetwork> {
    let mix = match mix {
        "products" => Mix::Products,
        "curved" => Mix::Curved,
        "books" => Mix::Books,
        other => {
            return Err(PyValueError::new_err(format!(
                "{other:?} is no mix: products, curved or books"
            )));
        }
    };
    if assets < 4 || markets < assets {
        return Err(PyValueError::new_err(
            "a network is drawn with 4 assets at least, and a market for each",
        ));
    }
    let recipe = Recipe {
        markets,
        assets,
        mix,
        stale_percent,
        dead_end_percent,
        edge_percent,
    };
    errors::detached(py, || draw(&recipe, seed)).map(DrawnNetwork)
}
