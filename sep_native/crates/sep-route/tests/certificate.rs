//! The certificate: it holds for every plan, and what is planted in a network or in a plan makes it fail.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use sep_amm::{ConstantProduct, U256};
use sep_route::generate::{Mix, draw};
use sep_route::{Limits, MarketState, Network};
use support::{exact_in, recipe, seed, solved};

/// The network with one market that a plan uses changed by a hand.
fn with_market(
    network: &Network,
    name: &str,
    change: impl Fn(&ConstantProduct) -> Option<ConstantProduct>,
) -> Option<Network> {
    let market = network.market(name).unwrap();
    let MarketState::ConstantProduct(pool) = market.state() else {
        return None;
    };
    let pool = change(pool)?;
    let mut changed = network.clone();
    let assets: Vec<&str> = network.assets_of(market).collect();
    changed
        .set(
            name,
            &assets,
            MarketState::ConstantProduct(pool),
            market.gas(),
        )
        .unwrap();
    Some(changed)
}

#[test]
fn claims_that_are_no_numbers_are_refused() {
    let instance = draw(&recipe(20, 6, Mix::Products), seed("numbers"));
    let problem = exact_in(&instance, instance.amount, Limits::default());
    let honest = solved(&instance.network, &problem);
    honest.verify(&instance.network).unwrap();
    for none in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for place in 0..3 {
            let mut claimed = honest.clone();
            match place {
                0 => claimed.objective = none,
                1 => claimed.bound = none,
                _ => claimed.gap = none,
            }
            assert!(
                claimed.verify(&instance.network).is_err(),
                "{none} in place {place}"
            );
        }
    }
}

#[test]
fn a_dropped_market_a_wrong_fee_and_a_stale_price_are_found() {
    let first = seed("planted");
    let mut found = [0; 3];
    for at in 0..30 {
        let instance = draw(&recipe(60, 15, Mix::Products), first + at);
        let problem = exact_in(&instance, instance.amount, Limits::default());
        let honest = solved(&instance.network, &problem);
        let used: Vec<String> = honest.legs.iter().map(|leg| leg.market.clone()).collect();
        for name in used {
            // A plan that does not know a market of the snapshot: the bound there is another one.
            let mut fewer = instance.network.clone();
            fewer.remove(&name).unwrap();
            if let Ok(blind) = fewer.solve(&problem)
                && blind.bound < honest.bound * (1.0 - 1e-7)
            {
                assert!(blind.objective <= honest.bound);
                assert!(
                    blind.verify(&instance.network).is_err(),
                    "seed {}, {name} dropped",
                    first + at
                );
                found[0] += 1;
            }
            // A plan made with a fee or a price that the pool does not have.
            let cheap = with_market(&instance.network, &name, |pool| {
                ConstantProduct::new(pool.reserve0(), pool.reserve1(), 0).ok()
            });
            let stale = with_market(&instance.network, &name, |pool| {
                ConstantProduct::new(
                    pool.reserve0() * U256::from(101) / U256::from(100),
                    pool.reserve1(),
                    3000,
                )
                .ok()
            });
            for (kind, wrong) in [(1, cheap), (2, stale)] {
                let Some(wrong) = wrong else { continue };
                let plan = wrong.solve(&problem).unwrap();
                if plan.legs.iter().all(|leg| leg.market != name) {
                    // Such a plan does not rest on what was wrong.
                    continue;
                }
                assert!(
                    plan.verify(&instance.network).is_err(),
                    "seed {}, {name}",
                    first + at
                );
                found[kind] += 1;
            }
        }
    }
    assert!(found.iter().all(|count| *count > 10), "{found:?}");
}

#[test]
fn other_prices_widen_the_gap_and_never_break_the_bound() {
    let first = seed("prices");
    for at in 0..30 {
        let instance = draw(&recipe(60, 15, Mix::Curved), first + at);
        let problem = exact_in(&instance, instance.amount, Limits::default());
        let honest = solved(&instance.network, &problem);
        let mut stale = honest.clone();
        for (asset, price) in &mut stale.prices {
            if *asset != instance.target {
                *price *= 1.001;
            }
        }
        // The stored bound is not the one of these prices.
        let error = stale.verify(&instance.network).unwrap_err().to_string();
        assert!(error.contains("the bound is"), "{error}");
        // With its own bound such a plan is honest, and its gap is wider.
        let text = error.split("the bound is ").nth(1).unwrap();
        stale.bound = text.split(',').next().unwrap().parse().unwrap();
        stale.gap = (stale.bound - stale.objective) / stale.bound;
        stale.verify(&instance.network).unwrap();
        assert!(stale.gap > honest.gap, "{} {}", stale.gap, honest.gap);
    }
}

#[test]
fn a_plan_that_was_touched_is_refused() {
    let instance = draw(&recipe(60, 15, Mix::Products), seed("touched"));
    let problem = exact_in(&instance, instance.amount, Limits::default());
    let honest = solved(&instance.network, &problem);
    let refused = |change: &dyn Fn(&mut sep_route::Solution)| {
        let mut plan = honest.clone();
        change(&mut plan);
        plan.verify(&instance.network).unwrap_err().to_string()
    };
    assert!(refused(&|plan| plan.legs[0].amount_out += U256::ONE).contains("gives"));
    assert!(refused(&|plan| plan.outputs[0].1 += U256::ONE).contains("outputs"));
    assert!(refused(&|plan| plan.objective *= 1.01).contains("the legs reach"));
    assert!(refused(&|plan| plan.bound *= 0.999).contains("the bound is"));
    assert!(refused(&|plan| plan.gap += 1e-3).contains("the gap is"));
    assert!(refused(&|plan| plan.prices[0].1 = -1.0).contains("above zero"));
    assert!(refused(&|plan| plan.legs.push(plan.legs[0].clone())).contains("twice"));
    assert!(
        refused(&|plan| {
            plan.prices
                .retain(|(asset, _)| *asset == instance.source || *asset == instance.target);
        })
        .len()
            > 10
    );
    if let Some(position) = honest
        .left_out
        .iter()
        .position(|(_, why)| why.contains("dead end"))
    {
        assert!(
            refused(&|plan| {
                plan.left_out.remove(position);
            })
            .contains("neither covered nor named")
        );
    }
}
