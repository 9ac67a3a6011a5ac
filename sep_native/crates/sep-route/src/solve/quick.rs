//! Single paths over a core by exact amounts in, best first: for splits in chunks.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use ruint::aliases::U256;

use super::core::{Core, number};
use super::start;
use crate::market::MarketState;
use crate::prepared::Prepared;

/// One market on a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    pub(crate) edge: u32,
    /// Whether `a` goes in and `b` comes out.
    pub(crate) forward: bool,
    pub(crate) amount_in: U256,
    pub(crate) amount_out: U256,
}

/// The arcs of a core by the node they leave, and what each node can be turned into at best.
#[derive(Debug)]
pub(crate) struct Paths<'a> {
    core: &'a Core,
    prepared: &'a Prepared,
    first: Vec<u32>,
    arcs: Vec<(u32, bool)>,
    worth: Vec<f64>,
    goal: u32,
}

#[derive(Clone, Copy, Debug)]
struct Label {
    node: u32,
    hops: usize,
    amount: U256,
    from: Option<(usize, Hop)>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    bound: f64,
    order: u32,
    label: usize,
    arc: Option<(u32, bool)>,
}

impl<'a> Paths<'a> {
    pub(crate) fn new(core: &'a Core, prepared: &'a Prepared, goal: u32) -> Self {
        let count = core.node_count();
        let mut first = vec![0u32; count + 1];
        let each = |visit: &mut dyn FnMut(u32, u32, bool)| {
            for (at, edge) in core.edges.iter().enumerate() {
                if edge.rate_ab > f64::NEG_INFINITY {
                    visit(edge.a, number(at), true);
                }
                if edge.rate_ba > f64::NEG_INFINITY {
                    visit(edge.b, number(at), false);
                }
            }
        };
        each(&mut |from, _, _| first[from as usize + 1] += 1);
        for at in 0..count {
            first[at + 1] += first[at];
        }
        let mut next = first.clone();
        let mut arcs = vec![(0, false); first[count] as usize];
        each(&mut |from, edge, forward| {
            arcs[next[from as usize] as usize] = (edge, forward);
            next[from as usize] += 1;
        });
        let mut worth = vec![f64::NEG_INFINITY; count];
        worth[goal as usize] = 0.0;
        start::relax_worth(core, &mut worth);
        Self {
            core,
            prepared,
            first,
            arcs,
            worth,
            goal,
        }
    }

    /// The best path from a node for an amount, over the arcs that are allowed, markets being in the given states.
    pub(crate) fn best(
        &self,
        from: u32,
        amount: U256,
        max_hops: usize,
        states: &BTreeMap<u32, MarketState>,
        allows: impl Fn(u32, bool) -> bool,
    ) -> Option<Vec<Hop>> {
        let mut labels = vec![Label {
            node: from,
            hops: 0,
            amount,
            from: None,
        }];
        let mut is_closed = vec![false; self.core.node_count()];
        let mut queue = BinaryHeap::new();
        let mut order = 0u32;
        queue.push(Entry {
            bound: f64::INFINITY,
            order,
            label: 0,
            arc: None,
        });
        while let Some(entry) = queue.pop() {
            let label = labels[entry.label];
            let Some((at, forward)) = entry.arc else {
                if label.node == self.goal {
                    return Some(Self::path(&labels, entry.label));
                }
                if std::mem::replace(&mut is_closed[label.node as usize], true)
                    || label.hops >= max_hops
                {
                    continue;
                }
                let log = f64::from(label.amount).ln();
                let arcs = self.first[label.node as usize] as usize
                    ..self.first[label.node as usize + 1] as usize;
                for (at, forward) in &self.arcs[arcs] {
                    let edge = &self.core.edges[*at as usize];
                    let (to, rate) = if *forward {
                        (edge.b, edge.rate_ab)
                    } else {
                        (edge.a, edge.rate_ba)
                    };
                    let bound = log + rate + self.worth[to as usize];
                    if bound > f64::NEG_INFINITY && !is_closed[to as usize] && allows(*at, *forward)
                    {
                        order += 1;
                        queue.push(Entry {
                            bound,
                            order,
                            label: entry.label,
                            arc: Some((*at, *forward)),
                        });
                    }
                }
                continue;
            };
            let edge = &self.core.edges[at as usize];
            let to = if forward { edge.b } else { edge.a };
            if is_closed[to as usize]
                || (edge.is_shared && self.has_passed(&labels, entry.label, edge.market))
            {
                continue;
            }
            let state = states
                .get(&edge.market)
                .unwrap_or(&self.prepared.markets[edge.market as usize].state);
            let (side_a, side_b) = (usize::from(edge.side_a), usize::from(edge.side_b));
            let (side_in, side_out) = if forward {
                (side_a, side_b)
            } else {
                (side_b, side_a)
            };
            let Ok(quote) = state.quote(side_in, side_out, label.amount, true) else {
                continue;
            };
            if quote.amount_out.is_zero() || quote.amount_in > label.amount {
                continue;
            }
            labels.push(Label {
                node: to,
                hops: label.hops + 1,
                amount: quote.amount_out,
                from: Some((
                    entry.label,
                    Hop {
                        edge: at,
                        forward,
                        amount_in: quote.amount_in,
                        amount_out: quote.amount_out,
                    },
                )),
            });
            order += 1;
            queue.push(Entry {
                bound: f64::from(quote.amount_out).ln() + self.worth[to as usize],
                order,
                label: labels.len() - 1,
                arc: None,
            });
        }
        None
    }

    fn has_passed(&self, labels: &[Label], mut at: usize, market: u32) -> bool {
        while let Some((before, hop)) = labels[at].from {
            if self.core.edges[hop.edge as usize].market == market {
                return true;
            }
            at = before;
        }
        false
    }

    fn path(labels: &[Label], mut at: usize) -> Vec<Hop> {
        let mut path = Vec::new();
        while let Some((before, hop)) = labels[at].from {
            path.push(hop);
            at = before;
        }
        path.reverse();
        path
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bound
            .total_cmp(&other.bound)
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
