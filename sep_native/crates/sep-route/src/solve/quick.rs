//! Single paths over a core by exact amounts, best first.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use ruint::aliases::U256;

use super::core::{Core, number};
use super::start;
use crate::market::MarketState;
use crate::prepared::Prepared;

/// Real-valued curves are trusted to this share where an exact quote is spared.
const REACH_SLACK: f64 = 1e-9;
/// Searches end after so many labels, whatever is left.
const LABELS_MAX: usize = 20_000;
/// And after so many quotes, with the best path by then: where a snapshot contradicts itself no potential is a bound,
/// and a search would walk through most of the network.
pub(crate) const QUOTES_MAX: usize = 40_000;
pub(crate) const QUOTES_FEW: usize = 1_000;
pub(crate) const QUOTES_SPLIT: usize = 100_000;

/// One market on a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hop {
    pub(crate) edge: u32,
    /// Whether `a` goes in and `b` comes out.
    pub(crate) forward: bool,
    pub(crate) amount_in: U256,
    pub(crate) amount_out: U256,
}

/// The arcs of a core by the node they leave as a search walks them, and how well each node can end at best.
///
/// Exact in walks with the trade and more at a node is better; exact out walks against it and less is.
#[derive(Debug)]
pub(crate) struct Paths<'a> {
    core: &'a Core,
    prepared: &'a Prepared,
    first: Vec<u32>,
    arcs: Vec<(u32, bool)>,
    /// Logarithms of what each edge brings at best by now, from `a` to `b` and back.
    rates: Vec<[f64; 2]>,
    potentials: Vec<f64>,
    goals: Vec<(u32, f64)>,
    exact_in: bool,
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
    next: Next,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    /// End here.
    End,
    /// Look at the arcs that leave the label's node.
    Expand,
    /// Look at an arc's curve, having looked at no more than its rate.
    Look(u32, bool),
    /// Quote an arc; at the best it brings this amount.
    Walk(u32, bool, f64),
}

impl<'a> Paths<'a> {
    /// Paths may end at the goals, where a unit has the given log worth.
    pub(crate) fn new(
        core: &'a Core,
        prepared: &'a Prepared,
        goals: &[(u32, f64)],
        exact_in: bool,
    ) -> Self {
        let count = core.node_count();
        let mut first = vec![0u32; count + 1];
        let each = |visit: &mut dyn FnMut(u32, u32, bool)| {
            for (at, edge) in core.edges.iter().enumerate() {
                if edge.rate_ab > f64::NEG_INFINITY {
                    visit(if exact_in { edge.a } else { edge.b }, number(at), true);
                }
                if edge.rate_ba > f64::NEG_INFINITY {
                    visit(if exact_in { edge.b } else { edge.a }, number(at), false);
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
        let rates = core
            .edges
            .iter()
            .map(|edge| [edge.rate_ab, edge.rate_ba])
            .collect();
        let mut paths = Self {
            core,
            prepared,
            first,
            arcs,
            rates,
            potentials: Vec::new(),
            goals: goals.to_vec(),
            exact_in,
        };
        paths.relax();
        paths
    }

    /// How well each node can end at best.
    fn relax(&mut self) {
        let sign = if self.exact_in { 1.0 } else { -1.0 };
        self.potentials.clear();
        self.potentials
            .resize(self.core.node_count(), -sign * f64::INFINITY);
        for (goal, log_worth) in &self.goals {
            self.potentials[*goal as usize] = *log_worth;
        }
        if self.exact_in {
            let rates = &self.rates;
            start::relax_worth_at(self.core, |at, _| rates[at], &mut self.potentials);
        } else {
            start::relax_cost(self.core, &mut self.potentials);
            for potential in &mut self.potentials {
                *potential = -*potential;
            }
        }
    }

    /// Takes note of a path that was walked with an exact input: its markets bring no more from now on than they did.
    pub(crate) fn walked(&mut self, path: &[Hop]) {
        for hop in path {
            // Another amount may lose a unit less to rounding.
            let most = f64::from(hop.amount_out) + 1.0;
            let rate = (most / f64::from(hop.amount_in)).ln();
            let known = &mut self.rates[hop.edge as usize][usize::from(!hop.forward)];
            *known = known.min(rate);
        }
        self.relax();
    }

    /// The best path from a node for an amount, over the arcs that are allowed, markets being in the given states; in
    /// the order of the trade.
    #[expect(clippy::too_many_lines, reason = "one search from beginning to end")]
    pub(crate) fn best(
        &self,
        from: u32,
        amount: U256,
        (max_hops, max_quotes): (usize, usize),
        states: &BTreeMap<u32, MarketState>,
        allows: impl Fn(u32, bool) -> bool,
    ) -> Option<Vec<Hop>> {
        let sign = if self.exact_in { 1.0 } else { -1.0 };
        let mut labels = vec![Label {
            node: from,
            hops: 0,
            amount,
            from: None,
        }];
        // What reached each node, in how many hops: potentials of a snapshot that contradicts itself are no true bounds,
        // so a node may be reached better later, or worse with more hops left.
        let mut reached: Vec<Vec<(usize, U256)>> = vec![Vec::new(); self.core.node_count()];
        let mut reached_by: Vec<Vec<(usize, f64)>> = vec![Vec::new(); self.core.node_count()];
        let is_beaten = |known: &[(usize, U256)], hops: usize, amount: U256, or_equal: bool| {
            known.iter().any(|(known_hops, known_amount)| {
                let is_better = if self.exact_in {
                    *known_amount > amount
                } else {
                    *known_amount < amount
                };
                *known_hops <= hops && (is_better || (or_equal && *known_amount == amount))
            })
        };
        // Whether not even the best that an arc may bring keeps up with what is known.
        let is_behind = |known: &[(usize, f64)], hops: usize, reach: f64| {
            known
                .iter()
                .any(|(known_hops, known)| *known_hops <= hops && sign * (known - reach) > 0.0)
        };
        let mut queue = BinaryHeap::new();
        let mut order = 0u32;
        let mut push = |queue: &mut BinaryHeap<Entry>, bound: f64, label: usize, next: Next| {
            order += 1;
            queue.push(Entry {
                bound,
                order,
                label,
                next,
            });
        };
        push(&mut queue, f64::INFINITY, 0, Next::Expand);
        let mut quotes = 0;
        let mut ended: Option<(f64, usize)> = None;
        while let Some(entry) = queue.pop() {
            let label = labels[entry.label];
            let (at, forward) = match entry.next {
                Next::End => return Some(self.path(&labels, entry.label)),
                Next::Look(at, forward) => {
                    let to = self.reaches(at, forward);
                    let reach = self.reach(at, forward, f64::from(label.amount));
                    if is_behind(&reached_by[to as usize], label.hops + 1, reach) {
                        continue;
                    }
                    let bound = sign * reach.ln() + self.potentials[to as usize];
                    if bound > f64::NEG_INFINITY {
                        let next = Next::Walk(at, forward, reach);
                        push(&mut queue, bound.min(entry.bound), entry.label, next);
                    }
                    continue;
                }
                Next::Walk(at, forward, reach) => {
                    let to = self.reaches(at, forward);
                    if is_behind(&reached_by[to as usize], label.hops + 1, reach) {
                        continue;
                    }
                    (at, forward)
                }
                Next::Expand => {
                    if label.hops >= max_hops
                        || is_beaten(
                            &reached[label.node as usize],
                            label.hops,
                            label.amount,
                            false,
                        )
                    {
                        continue;
                    }
                    let arcs = self.first[label.node as usize] as usize
                        ..self.first[label.node as usize + 1] as usize;
                    let log = sign * f64::from(label.amount).ln();
                    for (at, forward) in &self.arcs[arcs] {
                        let rate = self.rates[*at as usize][usize::from(!*forward)];
                        let to = self.reaches(*at, *forward);
                        let bound = log + rate + self.potentials[to as usize];
                        let is_open = ended.is_none_or(|(best, _)| bound > best);
                        if is_open
                            && bound > f64::NEG_INFINITY
                            && to != from
                            && allows(*at, *forward)
                        {
                            push(&mut queue, bound, entry.label, Next::Look(*at, *forward));
                        }
                    }
                    continue;
                }
            };
            let edge = &self.core.edges[at as usize];
            let to = self.reaches(at, forward);
            if Self::has_met(&labels, entry.label, to)
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
            quotes += 1;
            if quotes > max_quotes {
                break;
            }
            let Ok(quote) = state.quote(side_in, side_out, label.amount, self.exact_in) else {
                continue;
            };
            if quote.amount_out.is_zero() || quote.amount_in.is_zero() {
                continue;
            }
            let amount = if self.exact_in {
                quote.amount_out
            } else {
                quote.amount_in
            };
            let known = &mut reached[to as usize];
            if is_beaten(known, label.hops + 1, amount, true) || labels.len() > LABELS_MAX {
                continue;
            }
            known.push((label.hops + 1, amount));
            reached_by[to as usize].push((label.hops + 1, f64::from(amount)));
            labels.push(Label {
                node: to,
                hops: label.hops + 1,
                amount,
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
            let log = sign * f64::from(amount).ln();
            if let Some((_, log_worth)) = self.goals.iter().find(|(goal, _)| *goal == to) {
                let bound = log + sign * log_worth;
                if ended.is_none_or(|(best, _)| bound > best) {
                    ended = Some((bound, labels.len() - 1));
                }
                push(&mut queue, bound, labels.len() - 1, Next::End);
                if self.goals.len() == 1 {
                    continue;
                }
            }
            let bound = log + self.potentials[to as usize];
            push(&mut queue, bound, labels.len() - 1, Next::Expand);
        }
        ended.map(|(_, label)| self.path(&labels, label))
    }

    /// What an arc brings for an amount at the best, by the market's curve as it is before any trade, and by the rate that
    /// is left of it: those that were used already, in the same direction, bring no more.
    fn reach(&self, edge: u32, forward: bool, amount: f64) -> f64 {
        let rate = self.rates[edge as usize][usize::from(!forward)];
        let edge = &self.core.edges[edge as usize];
        let real = self.prepared.markets[edge.market as usize].real(self.exact_in);
        let (side_a, side_b) = (usize::from(edge.side_a), usize::from(edge.side_b));
        let (side_in, side_out) = if forward {
            (side_a, side_b)
        } else {
            (side_b, side_a)
        };
        if self.exact_in {
            let untouched = real.output_at_most(side_in, side_out, amount);
            untouched.min(amount * rate.exp()) * (1.0 + REACH_SLACK)
        } else {
            real.input_at_least(side_in, side_out, amount) * (1.0 - REACH_SLACK)
        }
    }

    /// Where a walk through an arc comes out.
    fn reaches(&self, edge: u32, forward: bool) -> u32 {
        let edge = &self.core.edges[edge as usize];
        if forward == self.exact_in {
            edge.b
        } else {
            edge.a
        }
    }

    fn has_met(labels: &[Label], mut at: usize, node: u32) -> bool {
        loop {
            if labels[at].node == node {
                return true;
            }
            match labels[at].from {
                Some((before, _)) => at = before,
                None => return false,
            }
        }
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

    fn path(&self, labels: &[Label], mut at: usize) -> Vec<Hop> {
        let mut path = Vec::new();
        while let Some((before, hop)) = labels[at].from {
            path.push(hop);
            at = before;
        }
        if self.exact_in {
            path.reverse();
        }
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
