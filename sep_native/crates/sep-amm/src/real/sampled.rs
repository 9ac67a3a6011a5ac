use crate::Sampled;
use crate::real::{LinearLadder, Ramp, RealMarket, Response};

/// A sampled venue for solvers: the least concave curve over what the venue answered, so that it never trades less.
#[derive(Clone, Debug)]
pub struct RealSampled {
    asset_count: usize,
    directions: Box<[Option<LinearLadder>]>,
}

impl From<&Sampled> for RealSampled {
    fn from(market: &Sampled) -> Self {
        let asset_count = market.asset_count();
        let mut directions = vec![None; asset_count * asset_count];
        for ladder in market.ladders() {
            let samples = ladder
                .samples
                .iter()
                .map(|(amount_in, amount_out)| (f64::from(*amount_in), f64::from(*amount_out)));
            directions[ladder.asset_in * asset_count + ladder.asset_out] =
                Some(LinearLadder::new(pieces(samples)));
        }
        Self {
            asset_count,
            directions: directions.into(),
        }
    }
}

/// The pieces of the least concave curve through nothing and over all samples.
fn pieces(samples: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut corners = vec![(0.0, 0.0)];
    for sample in samples {
        while let [.., from, last] = corners[..] {
            let is_below =
                (last.1 - from.1) * (sample.0 - from.0) <= (sample.1 - from.1) * (last.0 - from.0);
            if !is_below {
                break;
            }
            corners.pop();
        }
        corners.push(sample);
    }
    corners
        .windows(2)
        .map(|pair| (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1))
        .collect()
}

impl RealSampled {
    fn direction(&self, asset_in: usize, asset_out: usize) -> Option<&LinearLadder> {
        self.directions[asset_in * self.asset_count + asset_out].as_ref()
    }
}

impl RealMarket for RealSampled {
    fn asset_count(&self) -> usize {
        self.asset_count
    }

    fn log_rate(&self, asset_in: usize, asset_out: usize) -> f64 {
        self.direction(asset_in, asset_out)
            .map_or(f64::NEG_INFINITY, LinearLadder::log_rate)
    }

    fn log_kept(&self, _asset_in: usize, _asset_out: usize) -> f64 {
        0.0
    }

    fn respond(&self, asset_in: usize, asset_out: usize, log_price: f64, ramp: Ramp) -> Response {
        self.direction(asset_in, asset_out)
            .map_or_else(Response::default, |ladder| ladder.respond(log_price, ramp))
    }

    fn output_at_most(&self, asset_in: usize, asset_out: usize, amount_in: f64) -> f64 {
        self.direction(asset_in, asset_out)
            .map_or(0.0, |ladder| ladder.output(amount_in))
    }

    fn input_at_least(&self, asset_in: usize, asset_out: usize, amount_out: f64) -> f64 {
        self.direction(asset_in, asset_out)
            .map_or(f64::INFINITY, |ladder| ladder.input(amount_out))
    }

    fn has_linear_pieces(&self) -> bool {
        true
    }
}
