//! Numbers with 18 decimals as Balancer's contracts round them; `None` where the contract reverts.

use ruint::aliases::U256;

use crate::log_exp::power;
use crate::math::div_up as quotient_up;

/// One, with 18 decimals.
pub(crate) const ONE: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);
const TWO: U256 = U256::from_limbs([2_000_000_000_000_000_000, 0, 0, 0]);
const FOUR: U256 = U256::from_limbs([4_000_000_000_000_000_000, 0, 0, 0]);
/// Relative error of a power, with 18 decimals.
const POWER_ERROR: U256 = U256::from_limbs([10_000, 0, 0, 0]);

/// The vault stores balances as 112-bit numbers.
pub(crate) const BALANCE_BITS: usize = 112;

/// Whether the vault can hold so much more of an asset.
pub(crate) fn fits_vault(balance: U256, amount_in: U256) -> bool {
    balance
        .checked_add(amount_in)
        .is_some_and(|balance| balance.bit_len() <= BALANCE_BITS)
}

/// `a * b`, rounded down.
pub(crate) fn mul_down(a: U256, b: U256) -> Option<U256> {
    a.checked_mul(b).map(|product| product / ONE)
}

/// `a * b`, rounded up.
pub(crate) fn mul_up(a: U256, b: U256) -> Option<U256> {
    a.checked_mul(b).map(|product| quotient_up(product, ONE))
}

/// `a / b`, rounded down.
pub(crate) fn div_down(a: U256, b: U256) -> Option<U256> {
    a.checked_mul(ONE)?.checked_div(b)
}

/// `a / b`, rounded up.
pub(crate) fn div_up(a: U256, b: U256) -> Option<U256> {
    let inflated = a.checked_mul(ONE)?;
    (!b.is_zero()).then(|| quotient_up(inflated, b))
}

/// `1 - x`, or 0 where `x` is above one.
pub(crate) fn complement(x: U256) -> U256 {
    ONE.saturating_sub(x)
}

/// `x ^ y`, never below the true value; exponents 1, 2 and 4 go without a logarithm.
pub(crate) fn pow_up(x: U256, y: U256) -> Option<U256> {
    if y == ONE {
        return Some(x);
    }
    if y == TWO {
        return mul_up(x, x);
    }
    if y == FOUR {
        let square = mul_up(x, x)?;
        return mul_up(square, square);
    }
    let raw = power(x, y)?;
    raw.checked_add(mul_up(raw, POWER_ERROR)?.checked_add(U256::ONE)?)
}
