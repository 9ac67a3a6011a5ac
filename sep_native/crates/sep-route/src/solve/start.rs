use super::core::{Core, Edge};
use super::terms::Terms;
use crate::problem::Utility;

/// Rounds of relaxation; more only while some asset has no price at all.
const ROUNDS: usize = 6;
const ROUNDS_MAX: usize = 64;

/// Where a search begins.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) log_prices: Vec<f64>,
    /// How much the best rates lose on the way through each node: what is far from zero will hardly be used.
    pub(crate) slack: Vec<f64>,
}

/// Log prices to begin with: half way between what an asset can be turned into and what it can be had for, by the
/// best rates of few markets.
pub(crate) fn prices(core: &Core, terms: &Terms, utility: &Utility) -> Start {
    let count = core.node_count();
    let at = |asset: u32| core.assets.iter().position(|known| *known == asset);
    let mut worth = vec![f64::NEG_INFINITY; count];
    let mut cost = vec![f64::INFINITY; count];
    let ceilings = || {
        terms
            .ceilings
            .iter()
            .filter_map(|(asset, log)| at(*asset).map(|node| (node, *log)))
    };
    let sources: Vec<usize> = terms
        .sources
        .iter()
        .filter_map(|asset| at(*asset))
        .collect();
    let sinks: Vec<usize> = terms.sinks.iter().filter_map(|asset| at(*asset)).collect();
    match utility {
        Utility::ExactIn { .. } => {
            for (node, log) in ceilings() {
                worth[node] = log;
            }
            relax_worth(core, &mut worth);
            for node in sources {
                cost[node] = worth[node];
            }
            relax_cost(core, &mut cost);
        }
        Utility::ExactOut { .. } => {
            for (node, log) in ceilings() {
                cost[node] = log;
            }
            relax_cost(core, &mut cost);
            for node in sinks {
                worth[node] = cost[node];
            }
            relax_worth(core, &mut worth);
        }
        Utility::Rebalance { .. } | Utility::Arbitrage { .. } => {
            let known: Vec<(usize, f64)> = terms
                .guesses
                .iter()
                .filter_map(|(asset, log)| at(*asset).map(|node| (node, *log)))
                .chain(ceilings())
                .collect();
            for (node, log) in &known {
                worth[*node] = *log;
                cost[*node] = *log;
            }
            relax_worth(core, &mut worth);
            relax_cost(core, &mut cost);
            for (node, log) in known {
                worth[node] = log;
                cost[node] = log;
            }
        }
    }
    let slack = cost
        .iter()
        .zip(&worth)
        .map(|(cost, worth)| cost - worth)
        .collect();
    let mut log_prices: Vec<f64> = worth
        .iter()
        .zip(&cost)
        .zip(&core.ceiling)
        .map(|((worth, cost), ceiling)| {
            if ceiling.is_finite() {
                return *ceiling;
            }
            match (worth.is_finite(), cost.is_finite()) {
                (true, true) => f64::midpoint(*worth, *cost),
                (true, false) => *worth,
                (false, true) => *cost,
                (false, false) => f64::NEG_INFINITY,
            }
        })
        .collect();
    // What flows neither reach nor leave is worth what it could be sold for, so that nobody wants to.
    if log_prices.contains(&f64::NEG_INFINITY) {
        let known = log_prices.clone();
        relax_worth(core, &mut log_prices);
        for (log, known) in log_prices.iter_mut().zip(known) {
            if known.is_finite() {
                *log = known;
            } else if !log.is_finite() {
                *log = 0.0;
            }
        }
    }
    Start { log_prices, slack }
}

fn relax_worth(core: &Core, worth: &mut [f64]) {
    relax_worth_at(core, |_, edge| [edge.rate_ab, edge.rate_ba], worth);
}

/// What each node can be turned into at best, where edges have these rates from `a` to `b` and back.
pub(crate) fn relax_worth_at(
    core: &Core,
    rates: impl Fn(usize, &Edge) -> [f64; 2],
    worth: &mut [f64],
) {
    relax(worth, |worth| {
        let mut is_changed = false;
        for (at, edge) in core.edges.iter().enumerate() {
            let (a, b) = (edge.a as usize, edge.b as usize);
            let [rate_ab, rate_ba] = rates(at, edge);
            is_changed |= raise(worth, a, worth[b] + rate_ab);
            is_changed |= raise(worth, b, worth[a] + rate_ba);
        }
        is_changed
    });
}

pub(crate) fn relax_cost(core: &Core, cost: &mut [f64]) {
    relax(cost, |cost| {
        let mut is_changed = false;
        for edge in &core.edges {
            let (a, b) = (edge.a as usize, edge.b as usize);
            is_changed |= lower(cost, b, cost[a] - edge.rate_ab);
            is_changed |= lower(cost, a, cost[b] - edge.rate_ba);
        }
        is_changed
    });
}

fn relax(values: &mut [f64], mut round: impl FnMut(&mut [f64]) -> bool) {
    for at in 0..ROUNDS_MAX {
        let unknown = values.iter().filter(|value| !value.is_finite()).count();
        if at >= ROUNDS && unknown == 0 {
            break;
        }
        if !round(values) {
            break;
        }
        if at >= ROUNDS && unknown == values.iter().filter(|value| !value.is_finite()).count() {
            break;
        }
    }
}

/// Improvements below this are rounding.
const IMPROVEMENT: f64 = 1e-12;

fn raise(values: &mut [f64], at: usize, to: f64) -> bool {
    let is_better = to > values[at] + IMPROVEMENT || (to > values[at] && !values[at].is_finite());
    if is_better {
        values[at] = to;
    }
    is_better
}

fn lower(values: &mut [f64], at: usize, to: f64) -> bool {
    let is_better = to < values[at] - IMPROVEMENT || (to < values[at] && !values[at].is_finite());
    if is_better {
        values[at] = to;
    }
    is_better
}
