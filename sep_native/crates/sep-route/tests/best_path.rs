//! The answer is that of brute force over every simple path, with arbitrage and dead ends in the snapshot.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use sep_amm::{ConcentratedLiquidity, ConstantProduct, U256};
use sep_route::{MarketState, Network, PathMethod, PathProblem, PathSolution, RouteError, Wide};

const FEES: [u32; 4] = [0, 100, 3000, 10_000];

#[derive(Clone, Debug)]
struct Spec {
    first: usize,
    second: usize,
    state: MarketState,
}

fn name(asset: usize) -> String {
    format!("asset{asset}")
}

/// Reserves that agree with a price of each asset up to `skew` percent.
fn product(
    prices: &[u128],
    first: usize,
    second: usize,
    depth: u128,
    skew: i64,
    fee: u32,
) -> MarketState {
    let reserve0 = depth * 1_000_000 / prices[first];
    let reserve1 = depth * 1_000_000 / prices[second] * u128::try_from(1000 + skew).unwrap() / 1000;
    MarketState::ConstantProduct(
        ConstantProduct::new(U256::from(reserve0 + 1), U256::from(reserve1 + 1), fee).unwrap(),
    )
}

fn concentrated(
    tick: i32,
    ranges: &[(i32, i32, i128)],
    everywhere: Option<i128>,
    fee: u32,
) -> MarketState {
    let mut pool =
        ConcentratedLiquidity::initialized(sep_amm::sqrt_price_at_tick(tick).unwrap(), fee, 10)
            .unwrap();
    for (offset, width, liquidity) in ranges {
        let lower = (tick.div_euclid(10) + offset) * 10;
        pool = pool
            .with_liquidity(lower, lower + width * 10, *liquidity)
            .unwrap();
    }
    if let Some(liquidity) = everywhere {
        pool = pool.with_liquidity(-887_270, 887_270, liquidity).unwrap();
    }
    MarketState::Concentrated(pool)
}

prop_compose! {
    fn specs(assets: usize, skew: i64, narrow: bool)(
        prices in prop::collection::vec(1u128..1000, assets),
        markets in prop::collection::vec(
            (
                (0..assets, 1..assets),
                (10u128.pow(6)..10u128.pow(12), -skew..=skew, prop::sample::select(&FEES[..])),
                any::<bool>(),
                prop::collection::vec((-20i32..20, 1i32..40, 1i128..10i128.pow(12)), 1..4),
            ),
            1..14,
        ),
    ) -> Vec<Spec> {
        markets.into_iter().map(|((first, step), (depth, skew, fee), v3, ranges)| {
            let second = (first + step) % assets;
            let state = if v3 {
                #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a tick near the price")]
                let tick = ((prices[first] as f64 / prices[second] as f64).ln() / 1.0001f64.ln()) as i32;
                let tick = tick + i32::try_from(skew).unwrap() * 10;
                concentrated(tick, &ranges, (!narrow).then_some(10i128.pow(10)), fee)
            } else {
                product(&prices, first, second, depth, skew, fee)
            };
            Spec { first, second, state }
        }).collect()
    }
}

fn network(specs: &[Spec]) -> Network {
    let mut network = Network::new();
    for (at, spec) in specs.iter().enumerate() {
        network
            .set(
                &format!("market{at:02}"),
                &[&name(spec.first), &name(spec.second)],
                spec.state.clone(),
                0,
            )
            .unwrap();
    }
    network
}

/// Every simple path by depth-first search, on exact amounts.
fn brute_force_in(
    specs: &[Spec],
    at: usize,
    want: usize,
    amount: U256,
    hops: usize,
    seen: &mut Vec<usize>,
) -> Option<U256> {
    if at == want {
        return Some(amount);
    }
    if hops == 0 {
        return None;
    }
    let mut best = None;
    for spec in specs {
        for (from, to, zero_for_one) in [
            (spec.first, spec.second, true),
            (spec.second, spec.first, false),
        ] {
            if from != at || seen.contains(&to) {
                continue;
            }
            let Ok(quote) = spec.state.quote(
                usize::from(!zero_for_one),
                usize::from(zero_for_one),
                amount,
                true,
            ) else {
                continue;
            };
            if quote.amount_out.is_zero() {
                continue;
            }
            seen.push(to);
            best = best.max(brute_force_in(
                specs,
                to,
                want,
                quote.amount_out,
                hops - 1,
                seen,
            ));
            seen.pop();
        }
    }
    best
}

/// As above, against the trade: amounts of each funding asset that buy exactly `amount`.
fn brute_force_out(
    specs: &[Spec],
    at: usize,
    funding: &[usize],
    amount: U256,
    hops: usize,
    seen: &mut Vec<usize>,
) -> Vec<(usize, U256)> {
    let mut found = Vec::new();
    if let Some(index) = funding.iter().position(|asset| *asset == at) {
        found.push((index, amount));
    }
    if hops == 0 {
        return found;
    }
    for spec in specs {
        for (from, to, zero_for_one) in [
            (spec.first, spec.second, true),
            (spec.second, spec.first, false),
        ] {
            if to != at || seen.contains(&from) {
                continue;
            }
            let Ok(quote) = spec.state.quote(
                usize::from(!zero_for_one),
                usize::from(zero_for_one),
                amount,
                false,
            ) else {
                continue;
            };
            seen.push(from);
            found.extend(brute_force_out(
                specs,
                from,
                funding,
                quote.amount_in,
                hops - 1,
                seen,
            ));
            seen.pop();
        }
    }
    found
}

/// Replays the legs: exact amounts, a chain of assets, no market twice.
fn check(network: &Network, solution: &PathSolution, exact_in: bool) {
    let mut markets = BTreeSet::new();
    for leg in &solution.legs {
        assert!(markets.insert(leg.market.clone()));
        let amount = if exact_in {
            leg.amount_in
        } else {
            leg.amount_out
        };
        let quote = network
            .quote(&leg.market, &leg.asset_in, None, amount, exact_in)
            .unwrap();
        assert_eq!(
            (quote.amount_in, quote.amount_out),
            (leg.amount_in, leg.amount_out)
        );
        assert!(
            !solution
                .left_out
                .iter()
                .any(|(market, _)| *market == leg.market)
        );
    }
    for pair in solution.legs.windows(2) {
        assert_eq!(
            (&pair[0].asset_out, pair[0].amount_out),
            (&pair[1].asset_in, pair[1].amount_in)
        );
    }
    assert_eq!(solution.amount_in, solution.legs[0].amount_in);
    assert_eq!(
        solution.amount_out,
        solution.legs[solution.legs.len() - 1].amount_out
    );
    assert_eq!(solution.funding, solution.legs[0].asset_in);
    // No path pays more than its price at no size after fees promises.
    let price = &solution.marginal_after_fees;
    assert!(
        Wide::from(solution.amount_out) * price.denominator
            <= Wide::from(solution.amount_in) * price.numerator
    );
}

fn check_exact_in(
    specs: &[Spec],
    amount: u64,
    hops: usize,
) -> Result<Option<PathMethod>, TestCaseError> {
    let network = network(specs);
    let amount = U256::from(amount);
    let problem = PathProblem::new(
        name(1),
        amount,
        true,
        vec![name(0)],
        vec![],
        hops,
        BTreeSet::new(),
    )
    .unwrap();
    let best = brute_force_in(specs, 0, 1, amount, hops, &mut vec![0]);
    match network.best_path(&problem) {
        Ok(solution) => {
            check(&network, &solution, true);
            prop_assert_eq!(solution.amount_in, amount);
            prop_assert!(solution.legs.len() <= hops);
            prop_assert_eq!(
                Some(solution.amount_out),
                best,
                "{}",
                solution.method.name()
            );
            Ok(Some(solution.method))
        }
        Err(RouteError::NoRoute(_)) => {
            prop_assert_eq!(best, None);
            Ok(None)
        }
        Err(error) => Err(TestCaseError::fail(error.to_string())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn exact_in_with_arbitrage(specs in specs(6, 300, false), amount in 1u64..10_000_000_000, hops in 1usize..=5) {
        check_exact_in(&specs, amount, hops)?;
    }

    #[test]
    fn exact_in_with_markets_that_run_dry(specs in specs(5, 100, true), amount in 1u64..10_000_000_000, hops in 1usize..=5) {
        check_exact_in(&specs, amount, hops)?;
    }

    #[test]
    fn exact_in_near_fair_prices(specs in specs(6, 1, false), amount in 1u64..10_000_000_000, hops in 1usize..=5) {
        check_exact_in(&specs, amount, hops)?;
    }

    #[test]
    fn exact_out_of_one_or_several_assets(
        specs in specs(6, 100, false),
        amount in 1u64..1_000_000_000,
        hops in 1usize..=4,
        several: bool,
        values in prop::collection::vec((1u64..1000, 1u64..1000), 2),
    ) {
        let network = network(&specs);
        let amount = U256::from(amount);
        let funding: Vec<usize> = if several { vec![0, 2] } else { vec![0] };
        let values: Vec<(U256, U256)> = if several {
            values.iter().map(|(above, below)| (U256::from(*above), U256::from(*below))).collect()
        } else {
            vec![]
        };
        let problem = PathProblem::new(
            name(1), amount, false, funding.iter().map(|asset| name(*asset)).collect(), values.clone(), hops, BTreeSet::new(),
        ).unwrap();
        let worth = |index: usize, amount: U256| {
            let (above, below) = values.get(index).copied().unwrap_or((U256::ONE, U256::ONE));
            // Over the common denominator of both assets.
            let other = values.get(1 - index.min(1)).map_or(U256::ONE, |value| value.1);
            let _ = below;
            Wide::from(amount) * Wide::from(above) * Wide::from(if several { other } else { U256::ONE })
        };
        let best = brute_force_out(&specs, 1, &funding, amount, hops, &mut vec![1])
            .into_iter().map(|(index, amount)| worth(index, amount)).min();
        match network.best_path(&problem) {
            Ok(solution) => {
                check(&network, &solution, false);
                prop_assert_eq!(solution.amount_out, amount);
                let index = funding.iter().position(|asset| name(*asset) == solution.funding).unwrap();
                prop_assert_eq!(Some(worth(index, solution.amount_in)), best);
            }
            Err(RouteError::NoRoute(_)) => prop_assert_eq!(best, None),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn the_order_of_insertion_changes_nothing(specs in specs(5, 50, false), amount in 1u64..1_000_000_000, turn in 0usize..14) {
        let straight = network(&specs);
        let mut turned = Network::new();
        for step in 0..specs.len() {
            let at = (step + turn) % specs.len();
            let spec = &specs[at];
            turned.set(&format!("market{at:02}"), &[&name(spec.first), &name(spec.second)], spec.state.clone(), 0).unwrap();
        }
        prop_assert_eq!(straight.digest(), turned.digest());
        let problem =
            PathProblem::new(name(1), U256::from(amount), true, vec![name(0)], vec![], 4, BTreeSet::new()).unwrap();
        prop_assert_eq!(straight.best_path(&problem), turned.best_path(&problem));
    }
}

/// Two markets of a fair pair, one of a dead end, one excluded.
fn small() -> Network {
    let mut network = Network::new();
    let pool = |a: u64, b: u64| {
        MarketState::ConstantProduct(
            ConstantProduct::new(U256::from(a), U256::from(b), 3000).unwrap(),
        )
    };
    network
        .set("cheap", &["weth", "usdc"], pool(1_000_000, 3_000_000), 100)
        .unwrap();
    network
        .set("dear", &["weth", "usdc"], pool(1_000_000, 2_000_000), 100)
        .unwrap();
    network
        .set(
            "nowhere",
            &["usdc", "dust"],
            pool(1_000_000, 2_000_000),
            100,
        )
        .unwrap();
    network
        .set("far", &["wbtc", "ubtc"], pool(1_000_000, 2_000_000), 100)
        .unwrap();
    network
        .set("empty", &["weth", "usdc"], pool(0, 0), 100)
        .unwrap();
    network
}

fn sell_weth(exclude: &[&str]) -> PathProblem {
    let exclude = exclude.iter().map(ToString::to_string).collect();
    PathProblem::new(
        "usdc".into(),
        U256::from(1000),
        true,
        vec!["weth".into()],
        vec![],
        4,
        exclude,
    )
    .unwrap()
}

#[test]
fn what_was_left_out_is_named() {
    let solution = small().best_path(&sell_weth(&[])).unwrap();
    assert_eq!(solution.legs[0].market, "cheap");
    assert_eq!(solution.method, PathMethod::Dijkstra);
    let left_out: Vec<&str> = solution
        .left_out
        .iter()
        .map(|(market, _)| market.as_str())
        .collect();
    assert_eq!(left_out, ["empty", "far", "nowhere"]);
    let solution = small().best_path(&sell_weth(&["cheap"])).unwrap();
    assert_eq!(solution.legs[0].market, "dear");
    assert!(
        solution
            .left_out
            .contains(&("cheap".into(), "excluded by the problem".into()))
    );
    let error = small()
        .best_path(&sell_weth(&["cheap", "dear"]))
        .unwrap_err();
    assert!(error.to_string().contains("from weth to usdc"), "{error}");
}

#[test]
fn the_marginal_price_is_that_of_the_reserves() {
    let solution = small().best_path(&sell_weth(&[])).unwrap();
    let price = solution.marginal;
    assert_eq!(
        (price.numerator, price.denominator),
        (Wide::from(3u8), Wide::from(1u8))
    );
    let price = solution.marginal_after_fees;
    assert_eq!(
        (price.numerator, price.denominator),
        (Wide::from(2991u16), Wide::from(1000u16))
    );
}

#[test]
fn the_digest_follows_every_part_of_a_market() {
    let mut digests = BTreeSet::from([small().digest()]);
    let mut network = small();
    let state = network.market("cheap").unwrap().state().clone();
    network
        .set("cheap", &["weth", "usdc"], state.clone(), 101)
        .unwrap();
    assert!(digests.insert(network.digest()));
    network
        .set("cheap", &["usdc", "weth"], state.clone(), 100)
        .unwrap();
    assert!(digests.insert(network.digest()));
    network.remove("cheap").unwrap();
    assert!(digests.insert(network.digest()));
    network.set("cheap", &["weth", "usdc"], state, 100).unwrap();
    assert!(!digests.insert(network.digest()));
    assert!(network.remove("unknown").is_err());
}

#[test]
fn contradictions_are_refused() {
    let build =
        |want: &str, amount: u64, exact_in, funding: &[&str], values: &[(u64, u64)], hops| {
            PathProblem::new(
                want.into(),
                U256::from(amount),
                exact_in,
                funding.iter().map(ToString::to_string).collect(),
                values
                    .iter()
                    .map(|(above, below)| (U256::from(*above), U256::from(*below)))
                    .collect(),
                hops,
                BTreeSet::new(),
            )
        };
    assert!(build("a", 0, true, &["b"], &[], 4).is_err());
    assert!(build("a", 1, true, &[], &[], 4).is_err());
    assert!(build("a", 1, true, &["a"], &[], 4).is_err());
    assert!(build("a", 1, true, &["b", "c"], &[], 4).is_err());
    assert!(build("a", 1, false, &["b", "c"], &[], 4).is_err());
    assert!(build("a", 1, false, &["b", "b"], &[(1, 1), (1, 1)], 4).is_err());
    assert!(build("a", 1, false, &["b", "c"], &[(1, 1), (0, 1)], 4).is_err());
    assert!(build("a", 1, true, &["b"], &[], 0).is_err());
    assert!(build("a", 1, true, &["b"], &[], 9).is_err());
    assert!(build("a", 1, false, &["b", "c"], &[(1, 1), (2, 1)], 8).is_ok());
    assert!(
        Network::new()
            .set(
                "m",
                &["a", "a"],
                small().market("cheap").unwrap().state().clone(),
                0
            )
            .is_err()
    );
}
