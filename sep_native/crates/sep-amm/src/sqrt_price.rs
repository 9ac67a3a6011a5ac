use ruint::aliases::U256;

use crate::AmmError;
use crate::math::{Q96, div_up, mul_div, mul_div_up};

const UINT160_BITS: usize = 160;
const TOO_LARGE: AmmError = AmmError::AmountTooLarge;

/// The amount of the first asset between two prices, rounded as asked.
pub(crate) fn amount0_delta(
    a: U256,
    b: U256,
    liquidity: u128,
    round_up: bool,
) -> Result<U256, AmmError> {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let scaled = U256::from(liquidity) << 96usize;
    let width = high - low;
    if round_up {
        mul_div_up(scaled, width, high)
            .map(|value| div_up(value, low))
            .ok_or(TOO_LARGE)
    } else {
        mul_div(scaled, width, high)
            .map(|value| value / low)
            .ok_or(TOO_LARGE)
    }
}

/// The amount of the second asset between two prices, rounded as asked.
pub(crate) fn amount1_delta(
    a: U256,
    b: U256,
    liquidity: u128,
    round_up: bool,
) -> Result<U256, AmmError> {
    let width = if a <= b { b - a } else { a - b };
    let rounded = if round_up { mul_div_up } else { mul_div };
    let liquidity = U256::from(liquidity);
    let Some(product) = liquidity.checked_mul(width) else {
        return rounded(liquidity, width, Q96).ok_or(TOO_LARGE);
    };
    let quotient = product >> 96usize;
    let remainder = product.as_limbs()[0] != 0 || product.as_limbs()[1] & 0xffff_ffff != 0;
    Ok(if round_up && remainder {
        quotient + U256::ONE
    } else {
        quotient
    })
}

/// The price after `amount` went in; rounded so that the pool never gives more than it may.
pub(crate) fn price_after_input(
    price: U256,
    liquidity: u128,
    amount: U256,
    zero_for_one: bool,
) -> Result<U256, AmmError> {
    if zero_for_one {
        after_amount0(price, liquidity, amount, true)
    } else {
        add_amount1(price, liquidity, amount)
    }
}

/// The price after `amount` went out; rounded so that the pool never asks for less than it must.
pub(crate) fn price_after_output(
    price: U256,
    liquidity: u128,
    amount: U256,
    zero_for_one: bool,
) -> Result<U256, AmmError> {
    if zero_for_one {
        remove_amount1(price, liquidity, amount)
    } else {
        after_amount0(price, liquidity, amount, false)
    }
}

fn after_amount0(price: U256, liquidity: u128, amount: U256, add: bool) -> Result<U256, AmmError> {
    if amount.is_zero() {
        return Ok(price);
    }
    let scaled = U256::from(liquidity) << 96usize;
    let product = amount.checked_mul(price);
    if add {
        if let Some(denominator) = product.and_then(|product| scaled.checked_add(product)) {
            return mul_div_up(scaled, price, denominator).ok_or(TOO_LARGE);
        }
        let denominator = (scaled / price).checked_add(amount).ok_or(TOO_LARGE)?;
        return Ok(div_up(scaled, denominator));
    }
    let denominator = product
        .and_then(|product| scaled.checked_sub(product))
        .ok_or(TOO_LARGE)?;
    let next = mul_div_up(scaled, price, denominator).ok_or(TOO_LARGE)?;
    if next.bit_len() > UINT160_BITS {
        Err(TOO_LARGE)
    } else {
        Ok(next)
    }
}

fn add_amount1(price: U256, liquidity: u128, amount: U256) -> Result<U256, AmmError> {
    let quotient = mul_div(amount, Q96, U256::from(liquidity)).ok_or(TOO_LARGE)?;
    let next = price.checked_add(quotient).ok_or(TOO_LARGE)?;
    if next.bit_len() > UINT160_BITS {
        Err(TOO_LARGE)
    } else {
        Ok(next)
    }
}

fn remove_amount1(price: U256, liquidity: u128, amount: U256) -> Result<U256, AmmError> {
    let quotient = mul_div_up(amount, Q96, U256::from(liquidity)).ok_or(TOO_LARGE)?;
    price
        .checked_sub(quotient)
        .filter(|next| !next.is_zero())
        .ok_or(TOO_LARGE)
}
