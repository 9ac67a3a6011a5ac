use ruint::aliases::U256;
use sep_amm::AmmError;

use super::bounds::Bounds;
use super::label::Visited;
use super::search::{Blocked, Search};

/// Relaxation over exact amounts, hop by hop.
///
/// The best amount at an asset is not enough, since its path may have used an asset that the rest needs. So
/// each arc is walked by as few labels as cover every choice of assets that the rest of a path can still use:
/// whatever the rest is, the best label that avoids it was kept. `Blocked` where a market could not take a
/// label's amount while a lesser one was there; the answer may then not be the best.
pub(crate) fn run(search: &mut Search<'_>, amount: U256, bounds: &Bounds) -> Result<(), Blocked> {
    let start = search.begin(amount);
    let mut current: Vec<(u32, Vec<usize>)> = vec![(search.graph.start, vec![start])];
    let mut blocked = false;
    // With one goal, the last asset of a path is in no label; with several, it may be.
    let last_is_free = usize::from(search.graph.goals.len() == 1);
    for hops in 1..=search.graph.max_hops {
        let rest = (search.graph.max_hops - hops).saturating_sub(last_is_free);
        let mut next: Vec<Vec<usize>> = vec![Vec::new(); search.graph.node_count()];
        for (node, candidates) in current {
            for arc in search.graph.arcs(node).to_vec() {
                let mut kept: Vec<Visited> = Vec::new();
                let mut most: Option<U256> = None;
                for candidate in candidates.iter().copied() {
                    let label = *search.labels.get(candidate);
                    if search.is_loop(&label, arc)
                        || bounds.exceed(&search.graph, &label, arc, search.best_cost())
                        || most.is_some_and(|most| label.amount > most)
                        || !can_matter(&kept, &label.visited, rest)
                    {
                        continue;
                    }
                    match search.advance(candidate, arc) {
                        Ok(reached) => {
                            kept.push(label.visited);
                            next[arc.to as usize].push(reached);
                        }
                        Err(error) => {
                            if search.graph.exact_in() && error != AmmError::ZeroAmount {
                                // From the third hop on, a lesser label may have been dropped on its way here.
                                blocked |= candidates.len() > 1 || hops > 2;
                                most = takes_at_most(&error);
                            }
                        }
                    }
                }
            }
        }
        current = Vec::new();
        for (node, mut labels) in (0u32..).zip(next) {
            if labels.is_empty() || !search.graph.goes_on(node) {
                continue;
            }
            sort(search, &mut labels);
            current.push((node, labels));
        }
    }
    if blocked { Err(Blocked) } else { Ok(()) }
}

/// Best first; among equals the fewest hops, then the names of the markets.
fn sort(search: &Search<'_>, labels: &mut [usize]) {
    labels.sort_by(|a, b| {
        let (first, second) = (search.labels.get(*a), search.labels.get(*b));
        let order = first.amount.cmp(&second.amount);
        let order = if search.graph.exact_in() {
            order.reverse()
        } else {
            order
        };
        order.then_with(|| search.labels.compare_names(&search.graph, *a, *b))
    });
}

/// Whether some rest of at most `rest` assets, none of them in `visited`, meets every better label: then no
/// better one can be continued that way, and this one may be.
fn can_matter(better: &[Visited], visited: &Visited, rest: usize) -> bool {
    let mut chosen = Vec::with_capacity(rest);
    can_meet(better, visited, rest, &mut chosen)
}

fn can_meet(better: &[Visited], visited: &Visited, rest: usize, chosen: &mut Vec<u32>) -> bool {
    let Some(unmet) = better
        .iter()
        .find(|other| !other.nodes().iter().any(|node| chosen.contains(node)))
    else {
        return true;
    };
    if rest == 0 {
        return false;
    }
    unmet.nodes().iter().any(|node| {
        if visited.contains(*node) {
            return false;
        }
        chosen.push(*node);
        let met = can_meet(better, visited, rest - 1, chosen);
        chosen.pop();
        met
    })
}

/// What a market said it can take, so that no larger amount is tried.
fn takes_at_most(error: &AmmError) -> Option<U256> {
    match error {
        AmmError::InsufficientLiquidity { amount_in, .. } => Some(*amount_in),
        _ => None,
    }
}
