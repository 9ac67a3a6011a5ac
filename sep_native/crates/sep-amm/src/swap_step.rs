use ruint::aliases::U256;

use crate::math::{mul_div, mul_div_up};
use crate::sqrt_price::{amount0_delta, amount1_delta, price_after_input, price_after_output};
use crate::{AmmError, FEE_DENOMINATOR};

/// 2^96, the unit of square-root prices.
const UNIT: f64 = 79_228_162_514_264_337_593_543_950_336.0;

/// One piece of a swap, within which the liquidity is constant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SwapStep {
    pub(crate) next_price: U256,
    pub(crate) amount_in: U256,
    pub(crate) amount_out: U256,
    pub(crate) fee: U256,
}

/// Moves the price from `current` towards `target` as far as `remaining` reaches.
pub(crate) fn swap_step(
    current: U256,
    target: U256,
    liquidity: u128,
    remaining: U256,
    exact_in: bool,
    fee_ppm: u32,
) -> Result<SwapStep, AmmError> {
    let zero_for_one = current >= target;
    let fee = U256::from(fee_ppm);
    let kept = U256::from(FEE_DENOMINATOR - fee_ppm);
    let amount_in_to = |price: U256| {
        if zero_for_one {
            amount0_delta(price, current, liquidity, true)
        } else {
            amount1_delta(current, price, liquidity, true)
        }
    };
    let amount_out_to = |price: U256| {
        if zero_for_one {
            amount1_delta(price, current, liquidity, false)
        } else {
            amount0_delta(current, price, liquidity, false)
        }
    };
    if exact_in {
        let short = |price: U256| {
            if zero_for_one {
                price > target
            } else {
                price < target
            }
        };
        let after_fee = || {
            mul_div(remaining, kept, U256::from(FEE_DENOMINATOR)).ok_or(AmmError::AmountTooLarge)
        };
        let stopped = |next_price: U256, amount_in: U256| {
            Ok(SwapStep {
                next_price,
                amount_in,
                amount_out: amount_out_to(next_price)?,
                // What the last piece leaves over is fee as well.
                fee: remaining - amount_in,
            })
        };
        // An input that would pass the target cannot stop short of it, so a price short of it proves that it stops.
        if !seems_enough(current, target, liquidity, remaining, fee_ppm)
            && let Ok(next) = price_after_input(current, liquidity, after_fee()?, zero_for_one)
            && short(next)
        {
            return stopped(next, amount_in_to(next)?);
        }
        let whole = amount_in_to(target)?;
        let fee = mul_div_up(whole, fee, kept).ok_or(AmmError::AmountTooLarge)?;
        let reaches = whole
            .checked_add(fee)
            .is_some_and(|needed| needed <= remaining);
        if !reaches {
            let next = price_after_input(current, liquidity, after_fee()?, zero_for_one)?;
            if next != target {
                return stopped(next, amount_in_to(next)?);
            }
        }
        return Ok(SwapStep {
            next_price: target,
            amount_in: whole,
            amount_out: amount_out_to(target)?,
            fee,
        });
    }
    let whole = amount_out_to(target)?;
    let (next_price, amount_out) = if remaining >= whole {
        (target, whole)
    } else {
        let next = price_after_output(current, liquidity, remaining, zero_for_one)?;
        (
            next,
            if next == target {
                whole
            } else {
                amount_out_to(next)?
            },
        )
    };
    let amount_in = amount_in_to(next_price)?;
    let fee = mul_div_up(amount_in, fee, kept).ok_or(AmmError::AmountTooLarge)?;
    Ok(SwapStep {
        next_price,
        amount_in,
        amount_out: amount_out.min(remaining),
        fee,
    })
}

/// Whether an input probably takes the price to its target. A guess: it decides only what is computed first.
fn seems_enough(
    current: U256,
    target: U256,
    liquidity: u128,
    remaining: U256,
    fee_ppm: u32,
) -> bool {
    let (from, to) = (about(current) / UNIT, about(target) / UNIT);
    let width = if from >= to {
        (from - to) / (from * to)
    } else {
        to - from
    };
    #[expect(clippy::cast_precision_loss, reason = "a guess")]
    let needed = liquidity as f64 * width;
    about(remaining) * f64::from(FEE_DENOMINATOR - fee_ppm) >= needed * f64::from(FEE_DENOMINATOR)
}

/// The number, but for roundings of its limbs.
#[expect(clippy::cast_precision_loss, reason = "a guess")]
fn about(value: U256) -> f64 {
    const LIMB: f64 = 18_446_744_073_709_551_616.0;
    value
        .as_limbs()
        .iter()
        .rev()
        .fold(0.0, |sum: f64, limb| sum * LIMB + *limb as f64)
}
