//! Which legs to keep, by branch and bound: each branch either leaves a market out or uses it for certain, and is
//! given up where the certified bound of what is left, less the gas of what is used for certain, promises no more.

use super::candidate::Candidate;
use super::flow::Flow;
use super::number;
use super::select::{Choice, Selector};

/// Edges that take part in the search.
const POOL_MAX: usize = 64;
/// Edges of all problems that one search may solve.
const EDGES_SOLVED_MAX: usize = 12_000;
/// Edges of all problems that are solved to improve on what the search has found.
const EDGES_EXCHANGED_MAX: usize = 2_000;
/// Rounds in which tolls follow the flows.
const ROUNDS_MAX: usize = 8;
/// What is not worth searching for, as a share of the plan.
const TRIFLE: f64 = 2e-5;

/// Makes a plan in exact amounts of flows.
type Exact<'a> = dyn Fn(&[Flow]) -> Option<Candidate> + 'a;

/// One search: what it may still cost, the value that has to be beaten, and what has beaten it.
pub(crate) struct Branching<'a> {
    exact: &'a Exact<'a>,
    edges_left: usize,
    /// Worth of all that a market may be asked to carry.
    whole: f64,
    best: f64,
    /// The edges of the best plan.
    kept: Vec<u32>,
    found: Vec<Candidate>,
}

/// What spreads some gas over what carries it, as a logarithm.
fn toll(gas: f64, carried: f64) -> f64 {
    (gas / carried).ln_1p()
}

impl<'a> Branching<'a> {
    fn new(begin: &Choice, (best, kept): (f64, Vec<u32>), exact: &'a Exact<'a>) -> Self {
        let carried = begin.flows.iter().map(|flow| flow.worth);
        Self {
            exact,
            edges_left: EDGES_SOLVED_MAX,
            whole: carried.fold(begin.bound.abs(), f64::max),
            best,
            kept,
            found: Vec::new(),
        }
    }

    fn is_worth(&self, promised: f64) -> bool {
        promised > self.best + TRIFLE * self.best.abs()
    }

    fn keep(&mut self, flows: &[Flow]) {
        let plan = (self.exact)(flows).filter(|plan| plan.net() > self.best);
        if let Some(plan) = plan {
            self.best = plan.net();
            self.kept = flows.iter().map(|flow| flow.edge).collect();
            self.found.push(plan);
        }
    }
}

impl Selector<'_> {
    /// Plans among a pool of edges that are worth more than `known` after gas, which the edges `kept` bring.
    pub(crate) fn branch(
        &mut self,
        pool: &[u32],
        begin: &Choice,
        known: (f64, Vec<u32>),
        exact: &Exact<'_>,
    ) -> Vec<Candidate> {
        let log_prices = &begin.log_prices;
        let mut branching = Branching::new(begin, known, exact);
        self.scale_slopes(&mut branching, pool, log_prices);
        self.put_together(&mut branching, pool, log_prices);
        self.dive(&mut branching, pool, log_prices);
        self.replace(&mut branching, pool, log_prices);
        self.visit(&mut branching, pool, &mut Vec::new(), log_prices);
        branching.edges_left = EDGES_EXCHANGED_MAX;
        self.exchange(&mut branching, pool, log_prices);
        branching.found
    }

    /// Such plans that are put together of paths, or are near the best one.
    pub(crate) fn branch_nearby(
        &mut self,
        pool: &[u32],
        begin: &Choice,
        known: (f64, Vec<u32>),
        exact: &Exact<'_>,
    ) -> Vec<Candidate> {
        let mut branching = Branching::new(begin, known, exact);
        self.put_together(&mut branching, pool, &begin.log_prices);
        self.exchange(&mut branching, pool, &begin.log_prices);
        branching.found
    }

    /// The edges of a pool, solved; `None` where the search may cost no more.
    pub(crate) fn assess_pool(
        &mut self,
        branching: &mut Branching<'_>,
        pool: &[u32],
        log_prices: &[f64],
    ) -> Option<Choice> {
        if branching.edges_left < pool.len() || self.is_late() || pool.is_empty() {
            return None;
        }
        branching.edges_left -= pool.len();
        let choice = self.choose(pool, log_prices);
        let gas = self.gas_of(choice.flows.iter().map(|flow| flow.market));
        if choice.is_allowed && choice.bound - gas > branching.best {
            branching.keep(&choice.flows);
        }
        Some(choice)
    }

    /// Spreads the gas of each market over what goes through it, as a toll: first over as much as can, then over what
    /// did. Few markets carry much by then, and those that are left are tried (slope scaling; Kim and Pardalos, *A
    /// solution approach to the fixed charge network flow problem using a dynamic slope scaling procedure*, 1999).
    fn scale_slopes(&mut self, branching: &mut Branching<'_>, pool: &[u32], log_prices: &[f64]) {
        let gas: Vec<f64> = pool
            .iter()
            .map(|edge| self.gas_of(std::iter::once(self.core.edges[*edge as usize].market)))
            .collect();
        let mut tolls: Vec<f64> = gas.iter().map(|gas| toll(*gas, branching.whole)).collect();
        let mut log_prices = log_prices.to_vec();
        let mut before = Vec::new();
        for _ in 0..ROUNDS_MAX {
            if branching.edges_left < pool.len() || self.is_late() {
                return;
            }
            branching.edges_left -= pool.len();
            let choice = self.choose_with(pool, &tolls, &log_prices);
            let used: Vec<u32> = choice.flows.iter().map(|flow| flow.edge).collect();
            if used == before {
                return;
            }
            self.dive(branching, &used, &choice.log_prices);
            for ((edge, gas), charged) in pool.iter().zip(&gas).zip(&mut tolls) {
                if let Some(flow) = choice.flows.iter().find(|flow| flow.edge == *edge) {
                    *charged = toll(*gas, flow.worth);
                }
            }
            log_prices = choice.log_prices;
            before = used;
        }
    }

    /// Leaves out the leg that carries least, again and again: others take that over at the least cost.
    fn dive(&mut self, branching: &mut Branching<'_>, pool: &[u32], log_prices: &[f64]) {
        let mut choice = self.assess_pool(branching, pool, log_prices);
        while let Some(now) = choice {
            let weakest = now
                .flows
                .iter()
                .min_by(|a, b| a.worth.total_cmp(&b.worth))
                .map(|flow| flow.edge);
            let left: Vec<u32> = now
                .flows
                .iter()
                .map(|flow| flow.edge)
                .filter(|edge| Some(*edge) != weakest)
                .collect();
            choice = self.assess_pool(branching, &left, &now.log_prices);
        }
    }

    /// Looks for something better without each leg of the best plan in turn, until nothing is.
    fn replace(&mut self, branching: &mut Branching<'_>, pool: &[u32], log_prices: &[f64]) {
        loop {
            let (kept, best) = (branching.kept.clone(), branching.best);
            for edge in &kept {
                let others: Vec<u32> = pool.iter().copied().filter(|other| other != edge).collect();
                self.dive(branching, &others, log_prices);
                if branching.best > best {
                    break;
                }
            }
            if branching.best <= best {
                return;
            }
        }
    }

    /// Exchanges a leg of the best plan for another of the same pair, or adds one and leaves out the weakest, until
    /// nothing is better.
    fn exchange(&mut self, branching: &mut Branching<'_>, pool: &[u32], log_prices: &[f64]) {
        loop {
            let (kept, best) = (branching.kept.clone(), branching.best);
            let others = || pool.iter().copied().filter(|edge| !kept.contains(edge));
            for other in others() {
                let ends = self.ends_of(other);
                for (at, edge) in kept.iter().enumerate() {
                    if self.ends_of(*edge) == ends {
                        let mut edges = kept.clone();
                        edges[at] = other;
                        self.assess_pool(branching, &edges, log_prices);
                    }
                }
            }
            if branching.best <= best {
                for other in others() {
                    let edges: Vec<u32> = kept.iter().copied().chain([other]).collect();
                    self.dive(branching, &edges, log_prices);
                }
            }
            if branching.best <= best {
                return;
            }
        }
    }

    /// The nodes that an edge joins, in one order.
    fn ends_of(&self, edge: u32) -> (u32, u32) {
        let edge = &self.core.edges[edge as usize];
        (edge.a.min(edge.b), edge.a.max(edge.b))
    }

    /// All plans that use every edge of `forced` and else only edges of `pool`, which holds those too.
    fn visit(
        &mut self,
        branching: &mut Branching<'_>,
        pool: &[u32],
        forced: &mut Vec<u32>,
        log_prices: &[f64],
    ) {
        if branching.edges_left < pool.len() || self.is_late() {
            return;
        }
        branching.edges_left -= pool.len();
        // What is not used for certain pays its gas as a toll, which is less than the gas where it carries less than all.
        let gas = |edge: &u32| self.gas_of(std::iter::once(self.core.edges[*edge as usize].market));
        let tolls: Vec<f64> = pool
            .iter()
            .map(|edge| {
                if forced.contains(edge) {
                    0.0
                } else {
                    toll(gas(edge), branching.whole)
                }
            })
            .collect();
        let certain: f64 = forced.iter().map(gas).sum();
        let choice = self.choose_with(pool, &tolls, log_prices);
        if !branching.is_worth(choice.bound - certain) {
            return;
        }
        let used: Vec<u32> = choice.flows.iter().map(|flow| flow.edge).collect();
        self.assess_pool(branching, &used, &choice.log_prices);
        let weakest = choice
            .flows
            .iter()
            .filter(|flow| !forced.contains(&flow.edge))
            .min_by(|a, b| a.worth.total_cmp(&b.worth));
        let Some(weakest) = weakest else {
            return;
        };
        let (weakest, log_prices) = (weakest.edge, &choice.log_prices);
        if forced.len() >= self.rules.max_legs {
            if forced.len() < pool.len() {
                let only = forced.clone();
                self.visit(branching, &only, forced, log_prices);
            }
            return;
        }
        let without: Vec<u32> = pool
            .iter()
            .copied()
            .filter(|edge| *edge != weakest)
            .collect();
        self.visit(branching, &without, forced, log_prices);
        forced.push(weakest);
        self.visit(branching, pool, forced, log_prices);
        forced.pop();
    }

    /// The edges to search among: all of a small core, else those in use, then those that are nearest to use.
    pub(crate) fn pool(&self, begin: &Choice, others: &[Choice]) -> Vec<u32> {
        let count = self.core.edges.len();
        if count <= POOL_MAX {
            return (0..number(count)).collect();
        }
        let mut used = begin.flows.clone();
        used.sort_by(|a, b| b.gain.total_cmp(&a.gain));
        let mut pool: Vec<u32> = others
            .iter()
            .filter(|choice| choice.is_allowed)
            .flat_map(|choice| choice.flows.iter().map(|flow| flow.edge))
            .chain(used.iter().map(|flow| flow.edge))
            .collect();
        let mut nearest: Vec<(f64, u32)> = (0..number(count))
            .filter_map(|edge| Some((self.distance(begin, edge)?, edge)))
            .collect();
        nearest.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        pool.extend(nearest.iter().map(|(_, edge)| *edge));
        let mut seen = vec![false; count];
        pool.retain(|edge| !std::mem::replace(&mut seen[*edge as usize], true));
        pool.truncate(POOL_MAX);
        pool
    }
}
