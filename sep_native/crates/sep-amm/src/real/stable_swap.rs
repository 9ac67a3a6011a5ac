use crate::real::{Ramp, RealMarket, Response};
use crate::{StableRule, StableSwap};

/// Prices that fell further than this below the first rate are answered as if they had fallen so far.
const DEPTH_MAX: f64 = 40.0;
/// Newton needs a handful of rounds; halving covers all that is left of the numbers.
const ROUNDS: usize = 80;

/// A stable pool for solvers.
#[derive(Clone, Debug)]
pub struct RealStableSwap {
    asset_count: usize,
    pairs: Box<[Option<Pair>]>,
    log_kept: f64,
}

/// One direction, in balances scaled to 18 decimals. With `x` the balance of what goes in and `y` that of what comes
/// out, `y^2 + linear * y = constant * x0 / x`, where `linear` grows with `x`.
#[derive(Clone, Copy, Debug)]
struct Pair {
    x: f64,
    y: f64,
    linear: f64,
    constant: f64,
    /// Logarithm of the marginal output for input, scaled and before fees.
    log_slope: f64,
    log_rate: f64,
    /// Base units for a scaled unit, of what goes in and comes out, fees included.
    unit_in: f64,
    unit_out: f64,
}

/// The pair after some input.
#[derive(Clone, Copy, Debug)]
struct Moved {
    given: f64,
    taken: f64,
    log_slope: f64,
    /// How the log slope changes with what is given; negative.
    bend: f64,
}

impl From<&StableSwap> for RealStableSwap {
    fn from(pool: &StableSwap) -> Self {
        let asset_count = pool.balances().len();
        #[expect(
            clippy::cast_precision_loss,
            reason = "the real-valued side is an approximation"
        )]
        let ratio = |part: u64, whole: u64| part as f64 / whole as f64;
        let fee = ratio(pool.fee(), pool.rule().fee_denominator());
        let mut market = Self {
            asset_count,
            pairs: vec![None; asset_count * asset_count].into(),
            log_kept: (-fee).ln_1p(),
        };
        if pool.invariant().is_zero() {
            return market;
        }
        let invariant = f64::from(pool.invariant());
        let balances: Vec<f64> = pool.scaled().iter().map(|at| f64::from(*at)).collect();
        let units: Vec<f64> = pool
            .rates()
            .iter()
            .map(|rate| 1e18 / f64::from(*rate))
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "at most 8")]
        let count = asset_count as f64;
        let total = ratio(pool.amplification(), pool.rule().amplification_precision()) * count;
        let kept = 1.0 - fee;
        let (kept_in, kept_out) = match pool.rule() {
            StableRule::Curve => (1.0, kept),
            StableRule::Balancer => (kept, 1.0),
        };
        for asset_out in 0..asset_count {
            let mut constant = invariant * invariant / (total * count);
            let mut others = 0.0;
            for (at, balance) in balances.iter().enumerate() {
                if at != asset_out {
                    constant *= invariant / (balance * count);
                    others += balance;
                }
            }
            for asset_in in 0..asset_count {
                if asset_in == asset_out {
                    continue;
                }
                let mut pair = Pair {
                    x: balances[asset_in],
                    y: balances[asset_out],
                    linear: others + invariant / total - invariant,
                    constant,
                    log_slope: 0.0,
                    log_rate: 0.0,
                    unit_in: units[asset_in] / kept_in,
                    unit_out: units[asset_out] * kept_out,
                };
                pair.log_slope = pair.moved(0.0).log_slope;
                pair.log_rate = pair.log_slope + pair.unit_out.ln() - pair.unit_in.ln();
                if pair.log_rate.is_finite() {
                    market.pairs[asset_in * asset_count + asset_out] = Some(pair);
                }
            }
        }
        market
    }
}

impl Pair {
    /// The pair once `given` went in. What comes out is the small root of a quadratic, not a difference of balances.
    fn moved(&self, given: f64) -> Moved {
        let x = self.x + given;
        let constant = self.constant * (self.x / x);
        let linear = self.linear + given;
        // The root of the discriminant, of the equation for the balance and of the one for what comes out.
        let spread = linear.mul_add(linear, 4.0 * constant).sqrt();
        let half = 2.0f64.mul_add(self.y, linear);
        let taken = (2.0 * given * (self.y + self.constant / x) / (half + spread)).min(self.y);
        // The balance itself, by whichever root does not cancel.
        let y = if linear > 0.0 {
            2.0 * constant / (linear + spread)
        } else {
            (spread - linear) / 2.0
        };
        let (near, far) = (constant / (x * y), constant / (y * y));
        let slope = (1.0 + near) / (1.0 + far);
        let near_bend = near * (slope / y - 2.0 / x) / (1.0 + near);
        let far_bend = far * (2.0 * slope / y - 1.0 / x) / (1.0 + far);
        Moved {
            given,
            taken,
            log_slope: near.ln_1p() - far.ln_1p(),
            bend: near_bend - far_bend,
        }
    }

    /// The input after which the log slope has fallen by `depth`.
    fn solve(&self, depth: f64) -> Moved {
        let target = self.log_slope - depth;
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let start = self.moved(0.0);
        // Where the curve is flat the tangent leads far beyond what the pool holds.
        let mut given = (-depth / start.bend).min(0.9 * self.y / start.log_slope.exp());
        let mut moved = start;
        for _ in 0..ROUNDS {
            moved = self.moved(given);
            let missing = moved.log_slope - target;
            if missing > 0.0 {
                low = given;
            } else {
                high = given;
            }
            let next = given - missing / moved.bend;
            let next = if next > low && next < high {
                next
            } else if high.is_finite() {
                low + (high - low) / 2.0
            } else {
                // Beyond the flat part the price falls with the square of the balance.
                low + (low + self.x)
            };
            if (next - given).abs() <= 1e-15 * next || missing.abs() <= 1e-16 {
                break;
            }
            given = next;
        }
        moved
    }
}

impl RealStableSwap {
    fn pair(&self, asset_in: usize, asset_out: usize) -> Option<&Pair> {
        self.pairs[asset_in * self.asset_count + asset_out].as_ref()
    }
}

impl RealMarket for RealStableSwap {
    fn asset_count(&self) -> usize {
        self.asset_count
    }

    fn log_rate(&self, asset_in: usize, asset_out: usize) -> f64 {
        self.pair(asset_in, asset_out)
            .map_or(f64::NEG_INFINITY, |pair| pair.log_rate)
    }

    fn log_kept(&self, _asset_in: usize, _asset_out: usize) -> f64 {
        self.log_kept
    }

    fn respond(&self, asset_in: usize, asset_out: usize, log_price: f64, _ramp: Ramp) -> Response {
        let Some(pair) = self.pair(asset_in, asset_out) else {
            return Response::default();
        };
        let depth = pair.log_rate - log_price;
        if depth.is_nan() || depth <= 0.0 {
            return Response::default();
        }
        let moved = pair.solve(depth.min(DEPTH_MAX));
        let amount_in = moved.given * pair.unit_in;
        let amount_out = moved.taken * pair.unit_out;
        Response {
            amount_in,
            amount_out,
            stiffness: if depth >= DEPTH_MAX {
                0.0
            } else {
                (-pair.unit_in / moved.bend).max(0.0)
            },
            gain: (amount_out - log_price.exp() * amount_in).max(0.0),
        }
    }

    fn output_at_most(&self, asset_in: usize, asset_out: usize, amount_in: f64) -> f64 {
        self.pair(asset_in, asset_out).map_or(0.0, |pair| {
            pair.moved(amount_in / pair.unit_in).taken * pair.unit_out
        })
    }
}
