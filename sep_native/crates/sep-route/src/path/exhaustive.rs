use ruint::aliases::U256;

use super::bounds::Bounds;
use super::search::Search;

/// Quotes that the search may cost; on small networks it ends before.
const QUOTES_MAX: u64 = 20_000;

/// Every path, depth first, until the quotes are spent. Needed only where a market refuses an amount that a
/// lesser label would have passed with: no order of labels is safe then.
pub(crate) fn run(search: &mut Search<'_>, amount: U256, bounds: &Bounds) {
    let start = search.begin(amount);
    let limit = search.quotes + QUOTES_MAX;
    let mut waiting = vec![start];
    while let Some(at) = waiting.pop() {
        let label = *search.labels.get(at);
        for arc in search.graph.arcs(label.node).to_vec() {
            if search.is_loop(&label, arc)
                || bounds.exceed(&search.graph, &label, arc, search.best_cost())
            {
                continue;
            }
            if search.quotes >= limit {
                return;
            }
            if let Ok(reached) = search.advance(at, arc)
                && label.hops + 1 < search.graph.max_hops
                && search.graph.goes_on(arc.to)
            {
                waiting.push(reached);
            }
        }
    }
}
