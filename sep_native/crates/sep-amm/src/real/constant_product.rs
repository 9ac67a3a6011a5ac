use crate::real::{HyperbolicLadder, Ramp, RealMarket, Response};
use crate::{ConstantProduct, FEE_DENOMINATOR};

/// A constant-product pool for solvers.
#[derive(Clone, Debug)]
pub struct RealConstantProduct {
    directions: [HyperbolicLadder; 2],
    log_kept: f64,
}

impl From<&ConstantProduct> for RealConstantProduct {
    fn from(pool: &ConstantProduct) -> Self {
        let reserves = [f64::from(pool.reserve0()), f64::from(pool.reserve1())];
        let kept = f64::from(FEE_DENOMINATOR - pool.fee_ppm()) / f64::from(FEE_DENOMINATOR);
        let direction = |reserve_in: f64, reserve_out: f64| {
            HyperbolicLadder::single(
                reserve_out.ln() - reserve_in.ln() + kept.ln(),
                reserve_in / kept,
                reserve_out,
            )
        };
        Self {
            directions: [
                direction(reserves[0], reserves[1]),
                direction(reserves[1], reserves[0]),
            ],
            log_kept: kept.ln(),
        }
    }
}

impl RealMarket for RealConstantProduct {
    fn asset_count(&self) -> usize {
        2
    }

    fn log_rate(&self, asset_in: usize, _asset_out: usize) -> f64 {
        self.directions[asset_in].log_rate()
    }

    fn log_kept(&self, _asset_in: usize, _asset_out: usize) -> f64 {
        self.log_kept
    }

    fn respond(&self, asset_in: usize, _asset_out: usize, log_price: f64, _ramp: Ramp) -> Response {
        self.directions[asset_in].respond(log_price)
    }

    fn output_at_most(&self, asset_in: usize, _asset_out: usize, amount_in: f64) -> f64 {
        self.directions[asset_in].output(amount_in)
    }

    fn input_at_least(&self, asset_in: usize, _asset_out: usize, amount_out: f64) -> f64 {
        self.directions[asset_in].input(amount_out)
    }
}
