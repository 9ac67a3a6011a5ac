use std::cmp::Ordering;
use std::collections::BinaryHeap;

use ruint::aliases::U256;
use sep_amm::AmmError;

use super::bounds::{MARGIN, at_goals};
use super::graph::{Arc, Graph};
use super::search::{Blocked, Search};

/// More rounds than a path has hops are needed only where costs are odd; this many end in doubt.
const ROUNDS_MAX: usize = 32;
/// A potential must improve by more than this for another round.
const IMPROVEMENT: f64 = 1e-12;
/// For each asset the least that the way to a goal can cost, as a logarithm: the best marginal prices, fees
/// included. `None` where they do not settle: a loop of markets pays more than it takes, and no potential
/// makes every cost non-negative.
pub(crate) fn potentials(graph: &Graph<'_>) -> Option<Vec<f64>> {
    let mut potentials = at_goals(graph);
    for _ in 0..ROUNDS_MAX {
        let mut settled = true;
        for from in 0..potentials.len() {
            for arc in graph.arcs(u32::try_from(from).ok()?) {
                let through = arc.log_cost + potentials[arc.to as usize];
                if through < potentials[from] - IMPROVEMENT {
                    potentials[from] = through;
                    settled = false;
                }
            }
        }
        if settled {
            return Some(potentials);
        }
    }
    None
}

/// Dijkstra's search over exact amounts with these potentials. Exact costs are never below marginal ones, so
/// what leaves the queue first is best. `Blocked` where a market could not take what reached it.
pub(crate) fn run(
    search: &mut Search<'_>,
    amount: U256,
    potentials: &[f64],
) -> Result<(), Blocked> {
    let mut queue = BinaryHeap::new();
    let mut reached: Vec<Vec<(usize, U256)>> = vec![Vec::new(); search.graph.node_count()];
    let mut order = 0u64;
    let mut push = |queue: &mut BinaryHeap<Entry>, cost: f64, step: Step| {
        order += 1;
        queue.push(Entry { cost, order, step });
    };
    let start = search.begin(amount);
    push(&mut queue, f64::NEG_INFINITY, Step::Expand(start));
    while let Some(Entry { cost, step, .. }) = queue.pop() {
        if cost > search.best_cost() + MARGIN {
            break;
        }
        match step {
            Step::Expand(from) => {
                let label = *search.labels.get(from);
                if is_dominated(
                    &search.graph,
                    &reached[label.node as usize],
                    label.hops,
                    label.amount,
                    false,
                ) {
                    continue;
                }
                for arc in search.graph.arcs(label.node).iter().copied() {
                    if !search.is_loop(&label, arc) {
                        // The curve waits until nothing cheaper is left, and the quote again.
                        let least = search.graph.log_amount(label.amount)
                            + arc.log_cost
                            + potentials[arc.to as usize];
                        push(&mut queue, least, Step::Look(from, arc));
                    }
                }
            }
            Step::Look(from, arc) => {
                let amount = search.labels.get(from).amount;
                let least = search.graph.least_beyond(arc, amount) + potentials[arc.to as usize];
                push(&mut queue, least.max(cost), Step::Walk(from, arc));
            }
            Step::Walk(from, arc) => {
                let at = match search.advance(from, arc) {
                    Ok(at) => at,
                    Err(AmmError::ZeroAmount) => continue,
                    // Walking against the trade, the least amount is the most easily met: no other would pass.
                    Err(_) if !search.graph.exact_in() || search.labels.get(from).hops == 0 => {
                        continue;
                    }
                    Err(_) => return Err(Blocked),
                };
                let label = *search.labels.get(at);
                let known = &mut reached[label.node as usize];
                if is_dominated(&search.graph, known, label.hops, label.amount, true) {
                    continue;
                }
                known.push((label.hops, label.amount));
                let cost = search.graph.log_amount(label.amount) + potentials[label.node as usize];
                if label.hops < search.graph.max_hops && search.graph.goes_on(label.node) {
                    push(&mut queue, cost, Step::Expand(at));
                }
            }
        }
    }
    Ok(())
}

/// Whether an asset was reached with as few hops and a better amount; or, where `equal` counts, the same one.
fn is_dominated(
    graph: &Graph<'_>,
    known: &[(usize, U256)],
    hops: usize,
    amount: U256,
    equal: bool,
) -> bool {
    known.iter().any(|(known_hops, known_amount)| {
        *known_hops <= hops
            && (graph.is_better(*known_amount, amount)
                || (*known_amount == amount && (equal || *known_hops < hops)))
    })
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Look at the arcs that leave a label.
    Expand(usize),
    /// Look at the curve of an arc that leaves a label.
    Look(usize, Arc),
    /// Quote the arc that leaves a label.
    Walk(usize, Arc),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    cost: f64,
    order: u64,
    step: Step,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        // The heap hands out its greatest: the least cost, and among equals the first that came.
        other
            .cost
            .total_cmp(&self.cost)
            .then_with(|| other.order.cmp(&self.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
