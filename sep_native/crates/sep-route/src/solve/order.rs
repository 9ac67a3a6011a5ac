use std::collections::BTreeSet;

use super::core::Core;
use super::laplacian::Laplacian;

/// Share of a node's conductance that leads to the ground, so that no part of the graph floats.
const LEAK: f64 = 1e-9;

/// An order of the nodes for plans without loops: how far each lies from where flows begin to where they end, as the
/// potential of an electrical network in which every market conducts as well as it is deep.
///
/// Currents never run in loops, and for small trades at fair prices they are the best split.
pub(crate) fn ranks(core: &Core, log_prices: &[f64], surplus: &[f64]) -> Vec<u32> {
    let count = core.node_count();
    let prices: Vec<f64> = log_prices.iter().map(|log| log.exp()).collect();
    let mut weights = vec![0.0; core.ties.len()];
    for edge in &core.edges {
        let depth =
            (edge.depth_ab * prices[edge.a as usize]).max(edge.depth_ba * prices[edge.b as usize]);
        if depth.is_finite() {
            weights[edge.tie as usize] += depth;
        }
    }
    let is_ground = |node: usize| core.is_fixed[node] || core.ceiling[node] < f64::INFINITY;
    let mut ground = vec![0.0; count];
    let mut links = Vec::with_capacity(weights.len());
    for ((low, high), weight) in core.ties.iter().zip(weights) {
        ground[*low as usize] += LEAK * weight;
        ground[*high as usize] += LEAK * weight;
        match (is_ground(*low as usize), is_ground(*high as usize)) {
            (false, false) => links.push((*low, *high, weight)),
            (true, false) => ground[*high as usize] += weight,
            (false, true) => ground[*low as usize] += weight,
            (true, true) => {}
        }
    }
    let load: Vec<f64> = (0..count)
        .map(|node| if is_ground(node) { 0.0 } else { surplus[node] })
        .collect();
    let mut potentials = vec![0.0; count];
    Laplacian::default().solve(&links, &ground, &load, &mut potentials);
    for (node, potential) in potentials.iter_mut().enumerate() {
        if is_ground(node) {
            *potential = 0.0;
        }
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| potentials[*b].total_cmp(&potentials[*a]).then(a.cmp(b)));
    let mut ranks = vec![0; count];
    for (rank, node) in (0u32..).zip(order) {
        ranks[node] = rank;
    }
    ranks
}

/// The order nearest to these ranks in which some arcs go forward; `None` where they run in a loop.
pub(crate) fn ranks_with(ranks: &[u32], arcs: &[(u32, u32)]) -> Option<Vec<u32>> {
    let mut entering = vec![0u32; ranks.len()];
    let mut leaving: Vec<Vec<u32>> = vec![Vec::new(); ranks.len()];
    for (from, to) in arcs {
        entering[*to as usize] += 1;
        leaving[*from as usize].push(*to);
    }
    let mut ready: BTreeSet<(u32, usize)> = (0..ranks.len())
        .filter(|node| entering[*node] == 0)
        .map(|node| (ranks[node], node))
        .collect();
    let mut placed = vec![u32::MAX; ranks.len()];
    let mut next = 0u32;
    while let Some((_, node)) = ready.pop_first() {
        placed[node] = next;
        next += 1;
        for to in &leaving[node] {
            entering[*to as usize] -= 1;
            if entering[*to as usize] == 0 {
                ready.insert((ranks[*to as usize], *to as usize));
            }
        }
    }
    (next as usize == ranks.len()).then_some(placed)
}
