//! The real-valued side agrees with the exact one: what a response says goes in buys what it says comes out, the
//! next unit is worth less than the price, and the gain is the envelope of the inputs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp, missing_docs)]

use proptest::prelude::*;
use sep_amm::real::{Ramp, RealConcentrated, RealConstantProduct, RealMarket};
use sep_amm::{AmmError, ConcentratedLiquidity, ConstantProduct, U256, sqrt_price_at_tick};

fn whole(amount: f64) -> U256 {
    U256::from(amount)
}

/// Holds a response against exact quotes of the same state.
fn check(
    real: &dyn RealMarket,
    quote: &dyn Fn(usize, U256) -> Result<U256, AmmError>,
    side: usize,
    depth: f64,
) -> Result<(), TestCaseError> {
    let rate = real.log_rate(side, 1 - side);
    if rate == f64::NEG_INFINITY {
        return Ok(());
    }
    let price = rate - depth;
    let response = real.respond(side, 1 - side, price, Ramp::default());
    prop_assert!(response.gain >= 0.0 && response.stiffness >= 0.0);
    prop_assert_eq!(
        real.respond(side, 1 - side, rate, Ramp::default())
            .amount_in,
        0.0
    );
    if response.amount_in < 1e9 || response.amount_out < 1e9 {
        return Ok(());
    }
    let exact = f64::from(quote(side, whole(response.amount_in * (1.0 - 1e-12))).unwrap());
    prop_assert!(
        exact <= response.amount_out * (1.0 + 1e-9),
        "{exact} {response:?}"
    );
    prop_assert!(
        exact >= response.amount_out * (1.0 - 1e-6) - 1e3,
        "{exact} {response:?}"
    );
    // Other amounts earn no more at this price.
    let earned = response.amount_out - price.exp() * response.amount_in;
    prop_assert!((earned - response.gain).abs() <= 1e-9 * response.amount_out);
    for factor in [0.5, 0.9, 1.1, 2.0] {
        let amount = response.amount_in * factor;
        if let Ok(out) = quote(side, whole(amount)) {
            prop_assert!(
                f64::from(out) - price.exp() * amount
                    <= response.gain + 1e-9 * response.amount_out.max(f64::from(out))
            );
            // Nor do they buy more than the curve allows, and take less.
            let most = real.output_at_most(side, 1 - side, amount);
            prop_assert!(f64::from(out) <= most * (1.0 + 1e-9));
            prop_assert!(f64::from(out) >= most * (1.0 - 1e-6) - 1e3);
            let least = real.input_at_least(side, 1 - side, f64::from(out));
            prop_assert!(least <= amount * (1.0 + 1e-9));
        }
    }
    // The slope is that of the amount in.
    let step = 1e-6;
    let further = real.respond(side, 1 - side, price - step, Ramp::default());
    let slope = (further.amount_in - response.amount_in) / step;
    let at_a_tick = (further.stiffness - response.stiffness).abs() > 1e-3 * response.stiffness;
    prop_assert!(
        at_a_tick
            || (slope - response.stiffness).abs() <= 1e-3 * response.stiffness + 1e-3 * slope.abs()
    );
    Ok(())
}

proptest! {
    #[test]
    fn constant_product(
        reserve0 in 10u128.pow(10)..10u128.pow(30),
        reserve1 in 10u128.pow(10)..10u128.pow(30),
        fee in prop::sample::select(&[0u32, 100, 3000, 10_000][..]),
        depth in 1e-5f64..3.0,
        side in 0usize..2,
    ) {
        let pool = ConstantProduct::new(U256::from(reserve0), U256::from(reserve1), fee).unwrap();
        let quote = |side, amount| pool.quote(side == 0, amount, true).map(|quote| quote.amount_out);
        check(&RealConstantProduct::from(&pool), &quote, side, depth)?;
    }

    #[test]
    fn concentrated(
        tick in -50_000i32..50_000,
        ranges in prop::collection::vec((-40i32..40, 1i32..60, 10i128.pow(14)..10i128.pow(24)), 1..6),
        fee in prop::sample::select(&[100u32, 3000, 10_000][..]),
        depth in 1e-5f64..1.0,
        side in 0usize..2,
    ) {
        let mut pool = ConcentratedLiquidity::initialized(sqrt_price_at_tick(tick).unwrap(), fee, 10).unwrap();
        for (offset, width, liquidity) in ranges {
            let lower = (tick.div_euclid(10) + offset) * 10;
            pool = pool.with_liquidity(lower, lower + width * 10, liquidity).unwrap();
        }
        let quote = |side, amount| pool.quote(side == 0, amount, true).map(|quote| quote.amount_out);
        check(&RealConcentrated::from(&pool), &quote, side, depth)?;
    }

    #[test]
    fn concentrated_without_an_end_is_a_product(
        liquidity in 10i128.pow(15)..10i128.pow(20), depth in 1e-4f64..1.0, side in 0usize..2,
    ) {
        let pool = ConcentratedLiquidity::initialized(U256::ONE << 96, 3000, 60).unwrap()
            .with_liquidity(-887_220, 887_220, liquidity).unwrap();
        let reserve = U256::from(liquidity);
        let product = ConstantProduct::new(reserve, reserve, 3000).unwrap();
        let (a, b) = (RealConcentrated::from(&pool), RealConstantProduct::from(&product));
        let price = a.log_rate(side, 1 - side) - depth;
        let (a, b) = (a.respond(side, 1 - side, price, Ramp::default()), b.respond(side, 1 - side, price, Ramp::default()));
        prop_assert!((a.amount_in / b.amount_in - 1.0).abs() < 1e-9);
        prop_assert!((a.amount_out / b.amount_out - 1.0).abs() < 1e-9);
        prop_assert!((a.gain / b.gain - 1.0).abs() < 1e-6);
    }
}

#[test]
fn an_empty_pool_buys_nothing_and_an_edge_takes_all() {
    let empty = ConcentratedLiquidity::initialized(U256::ONE << 96, 3000, 60).unwrap();
    assert_eq!(
        RealConcentrated::from(&empty).log_rate(0, 1),
        f64::NEG_INFINITY
    );
    let narrow = empty.with_liquidity(60, 120, 10i128.pow(20)).unwrap();
    let real = RealConcentrated::from(&narrow);
    assert_eq!(real.log_rate(0, 1), f64::NEG_INFINITY);
    let rate = real.log_rate(1, 0);
    // The range begins one tick of 60 above the price.
    assert!((rate - (0.997f64.ln() - 60.0 * 1.0001f64.ln())).abs() < 1e-12);
    let all = real.respond(1, 0, rate - 1.0, Ramp::default());
    assert_eq!(all.stiffness, 0.0);
    let error = narrow
        .quote(false, U256::from(10u128.pow(30)), true)
        .unwrap_err();
    let AmmError::InsufficientLiquidity {
        amount_in,
        amount_out,
    } = error
    else {
        panic!("{error}")
    };
    assert!((all.amount_in / f64::from(amount_in) - 1.0).abs() < 1e-9);
    assert!((all.amount_out / f64::from(amount_out) - 1.0).abs() < 1e-9);
}
