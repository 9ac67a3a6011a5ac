use ruint::aliases::U256;

use super::invariant::ROUNDS;
use crate::math::div_up;

/// The balance of asset `wanted` that keeps the invariant with all the other balances, rounded up.
///
/// All balances are scaled; the one of `wanted` itself only balances the products. `total` is amplification times
/// number of assets.
pub(crate) fn balance_of(
    balances: &[U256],
    wanted: usize,
    invariant: U256,
    total: U256,
    precision: U256,
) -> Option<U256> {
    let count = U256::from(balances.len());
    let (first, rest) = balances.split_first()?;
    let mut sum = *first;
    let mut product = first.checked_mul(count)?;
    for balance in rest {
        product = product
            .checked_mul(*balance)?
            .checked_mul(count)?
            .checked_div(invariant)?;
        sum = sum.checked_add(*balance)?;
    }
    sum = sum.checked_sub(balances[wanted])?;
    let square = invariant.checked_mul(invariant)?;
    let divisor = total
        .checked_mul(product)
        .filter(|value| !value.is_zero())?;
    let constant = div_up(square, divisor)
        .checked_mul(precision)?
        .checked_mul(balances[wanted])?;
    let linear = sum.checked_add(invariant.checked_div(total)?.checked_mul(precision)?)?;
    let mut now = div_up(
        square.checked_add(constant)?,
        invariant.checked_add(linear)?,
    );
    for _ in 0..ROUNDS {
        let before = now;
        let denominator = (now << 1usize)
            .checked_add(linear)?
            .checked_sub(invariant)
            .filter(|value| !value.is_zero())?;
        now = div_up(now.checked_mul(now)?.checked_add(constant)?, denominator);
        if now.abs_diff(before) <= U256::ONE {
            return Some(now);
        }
    }
    None
}
