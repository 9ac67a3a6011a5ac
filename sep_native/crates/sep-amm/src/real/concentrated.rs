use crate::real::{HyperbolicLadder, LadderBuilder, Ramp, RealMarket, Response};
use crate::tick_math::sqrt_price_within;
use crate::{
    ConcentratedLiquidity, FEE_DENOMINATOR, SQRT_PRICE_MAX, SQRT_PRICE_MIN, TICK_MAX, TICK_MIN,
    U256,
};

/// 2^96, the unit of square-root prices.
const UNIT: f64 = 79_228_162_514_264_337_593_543_950_336.0;

/// A pool of concentrated liquidity for solvers.
#[derive(Clone, Debug)]
pub struct RealConcentrated {
    directions: [HyperbolicLadder; 2],
    log_kept: f64,
    /// Whether all ticks are loaded that a falling and a rising price can meet.
    is_whole: [bool; 2],
}

impl From<&ConcentratedLiquidity> for RealConcentrated {
    fn from(pool: &ConcentratedLiquidity) -> Self {
        let kept = f64::from(FEE_DENOMINATOR - pool.fee_ppm()) / f64::from(FEE_DENOMINATOR);
        Self {
            directions: [down(pool, kept), up(pool, kept)],
            log_kept: kept.ln(),
            is_whole: [
                pool.table().loaded().0 == TICK_MIN,
                pool.table().loaded().1 == TICK_MAX,
            ],
        }
    }
}

/// The first asset goes in, the price falls.
fn down(pool: &ConcentratedLiquidity, kept: f64) -> HyperbolicLadder {
    let start = f64::from(pool.sqrt_price_x96()) / UNIT;
    let mut ladder = LadderBuilder::new(kept.ln() + 2.0 * start.ln());
    let (low, high) = pool.table().loaded();
    let low_price = sqrt_price_within(low);
    let is_known = pool.sqrt_price_x96() >= low_price
        && (high == TICK_MAX || pool.sqrt_price_x96() <= sqrt_price_within(high));
    if !is_known {
        return ladder.build();
    }
    let ticks = pool.table().ticks();
    let mut liquidity = pool.liquidity();
    let mut at = pool.sqrt_price_x96();
    for tick in ticks[..ticks.partition_point(|tick| tick.index <= pool.tick())]
        .iter()
        .rev()
    {
        let next = sqrt_price_within(tick.index).min(at);
        push(&mut ladder, (next, at), at, liquidity, kept, true);
        at = next;
        match tick
            .liquidity_net
            .checked_neg()
            .and_then(|net| liquidity.checked_add_signed(net))
        {
            Some(left) => liquidity = left,
            // The exact side refuses to pass this tick.
            None => return ladder.build(),
        }
    }
    let end = if low == TICK_MIN {
        SQRT_PRICE_MIN
    } else {
        low_price
    };
    push(&mut ladder, (end.min(at), at), at, liquidity, kept, true);
    ladder.build()
}

/// The second asset goes in, the price rises.
fn up(pool: &ConcentratedLiquidity, kept: f64) -> HyperbolicLadder {
    let start = f64::from(pool.sqrt_price_x96()) / UNIT;
    let mut ladder = LadderBuilder::new(kept.ln() - 2.0 * start.ln());
    let (low, high) = pool.table().loaded();
    let high_price = sqrt_price_within(high);
    let is_known = pool.sqrt_price_x96() <= high_price
        && (low == TICK_MIN || pool.sqrt_price_x96() >= sqrt_price_within(low));
    if !is_known {
        return ladder.build();
    }
    let ticks = pool.table().ticks();
    let mut liquidity = pool.liquidity();
    let mut at = pool.sqrt_price_x96();
    for tick in &ticks[ticks.partition_point(|tick| tick.index <= pool.tick())..] {
        let next = sqrt_price_within(tick.index).max(at);
        push(&mut ladder, (at, next), at, liquidity, kept, false);
        at = next;
        match liquidity.checked_add_signed(tick.liquidity_net) {
            Some(left) => liquidity = left,
            None => return ladder.build(),
        }
    }
    let end = if high == TICK_MAX {
        SQRT_PRICE_MAX
    } else {
        high_price
    };
    push(&mut ladder, (at, end.max(at)), at, liquidity, kept, false);
    ladder.build()
}

/// A stretch of this liquidity between two roots of the price, begun at one of them. The difference is taken before
/// anything is rounded: ranges may be far narrower than prices are large.
fn push(
    ladder: &mut LadderBuilder,
    (low, high): (U256, U256),
    at: U256,
    liquidity: u128,
    kept: f64,
    is_down: bool,
) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "the real-valued side is an approximation"
    )]
    let liquidity = liquidity as f64;
    let length = 2.0 * (f64::from(high - low) / f64::from(low)).ln_1p();
    let root = f64::from(at) / UNIT;
    let (first, second) = (liquidity / root, liquidity * root);
    if is_down {
        ladder.push(length, first / kept, second);
    } else {
        ladder.push(length, second / kept, first);
    }
}

impl RealMarket for RealConcentrated {
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
        let ladder = &self.directions[asset_in];
        if !self.is_whole[asset_in] && amount_in > ladder.whole().0 {
            // What lies beyond is not known: it pays no better than what comes first.
            return ladder.log_rate().exp() * amount_in;
        }
        ladder.output(amount_in)
    }

    fn input_at_least(&self, asset_in: usize, _asset_out: usize, amount_out: f64) -> f64 {
        let ladder = &self.directions[asset_in];
        if !self.is_whole[asset_in] && amount_out > ladder.whole().1 {
            return amount_out / ladder.log_rate().exp();
        }
        ladder.input(amount_out)
    }
}
