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
    let least = SHARE_MIN * evaluation.turnover;
    let found: Vec<Flow> = evaluation
        .awake
        .iter()
        .filter_map(|awake| {
            let edge = &core.edges[awake.edge as usize];
            let (from, to, side_in, side_out) = if awake.forward {
                (edge.a, edge.b, edge.side_a, edge.side_b)
            } else {
                (edge.b, edge.a, edge.side_b, edge.side_a)
            };
            // Where more is given than markets can take, its price goes to nothing; what comes out still counts.
            let worth = (awake.amount_in * evaluation.prices[from as usize])
                .max(awake.amount_out * evaluation.prices[to as usize]);
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
        .collect();
    connected(core, found)
}

/// The flows without those that come from nowhere or lead nowhere, now that the smallest are gone.
fn connected(core: &Core, mut flows: Vec<Flow>) -> Vec<Flow> {
    let count = core.node_count();
    // Where something is given, taken or kept.
    let is_end: Vec<bool> = (0..count)
        .map(|node| {
            core.supply[node] != 0.0
                || core.ceiling[node] < f64::INFINITY
                || core.shares.get(node).is_some_and(|share| *share > 0.0)
        })
        .collect();
    loop {
        let mut is_entered = is_end.clone();
        let mut is_left = is_end.clone();
        for flow in &flows {
            is_entered[flow.to as usize] = true;
            is_left[flow.from as usize] = true;
        }
        let before = flows.len();
        flows.retain(|flow| is_entered[flow.from as usize] && is_left[flow.to as usize]);
        if flows.len() == before {
            return flows;
        }
    }
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

/// An order of the nodes in which most of the worth goes forward, where flows run in loops.
pub(crate) fn loose_order(node_count: usize, flows: &[Flow]) -> Vec<u32> {
    let mut is_left = vec![true; node_count];
    let mut order = Vec::with_capacity(node_count);
    while order.len() < node_count {
        let mut balance = vec![0.0; node_count];
        let mut entering = vec![0.0; node_count];
        for flow in flows {
            if is_left[flow.from as usize] && is_left[flow.to as usize] {
                balance[flow.from as usize] += flow.worth;
                balance[flow.to as usize] -= flow.worth;
                entering[flow.to as usize] += flow.worth;
            }
        }
        let next = (0..node_count)
            .filter(|node| is_left[*node])
            .max_by(|a, b| {
                let is_free = |node: usize| entering[node] <= 0.0;
                is_free(*a)
                    .cmp(&is_free(*b))
                    .then(balance[*a].total_cmp(&balance[*b]))
                    .then(b.cmp(a))
            });
        let Some(next) = next else {
            break;
        };
        is_left[next] = false;
        order.push(u32::try_from(next).unwrap_or(u32::MAX));
    }
    order
}

/// For each node the part of the graph it belongs to: nodes that loops join share one.
pub(crate) fn parts(node_count: usize, flows: &[Flow]) -> Vec<usize> {
    let mut leaving: Vec<Vec<usize>> = vec![Vec::new(); node_count];
    for flow in flows {
        leaving[flow.from as usize].push(flow.to as usize);
    }
    let reaches: Vec<Vec<bool>> = (0..node_count)
        .map(|from| {
            let mut is_reached = vec![false; node_count];
            let mut waiting = leaving[from].clone();
            while let Some(node) = waiting.pop() {
                if !std::mem::replace(&mut is_reached[node], true) {
                    waiting.extend(&leaving[node]);
                }
            }
            is_reached
        })
        .collect();
    (0..node_count)
        .map(|node| {
            (0..node)
                .find(|other| reaches[node][*other] && reaches[*other][node])
                .unwrap_or(node)
        })
        .collect()
}
