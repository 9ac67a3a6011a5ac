use crate::Lane;
use crate::real::{LinearLadder, Ramp, RealMarket, Response};

/// A lane for solvers. The fixed fee is left out: it is a cost of using the lane at all, as gas is, and without it
/// the lane never trades less than it can.
#[derive(Clone, Debug)]
pub struct RealLane {
    there: LinearLadder,
    log_kept: f64,
}

impl From<&Lane> for RealLane {
    fn from(lane: &Lane) -> Self {
        let terms = lane.terms();
        let kept = 1.0 - f64::from(terms.fee_ppm) / 1e6;
        let capacity = f64::from(terms.capacity);
        let rate = f64::from(terms.rate.0) / f64::from(terms.rate.1);
        Self {
            there: LinearLadder::new([(capacity, capacity * kept * rate)]),
            log_kept: kept.ln(),
        }
    }
}

impl RealMarket for RealLane {
    fn asset_count(&self) -> usize {
        2
    }

    fn log_rate(&self, asset_in: usize, _asset_out: usize) -> f64 {
        if asset_in == 0 {
            self.there.log_rate()
        } else {
            f64::NEG_INFINITY
        }
    }

    fn log_kept(&self, _asset_in: usize, _asset_out: usize) -> f64 {
        self.log_kept
    }

    fn respond(&self, asset_in: usize, _asset_out: usize, log_price: f64, ramp: Ramp) -> Response {
        if asset_in == 0 {
            self.there.respond(log_price, ramp)
        } else {
            Response::default()
        }
    }

    fn output_at_most(&self, asset_in: usize, _asset_out: usize, amount_in: f64) -> f64 {
        if asset_in == 0 {
            self.there.output(amount_in)
        } else {
            0.0
        }
    }

    fn input_at_least(&self, asset_in: usize, _asset_out: usize, amount_out: f64) -> f64 {
        if asset_in == 0 {
            self.there.input(amount_out)
        } else {
            f64::INFINITY
        }
    }

    fn has_linear_pieces(&self) -> bool {
        true
    }
}
