//! Which legs a plan keeps where each of them costs gas and only so many are allowed.

use std::time::Instant;

use sep_amm::real::Ramp;

use super::core::Core;
use super::flow::{Flow, flows, longest, topological};
use super::newton::{ITERATIONS_FEW, Search};
use crate::prepared::Prepared;

/// Attempts at neighbours of a choice: one leg out, or another in.
const NEIGHBOURS_MAX: usize = 48;

/// What a choice has to keep to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) max_legs: usize,
    pub(crate) max_hops: usize,
    /// Worth of a unit of gas.
    pub(crate) gas_price: f64,
    pub(crate) may_loop: bool,
}

/// Some markets of a core and the best flows through them.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// Edges of the core that carry flow.
    pub(crate) flows: Vec<Flow>,
    pub(crate) log_prices: Vec<f64>,
    /// No flows through its edges bring more than this, before gas.
    pub(crate) bound: f64,
    /// The objective less gas; exact out counts what it spends as negative.
    pub(crate) value: f64,
    pub(crate) is_allowed: bool,
}

/// Searches among subsets of a core's edges.
#[derive(Debug)]
pub(crate) struct Selector<'a> {
    pub(crate) core: &'a Core,
    pub(crate) prepared: &'a Prepared,
    pub(crate) rules: Rules,
    pub(crate) deadline: Option<Instant>,
    pub(crate) solves: u32,
    pub(crate) iterations: u32,
}

/// Legs that stand and fall together: between them lie assets that one leg enters and one leaves.
#[derive(Debug)]
struct Chain {
    legs: Vec<usize>,
    /// What a plan loses without it, at least, less what it costs.
    net: f64,
}

impl Selector<'_> {
    fn gas(&self, flow: &Flow) -> f64 {
        self.gas_of(std::iter::once(flow.market))
    }

    /// Worth of the gas of some markets.
    pub(crate) fn gas_of(&self, markets: impl Iterator<Item = u32>) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let gas = |market: u32| self.prepared.markets[market as usize].gas as f64;
        markets.map(gas).sum::<f64>() * self.rules.gas_price
    }

    /// What a plan loses without a leg, at least, less what it costs.
    pub(crate) fn net(&self, flow: &Flow) -> f64 {
        flow.gain - self.gas(flow)
    }

    /// How far a market is from being used at the prices of a choice, in logarithms of the price; `None` where it joins
    /// nothing in use.
    pub(crate) fn distance(&self, choice: &Choice, edge: u32) -> Option<f64> {
        let edge = &self.core.edges[edge as usize];
        let is_known = |node: u32| {
            (node as usize) < self.core.terminal_count
                || choice
                    .flows
                    .iter()
                    .any(|flow| flow.from == node || flow.to == node)
        };
        if !is_known(edge.a) || !is_known(edge.b) {
            return None;
        }
        let difference = choice.log_prices[edge.a as usize] - choice.log_prices[edge.b as usize];
        Some((difference - edge.rate_ab).min(-difference - edge.rate_ba))
    }

    /// The best flows through some edges, searched from some prices.
    pub(crate) fn choose(&mut self, edges: &[u32], log_prices: &[f64]) -> Choice {
        self.choose_with(edges, &[], log_prices)
    }

    /// The best flows where each edge asks a toll.
    pub(crate) fn choose_with(
        &mut self,
        edges: &[u32],
        tolls: &[f64],
        log_prices: &[f64],
    ) -> Choice {
        self.solves += 1;
        let (mut core, nodes) = self.core.subset(edges);
        core.ask(tolls);
        let begin = nodes
            .iter()
            .map(|node| log_prices[*node as usize])
            .collect();
        let mut search = Search::new(&core, self.prepared, begin, self.deadline);
        search.iterations_max = ITERATIONS_FEW;
        search.run_all(false);
        self.iterations += search.iterations;
        let mut log_prices = log_prices.to_vec();
        for (node, log) in nodes.iter().zip(&search.log_prices) {
            log_prices[*node as usize] = *log;
        }
        let mut flows = flows(&core, &search.now);
        let (bound, imbalance) = (search.now.bound, search.imbalance());
        for flow in &mut flows {
            flow.edge = edges[flow.edge as usize];
            flow.from = nodes[flow.from as usize];
            flow.to = nodes[flow.to as usize];
        }
        // Where a search did not end, its bound promises what its flows do not bring.
        let (value, is_allowed) = self.judge(&flows, bound - imbalance);
        Choice {
            flows,
            log_prices,
            bound,
            value,
            is_allowed,
        }
    }

    /// The value of flows after gas, and whether they keep to the rules.
    pub(crate) fn judge(&self, flows: &[Flow], bound: f64) -> (f64, bool) {
        let value = bound - flows.iter().map(|flow| self.gas(flow)).sum::<f64>();
        (
            value,
            flows.len() <= self.rules.max_legs && self.hops_over(flows).is_none(),
        )
    }

    /// The flows on a way that is too long, or in a loop where there must be none.
    fn hops_over(&self, flows: &[Flow]) -> Option<Vec<usize>> {
        if self.rules.may_loop {
            return None;
        }
        let count = self.core.node_count();
        let Some(order) = topological(count, flows) else {
            return Some((0..flows.len()).collect());
        };
        if longest(count, &order, flows) <= self.rules.max_hops {
            return None;
        }
        // Legs whose longest way in and longest way out together pass the limit.
        let mut before = vec![0usize; count];
        let mut after = vec![0usize; count];
        let mut leaving = vec![Vec::new(); count];
        for flow in flows {
            leaving[flow.from as usize].push(flow.to as usize);
        }
        for node in &order {
            for to in &leaving[*node as usize] {
                before[*to] = before[*to].max(before[*node as usize] + 1);
            }
        }
        for node in order.iter().rev() {
            for to in &leaving[*node as usize] {
                after[*node as usize] = after[*node as usize].max(after[*to] + 1);
            }
        }
        let over = flows
            .iter()
            .enumerate()
            .filter(|(_, flow)| {
                before[flow.from as usize] + 1 + after[flow.to as usize] > self.rules.max_hops
            })
            .map(|(at, _)| at)
            .collect();
        Some(over)
    }

    /// The chains of a plan, those first that are worth least.
    fn chains(&self, flows: &[Flow]) -> Vec<Chain> {
        let count = self.core.node_count();
        let mut entering = vec![0u32; count];
        let mut leaving = vec![0u32; count];
        let mut only_leaving = vec![usize::MAX; count];
        for (at, flow) in flows.iter().enumerate() {
            entering[flow.to as usize] += 1;
            leaving[flow.from as usize] += 1;
            only_leaving[flow.from as usize] = at;
        }
        let is_inside = |node: u32| {
            node as usize >= self.core.terminal_count
                && entering[node as usize] == 1
                && leaving[node as usize] == 1
        };
        let mut chains: Vec<Chain> = Vec::new();
        let mut is_taken = vec![false; flows.len()];
        for (at, flow) in flows.iter().enumerate() {
            if is_inside(flow.from) {
                continue;
            }
            let mut legs = vec![at];
            is_taken[at] = true;
            let mut last = flow;
            while is_inside(last.to) {
                let next = only_leaving[last.to as usize];
                if is_taken[next] {
                    break;
                }
                is_taken[next] = true;
                legs.push(next);
                last = &flows[next];
            }
            chains.push(Chain { legs, net: 0.0 });
        }
        for (at, _) in is_taken
            .iter()
            .enumerate()
            .filter(|(_, is_taken)| !**is_taken)
        {
            chains.push(Chain {
                legs: vec![at],
                net: 0.0,
            });
        }
        for chain in &mut chains {
            chain.net = chain.legs.iter().map(|at| self.net(&flows[*at])).sum();
        }
        chains.sort_by(|a, b| a.net.total_cmp(&b.net).then(a.legs.cmp(&b.legs)));
        chains
    }

    pub(crate) fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Drops legs until the rest is allowed and every leg earns its cost, then tries neighbours.
    pub(crate) fn select(&mut self, begin: Choice) -> Option<Choice> {
        let mut best: Option<Choice> = None;
        let mut now = begin;
        // Neighbours come from legs that were dropped on the way.
        let mut dropped: Vec<u32> = Vec::new();
        loop {
            if now.is_allowed && best.as_ref().is_none_or(|best| now.value > best.value) {
                best = Some(now.clone());
            }
            if now.flows.len() <= 1 || self.is_late() {
                break;
            }
            let chains = self.chains(&now.flows);
            let out = self.to_drop(&now, &chains);
            if out.is_empty() {
                break;
            }
            for at in &out {
                dropped.push(now.flows[*at].edge);
            }
            let edges: Vec<u32> = (0..now.flows.len())
                .filter(|at| !out.contains(at))
                .map(|at| now.flows[at].edge)
                .collect();
            if edges.is_empty() {
                break;
            }
            let next = self.choose(&edges, &now.log_prices);
            let is_falling = best.as_ref().is_some_and(|best| next.value < best.value);
            now = next;
            if is_falling
                && best
                    .as_ref()
                    .is_some_and(|best| best.flows.len() > now.flows.len() + 2)
            {
                break;
            }
        }
        dropped.reverse();
        let best = best?;
        Some(self.improve(best, &dropped))
    }

    /// The legs to drop next: none where dropping any would only lose.
    fn to_drop(&self, now: &Choice, chains: &[Chain]) -> Vec<usize> {
        if let Some(over) = self.hops_over(&now.flows) {
            // The weakest of what is too long, a quarter of it at once.
            let mut out: Vec<usize> = Vec::new();
            for chain in chains {
                if out.len() >= over.len().div_ceil(4)
                    || out.len() + chain.legs.len() >= now.flows.len()
                {
                    break;
                }
                if chain.legs.iter().any(|leg| over.contains(leg)) {
                    out.extend(&chain.legs);
                }
            }
            return out;
        }
        let excess = now.flows.len().saturating_sub(self.rules.max_legs);
        let most = if excess > 4 {
            excess.div_ceil(2).max(now.flows.len() / 4).min(excess)
        } else {
            1
        };
        let mut out = Vec::new();
        for chain in chains {
            let is_losing = chain.net < 0.0;
            if !(is_losing && out.len() < now.flows.len().div_ceil(4))
                && out.len() >= most.min(excess.max(1))
            {
                break;
            }
            if excess == 0 && !is_losing && !out.is_empty() {
                break;
            }
            if out.len() + chain.legs.len() >= now.flows.len() {
                break;
            }
            out.extend(&chain.legs);
        }
        out
    }

    /// One leg out, one in, while that helps.
    fn improve(&mut self, mut best: Choice, candidates: &[u32]) -> Choice {
        let mut left = NEIGHBOURS_MAX;
        let mut is_changed = true;
        while is_changed && left > 0 {
            is_changed = false;
            for chain in self.chains(&best.flows) {
                if left == 0 || self.is_late() || chain.net > 0.5 * best.value.abs() {
                    break;
                }
                let edges: Vec<u32> = (0..best.flows.len())
                    .filter(|at| !chain.legs.contains(at))
                    .map(|at| best.flows[at].edge)
                    .collect();
                if edges.is_empty()
                    || chain
                        .legs
                        .iter()
                        .map(|at| self.gas(&best.flows[*at]))
                        .sum::<f64>()
                        < chain.net
                {
                    continue;
                }
                left -= 1;
                let next = self.choose(&edges, &best.log_prices);
                if next.is_allowed && next.value > best.value {
                    best = next;
                    is_changed = true;
                    break;
                }
            }
            for candidate in candidates {
                if left == 0 || self.is_late() {
                    break;
                }
                if best.flows.iter().any(|flow| flow.edge == *candidate)
                    || self.is_used(&best, *candidate)
                {
                    continue;
                }
                let Some(gain) = self.promise(&best, *candidate) else {
                    continue;
                };
                if gain <= 0.0 {
                    continue;
                }
                left -= 1;
                let mut edges: Vec<u32> = best.flows.iter().map(|flow| flow.edge).collect();
                edges.push(*candidate);
                let mut next = self.choose(&edges, &best.log_prices);
                let mut rounds = 0;
                while !next.is_allowed && rounds < 3 && left > 0 {
                    rounds += 1;
                    left -= 1;
                    let chains = self.chains(&next.flows);
                    let over = self.hops_over(&next.flows);
                    let Some(chain) = chains.iter().find(|chain| {
                        over.as_ref()
                            .is_none_or(|over| chain.legs.iter().any(|leg| over.contains(leg)))
                    }) else {
                        break;
                    };
                    let edges: Vec<u32> = (0..next.flows.len())
                        .filter(|at| !chain.legs.contains(at))
                        .map(|at| next.flows[at].edge)
                        .collect();
                    if edges.is_empty() {
                        break;
                    }
                    next = self.choose(&edges, &next.log_prices);
                }
                if next.is_allowed && next.value > best.value {
                    best = next;
                    is_changed = true;
                    break;
                }
            }
        }
        best
    }

    /// Whether the market of an edge is in use through another pair.
    fn is_used(&self, best: &Choice, edge: u32) -> bool {
        let market = self.core.edges[edge as usize].market;
        best.flows.iter().any(|flow| flow.market == market)
    }

    /// What a market would earn at the prices of a choice, less its gas; `None` where it joins nothing in use.
    fn promise(&self, best: &Choice, edge: u32) -> Option<f64> {
        let edge = &self.core.edges[edge as usize];
        let is_known = |node: u32| {
            (node as usize) < self.core.terminal_count
                || best
                    .flows
                    .iter()
                    .any(|flow| flow.from == node || flow.to == node)
        };
        if !is_known(edge.a) || !is_known(edge.b) {
            return None;
        }
        let market = &self.prepared.markets[edge.market as usize];
        let (log_a, log_b) = (
            best.log_prices[edge.a as usize],
            best.log_prices[edge.b as usize],
        );
        let difference = log_a - log_b;
        let (a, b) = (usize::from(edge.side_a), usize::from(edge.side_b));
        let gain = if difference < edge.rate_ab {
            market
                .real(self.core.exact_in)
                .respond(a, b, difference, Ramp::default())
                .gain
                * log_b.exp()
        } else if -difference < edge.rate_ba {
            market
                .real(self.core.exact_in)
                .respond(b, a, -difference, Ramp::default())
                .gain
                * log_a.exp()
        } else {
            0.0
        };
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let gas = market.gas as f64 * self.rules.gas_price;
        // A gain at fixed prices is more than what joining really brings, so little is lost by asking for half.
        Some(gain - 0.5 * gas)
    }
}
