use ruint::aliases::U256;

use crate::math::{mul_div, mul_div_up};
use crate::sqrt_price::{amount0_delta, amount1_delta, price_after_input, price_after_output};
use crate::{AmmError, FEE_DENOMINATOR};

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
        let after_fee = mul_div(remaining, kept, U256::from(FEE_DENOMINATOR))
            .ok_or(AmmError::AmountTooLarge)?;
        let whole = amount_in_to(target)?;
        let (next_price, amount_in) = if after_fee >= whole {
            (target, whole)
        } else {
            let next = price_after_input(current, liquidity, after_fee, zero_for_one)?;
            (
                next,
                if next == target {
                    whole
                } else {
                    amount_in_to(next)?
                },
            )
        };
        let amount_out = amount_out_to(next_price)?;
        let fee = if next_price == target {
            mul_div_up(amount_in, fee, kept).ok_or(AmmError::AmountTooLarge)?
        } else {
            // What the last piece leaves over is fee as well.
            remaining - amount_in
        };
        return Ok(SwapStep {
            next_price,
            amount_in,
            amount_out,
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
