//! Integer mathematics of prices and positions that sets a simulated market up.

use alloy_primitives::{U256, Uint};
use sep_amm::{AmmError, sqrt_price_at_tick};

type Wide = Uint<512, 8>;

fn narrow(value: Wide) -> U256 {
    value.saturating_to()
}

/// `floor(sqrt(amount1 * 2^192 / amount0))`, or zero where there is nothing.
pub(crate) fn sqrt_price_of(amount0: U256, amount1: U256) -> U256 {
    if amount0.is_zero() {
        return U256::ZERO;
    }
    let scaled: Wide = Wide::from(amount1) << 192_usize;
    narrow((scaled / Wide::from(amount0)).root(2))
}

/// `floor(sqrt(a * b))`.
pub(crate) fn geometric_mean(a: U256, b: U256) -> U256 {
    narrow((Wide::from(a) * Wide::from(b)).root(2))
}

/// What a swap's input reserve is, and what it is where the price is `target` and the product unchanged.
pub(crate) fn reserves_at(
    reserve0: U256,
    reserve1: U256,
    target: U256,
    zero_for_one: bool,
) -> (U256, U256) {
    let root = Wide::from(geometric_mean(reserve0, reserve1));
    if zero_for_one {
        (reserve0, narrow((root << 96_usize) / Wide::from(target)))
    } else {
        (reserve1, narrow((root * Wide::from(target)) >> 96_usize))
    }
}

/// The square-root price after the price moved by `bps` hundredths of a percent up or down.
pub(crate) fn nudged(sqrt_price: U256, bps: u32, up: bool) -> U256 {
    let part = narrow(Wide::from(sqrt_price) * Wide::from(bps) / Wide::from(20_000));
    if up {
        sqrt_price + part
    } else {
        sqrt_price.saturating_sub(part)
    }
}

/// What a position holds at a price, rounded up as a pool asks it from its provider.
pub(crate) fn position_amounts(
    sqrt_price: U256,
    lower: i32,
    upper: i32,
    liquidity: U256,
) -> Result<(U256, U256), AmmError> {
    let (low, high) = (sqrt_price_at_tick(lower)?, sqrt_price_at_tick(upper)?);
    let price = sqrt_price.clamp(low, high);
    let liquidity = Wide::from(liquidity);
    let scaled: Wide = liquidity << 96_usize;
    let above = (scaled * Wide::from(high - price)).div_ceil(Wide::from(high) * Wide::from(price));
    let below = (liquidity * Wide::from(price - low)).div_ceil(Wide::ONE << 96_usize);
    Ok((narrow(above), narrow(below)))
}
