use ruint::aliases::{U256, U512};

/// 2^96, the unit of square-root prices.
pub(crate) const Q96: U256 = U256::from_limbs([0, 1 << 32, 0, 0]);

/// `a * b / denominator` rounded down, with a product of 512 bits; `None` where the result does not fit.
pub(crate) fn mul_div(a: U256, b: U256, denominator: U256) -> Option<U256> {
    if denominator.is_zero() {
        return None;
    }
    if let Some(product) = a.checked_mul(b) {
        return Some(product / denominator);
    }
    let product: U512 = a.widening_mul(b);
    narrow(product / U512::from(denominator))
}

/// `a * b / denominator` rounded up; `None` where the result does not fit.
pub(crate) fn mul_div_up(a: U256, b: U256, denominator: U256) -> Option<U256> {
    if denominator.is_zero() {
        return None;
    }
    if let Some(product) = a.checked_mul(b) {
        return Some(div_up(product, denominator));
    }
    let product: U512 = a.widening_mul(b);
    let (quotient, remainder) = product.div_rem(U512::from(denominator));
    let quotient = narrow(quotient)?;
    if remainder.is_zero() {
        Some(quotient)
    } else {
        quotient.checked_add(U256::ONE)
    }
}

/// `a / denominator` rounded up; the denominator is not zero.
pub(crate) fn div_up(a: U256, denominator: U256) -> U256 {
    let (quotient, remainder) = a.div_rem(denominator);
    // A quotient of all ones leaves no remainder, so the sum cannot wrap.
    if remainder.is_zero() {
        quotient
    } else {
        quotient + U256::ONE
    }
}

fn narrow(value: U512) -> Option<U256> {
    let limbs = value.as_limbs();
    limbs[4..]
        .iter()
        .all(|limb| *limb == 0)
        .then(|| U256::from_limbs([limbs[0], limbs[1], limbs[2], limbs[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_512_bits_are_exact() {
        assert_eq!(mul_div(U256::MAX, U256::MAX, U256::MAX), Some(U256::MAX));
        assert_eq!(mul_div_up(U256::MAX, U256::MAX, U256::MAX), Some(U256::MAX));
        assert_eq!(mul_div(U256::MAX, U256::from(2), U256::ONE), None);
        assert_eq!(
            mul_div(U256::MAX, U256::from(3), U256::from(4)),
            Some(U256::MAX / U256::from(4) * U256::from(3) + U256::from(2))
        );
        assert_eq!(mul_div(U256::ONE, U256::ONE, U256::ZERO), None);
        assert_eq!(
            mul_div_up(U256::from(7), U256::ONE, U256::from(2)),
            Some(U256::from(4))
        );
    }
}
