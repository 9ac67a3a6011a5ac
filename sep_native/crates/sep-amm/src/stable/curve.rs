use ruint::aliases::U256;

use super::invariant::ROUNDS;

/// The balance of asset `wanted` that keeps the invariant when asset `given` holds `given_balance`.
///
/// All balances are scaled; `total` is amplification times number of assets.
pub(crate) fn balance_of(
    balances: &[U256],
    (given, given_balance): (usize, U256),
    wanted: usize,
    invariant: U256,
    total: U256,
    precision: U256,
) -> Option<U256> {
    let count = U256::from(balances.len());
    let mut constant = invariant;
    let mut sum = U256::ZERO;
    for (at, balance) in balances.iter().enumerate() {
        if at == wanted {
            continue;
        }
        let balance = if at == given { given_balance } else { *balance };
        sum = sum.checked_add(balance)?;
        constant = constant
            .checked_mul(invariant)?
            .checked_div(balance.checked_mul(count)?)?;
    }
    constant = constant
        .checked_mul(invariant)?
        .checked_mul(precision)?
        .checked_div(total.checked_mul(count)?)?;
    let linear = sum.checked_add(invariant.checked_mul(precision)?.checked_div(total)?)?;
    let mut now = invariant;
    for _ in 0..ROUNDS {
        let before = now;
        let denominator = (now << 1usize)
            .checked_add(linear)?
            .checked_sub(invariant)?;
        now = now
            .checked_mul(now)?
            .checked_add(constant)?
            .checked_div(denominator)?;
        if now.abs_diff(before) <= U256::ONE {
            return Some(now);
        }
    }
    None
}
