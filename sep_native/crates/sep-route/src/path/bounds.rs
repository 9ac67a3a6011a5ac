use super::graph::{Arc, Graph};
use super::label::Label;

/// Logarithms are rounded; exact amounts decide among all that come this close.
pub(crate) const MARGIN: f64 = 1e-9;

/// For each asset and number of hops the least that the way to a goal can cost, as a logarithm: the best
/// marginal prices, fees included. Exact amounts never do better, loops or not.
#[derive(Debug)]
pub(crate) struct Bounds {
    by_hops: Vec<Vec<f64>>,
}

impl Bounds {
    pub(crate) fn new(graph: &Graph<'_>) -> Self {
        let mut by_hops = vec![at_goals(graph)];
        for hops in 0..graph.max_hops {
            let mut next = by_hops[hops].clone();
            for (from, least) in (0u32..).zip(next.iter_mut()) {
                for arc in graph.arcs(from) {
                    *least = least.min(arc.log_cost + by_hops[hops][arc.to as usize]);
                }
            }
            by_hops.push(next);
        }
        Self { by_hops }
    }

    /// Whether no path that continues a label with an arc can cost as little as what is known: by the rate of the arc,
    /// and where that does not settle it, by its curve.
    pub(crate) fn exceed(&self, graph: &Graph<'_>, label: &Label, arc: Arc, known: f64) -> bool {
        let rest = graph.max_hops.saturating_sub(label.hops + 1);
        let left = known + MARGIN - self.by_hops[rest][arc.to as usize];
        graph.log_amount(label.amount) + arc.log_cost > left
            || graph.least_beyond(arc, label.amount) > left
    }
}

/// Nothing at a goal but the worth of its unit, and no end in sight elsewhere.
pub(crate) fn at_goals(graph: &Graph<'_>) -> Vec<f64> {
    let mut least = vec![f64::INFINITY; graph.node_count()];
    for (asset, worth) in &graph.goals {
        least[*asset as usize] = Graph::log_worth(*worth);
    }
    least
}
