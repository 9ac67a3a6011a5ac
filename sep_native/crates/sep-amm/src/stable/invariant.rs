use ruint::aliases::U256;

/// Both contracts give up after this many rounds.
pub(crate) const ROUNDS: usize = 255;

/// The invariant of these scaled balances, by Newton until a round moves it by 1 at most.
///
/// `total` is amplification times number of assets. `None` where the contract reverts: a balance is nothing, a number
/// leaves 256 bits, or the rounds go on for ever.
pub(crate) fn invariant(balances: &[U256], total: U256, precision: U256) -> Option<U256> {
    let count = U256::from(balances.len());
    let sum = balances
        .iter()
        .try_fold(U256::ZERO, |sum, balance| sum.checked_add(*balance))?;
    let weighted_sum = total.checked_mul(sum)? / precision;
    let excess = total.checked_sub(precision)?;
    let mut now = sum;
    for _ in 0..ROUNDS {
        let mut product = now;
        for balance in balances {
            product = product
                .checked_mul(now)?
                .checked_div(balance.checked_mul(count)?)?;
        }
        let numerator = weighted_sum
            .checked_add(product.checked_mul(count)?)?
            .checked_mul(now)?;
        let denominator = (excess.checked_mul(now)? / precision)
            .checked_add((count + U256::ONE).checked_mul(product)?)?;
        let before = now;
        now = numerator.checked_div(denominator)?;
        if now.abs_diff(before) <= U256::ONE {
            return Some(now);
        }
    }
    None
}
