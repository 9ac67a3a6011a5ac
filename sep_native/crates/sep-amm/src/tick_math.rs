use ruint::aliases::U256;

use crate::AmmError;

/// The lowest tick that a pool can hold.
pub const TICK_MIN: i32 = -887_272;
/// The highest tick that a pool can hold.
pub const TICK_MAX: i32 = 887_272;
/// The square-root price at the lowest tick.
pub const SQRT_PRICE_MIN: U256 = U256::from_limbs([4_295_128_739, 0, 0, 0]);
/// The square-root price at the highest tick; prices of pools stay below it.
pub const SQRT_PRICE_MAX: U256 =
    U256::from_limbs([0x5d95_1d52_6398_8d26, 0xefd1_fc6a_5064_8849, 0xfffd_8963, 0]);

/// `round(2^128 / 1.0001^(2^i / 2))` for i = 0 to 19: one factor for each bit of a tick.
const FACTORS: [u128; 20] = [
    0xfffc_b933_bd6f_ad37_aa2d_162d_1a59_4001,
    0xfff9_7272_373d_4132_59a4_6990_580e_213a,
    0xfff2_e50f_5f65_6932_ef12_357c_f3c7_fdcc,
    0xffe5_caca_7e10_e4e6_1c36_24ea_a094_1cd0,
    0xffcb_9843_d60f_6159_c9db_5883_5c92_6644,
    0xff97_3b41_fa98_c081_472e_6896_dfb2_54c0,
    0xff2e_a164_66c9_6a38_43ec_78b3_26b5_2861,
    0xfe5d_ee04_6a99_a2a8_11c4_61f1_969c_3053,
    0xfcbe_86c7_900a_88ae_dcff_c83b_479a_a3a4,
    0xf987_a725_3ac4_1317_6f2b_074c_f781_5e54,
    0xf339_2b08_22b7_0005_940c_7a39_8e4b_70f3,
    0xe715_9475_a2c2_9b74_43b2_9c7f_a6e8_89d9,
    0xd097_f3bd_fd20_22b8_845a_d8f7_92aa_5825,
    0xa9f7_4646_2d87_0fdf_8a65_dc1f_90e0_61e5,
    0x70d8_69a1_56d2_a1b8_90bb_3df6_2baf_32f7,
    0x31be_135f_97d0_8fd9_8123_1505_542f_cfa6,
    0x09aa_508b_5b7a_84e1_c677_de54_f3e9_9bc9,
    0x005d_6af8_dedb_8119_6699_c329_225e_e604,
    0x0000_2216_e584_f5fa_1ea9_2604_1bed_fe98,
    0x0000_0000_048a_1703_91f7_dc42_444e_8fa2,
];

/// The square-root price at a tick, as the contract computes it, or an error outside the tick bounds.
pub fn sqrt_price_at_tick(tick: i32) -> Result<U256, AmmError> {
    if (TICK_MIN..=TICK_MAX).contains(&tick) {
        Ok(sqrt_price_within(tick))
    } else {
        Err(AmmError::InvalidState(
            "the tick is outside -887272 to 887272",
        ))
    }
}

/// The greatest tick whose square-root price is not above the one given.
pub fn tick_at_sqrt_price(sqrt_price_x96: U256) -> Result<i32, AmmError> {
    if sqrt_price_x96 < SQRT_PRICE_MIN || sqrt_price_x96 >= SQRT_PRICE_MAX {
        return Err(AmmError::InvalidState(
            "the square-root price is outside the pool's bounds",
        ));
    }
    Ok(tick_within(sqrt_price_x96))
}

/// As `sqrt_price_at_tick`, for a tick known to lie within the bounds.
pub(crate) fn sqrt_price_within(tick: i32) -> U256 {
    // The product starts at 2^128, which needs 129 bits: `None` stands for it.
    let mut ratio: Option<u128> = None;
    let mut bits = tick.unsigned_abs();
    while bits != 0 {
        let factor = FACTORS[bits.trailing_zeros() as usize];
        ratio = Some(ratio.map_or(factor, |value| multiply_high(value, factor)));
        bits &= bits - 1;
    }
    let Some(ratio) = ratio else {
        return U256::from_limbs([0, 1 << 32, 0, 0]);
    };
    let ratio = if tick > 0 {
        U256::MAX / U256::from(ratio)
    } else {
        U256::from(ratio)
    };
    let rounded_up = ratio.as_limbs()[0] & 0xffff_ffff != 0;
    (ratio >> 32usize) + U256::from(u8::from(rounded_up))
}

/// As `tick_at_sqrt_price`, for a price known to lie within the bounds.
pub(crate) fn tick_within(sqrt_price_x96: U256) -> i32 {
    const LOG_OF_SQRT_BASE: f64 = 4.999_750_016_665_417e-5; // ln(1.0001) / 2
    const LOG_OF_Q96: f64 = 66.542_129_333_754_75; // ln(2^96)
    let estimate = ((f64::from(sqrt_price_x96).ln() - LOG_OF_Q96) / LOG_OF_SQRT_BASE).floor();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the bounds of the price hold it within 21 bits"
    )]
    let mut tick = (estimate as i32).clamp(TICK_MIN, TICK_MAX - 1);
    // The estimate is off by one at most; the loops make the answer exact whatever the logarithm was.
    while tick > TICK_MIN && sqrt_price_within(tick) > sqrt_price_x96 {
        tick -= 1;
    }
    while tick < TICK_MAX - 1 && sqrt_price_within(tick + 1) <= sqrt_price_x96 {
        tick += 1;
    }
    tick
}

/// The upper 128 bits of a product of two 128-bit numbers.
fn multiply_high(a: u128, b: u128) -> u128 {
    const LOW: u128 = u64::MAX as u128;
    let (a_high, a_low) = (a >> 64, a & LOW);
    let (b_high, b_low) = (b >> 64, b & LOW);
    let middle = a_high * b_low + ((a_low * b_low) >> 64);
    let carried = a_low * b_high + (middle & LOW);
    a_high * b_high + (middle >> 64) + (carried >> 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bounds_and_zero_are_those_of_the_contract() {
        assert_eq!(sqrt_price_within(TICK_MIN), SQRT_PRICE_MIN);
        assert_eq!(sqrt_price_within(TICK_MAX), SQRT_PRICE_MAX);
        assert_eq!(sqrt_price_within(0), U256::ONE << 96);
        assert_eq!(tick_at_sqrt_price(SQRT_PRICE_MIN), Ok(TICK_MIN));
        assert_eq!(
            tick_at_sqrt_price(SQRT_PRICE_MAX - U256::ONE),
            Ok(TICK_MAX - 1)
        );
        assert!(tick_at_sqrt_price(SQRT_PRICE_MAX).is_err());
        assert!(tick_at_sqrt_price(SQRT_PRICE_MIN - U256::ONE).is_err());
        assert!(sqrt_price_at_tick(TICK_MAX + 1).is_err());
        assert!(sqrt_price_at_tick(TICK_MIN - 1).is_err());
    }

    proptest! {
        #[test]
        fn a_tick_is_found_again(tick in TICK_MIN..TICK_MAX) {
            let price = sqrt_price_within(tick);
            prop_assert_eq!(tick_within(price), tick);
            let next = sqrt_price_within(tick + 1);
            prop_assert!(next > price);
            prop_assert_eq!(tick_within(next - U256::ONE), tick);
        }
    }
}
