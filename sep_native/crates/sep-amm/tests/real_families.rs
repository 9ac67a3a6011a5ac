//! The real-valued side of stable and weighted pools, books, lanes and sampled venues agrees with the exact one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp, missing_docs)]

use proptest::prelude::*;
use sep_amm::real::{
    LinearLadder, Ramp, RealLane, RealMarket, RealOrderBook, RealSampled, RealStableSwap,
    RealWeightedProduct, Response,
};
use sep_amm::{
    Ladder, Lane, LaneTerms, Level, OrderBook, Quote, Sampled, StableRule, StableSwap, U256,
    WeightedProduct,
};

const UNIT: u64 = 1_000_000_000_000_000_000;

type Exact<'a> = &'a dyn Fn(U256) -> Option<Quote>;

/// No exact quote earns more at this price than the response says, whatever its size.
fn check_gain(
    response: &Response,
    price: f64,
    exact: Exact<'_>,
    slack: f64,
) -> Result<(), TestCaseError> {
    prop_assert!(response.gain >= 0.0 && response.stiffness >= 0.0);
    prop_assert!(response.amount_in >= 0.0 && response.amount_out >= 0.0);
    for factor in [
        0.001, 0.1, 0.5, 0.9, 0.99, 1.0, 1.01, 1.1, 2.0, 10.0, 1000.0,
    ] {
        let amount = U256::from(response.amount_in * factor);
        if let Some(quote) = exact(amount) {
            let earned = f64::from(quote.amount_out) - price * f64::from(quote.amount_in);
            prop_assert!(
                earned
                    <= response.gain
                        + slack
                        + 1e-12 * f64::from(quote.amount_out).max(response.amount_out),
                "{earned} at {factor}: {response:?}"
            );
        }
    }
    Ok(())
}

/// No exact quote gives more, or takes less, than the curve allows.
fn check_reach(
    real: &dyn RealMarket,
    pair: (usize, usize),
    amount_in: f64,
    exact: Exact<'_>,
    slack: f64,
) -> Result<(), TestCaseError> {
    for factor in [1e-6, 0.001, 0.1, 0.5, 0.999, 1.0, 1.001, 2.0, 10.0, 1000.0] {
        let amount = U256::from(amount_in * factor);
        if let Some(quote) = exact(amount) {
            let (given, bought) = (f64::from(quote.amount_in), f64::from(quote.amount_out));
            let most = real.output_at_most(pair.0, pair.1, given);
            let least = real.input_at_least(pair.0, pair.1, bought - slack);
            prop_assert!(
                bought <= most * (1.0 + 1e-9) + slack,
                "{bought} of {most} at {factor}"
            );
            prop_assert!(
                least <= given * (1.0 + 1e-9),
                "{least} of {given} at {factor}"
            );
        }
    }
    Ok(())
}

/// The response of a curved market is the exact quote of its input, its slope that of the input over the price.
fn check_curved(
    real: &dyn RealMarket,
    pair: (usize, usize),
    depth: f64,
    exact: Exact<'_>,
    unit: f64,
    slack: f64,
) -> Result<(), TestCaseError> {
    let rate = real.log_rate(pair.0, pair.1);
    prop_assert_eq!(
        real.respond(pair.0, pair.1, rate, Ramp::default()),
        Response::default()
    );
    prop_assert_eq!(
        real.respond(pair.0, pair.1, rate + 0.1, Ramp::default()),
        Response::default()
    );
    let price = rate - depth;
    let response = real.respond(pair.0, pair.1, price, Ramp::default());
    check_gain(&response, price.exp(), exact, slack)?;
    check_reach(real, pair, response.amount_in, exact, slack)?;
    let most = real.output_at_most(pair.0, pair.1, response.amount_in);
    prop_assert!((most / response.amount_out - 1.0).abs() <= 1e-9);
    let earned = response.amount_out - price.exp() * response.amount_in;
    prop_assert!((earned - response.gain).abs() <= 1e-12 * response.amount_out + 1e-300);
    let step = 1e-7 * (1.0 + depth);
    let further = real.respond(pair.0, pair.1, price - step, Ramp::default());
    prop_assert!(further.amount_in >= response.amount_in * (1.0 - 1e-12));
    let mean = f64::midpoint(response.stiffness, further.stiffness);
    if response.stiffness > 0.0 && further.stiffness > 0.0 {
        let slope = (further.amount_in - response.amount_in) / step;
        // Differences of nearly equal amounts lose digits.
        let blur = 1e-14 * response.amount_in / step;
        prop_assert!(
            (slope - mean).abs() <= 1e-3 * mean + 100.0 * blur,
            "{slope} {mean} {response:?}"
        );
    }
    if response.amount_in > 1e6 * unit
        && response.amount_out > 1e6
        && let Some(quote) = exact(U256::from(response.amount_in.floor()))
    {
        let out = f64::from(quote.amount_out);
        prop_assert!(
            out <= response.amount_out * (1.0 + 1e-12) + slack,
            "{out} {response:?}"
        );
        prop_assert!(
            out >= response.amount_out * (1.0 - 1e-9) - slack,
            "{out} {response:?}"
        );
    }
    Ok(())
}

prop_compose! {
    fn stable()(
        rule in prop::sample::select(&[StableRule::Curve, StableRule::Balancer][..]),
        // Some units of 18 decimals, apart by a factor of a few.
        base in 1e3f64..1e9, parts in prop::collection::vec((0.1f64..10.0, prop::sample::select(&[6u32, 8, 18][..])), 2..6),
        amplification in prop::sample::select(&[1u64, 10, 100, 200, 2000, 5000][..]),
        fee in 0u64..100,
    ) -> (StableSwap, f64) {
        let rates = parts.iter().map(|(_, decimals)| U256::from(10u128.pow(36 - decimals))).collect();
        let balances = parts.iter().map(|(part, decimals)| U256::from(base * part * 10f64.powi(decimals.cast_signed()))).collect();
        let fee = fee * (rule.fee_denominator() / 100_000);
        (StableSwap::new(rule, balances, rates, amplification * rule.amplification_precision(), fee).unwrap(), base)
    }
}

/// A base unit of the output is this much of the pool's own 18 decimals; both rules round there by a few units.
fn slack_of(pool: &StableSwap, asset: usize) -> f64 {
    4.0 * (1e18 / f64::from(pool.rates()[asset])).max(1.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn stable_pools((pool, _) in stable(), at in 0usize..8, other in 1usize..8, depth in 1e-6f64..2.0) {
        let count = pool.balances().len();
        let asset_in = at % count;
        let asset_out = (asset_in + 1 + other % (count - 1)) % count;
        let real = RealStableSwap::from(&pool);
        let exact = |amount| pool.quote(asset_in, asset_out, amount, true).ok();
        let decimals_in = 1e18 / f64::from(pool.rates()[asset_in]);
        check_curved(&real, (asset_in, asset_out), depth, &exact, decimals_in, slack_of(&pool, asset_out))?;
    }

    #[test]
    fn a_stable_pool_answers_any_price((pool, _) in stable(), depth in 0f64..400.0) {
        let real = RealStableSwap::from(&pool);
        let rate = real.log_rate(0, 1);
        let response = real.respond(0, 1, rate - depth, Ramp::default());
        prop_assert!(response.amount_in.is_finite() && response.amount_out.is_finite() && response.gain >= 0.0);
        prop_assert!(response.amount_out <= f64::from(pool.balances()[1]));
        prop_assert!(response.stiffness.is_finite() && response.stiffness >= 0.0);
        if depth < 40.0 && depth > 0.0 {
            // The answer stands where the price is the one that was asked for.
            let nearby = real.respond(0, 1, rate - depth - 1e-4, Ramp::default());
            let mean = (nearby.amount_out - response.amount_out) / (nearby.amount_in - response.amount_in);
            if response.amount_out < 0.999 * f64::from(pool.balances()[1]) && response.amount_in > 0.0 {
                prop_assert!((mean.ln() - (rate - depth - 5e-5)).abs() < 2e-4, "{mean} {response:?}");
            }
        }
    }

    #[test]
    fn weighted_pools(
        shares in prop::collection::vec((1u64..20, 1e3f64..1e9, prop::sample::select(&[6u32, 8, 18][..])), 2..8),
        fee in 0u64..100, at in 0usize..8, other in 1usize..8, depth in 1e-6f64..1.0,
    ) {
        let total: u64 = shares.iter().map(|share| share.0 + 1).sum();
        let mut weights: Vec<u64> = shares.iter().map(|share| UNIT / total * (share.0 + 1)).collect();
        weights[0] += UNIT - weights.iter().sum::<u64>();
        prop_assume!(weights.iter().all(|weight| *weight >= UNIT / 100));
        let balances = shares.iter().map(|(_, size, decimals)| U256::from(size * 10f64.powi(decimals.cast_signed()))).collect();
        let scaling = shares.iter().map(|(_, _, decimals)| U256::from(10u128.pow(36 - decimals))).collect();
        let pool = WeightedProduct::new(balances, scaling, weights, fee * (UNIT / 10_000)).unwrap();
        let count = shares.len();
        let asset_in = at % count;
        let asset_out = (asset_in + 1 + other % (count - 1)) % count;
        let real = RealWeightedProduct::new(&pool, true);
        let exact = |amount| pool.quote(asset_in, asset_out, amount, true).ok();
        // The contract's powers err by 1e-14 of the balance, in its favour, and its numbers have 18 decimals.
        let slack = 1.0 + 3e-14 * f64::from(pool.balances()[asset_out]) + 1e-17 * f64::from(pool.balances()[asset_out]);
        check_curved(&real, (asset_in, asset_out), depth, &exact, 1e18 / f64::from(pool.scaling()[asset_in]), slack)?;
        // Each kind of swap has a limit of its own.
        let price = real.log_rate(asset_in, asset_out) - 40.0;
        let given = real.respond(asset_in, asset_out, price, Ramp::default()).amount_in;
        prop_assert!(pool.quote(asset_in, asset_out, U256::from(given * (1.0 - 1e-9)), true).is_ok());
        prop_assert!(pool.quote(asset_in, asset_out, U256::from(given * (1.0 + 1e-9)) + U256::from(2), true).is_err());
        let taken = RealWeightedProduct::new(&pool, false).respond(asset_in, asset_out, price, Ramp::default()).amount_out;
        prop_assert!(pool.quote(asset_in, asset_out, U256::from(taken * (1.0 - 1e-9)), false).is_ok());
        prop_assert!(pool.quote(asset_in, asset_out, U256::from(taken * (1.0 + 1e-9)) + U256::from(2), false).is_err());
    }
}

prop_compose! {
    fn book()(
        middle in 2_000u64..1_000_000,
        bids in prop::collection::vec((1u64..40, 1u64..10_000), 1..40),
        asks in prop::collection::vec((1u64..40, 1u64..10_000), 1..40),
        lot in 1u64..10_000_000_000, tick in 1u64..10_000, fee in 0u32..5000,
    ) -> OrderBook {
        let mut price = middle;
        let asks = asks.iter().map(|(gap, size)| { price += gap; Level { price, size: *size } }).collect();
        let mut price = middle;
        let bids = bids.iter().map(|(gap, size)| { price -= gap; Level { price, size: *size } }).collect();
        OrderBook::new(bids, asks, U256::from(lot), U256::from(tick), fee, U256::ZERO).unwrap()
    }
}

/// A ladder of linear pieces opens over the ramp, takes its best pieces first and ends.
fn check_linear(
    real: &dyn RealMarket,
    pair: (usize, usize),
    depth: f64,
    exact: Exact<'_>,
) -> Result<(), TestCaseError> {
    prop_assert!(real.has_linear_pieces());
    let rate = real.log_rate(pair.0, pair.1);
    if rate == f64::NEG_INFINITY {
        prop_assert_eq!(
            real.respond(pair.0, pair.1, 0.0, Ramp::default()),
            Response::default()
        );
        return Ok(());
    }
    prop_assert_eq!(
        real.respond(pair.0, pair.1, rate, Ramp::default()),
        Response::default()
    );
    let price = rate - depth;
    let whole = real.respond(pair.0, pair.1, price, Ramp::default());
    check_gain(&whole, price.exp(), exact, 1.0)?;
    check_reach(real, pair, whole.amount_in, exact, 1.0)?;
    prop_assert_eq!(whole.stiffness, 0.0);
    for ramp in [1e-1, 1e-3, 1e-5] {
        let smooth = real.respond(pair.0, pair.1, price, Ramp::of(ramp));
        prop_assert!(smooth.amount_in <= whole.amount_in * (1.0 + 1e-12));
        prop_assert!(smooth.gain <= whole.gain + 1e-12 * whole.amount_out);
        // What a ramp leaves out is worth less than the ramp.
        prop_assert!(
            smooth.gain >= whole.gain - ramp * whole.amount_out - 1e-12 * whole.amount_out
        );
        let step = ramp * 1e-6;
        let further = real.respond(pair.0, pair.1, price - step, Ramp::of(ramp));
        if (further.stiffness - smooth.stiffness).abs() <= 1e-9 * smooth.stiffness {
            let slope = (further.amount_in - smooth.amount_in) / step;
            prop_assert!(
                (slope - smooth.stiffness).abs()
                    <= 1e-3 * smooth.stiffness + 1e-15 * whole.amount_in / step,
                "{slope} {smooth:?}"
            );
        }
    }
    // Between two pieces what is taken stays.
    let taken = whole.amount_in;
    let stays = real.respond(pair.0, pair.1, price, Ramp { width: 1e-6, taken });
    prop_assert!(stays.amount_in >= taken * (1.0 - 1e-12));
    prop_assert!(stays.amount_in <= taken * (1.0 + 1e-9) || stays.stiffness > 0.0);
    let all = real.respond(pair.0, pair.1, rate - 20.0, Ramp::of(1e-3));
    prop_assert_eq!(all.stiffness, 0.0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn books(book in book(), side in 0usize..2, depth in 1e-6f64..0.02) {
        let real = RealOrderBook::from(&book);
        let exact = |amount| book.quote(side, 1 - side, amount, true).ok();
        check_linear(&real, (side, 1 - side), depth, &exact)?;
    }

    #[test]
    fn lanes(numerator in 1u128..1 << 90, denominator in 1u128..1 << 90, fee in 0u32..100_000, fixed in 0u64..1_000_000,
             capacity in 1u128..1 << 100, depth in 1e-6f64..1.0, side in 0usize..2) {
        let lane = Lane::new(LaneTerms {
            rate: (U256::from(numerator), U256::from(denominator)), fixed_fee: U256::from(fixed), fee_ppm: fee,
            capacity: U256::from(capacity), delay_seconds: 60,
        }).unwrap();
        let real = RealLane::from(&lane);
        let exact = |amount| lane.quote(side, 1 - side, amount, true).ok();
        check_linear(&real, (side, 1 - side), depth, &exact)?;
    }

    #[test]
    fn sampled_venues(steps in prop::collection::vec((1u64..1 << 40, 0u64..1 << 40), 1..30), depth in 1e-6f64..5.0) {
        let mut at = (U256::ZERO, U256::ZERO);
        let samples = steps.iter().map(|(more_in, more_out)| {
            at = (at.0 + U256::from(*more_in), at.1 + U256::from(*more_out));
            at
        }).collect();
        let market = Sampled::new(2, vec![Ladder { asset_in: 1, asset_out: 0, samples }]).unwrap();
        let real = RealSampled::from(&market);
        let exact = |amount| market.quote(1, 0, amount, true).ok();
        check_linear(&real, (1, 0), depth, &exact)?;
        prop_assert_eq!(real.log_rate(0, 1), f64::NEG_INFINITY);
    }

    /// A ramp about what is taken is the sum of those of its pieces, and at the rate of a piece that is taken in part
    /// nothing moves.
    #[test]
    fn ramps_about_what_is_taken(
        pieces in prop::collection::vec((1e-6f64..1e6, 1e-7f64..1e-4), 1..40),
        share in 0.0f64..1.0,
        at in 0usize..40,
        width in 1e-5f64..1e-3,
        shift in -2.0f64..2.0,
    ) {
        let mut depth = 0.0;
        let pieces: Vec<(f64, f64)> = pieces.iter().map(|(amount, step)| { depth += step; (*amount, depth) }).collect();
        let ladder = LinearLadder::new(pieces.iter().map(|(amount, depth)| (*amount, amount * (-depth).exp())));
        let at = at % pieces.len();
        let before: f64 = pieces[..at].iter().map(|(amount, _)| amount).sum();
        let taken = before + share * pieces[at].0;
        let total: f64 = pieces.iter().map(|(amount, _)| amount).sum();
        let ramp = Ramp { width, taken };

        let stays = ladder.respond(-pieces[at].1, ramp);
        prop_assert!((stays.amount_in - taken).abs() <= 1e-12 * total / width, "{stays:?} {taken}");

        let depth = pieces[at].1 + shift * width;
        let mut sum = 0.0;
        let mut passed = 0.0;
        for (amount, rate) in &pieces {
            let held = ((taken - passed) / amount).clamp(0.0, 1.0);
            sum += amount * ((depth - rate) / width + held).clamp(0.0, 1.0);
            passed += amount;
        }
        let response = ladder.respond(-depth, ramp);
        prop_assert!((response.amount_in - sum).abs() <= 1e-12 * total / width, "{response:?} {sum}");
    }
}
