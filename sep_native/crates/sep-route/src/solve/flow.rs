use super::core::Core;
use super::evaluate::Evaluation;

/// Less than this share of all that moves is no leg.
const SHARE_MIN: f64 = 1e-9;

/// What goes through one market.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) edge: u32,
    pub(crate) market: u32,
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) side_in: u8,
    pub(crate) side_out: u8,
    pub(crate) amount_in: f64,
    pub(crate) amount_out: f64,
    /// Worth of what goes in.
    pub(crate) worth: f64,
    /// What the market adds at the prices of the moment: the least that a plan loses without it.
    pub(crate) gain: f64,
}

/// The flows of an evaluation, those left out that nobody would miss.
pub(crate) fn flows(core: &Core, evaluation: &Evaluation) -> Vec<Flow> {
    let least = SHARE_MIN * evaluation.turnover / 10.0f64.max(1.0);
    evaluation
        .awake
        .iter()
        .filter_map(|awake| {
            let edge = &core.edges[awake.edge as usize];
            let (from, to, side_in, side_out) = if awake.forward {
                (edge.a, edge.b, edge.side_a, edge.side_b)
            } else {
                (edge.b, edge.a, edge.side_b, edge.side_a)
            };
            let worth = awake.amount_in * evaluation.prices[from as usize];
            (worth > least).then_some(Flow {
                edge: awake.edge,
                market: edge.market,
                from,
                to,
                side_in,
                side_out,
                amount_in: awake.amount_in,
                amount_out: awake.amount_out,
                worth,
                gain: awake.gain,
            })
        })
        .collect()
}

/// The nodes in an order in which every flow goes forward, or `None` where flows run in a loop.
pub(crate) fn topological(node_count: usize, flows: &[Flow]) -> Option<Vec<u32>> {
    let mut entering = vec![0u32; node_count];
    let mut leaving: Vec<Vec<u32>> = vec![Vec::new(); node_count];
    for flow in flows {
        entering[flow.to as usize] += 1;
        leaving[flow.from as usize].push(flow.to);
    }
    let mut order: Vec<u32> = (0u32..)
        .zip(&entering)
        .filter_map(|(node, entering)| (*entering == 0).then_some(node))
        .collect();
    let mut at = 0;
    while let Some(node) = order.get(at).copied() {
        at += 1;
        for to in &leaving[node as usize] {
            entering[*to as usize] -= 1;
            if entering[*to as usize] == 0 {
                order.push(*to);
            }
        }
    }
    (order.len() == node_count).then_some(order)
}

/// How many flows follow one another at most, in a topological order.
pub(crate) fn longest(node_count: usize, order: &[u32], flows: &[Flow]) -> usize {
    let mut leaving: Vec<Vec<u32>> = vec![Vec::new(); node_count];
    for flow in flows {
        leaving[flow.from as usize].push(flow.to);
    }
    let mut depth = vec![0usize; node_count];
    let mut most = 0;
    for node in order {
        for to in &leaving[*node as usize] {
            let reached = depth[*node as usize] + 1;
            depth[*to as usize] = depth[*to as usize].max(reached);
            most = most.max(reached);
        }
    }
    most
}
