//! Powers with 18 decimals through a logarithm and an exponential, digit by digit as Balancer's contracts compute
//! them. Signed divisions truncate towards zero there, so magnitudes and a sign give the same digits.

use ruint::aliases::U256;

/// Ten to the power of `exponent`, at most 38.
const fn ten(exponent: u32) -> U256 {
    wide(10_u128.pow(exponent))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the limbs are cut out of the number"
)]
const fn wide(value: u128) -> U256 {
    U256::from_limbs([value as u64, (value >> 64) as u64, 0, 0])
}

/// A whole number with 20 decimals.
const fn whole_20(value: u128) -> U256 {
    wide(value * 10_u128.pow(20))
}

const ONE_18: U256 = ten(18);
const ONE_20: U256 = ten(20);
const ONE_36: U256 = ten(36);

/// Natural exponents with 18 decimals stay within -41 and 130.
const EXPONENT_MAX: U256 = wide(130 * 10_u128.pow(18));
const EXPONENT_MIN: U256 = wide(41 * 10_u128.pow(18));

/// Arguments strictly between these take the logarithm of 36 decimals.
const NEAR_ONE: (U256, U256) = (wide(9 * 10_u128.pow(17)), wide(11 * 10_u128.pow(17)));

/// 2^254 / 10^20: exponents from here on could overflow.
const MILD_EXPONENT: U256 = U256::from_limbs([
    0x4181_ea80_59f7_6532,
    0xa88f_4bb1_ca6b_cf58,
    0x0bce_5086_4921_11ae,
    0,
]);

/// 128 and 64 with 18 decimals, and e to them without decimals.
const LARGE_TERMS: [(U256, U256); 2] = [
    (
        wide(128 * 10_u128.pow(18)),
        // 388,770,840,599,459,509,222 * 10^35
        U256::from_limbs([
            0x0262_8270_0000_0000,
            0xf53a_2717_2fa9_ec63,
            0x0195_e54c_5dd4_2177,
            0,
        ]),
    ),
    (
        wide(64 * 10_u128.pow(18)),
        wide(6_235_149_080_811_616_882_910_000_000),
    ),
];

/// 32, 16, … 1/16 with 20 decimals, and e to them with 20 decimals.
const SMALL_TERMS: [(U256, U256); 10] = [
    (
        whole_20(32),
        wide(7_896_296_018_268_069_516_100_000_000_000_000),
    ),
    (whole_20(16), wide(888_611_052_050_787_263_676_000_000)),
    (whole_20(8), wide(298_095_798_704_172_827_474_000)),
    (whole_20(4), wide(5_459_815_003_314_423_907_810)),
    (whole_20(2), wide(738_905_609_893_065_022_723)),
    (whole_20(1), wide(271_828_182_845_904_523_536)),
    (
        wide(50_000_000_000_000_000_000),
        wide(164_872_127_070_012_814_685),
    ),
    (
        wide(25_000_000_000_000_000_000),
        wide(128_402_541_668_774_148_407),
    ),
    (
        wide(12_500_000_000_000_000_000),
        wide(113_314_845_306_682_631_683),
    ),
    (
        wide(6_250_000_000_000_000_000),
        wide(106_449_445_891_785_942_956),
    ),
];

/// `x ^ y`; `None` where the exponent leaves the contract's bounds.
///
/// `x` is a ratio of balances within the swap limits and `y` one of weights, so no product here passes 256 bits.
pub(crate) fn power(x: U256, y: U256) -> Option<U256> {
    if y.is_zero() {
        return Some(ONE_18);
    }
    if x.is_zero() {
        return Some(U256::ZERO);
    }
    if y >= MILD_EXPONENT {
        return None;
    }
    let below_one = x < ONE_18;
    let exponent = if NEAR_ONE.0 < x && x < NEAR_ONE.1 {
        let (whole, rest) = logarithm_near_one(x).div_rem(ONE_18);
        (whole * y + rest * y / ONE_18) / ONE_18
    } else if below_one {
        logarithm(ONE_36 / x) * y / ONE_18
    } else {
        logarithm(x) * y / ONE_18
    };
    if below_one {
        (exponent <= EXPONENT_MIN).then(|| ONE_36 / exponential(exponent))
    } else {
        (exponent <= EXPONENT_MAX).then(|| exponential(exponent))
    }
}

/// e to the power of `x`, which is not negative.
fn exponential(mut x: U256) -> U256 {
    let mut large = U256::ONE;
    for (term, value) in LARGE_TERMS {
        if x >= term {
            x -= term;
            large = value;
            break;
        }
    }
    x *= U256::from(100u8);
    let mut product = ONE_20;
    // The contract leaves the two smallest terms to the series.
    for (term, value) in &SMALL_TERMS[..8] {
        if x >= *term {
            x -= *term;
            product = product * *value / ONE_20;
        }
    }
    let mut sum = ONE_20 + x;
    let mut term = x;
    for divisor in 2..=12_u8 {
        term = term * x / ONE_20 / U256::from(divisor);
        sum += term;
    }
    product * sum / ONE_20 * large / U256::from(100u8)
}

/// The natural logarithm of `x`, which is not below one, with 18 decimals.
fn logarithm(mut x: U256) -> U256 {
    let mut sum = U256::ZERO;
    for (term, value) in LARGE_TERMS {
        if x >= value * ONE_18 {
            x /= value;
            sum += term;
        }
    }
    sum *= U256::from(100u8);
    x *= U256::from(100u8);
    for (term, value) in SMALL_TERMS {
        if x >= value {
            x = x * ONE_20 / value;
            sum += term;
        }
    }
    let ratio = (x - ONE_20) * ONE_20 / (x + ONE_20);
    (sum + series(ratio, ONE_20, 11)) / U256::from(100u8)
}

/// The magnitude of the natural logarithm of `x`, which is close to one, with 36 decimals.
fn logarithm_near_one(x: U256) -> U256 {
    let x = x * ONE_18;
    let ratio = x.abs_diff(ONE_36) * ONE_36 / (x + ONE_36);
    series(ratio, ONE_36, 15)
}

/// Twice the sum of `ratio ^ k / k` over the odd numbers to `last`.
fn series(ratio: U256, one: U256, last: u8) -> U256 {
    let square = ratio * ratio / one;
    let mut sum = ratio;
    let mut power = ratio;
    for divisor in (3..=last).step_by(2) {
        power = power * square / one;
        sum += power / U256::from(divisor);
    }
    sum << 1usize
}
