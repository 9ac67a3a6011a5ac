use crate::WeightedProduct;
use crate::real::{Ramp, RealMarket, Response};

/// What a swap for an exact input puts in at most, after the fee, and what one for an exact output takes out, as shares
/// of the balances. One limit alone holds for each.
const RATIO_MAX: f64 = 0.3;

/// A weighted pool for solvers.
#[derive(Clone, Debug)]
pub struct RealWeightedProduct {
    /// In base units.
    balances: Box<[f64]>,
    weights: Box<[f64]>,
    kept: f64,
    log_kept: f64,
    /// Of balance over weight.
    log_depth: Box<[f64]>,
    exact_in: bool,
}

impl RealWeightedProduct {
    /// A pool as swaps for exact inputs see it, or those for exact outputs.
    pub fn new(pool: &WeightedProduct, exact_in: bool) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "the real-valued side is an approximation"
        )]
        let part = |value: u64| value as f64 / 1e18;
        let balances: Box<[f64]> = pool.balances().iter().map(|at| f64::from(*at)).collect();
        let weights: Box<[f64]> = pool.weights().iter().map(|at| part(*at)).collect();
        let fee = part(pool.fee());
        let log_depth = balances
            .iter()
            .zip(&weights)
            .map(|(balance, weight)| balance.ln() - weight.ln())
            .collect();
        Self {
            balances,
            weights,
            kept: 1.0 - fee,
            log_kept: (-fee).ln_1p(),
            log_depth,
            exact_in,
        }
    }
}

impl RealMarket for RealWeightedProduct {
    fn asset_count(&self) -> usize {
        self.balances.len()
    }

    fn log_rate(&self, asset_in: usize, asset_out: usize) -> f64 {
        if self.balances[asset_in] > 0.0 && self.balances[asset_out] > 0.0 {
            self.log_depth[asset_out] - self.log_depth[asset_in] + self.log_kept
        } else {
            f64::NEG_INFINITY
        }
    }

    fn log_kept(&self, _asset_in: usize, _asset_out: usize) -> f64 {
        self.log_kept
    }

    fn respond(&self, asset_in: usize, asset_out: usize, log_price: f64, _ramp: Ramp) -> Response {
        let depth = self.log_rate(asset_in, asset_out) - log_price;
        if depth.is_nan() || depth <= 0.0 {
            return Response::default();
        }
        let exponent = self.weights[asset_in] / self.weights[asset_out];
        let balance_in = self.balances[asset_in] / self.kept;
        let wanted = depth / (exponent + 1.0);
        let most = if self.exact_in {
            RATIO_MAX.ln_1p()
        } else {
            -(-RATIO_MAX).ln_1p() / exponent
        };
        let (log_growth, is_at_end) = (wanted.min(most), wanted >= most);
        let growth = log_growth.exp_m1();
        let amount_in = balance_in * growth;
        let amount_out = -self.balances[asset_out] * (-exponent * log_growth).exp_m1();
        Response {
            amount_in,
            amount_out,
            stiffness: if is_at_end {
                0.0
            } else {
                balance_in * (growth + 1.0) / (exponent + 1.0)
            },
            gain: (amount_out - log_price.exp() * amount_in).max(0.0),
        }
    }

    fn output_at_most(&self, asset_in: usize, asset_out: usize, amount_in: f64) -> f64 {
        let exponent = self.weights[asset_in] / self.weights[asset_out];
        let log_growth = (amount_in * self.kept / self.balances[asset_in]).ln_1p();
        -self.balances[asset_out] * (-exponent * log_growth).exp_m1()
    }

    fn input_at_least(&self, asset_in: usize, asset_out: usize, amount_out: f64) -> f64 {
        let share = amount_out / self.balances[asset_out];
        if share.is_nan() || share >= 1.0 {
            return f64::INFINITY;
        }
        let exponent = self.weights[asset_in] / self.weights[asset_out];
        let log_growth = -(-share).ln_1p() / exponent;
        self.balances[asset_in] / self.kept * log_growth.exp_m1()
    }
}
