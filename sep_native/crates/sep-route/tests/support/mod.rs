//! What the suites share: seeds that are drawn at run time and printed, and problems on drawn networks.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    dead_code,
    unreachable_pub,
    missing_docs
)]

use std::hash::{BuildHasher, RandomState};

use sep_amm::U256;
use sep_route::generate::{Instance, Mix, Recipe};
use sep_route::{Limits, Network, Problem, Solution, Utility};

/// A seed of this run, or the one that `SEP_SEED` names.
pub fn seed(what: &str) -> u64 {
    let seed = std::env::var("SEP_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(what) % 1_000_000);
    println!("{what}: SEP_SEED={seed}");
    seed
}

/// How many problems a test draws: so many, or what `SEP_INSTANCES` says for a long search.
pub fn instances(usually: u64) -> u64 {
    std::env::var("SEP_INSTANCES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(usually)
}

pub fn recipe(markets: usize, assets: usize, mix: Mix) -> Recipe {
    Recipe {
        markets,
        assets,
        mix,
        stale_percent: 0,
        dead_end_percent: 10,
        edge_percent: 5,
    }
}

pub fn exact_in(instance: &Instance, amount: U256, limits: Limits) -> Problem {
    let utility = Utility::ExactIn {
        spend: vec![(instance.source.clone(), amount)],
        want: instance.target.clone(),
    };
    Problem::new(utility, limits).unwrap()
}

/// Solves, and lets the certificate be checked by the snapshot alone.
pub fn solved(network: &Network, problem: &Problem) -> Solution {
    let solution = network.solve(problem).unwrap();
    let verified = solution.verify(network).unwrap();
    assert!(verified.gap >= 0.0 && solution.gap >= 0.0, "{verified:?}");
    assert!(verified.covered + solution.left_out.len() >= network.markets().len());
    solution
}

pub fn net(solution: &Solution, want: &str) -> f64 {
    f64::from(solution.output(want)) - f64::from(solution.gas_worth)
}
