//! Laws of stable and weighted pools, books, lanes and sampled venues over random states: no value is created, more
//! never buys less, an exact output is paid with the least input, what follows a swap is what was quoted.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod states;

use proptest::prelude::*;
use sep_amm::{
    AmmError, BookSide, Level, OrderBook, Quote, Sampled, StableRule, StableSwap, U256,
    WeightedProduct,
};
use states::{amount, book, lane, sampled, stable, weighted};

type Answer = Result<Quote, AmmError>;

/// Two different assets of so many.
fn pair(count: usize, at: usize, step: usize) -> (usize, usize) {
    let first = at % count;
    (first, (first + 1 + step % (count - 1)) % count)
}

/// An amount that means something beside a balance.
fn beside(balance: U256, part: u32) -> U256 {
    // From a ten-millionth to half.
    (balance / U256::from(1u64 << (part % 24 + 1))).max(U256::ONE)
}

/// More in gives no less, but for `slack` base units of rounding.
fn monotone(
    quote: impl Fn(U256, bool) -> Answer,
    amount: U256,
    more: U256,
    slack: U256,
) -> Result<(), TestCaseError> {
    if let (Ok(small), Ok(large)) = (quote(amount, true), quote(amount + more, true)) {
        prop_assert!(
            small.amount_out <= large.amount_out + slack,
            "{small:?} {large:?}"
        );
    }
    if let (Ok(small), Ok(large)) = (quote(amount, false), quote(amount + more, false)) {
        prop_assert!(
            small.amount_in <= large.amount_in + slack,
            "{small:?} {large:?}"
        );
    }
    Ok(())
}

/// The input of an exact output buys it, and one unit less does not.
fn least(quote: impl Fn(U256, bool) -> Answer, amount: U256) -> Result<(), TestCaseError> {
    let Ok(priced) = quote(amount, false) else {
        return Ok(());
    };
    prop_assert!(priced.amount_out >= amount);
    prop_assert_eq!(quote(priced.amount_in, true), Ok(priced));
    if priced.amount_in > U256::ONE
        && let Ok(less) = quote(priced.amount_in - U256::ONE, true)
    {
        prop_assert!(less.amount_out < amount, "{priced:?} {less:?}");
    }
    Ok(())
}

/// What a market that cannot do the whole says that it can do, it does.
fn honest_limit(
    quote: impl Fn(U256, bool) -> Answer,
    amount: U256,
    exact_in: bool,
) -> Result<(), TestCaseError> {
    if let Err(AmmError::InsufficientLiquidity {
        amount_in,
        amount_out,
    }) = quote(amount, exact_in)
        && !amount_in.is_zero()
        && !amount_out.is_zero()
    {
        let all = quote(amount_in, true);
        prop_assert_eq!(all.map(|all| all.amount_out), Ok(amount_out));
    }
    Ok(())
}

/// As `honest_limit`, for a market that limits outputs by themselves.
fn honest_out(quote: impl Fn(U256, bool) -> Answer, amount: U256) -> Result<(), TestCaseError> {
    if let Err(AmmError::InsufficientLiquidity {
        amount_in,
        amount_out,
    }) = quote(amount, false)
        && !amount_out.is_zero()
    {
        prop_assert_eq!(
            quote(amount_out, false).map(|all| all.amount_in),
            Ok(amount_in)
        );
        prop_assert!(quote(amount_out + U256::ONE, false).is_err());
    }
    Ok(())
}

/// Half of the way gives at least half of the gain, but for `slack`.
fn concave(
    quote: impl Fn(U256, bool) -> Answer,
    amount: U256,
    more: U256,
    slack: U256,
) -> Result<(), TestCaseError> {
    let (near, far) = (amount, amount + (more << 1usize));
    if let (Ok(near), Ok(middle), Ok(far)) = (
        quote(near, true),
        quote(amount + more, true),
        quote(far, true),
    ) {
        // A fee that is rounded to a unit of the input moves the output by what that unit buys.
        let slack = slack + U256::from(3) * (near.amount_out / near.amount_in + U256::ONE);
        prop_assert!(
            near.amount_out + far.amount_out <= (middle.amount_out << 1usize) + slack,
            "{near:?} {middle:?} {far:?}"
        );
    }
    Ok(())
}

/// How far an amount of this asset may be off: a few of what the pool's 18 decimals tell apart. Balancer divides the
/// square of the invariant by the product of the balances before it multiplies, which leaves its constant term only as
/// many digits as the invariant has beyond the amplification.
fn blur(pool: &StableSwap, at: usize) -> U256 {
    let few = U256::from(8) * (U256::from(10u128.pow(18)) / pool.rates()[at]).max(U256::ONE);
    match pool.rule() {
        StableRule::Curve => few,
        StableRule::Balancer => {
            let lost = U256::from(pool.amplification()) * U256::from(1000 * pool.balances().len());
            few + pool.balances()[at] * lost / pool.invariant()
        }
    }
}

fn stable_laws(
    pool: &StableSwap,
    at: usize,
    step: usize,
    part: u32,
    more: u32,
) -> Result<(), TestCaseError> {
    let (i, j) = pair(pool.balances().len(), at, step);
    let (amount, more) = (
        beside(pool.balances()[i], part),
        beside(pool.balances()[i], more),
    );
    let quote = |amount, exact_in| pool.quote(i, j, amount, exact_in);
    let slack = blur(pool, j);
    monotone(quote, amount, more, slack.max(blur(pool, i)))?;
    concave(quote, amount, more, slack << 1usize)?;
    if let Ok((there, next)) = pool.after(i, j, amount, true) {
        prop_assert_eq!(quote(amount, true), Ok(there));
        prop_assert_eq!(next.balances()[i], pool.balances()[i] + there.amount_in);
        prop_assert!(next.balances()[j] <= pool.balances()[j] - there.amount_out);
        if pool.admin_fee() == 0 {
            prop_assert_eq!(next.balances()[j], pool.balances()[j] - there.amount_out);
            let settles = !next.invariant().is_zero();
            prop_assert!(!settles || next.invariant() + U256::from(2) >= pool.invariant());
        }
        prop_assert_eq!(
            pool.with_swap(i, there.amount_in, j, there.amount_out),
            Ok(next.clone())
        );
        if let Ok(back) = next.quote(j, i, there.amount_out, true) {
            prop_assert!(back.amount_out <= amount, "{there:?} {back:?}");
        }
        if let (Ok(second), Ok(whole)) = (next.quote(i, j, more, true), quote(amount + more, true))
        {
            // Fees that stay in the pool let the second part do better, never by more than those fees.
            let fees = there.amount_out * U256::from(pool.fee())
                / U256::from(pool.rule().fee_denominator() - pool.fee());
            prop_assert!(there.amount_out + second.amount_out <= whole.amount_out + fees + slack);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn curve(pool in stable(StableRule::Curve), at in 0usize..8, step in 0usize..8, part: u32, more: u32) {
        stable_laws(&pool, at, step, part, more)?;
        let (i, j) = pair(pool.balances().len(), at, step);
        least(|amount, exact_in| pool.quote(i, j, amount, exact_in), beside(pool.balances()[j], part))?;
    }

    #[test]
    fn curve_gives_the_last_unit(pool in stable(StableRule::Curve), at in 0usize..8, step in 0usize..8, amount in amount()) {
        let (i, j) = pair(pool.balances().len(), at, step);
        least(|amount, exact_in| pool.quote(i, j, amount, exact_in), amount)?;
    }

    #[test]
    fn balancer(pool in stable(StableRule::Balancer), at in 0usize..8, step in 0usize..8, part: u32, more: u32) {
        stable_laws(&pool, at, step, part, more)?;
        let (i, j) = pair(pool.balances().len(), at, step);
        let amount = beside(pool.balances()[j], part);
        if let Ok((priced, next)) = pool.after(i, j, amount, false) {
            prop_assert_eq!(priced.amount_out, amount);
            // Both directions round for the pool, so what an output costs buys that output but for those roundings.
            let bought = pool.quote(i, j, priced.amount_in, true).unwrap();
            let unit = bought.amount_out / priced.amount_in + U256::ONE;
            prop_assert!(bought.amount_out + blur(&pool, j) + unit >= amount, "{priced:?} {bought:?}");
            if let Ok(back) = next.quote(j, i, amount, true) {
                prop_assert!(back.amount_out <= priced.amount_in);
            }
        }
    }

    #[test]
    fn weighted_pools(pool in weighted(), at in 0usize..8, step in 0usize..8, part: u32, more: u32) {
        let (i, j) = pair(pool.balances().len(), at, step);
        let (amount, more) = (beside(pool.balances()[i], part), beside(pool.balances()[i], more));
        let quote = |amount, exact_in| pool.quote(i, j, amount, exact_in);
        // A power is right to 1e-14, or to a unit of 18 decimals, of the balance that it scales.
        let slack = |at: usize| pool.balances()[at] / U256::from(10u128.pow(13)) + U256::from(4);
        monotone(quote, amount, more, slack(i).max(slack(j)))?;
        concave(quote, amount, more, slack(j) << 1usize)?;
        honest_limit(quote, beside(pool.balances()[i], 0), true)?;
        honest_out(quote, beside(pool.balances()[j], 0))?;
        if let Ok((there, next)) = pool.after(i, j, amount, true) {
            prop_assert_eq!(quote(amount, true), Ok(there));
            prop_assert_eq!(next.balances()[i], pool.balances()[i] + amount);
            prop_assert_eq!(next.balances()[j], pool.balances()[j] - there.amount_out);
            if !there.amount_out.is_zero() && let Ok(back) = next.quote(j, i, there.amount_out, true) {
                prop_assert!(back.amount_out <= amount, "{there:?} {back:?}");
            }
        }
        let wanted = beside(pool.balances()[j], part);
        if let Ok((priced, next)) = pool.after(i, j, wanted, false) {
            prop_assert_eq!(priced.amount_out, wanted);
            if let Ok(back) = next.quote(j, i, wanted, true) {
                prop_assert!(back.amount_out <= priced.amount_in);
            }
        }
    }

    #[test]
    fn books(book in book(), amount in amount(), more in amount(), side in 0usize..2) {
        let quote = |amount, exact_in| book.quote(side, 1 - side, amount, exact_in);
        monotone(quote, amount, more, U256::ZERO)?;
        if book.least_notional().is_zero() {
            honest_limit(quote, amount, true)?;
            honest_limit(quote, amount, false)?;
        }
        prop_assert_eq!(quote(amount, true).ok(), walked(&book, side, amount));
        if let Ok(priced) = quote(amount, false) {
            prop_assert!(priced.amount_out >= amount);
            prop_assert_eq!(quote(priced.amount_in, true), Ok(priced));
            if let Ok(less) = quote(priced.amount_in - U256::ONE, true) {
                prop_assert!(less.amount_out < amount);
            }
        }
        if let Ok((there, next)) = book.after(side, 1 - side, amount, true) {
            prop_assert!(there.amount_in <= amount);
            // What was taken is gone, the other side is as it was.
            let left = |book: &OrderBook| -> (u128, u128) {
                let sum = |levels: &[Level]| levels.iter().map(|level| u128::from(level.size)).sum();
                (sum(book.bids()), sum(book.asks()))
            };
            let (quantity, ours, theirs) = if side == 0 {
                (there.amount_in, left(&book).0 - left(&next).0, (book.asks(), next.asks()))
            } else {
                (there.amount_out, left(&book).1 - left(&next).1, (book.bids(), next.bids()))
            };
            prop_assert_eq!(quantity, U256::from(ours) * book.lot());
            prop_assert_eq!(theirs.0, theirs.1);
            if let Ok(back) = next.quote(1 - side, side, there.amount_out, true) {
                prop_assert!(back.amount_out <= there.amount_in);
            }
        }
    }

    #[test]
    fn a_book_follows_its_messages(
        book in book(), changes in prop::collection::vec((any::<bool>(), 0usize..40, 0u64..3), 0..20),
    ) {
        let mut levels: Vec<(BookSide, Level)> = Vec::new();
        for (bids, at, size) in changes {
            let (side, entries) = if bids { (BookSide::Bids, book.bids()) } else { (BookSide::Asks, book.asks()) };
            let last = entries[entries.len() - 1].price;
            // A price that is there, or one behind the last.
            let price = entries.get(at).map_or(
                if bids { last - u64::from(last > 1) } else { last + 1 }, |level| level.price);
            levels.push((side, Level { price, size }));
        }
        let next = book.with_levels(&levels).unwrap();
        let apply = |side: BookSide, levels: &[(BookSide, Level)], start: &[Level]| {
            let mut map: std::collections::BTreeMap<u64, u64> = start.iter().map(|level| (level.price, level.size)).collect();
            for (_, level) in levels.iter().filter(|entry| entry.0 == side) {
                if level.size == 0 { map.remove(&level.price); } else { map.insert(level.price, level.size); }
            }
            map.into_iter().map(|(price, size)| Level { price, size }).collect::<Vec<_>>()
        };
        let mut bids = apply(BookSide::Bids, &levels, book.bids());
        bids.reverse();
        prop_assert_eq!(next.bids(), &bids[..]);
        prop_assert_eq!(next.asks(), &apply(BookSide::Asks, &levels, book.asks())[..]);
    }

    #[test]
    fn lanes(lane in lane(), amount in amount(), more in amount(), exact_in: bool) {
        let quote = |amount, exact_in| lane.quote(0, 1, amount, exact_in);
        monotone(quote, amount, more, U256::ZERO)?;
        least(quote, amount)?;
        honest_limit(quote, amount, exact_in)?;
        if let Ok((there, next)) = lane.after(0, 1, amount, exact_in) {
            prop_assert_eq!(next.terms().capacity, lane.terms().capacity - there.amount_in);
        }
        prop_assert!(lane.quote(1, 0, amount, exact_in).is_err());
    }

    #[test]
    fn sampled_venues(market in sampled(), amount in amount(), more in amount(), exact_in: bool) {
        let quote = |amount, exact_in| market.quote(0, 1, amount, exact_in);
        monotone(quote, amount, more, U256::ZERO)?;
        concave(quote, amount, more, U256::from(2))?;
        least(quote, amount)?;
        honest_limit(quote, amount, exact_in)?;
        for (amount_in, amount_out) in &market.ladders()[0].samples {
            let found = quote(*amount_in, true).map_or(U256::ZERO, |quote| quote.amount_out);
            prop_assert_eq!(found, *amount_out);
        }
        if let Ok((there, next)) = market.after(0, 1, amount, true)
            && let (Ok(second), Ok(whole)) = (next.quote(0, 1, more, true), quote(amount + more, true))
        {
            prop_assert!(there.amount_out + second.amount_out <= whole.amount_out + U256::ONE);
        }
    }
}

/// A taker's order, level by level and lot by lot price.
fn walked(book: &OrderBook, side: usize, amount: U256) -> Option<Quote> {
    let ppm = U256::from(1_000_000);
    let rate = U256::from(book.taker_fee_ppm());
    let fee = |notional: U256| (notional * rate).div_ceil(ppm);
    let levels = if side == 0 { book.bids() } else { book.asks() };
    let (mut lots, mut notional, mut worst) = (U256::ZERO, U256::ZERO, U256::ZERO);
    let mut is_short = true;
    for level in levels {
        let price = U256::from(level.price) * book.tick();
        // By halving: the most lots of this level that are still paid for.
        let fits = |more: u64| {
            let more = U256::from(more);
            if side == 0 {
                (lots + more) * book.lot() <= amount
            } else {
                let total = notional + price * more;
                total + fee(total) <= amount
            }
        };
        let (mut low, mut high) = (0, level.size + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if fits(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        if low > 0 {
            worst = price;
        }
        lots += U256::from(low);
        notional += price * U256::from(low);
        if low < level.size {
            is_short = false;
            break;
        }
    }
    if is_short {
        // All is taken; a rest that pays for no further lot at the last price is rounding.
        let last = U256::from(levels.last()?.price) * book.tick();
        let pays = if side == 0 {
            (lots + U256::ONE) * book.lot() <= amount
        } else {
            notional + last + fee(notional + last) <= amount
        };
        if pays {
            return None;
        }
    }
    let valued = if side == 0 { worst * lots } else { notional };
    if lots.is_zero() || valued < book.least_notional() {
        return None;
    }
    let (amount_in, amount_out) = if side == 0 {
        (lots * book.lot(), notional - fee(notional))
    } else {
        (notional + fee(notional), lots * book.lot())
    };
    Some(Quote {
        amount_in,
        amount_out,
        ticks_crossed: 0,
    })
}

#[test]
fn states_that_cannot_be_are_refused() {
    let (one, unit) = (U256::from(10u128.pow(18)), 10u64.pow(18));
    let stable = |balances: Vec<U256>, rates: Vec<U256>, amplification, fee| {
        StableSwap::new(StableRule::Curve, balances, rates, amplification, fee)
    };
    assert!(stable(vec![one; 2], vec![one; 2], 20_000, 4_000_000).is_ok());
    assert!(stable(vec![one; 2], vec![one; 3], 20_000, 4_000_000).is_err());
    assert!(stable(vec![one], vec![one], 20_000, 4_000_000).is_err());
    assert!(stable(vec![one; 9], vec![one; 9], 20_000, 4_000_000).is_err());
    assert!(stable(vec![one; 2], vec![one, U256::ZERO], 20_000, 4_000_000).is_err());
    assert!(stable(vec![one; 2], vec![one; 2], 99, 4_000_000).is_err());
    assert!(stable(vec![one; 2], vec![one; 2], 100_000_001, 4_000_000).is_err());
    assert!(stable(vec![one; 2], vec![one; 2], 20_000, 10u64.pow(10)).is_err());
    assert!(stable(vec![U256::MAX; 2], vec![one * one; 2], 20_000, 0).is_err());
    // Balances on which the rounds of the invariant go on for ever: the contract reverts until they change.
    let million = U256::from(10u128.pow(12));
    let restless = [76_002u64, 66_001, 1001, 1001].map(U256::from).to_vec();
    let restless = stable(restless, vec![one * million; 4], 200, 0).unwrap();
    assert!(restless.invariant().is_zero());
    assert!(matches!(
        restless.quote(0, 1, one, true),
        Err(AmmError::InsufficientLiquidity { .. })
    ));
    let empty = stable(vec![one, U256::ZERO], vec![one; 2], 20_000, 0).unwrap();
    assert!(matches!(
        empty.quote(0, 1, one, true),
        Err(AmmError::InsufficientLiquidity { .. })
    ));
    assert!(matches!(
        empty.quote(0, 0, one, true),
        Err(AmmError::InvalidState(_))
    ));
    assert!(matches!(
        empty.quote(0, 2, one, true),
        Err(AmmError::InvalidState(_))
    ));

    let weighted = |weights: Vec<u64>, fee| {
        let count = weights.len();
        WeightedProduct::new(vec![one; count], vec![one; count], weights, fee)
    };
    assert!(weighted(vec![unit / 2; 2], 0).is_ok());
    assert!(weighted(vec![unit / 2, unit / 2 + 1], 0).is_err());
    assert!(weighted(vec![unit / 2; 2], unit).is_err());
    assert!(weighted(vec![unit / 200, unit - unit / 200], 0).is_err());
    assert!(weighted(vec![unit], 0).is_err());

    let level = |price, size| Level { price, size };
    let book =
        |bids: Vec<Level>, asks: Vec<Level>| OrderBook::new(bids, asks, one, one, 500, U256::ZERO);
    assert!(
        book(
            vec![level(9, 1), level(8, 1)],
            vec![level(10, 1), level(11, 1)]
        )
        .is_ok()
    );
    assert!(book(vec![level(8, 1), level(9, 1)], vec![]).is_err());
    assert!(book(vec![], vec![level(10, 1), level(10, 1)]).is_err());
    assert!(book(vec![level(10, 1)], vec![level(10, 1)]).is_err());
    assert!(book(vec![level(10, 0)], vec![]).is_err());
    assert!(book(vec![level(0, 1)], vec![]).is_err());
    assert!(matches!(
        book(vec![], vec![]).unwrap().quote(0, 1, one, true),
        Err(AmmError::InsufficientLiquidity { .. })
    ));

    let ladder = |samples: Vec<(u64, u64)>| {
        let samples = samples
            .iter()
            .map(|(i, o)| (U256::from(*i), U256::from(*o)))
            .collect();
        Sampled::new(
            2,
            vec![sep_amm::Ladder {
                asset_in: 0,
                asset_out: 1,
                samples,
            }],
        )
    };
    assert!(ladder(vec![(1, 1), (2, 1)]).is_ok());
    assert!(ladder(vec![(1, 1), (1, 2)]).is_err());
    assert!(ladder(vec![(0, 0)]).is_err());
    assert!(ladder(vec![(1, 2), (2, 1)]).is_err());
    assert!(matches!(
        ladder(vec![]).unwrap().quote(0, 1, one, true),
        Err(AmmError::InsufficientLiquidity { .. })
    ));
}
