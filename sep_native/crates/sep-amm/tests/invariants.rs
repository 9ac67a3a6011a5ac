//! Invariants of both families over random states: no value is created, more never buys less.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use proptest::prelude::*;
use sep_amm::{AmmError, ConcentratedLiquidity, ConstantProduct, SwapLimit, Tick, TickTable, U256};

const FEES: [u32; 5] = [0, 100, 500, 3000, 10_000];

prop_compose! {
    fn product()(r0 in 1u128..1 << 111, r1 in 1u128..1 << 111, fee in prop::sample::select(&FEES[..]))
        -> ConstantProduct {
        ConstantProduct::new(U256::from(r0), U256::from(r1), fee).unwrap()
    }
}

prop_compose! {
    /// A pool whose positions overlap at random, with gaps, and one that may reach everywhere.
    fn concentrated()(
        spacing in prop::sample::select(&[1i32, 10, 60, 200][..]),
        fee in prop::sample::select(&FEES[..]),
        centre in -3000i32..3000,
        inside in 0u64..1_000_000,
        positions in prop::collection::vec((-40i32..40, 1i32..60, 1u128..1 << 80), 1..12),
        everywhere in prop::option::of(1u128..1 << 70),
        // Above 2^96 a unit of a price is worth more than a unit of an amount.
        shift in prop::sample::select(&[0u32, 0, 34][..]),
    ) -> ConcentratedLiquidity {
        let tick = centre * spacing.min(20);
        let low = sep_amm::sqrt_price_at_tick(tick).unwrap();
        let high = sep_amm::sqrt_price_at_tick(tick + 1).unwrap();
        let price = low + (high - low) * U256::from(inside) / U256::from(1_000_000u64);
        let table = TickTable::new(spacing, Vec::new(), None).unwrap();
        let mut pool = ConcentratedLiquidity::new(price, tick, 0, fee, table).unwrap();
        for (offset, width, liquidity) in positions {
            let lower = (tick.div_euclid(spacing) + offset) * spacing;
            pool = pool.with_liquidity(lower, lower + width * spacing, liquidity.cast_signed() << shift).unwrap();
        }
        if let Some(liquidity) = everywhere {
            let edge = 887_272 / spacing * spacing;
            pool = pool.with_liquidity(-edge, edge, liquidity.cast_signed()).unwrap();
        }
        pool
    }
}

fn amount() -> impl Strategy<Value = U256> {
    (0u32..90, 1u64..u64::MAX)
        .prop_map(|(shift, bits)| (U256::from(bits) << shift as usize >> 32usize) + U256::ONE)
}

/// A round trip may end with less than it began, never with more.
macro_rules! family {
    ($name:ident, $pool:expr, $ends_at_a_stop:expr) => {
        mod $name {
            use super::*;

            proptest! {
                #![proptest_config(ProptestConfig::with_cases(512))]

                #[test]
                fn a_round_trip_never_profits(pool in $pool, amount in amount(), direction: bool) {
                    let Ok((there, next)) = pool.after(direction, amount, true) else { return Ok(()) };
                    if there.amount_out.is_zero() { return Ok(()) }
                    let Ok((back, _)) = next.after(!direction, there.amount_out, true) else { return Ok(()) };
                    prop_assert!(back.amount_out <= amount);
                }

                #[test]
                fn more_in_never_gives_less(pool in $pool, amount in amount(), more in amount(), direction: bool) {
                    let (Ok(small), Ok(large)) =
                        (pool.quote(direction, amount, true), pool.quote(direction, amount + more, true))
                    else { return Ok(()) };
                    prop_assert!(small.amount_out <= large.amount_out);
                }

                #[test]
                fn more_out_never_costs_less(pool in $pool, amount in amount(), more in amount(), direction: bool) {
                    let (Ok(small), Ok(large)) =
                        (pool.quote(direction, amount, false), pool.quote(direction, amount + more, false))
                    else { return Ok(()) };
                    prop_assert!(small.amount_in <= large.amount_in);
                }

                #[test]
                fn the_price_of_an_output_buys_it(pool in $pool, amount in amount(), direction: bool) {
                    let Ok(priced) = pool.quote(direction, amount, false) else { return Ok(()) };
                    prop_assert_eq!(priced.amount_out, amount);
                    let bought = pool.quote(direction, priced.amount_in, true);
                    match bought {
                        Ok(bought) => prop_assert!(bought.amount_out >= amount),
                        // The last unit of rounding can be more than the pool takes at its very edge.
                        Err(AmmError::InsufficientLiquidity { amount_out, .. }) => prop_assert!(amount_out >= amount),
                        Err(error) => prop_assert!(false, "{error}"),
                    }
                }

                #[test]
                fn what_an_input_bought_costs_no_more(pool in $pool, amount in amount(), direction: bool) {
                    let Ok(bought) = pool.quote(direction, amount, true) else { return Ok(()) };
                    if bought.amount_out.is_zero() { return Ok(()) }
                    let (priced, next) = pool.after(direction, bought.amount_out, false).unwrap();
                    // Constant product adds one unit whatever the remainder was.
                    if priced.amount_in <= amount + U256::ONE { return Ok(()) }
                    prop_assert!($ends_at_a_stop(&next));
                    let again = pool.quote(direction, priced.amount_in, true).unwrap();
                    prop_assert_eq!(again.amount_out, bought.amount_out);
                }

                #[test]
                fn two_halves_give_no_more_than_the_whole(
                    pool in $pool, amount in amount(), more in amount(), direction: bool,
                ) {
                    let Ok((first, next)) = pool.after(direction, amount, true) else { return Ok(()) };
                    let Ok(second) = next.quote(direction, more, true) else { return Ok(()) };
                    let Ok(whole) = pool.quote(direction, amount + more, true) else { return Ok(()) };
                    prop_assert!(first.amount_out + second.amount_out <= whole.amount_out + U256::from(slack(&whole)));
                }
            }
        }
    };
}

/// The fee of each part stays with the pool, but each crossing rounds once, in either order.
fn slack(quote: &sep_amm::Quote) -> u32 {
    quote.ticks_crossed + 1
}

/// The amount that takes the price to a tick of the pool, give or take three units.
fn up_to(
    pool: &ConcentratedLiquidity,
    (at, away): (usize, u64),
    direction: bool,
    exact_in: bool,
) -> Option<U256> {
    let ticks = pool.table().ticks();
    let tick = ticks[at % ticks.len()].index;
    let limit = SwapLimit::SqrtPrice(sep_amm::sqrt_price_at_tick(tick).ok()?);
    let all = U256::ONE << 200;
    let (reached, _) = pool.after_within(direction, all, true, limit).ok()?;
    let amount = if exact_in {
        reached.amount_in
    } else {
        reached.amount_out
    };
    (amount + U256::from(away))
        .checked_sub(U256::from(3))
        .filter(|amount| !amount.is_zero())
}

/// An output that the whole of a step gives, rounded down, takes the whole step, as in the contract: where a unit
/// of what goes out is worth much, a part of the step may have given as many.
fn ends_at_a_tick(pool: &ConcentratedLiquidity) -> bool {
    let tick = sep_amm::tick_at_sqrt_price(pool.sqrt_price_x96()).unwrap();
    tick % pool.table().spacing() == 0
        && sep_amm::sqrt_price_at_tick(tick).unwrap() == pool.sqrt_price_x96()
}

family!(constant_product, product(), |_| false);
family!(concentrated_liquidity, concentrated(), ends_at_a_tick);

#[test]
fn an_output_takes_the_whole_step_that_gives_no_unit_more() {
    let table = TickTable::new(10, Vec::new(), None).unwrap();
    let pool = ConcentratedLiquidity::new(U256::ONE << 96, 0, 0, 0, table)
        .and_then(|pool| pool.with_liquidity(-887_270, 887_270, 2_403_330_594_852_615_535))
        .unwrap();
    let amount = U256::from(243_527_604_513_902_517_954_297_365_258_043_393_u128);
    let bought = pool.quote(false, amount, true).unwrap();
    let (priced, next) = pool.after(false, bought.amount_out, false).unwrap();
    assert!(priced.amount_in > amount && ends_at_a_tick(&next));
    let again = pool.quote(false, priced.amount_in, true).unwrap();
    assert_eq!(again.amount_out, bought.amount_out);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_product_of_reserves_never_falls(pool in product(), amount in amount(), direction: bool, exact_in: bool) {
        if let Ok((_, next)) = pool.after(direction, amount, exact_in) {
            let before: ruint::aliases::U512 = pool.reserve0().widening_mul(pool.reserve1());
            let after: ruint::aliases::U512 = next.reserve0().widening_mul(next.reserve1());
            prop_assert!(after >= before);
        }
    }

    #[test]
    fn a_swap_moves_the_price_one_way_and_keeps_tick_and_liquidity_in_step(
        pool in concentrated(), amount in amount(), direction: bool, exact_in: bool,
    ) {
        if let Ok((_, next)) = pool.after(direction, amount, exact_in) {
            if direction {
                prop_assert!(next.sqrt_price_x96() <= pool.sqrt_price_x96());
            } else {
                prop_assert!(next.sqrt_price_x96() >= pool.sqrt_price_x96());
            }
            let sum: i128 = next.table().ticks().iter()
                .filter(|tick| tick.index <= next.tick()).map(|tick| tick.liquidity_net).sum();
            prop_assert_eq!(sum, next.liquidity().cast_signed());
            // The constructor checks the tick against the price.
            prop_assert!(pool.with_swap(next.sqrt_price_x96(), next.tick(), next.liquidity()).is_ok());
        }
    }

    #[test]
    fn a_part_of_the_ticks_gives_the_same_number_or_none(
        pool in concentrated(), amount in amount(), direction: bool, exact_in: bool, below in 0i32..3000, above in 0i32..3000,
    ) {
        let (low, high) = (pool.tick() - below, pool.tick() + 1 + above);
        let known: Vec<Tick> =
            pool.table().ticks().iter().copied().filter(|tick| (low..=high).contains(&tick.index)).collect();
        let table = TickTable::new(pool.table().spacing(), known, Some((low, high))).unwrap();
        let part = ConcentratedLiquidity::new(
            pool.sqrt_price_x96(), pool.tick(), pool.liquidity(), pool.fee_ppm(), table).unwrap();
        match part.quote(direction, amount, exact_in) {
            Err(AmmError::NeedTicks { tick }) => prop_assert!(tick == low || tick == high),
            answer => prop_assert_eq!(answer, pool.quote(direction, amount, exact_in)),
        }
    }

    #[test]
    fn what_swaps_remember_changes_no_answer(
        pool in concentrated(),
        swaps in prop::collection::vec(
            (amount(), prop::option::of((0usize..24, 0u64..7)), any::<bool>(), any::<bool>(), any::<bool>()), 1..16),
    ) {
        let mut pool = pool;
        for (amount, edge, direction, exact_in, moves) in swaps {
            // A pool that was never asked anything walks every step.
            let fresh = ConcentratedLiquidity::new(
                pool.sqrt_price_x96(), pool.tick(), pool.liquidity(), pool.fee_ppm(), pool.table().clone()).unwrap();
            let amount = edge.and_then(|edge| up_to(&fresh, edge, direction, exact_in)).unwrap_or(amount);
            let expected = fresh.after(direction, amount, exact_in);
            let found = pool.after(direction, amount, exact_in);
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(pool.quote(direction, amount, exact_in), expected.as_ref().map(|after| after.0).map_err(|error| *error));
            if let (true, Ok((_, next))) = (moves, found) {
                pool = next;
            }
        }
    }

    #[test]
    fn a_burn_undoes_its_mint(
        pool in concentrated(), offset in -50i32..50, width in 1i32..50, liquidity in 1i128..1 << 90,
    ) {
        let spacing = pool.table().spacing();
        let lower = (pool.tick().div_euclid(spacing) + offset) * spacing;
        let upper = lower + width * spacing;
        let minted = pool.with_liquidity(lower, upper, liquidity).unwrap();
        prop_assert_eq!(minted.with_liquidity(lower, upper, -liquidity).unwrap(), pool);
    }

    #[test]
    fn a_price_limit_is_never_passed(
        pool in concentrated(), amount in amount(), direction: bool, exact_in: bool, distance in 1i32..2000,
    ) {
        let tick = if direction { pool.tick() - distance } else { pool.tick() + 1 + distance };
        let limit = sep_amm::sqrt_price_at_tick(tick).unwrap();
        let Ok((quote, next)) = pool.after_within(direction, amount, exact_in, SwapLimit::SqrtPrice(limit)) else {
            return Ok(())
        };
        if direction { prop_assert!(next.sqrt_price_x96() >= limit) } else { prop_assert!(next.sqrt_price_x96() <= limit) }
        let moved = if exact_in { quote.amount_in } else { quote.amount_out };
        prop_assert!(moved == amount || (moved < amount && next.sqrt_price_x96() == limit));
    }
}
