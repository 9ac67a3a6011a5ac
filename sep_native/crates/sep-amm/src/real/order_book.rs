use ruint::aliases::U256;

use crate::real::{LinearLadder, Ramp, RealMarket, Response};
use crate::{Level, OrderBook};

/// An order book for solvers: lots and the least notional are left out, so it never trades less than the book.
#[derive(Clone, Debug)]
pub struct RealOrderBook {
    directions: [LinearLadder; 2],
    log_kept: [f64; 2],
}

impl From<&OrderBook> for RealOrderBook {
    fn from(book: &OrderBook) -> Self {
        let fee = f64::from(book.taker_fee_ppm()) / 1e6;
        let amounts = |level: &Level| {
            let size = U256::from(level.size);
            (
                f64::from(size * book.lot()),
                f64::from(size * U256::from(level.price) * book.tick()),
            )
        };
        let sells = book.bids().iter().map(|level| {
            let (quantity, notional) = amounts(level);
            (quantity, notional * (1.0 - fee))
        });
        let buys = book.asks().iter().map(|level| {
            let (quantity, notional) = amounts(level);
            (notional * (1.0 + fee), quantity)
        });
        Self {
            directions: [LinearLadder::new(sells), LinearLadder::new(buys)],
            log_kept: [(-fee).ln_1p(), -fee.ln_1p()],
        }
    }
}

impl RealMarket for RealOrderBook {
    fn asset_count(&self) -> usize {
        2
    }

    fn log_rate(&self, asset_in: usize, _asset_out: usize) -> f64 {
        self.directions[asset_in].log_rate()
    }

    fn log_kept(&self, asset_in: usize, _asset_out: usize) -> f64 {
        self.log_kept[asset_in]
    }

    fn respond(&self, asset_in: usize, _asset_out: usize, log_price: f64, ramp: Ramp) -> Response {
        self.directions[asset_in].respond(log_price, ramp)
    }

    fn output_at_most(&self, asset_in: usize, _asset_out: usize, amount_in: f64) -> f64 {
        self.directions[asset_in].output(amount_in)
    }

    fn input_at_least(&self, asset_in: usize, _asset_out: usize, amount_out: f64) -> f64 {
        self.directions[asset_in].input(amount_out)
    }

    fn has_linear_pieces(&self) -> bool {
        true
    }
}
