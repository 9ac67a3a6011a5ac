//! The solver: prices by a second-order method, flows at those prices, exact amounts, legs under costs and limits.

mod branch;
mod candidate;
mod core;
mod evaluate;
mod flow;
mod forward;
mod greedy;
mod laplacian;
mod newton;
mod order;
mod ordering;
mod parallel;
mod plans;
mod quick;
mod ramps;
mod replay;
mod select;
mod splits;
mod start;
mod terms;

use std::collections::BTreeMap;
use std::time::Instant;

use ruint::aliases::U256;

use self::candidate::{Answer, Candidate};
use self::core::{Core, Left, number};
use self::evaluate::Evaluation;
use self::flow::{Flow, flows, topological};
use self::newton::Search;
use self::quick::{Hop, Paths, QUOTES_MAX};
use self::ramps::Ramps;
use self::replay::{Plan, Replay};
use self::select::{Choice, Rules, Selector};
use self::splits::Splits;
pub(crate) use self::splits::greedy;
use self::start::Start;
use self::terms::Terms;
use crate::RouteError;
use crate::certificate::{Claim, gap};
use crate::leg::Leg;
use crate::network::Network;
use crate::path::{self, HOPS_MAX, PathProblem};
use crate::prepared::Prepared;
use crate::problem::{Arbitrage, Problem, Utility, real};
use crate::solution::{BestPath, Method, Solution};

/// Attempts at a plan that asks no market for more than it has.
const SHORT_MAX: usize = 12;
/// A plan this close to its bound needs no rivals.
const TIGHT: f64 = 3e-8;
/// Chunks lose a little against the best split in the same order.
const NEARLY: f64 = 2e-4;
/// In small networks single paths are searched for whatever loops the snapshot offers, up to so many hops; in large
/// ones the best first search is taken at its word.
const PATH_HOPS: usize = 4;
const PATH_EDGES: usize = 128;

/// One problem on one network.
#[derive(Debug)]
pub(crate) struct Solver<'a> {
    network: &'a Network,
    prepared: &'a Prepared,
    problem: &'a Problem,
    terms: Terms,
    may_loop: bool,
    begun: Instant,
    deadline: Option<Instant>,
    splits: Splits,
}

/// A solved relaxation: a core, its prices, its flows.
#[derive(Debug)]
struct Relaxed {
    core: Core,
    log_prices: Vec<f64>,
    flows: Vec<Flow>,
    value: f64,
    /// Ranks of the core's nodes, where loops are excluded by an order.
    ranks: Option<Vec<u32>>,
    /// Whether the search for the prices ended in balance.
    is_settled: bool,
}

/// What a search for prices ends with.
#[derive(Debug)]
struct Found {
    log_prices: Vec<f64>,
    flows: Vec<Flow>,
    value: f64,
    is_settled: bool,
    effort: Effort,
}

impl Found {
    /// With the core that was searched.
    fn on(self, core: Core, effort: &mut Effort) -> Relaxed {
        effort.add(self.effort);
        Relaxed {
            core,
            log_prices: self.log_prices,
            flows: self.flows,
            value: self.value,
            ranks: None,
            is_settled: self.is_settled,
        }
    }
}

/// What the search has cost so far.
#[derive(Clone, Copy, Debug, Default)]
struct Effort {
    iterations: u32,
    evaluations: u32,
    is_timed_out: bool,
}

impl Effort {
    fn add(&mut self, other: Self) {
        self.iterations += other.iterations;
        self.evaluations += other.evaluations;
        self.is_timed_out |= other.is_timed_out;
    }
}

pub(crate) fn solve(
    network: &Network,
    problem: &Problem,
    before: Option<&Solution>,
) -> Result<Solution, RouteError> {
    let solver = Solver::new(network, problem)?;
    solver.solve(before)
}

impl<'a> Solver<'a> {
    fn new(network: &'a Network, problem: &'a Problem) -> Result<Self, RouteError> {
        let begun = Instant::now();
        let prepared = network.prepared();
        Ok(Self {
            network,
            prepared,
            problem,
            terms: Terms::new(network, prepared, problem)?,
            may_loop: problem.limits().arbitrage == Arbitrage::Include
                || matches!(problem.utility(), Utility::Arbitrage { .. }),
            begun,
            deadline: problem.limits().time.map(|time| begun + time),
            splits: Splits::default(),
        })
    }

    fn core(&self) -> (Core, Vec<(u32, Left)>) {
        let limits = self.problem.limits();
        let excluded: Vec<bool> = self
            .prepared
            .markets
            .iter()
            .map(|market| !limits.exclude.is_empty() && limits.exclude.contains(&*market.id))
            .collect();
        let arbitrage = if self.may_loop {
            Arbitrage::Include
        } else {
            Arbitrage::Exclude
        };
        Core::new(
            self.prepared,
            &self.terms,
            &excluded,
            limits.max_hops,
            arbitrage,
        )
    }

    fn rules(&self) -> Rules {
        let limits = self.problem.limits();
        Rules {
            max_legs: limits.max_legs,
            max_hops: limits.max_hops,
            gas_price: self.problem.gas_price(),
            may_loop: self.may_loop,
        }
    }

    fn solve(&self, before: Option<&Solution>) -> Result<Solution, RouteError> {
        let (core, left) = self.core();
        let mut effort = Effort::default();
        let begin = before
            .and_then(|before| self.warm_prices(&core, before))
            .map_or_else(
                || {
                    (
                        start::prices(&core, &self.terms, self.problem.utility()),
                        true,
                    )
                },
                |log_prices| {
                    let slack = Vec::new();
                    (Start { log_prices, slack }, false)
                },
            );
        let (found, best_path) = parallel::both(
            core.edges.len(),
            || self.search(&core, begin.0, begin.1),
            || self.best_path(&core),
        );
        let free = found.on(core, &mut effort);
        let path = best_path
            .as_ref()
            .and_then(|path| self.path_candidate(path));
        let ordered = if self.may_loop || topological(free.core.node_count(), &free.flows).is_some()
        {
            None
        } else {
            Some(self.in_order(&free, path.as_ref(), &mut effort))
        };
        let relaxed = ordered.as_ref().unwrap_or(&free);
        let (candidates, unlimited) = self.candidates(&free, relaxed, path.as_ref(), &mut effort);
        let mut best: Option<Candidate> = candidates
            .into_iter()
            .filter(|candidate| candidate.answer.legs.len() <= self.problem.limits().max_legs)
            .reduce(|best, next| if next.is_better(&best) { next } else { best });
        if let Some(path) = path
            && best.as_ref().is_none_or(|best| path.is_better(best))
        {
            best = Some(path);
        }
        let Some(best) = best else {
            return Err(self.no_route(&left));
        };
        // What goes against the order is certified without one.
        let follows = |relaxed: &Relaxed| {
            relaxed.ranks.as_ref().is_none_or(|ranks| {
                let rank = |asset: u32| {
                    relaxed
                        .core
                        .assets
                        .iter()
                        .position(|known| *known == asset)
                        .map(|node| ranks[node])
                };
                best.answer.legs.iter().all(|leg| {
                    match (self.place(&leg.asset_in), self.place(&leg.asset_out)) {
                        (Some(from), Some(to)) => match (rank(from), rank(to)) {
                            (Some(from), Some(to)) => from < to,
                            _ => true,
                        },
                        _ => true,
                    }
                })
            })
        };
        let certified = if follows(relaxed) { relaxed } else { &free };
        self.solution(certified, best, best_path, unlimited, left, effort)
    }

    fn place(&self, asset: &str) -> Option<u32> {
        self.network
            .asset_id(asset)
            .map(|asset| self.prepared.place[asset])
    }

    fn warm_prices(&self, core: &Core, before: &Solution) -> Option<Vec<f64>> {
        let known: BTreeMap<u32, f64> = before
            .prices
            .iter()
            .filter_map(|(asset, price)| Some((self.place(asset)?, price.ln())))
            .collect();
        core.assets
            .iter()
            .zip(&core.ceiling)
            .map(|(asset, ceiling)| known.get(asset).map(|log| log.min(*ceiling)))
            .collect()
    }

    fn search(&self, core: &Core, begin: Start, is_cold: bool) -> Found {
        let mut search = Search::new(core, self.prepared, begin.log_prices, self.deadline);
        search.slack = begin.slack;
        if self.may_loop {
            search.allow_loops();
        }
        search.run_all(is_cold);
        let effort = Effort {
            iterations: search.iterations,
            evaluations: search.evaluations,
            is_timed_out: search.is_timed_out,
        };
        let last = Found {
            flows: flows(core, &search.now),
            value: search.now.bound,
            is_settled: search.is_settled,
            log_prices: search.log_prices,
            effort,
        };
        match search.balanced {
            Some((log_prices, now)) if !last.is_settled => {
                let before = Found {
                    flows: flows(core, &now),
                    value: now.bound,
                    is_settled: false,
                    log_prices,
                    effort,
                };
                self.better(core, last, before)
            }
            _ => last,
        }
    }

    /// The best of two ends of searches of one core: the flows that bring more in exact amounts, and the prices that
    /// bound closer what any could.
    fn better(&self, core: &Core, first: Found, second: Found) -> Found {
        let bound = |log_prices: &[f64]| {
            let mut evaluation = Evaluation::default();
            evaluation.at(core, self.prepared, log_prices, &Ramps::default());
            evaluation.bound
        };
        let brings_more = self.brings(core, &second.flows) > self.brings(core, &first.flows);
        let is_closer = bound(&second.log_prices) < bound(&first.log_prices);
        let (priced, other) = if is_closer {
            (second, first)
        } else {
            (first, second)
        };
        if brings_more == is_closer {
            priced
        } else {
            Found {
                flows: other.flows,
                ..priced
            }
        }
    }

    /// Exact amounts for flows.
    fn replay(&self, core: &Core, flows: &[Flow]) -> Option<Replay> {
        let order = match topological(core.node_count(), flows) {
            Some(order) => order,
            None if self.may_loop => flow::loose_order(core.node_count(), flows),
            None => return None,
        };
        let plan = Plan {
            core,
            prepared: self.prepared,
            flows,
            order: &order,
        };
        let node = |asset: &str| {
            let place = self.place(asset)?;
            core.assets[..core.terminal_count]
                .iter()
                .position(|known| *known == place)
                .and_then(|node| u32::try_from(node).ok())
        };
        match self.problem.utility() {
            Utility::ExactIn { spend, want } => {
                let given: Vec<(u32, U256)> = spend
                    .iter()
                    .filter_map(|(asset, amount)| Some((node(asset)?, *amount)))
                    .collect();
                let want = node(want)?;
                plan.forward(&given, |node| node == want)
            }
            Utility::Arbitrage { want } => {
                let want = node(want)?;
                plan.forward(&[], |node| node == want)
            }
            Utility::Rebalance { holdings, .. } => {
                let given: Vec<(u32, U256)> = holdings
                    .iter()
                    .filter_map(|(asset, amount)| Some((node(asset)?, *amount)))
                    .collect();
                plan.forward(&given, |node| core.shares[node as usize] > 0.0)
            }
            Utility::ExactOut {
                want,
                amount,
                funding,
            } => {
                let spends: Vec<u32> = funding
                    .iter()
                    .filter_map(|(asset, _)| node(asset))
                    .collect();
                let want = node(want)?;
                // A market at its limit gives a unit less than real numbers say: others take over what is missing.
                let mut flows = flows.to_vec();
                for _ in 0..SHORT_MAX {
                    let plan = Plan {
                        flows: &flows,
                        ..plan
                    };
                    match plan.backward(want, *amount, |node| spends.contains(&node)) {
                        Ok(replay) => return Some(replay),
                        Err(short) => {
                            for flow in flows.iter_mut().filter(|flow| flow.from == short.node) {
                                flow.amount_out *= 1.0 - (2.0 * short.share + 1e-9).min(1.0);
                            }
                        }
                    }
                }
                None
            }
        }
    }

    fn candidate(&self, replay: Replay, core: &Core, method: Method) -> Option<Candidate> {
        let name = |node: u32| {
            let asset = self.prepared.assets[core.assets[node as usize] as usize];
            self.network.asset_name(asset as usize).to_owned()
        };
        let legs: Vec<Leg> = replay
            .legs
            .iter()
            .map(|leg| {
                let market = &self.prepared.markets[leg.flow.market as usize];
                Leg {
                    market: market.id().to_owned(),
                    asset_in: name(leg.flow.from),
                    asset_out: name(leg.flow.to),
                    amount_in: leg.amount_in,
                    amount_out: leg.amount_out,
                    gas: market.gas,
                }
            })
            .collect();
        Answer::new(legs).candidate(self.problem, method, replay.refused)
    }

    /// The best single path, where the problem has one end that is fixed.
    fn best_path(&self, core: &Core) -> Option<BestPath> {
        let (want, amount, exact_in, funding, values) = match self.problem.utility() {
            Utility::ExactIn { spend, want } => match &spend[..] {
                [(asset, amount)] => (want, *amount, true, vec![asset.clone()], Vec::new()),
                _ => return None,
            },
            Utility::ExactOut {
                want,
                amount,
                funding,
            } => (
                want,
                *amount,
                false,
                funding.iter().map(|(asset, _)| asset.clone()).collect(),
                funding.iter().map(|(_, worth)| *worth).collect(),
            ),
            Utility::Rebalance { .. } | Utility::Arbitrage { .. } => return None,
        };
        let limits = self.problem.limits();
        let hops = limits.max_hops.min(limits.max_legs).min(HOPS_MAX);
        let legs = if core.edges.len() <= PATH_EDGES {
            let hops = hops.min(PATH_HOPS);
            let problem = PathProblem::new(
                want.clone(),
                amount,
                exact_in,
                funding,
                values,
                hops,
                limits.exclude.clone(),
            )
            .ok()?;
            path::solve(self.network, &problem).ok()?.legs
        } else {
            let node = |asset: &str| {
                let place = self.place(asset)?;
                core.assets[..core.terminal_count]
                    .iter()
                    .position(|known| *known == place)
                    .map(number)
            };
            let (begin, goals) = if exact_in {
                (node(&funding[0])?, vec![(node(want)?, 0.0)])
            } else {
                let worth = |at: usize| values.get(at).map_or(0.0, |worth| real(*worth).ln());
                let goals = funding
                    .iter()
                    .enumerate()
                    .filter_map(|(at, name)| Some((node(name)?, worth(at))))
                    .collect();
                (node(want)?, goals)
            };
            let paths = Paths::new(core, self.prepared, &goals, exact_in);
            let hops = paths.best(
                begin,
                amount,
                (hops, QUOTES_MAX),
                &BTreeMap::new(),
                |_, _| true,
            )?;
            hops.iter().map(|hop| self.leg(core, hop)).collect()
        };
        let (first, last) = (legs.first()?, legs.last()?);
        let gas = legs
            .iter()
            .fold(0u64, |sum, leg| sum.saturating_add(leg.gas));
        Some(BestPath {
            amount_in: first.amount_in,
            amount_out: last.amount_out,
            gas_worth: self.problem.gas_worth(gas),
            legs,
        })
    }

    fn leg(&self, core: &Core, hop: &Hop) -> Leg {
        let edge = &core.edges[hop.edge as usize];
        let (from, to) = if hop.forward {
            (edge.a, edge.b)
        } else {
            (edge.b, edge.a)
        };
        let name = |node: u32| {
            let asset = self.prepared.assets[core.assets[node as usize] as usize];
            self.network.asset_name(asset as usize).to_owned()
        };
        let market = &self.prepared.markets[edge.market as usize];
        Leg {
            market: market.id().to_owned(),
            asset_in: name(from),
            asset_out: name(to),
            amount_in: hop.amount_in,
            amount_out: hop.amount_out,
            gas: market.gas,
        }
    }

    fn path_candidate(&self, path: &BestPath) -> Option<Candidate> {
        Answer::new(path.legs.clone()).candidate(self.problem, Method::SinglePath, Vec::new())
    }

    fn no_route(&self, left: &[(u32, Left)]) -> RouteError {
        let reasons: Vec<String> = left
            .iter()
            .take(3)
            .map(|(market, why)| {
                format!(
                    "{}: {}",
                    self.prepared.markets[*market as usize].id(),
                    why.reason(self.problem.limits().max_hops)
                )
            })
            .collect();
        let mut text = "no plan within the limits reaches what is wanted".to_owned();
        if !reasons.is_empty() {
            text = format!("{text}; left out were {}", reasons.join("; "));
        }
        if left.len() > reasons.len() {
            text = format!("{text}; and {} more", left.len() - reasons.len());
        }
        RouteError::NoRoute(text)
    }

    fn solution(
        &self,
        relaxed: &Relaxed,
        best: Candidate,
        best_path: Option<BestPath>,
        unlimited: Option<f64>,
        left: Vec<(u32, Left)>,
        effort: Effort,
    ) -> Result<Solution, RouteError> {
        let core = &relaxed.core;
        let name = |asset: u32| {
            self.network
                .asset_name(self.prepared.assets[asset as usize] as usize)
        };
        let mut claim = Claim {
            prices: vec![f64::NAN; self.prepared.asset_count()],
            ranks: None,
        };
        let mut prices: Vec<(u32, f64)> = Vec::with_capacity(core.node_count());
        for (node, asset) in core.assets.iter().enumerate() {
            let price = relaxed.log_prices[node].exp();
            if price > 0.0 && price.is_finite() {
                claim.prices[*asset as usize] = price;
                prices.push((*asset, price));
            }
        }
        prices.sort_unstable_by_key(|(asset, _)| *asset);
        let mut order = Vec::new();
        if let Some(ranks) = &relaxed.ranks {
            let mut by_asset = vec![u32::MAX; self.prepared.asset_count()];
            let mut nodes: Vec<usize> = (0..core.node_count()).collect();
            nodes.sort_unstable_by_key(|node| ranks[*node]);
            for node in nodes {
                by_asset[core.assets[node] as usize] = ranks[node];
                order.push(name(core.assets[node]).to_owned());
            }
            claim.ranks = Some(by_asset);
        }
        let (bound, _) = claim.bound(self.network, self.problem)?;
        let mut left_out: BTreeMap<u32, String> = left
            .into_iter()
            .map(|(market, why)| (market, why.reason(self.problem.limits().max_hops)))
            .collect();
        for (market, error) in &best.refused {
            left_out.entry(*market).or_insert_with(|| error.to_string());
        }
        let gas = float(best.gas_worth);
        let least_gas = float(self.problem.gas_worth(self.least_gas(core)));
        let sign = if matches!(self.problem.utility(), Utility::ExactOut { .. }) {
            1.0
        } else {
            -1.0
        };
        let gap_of = |objective: f64| gap(self.problem, objective, bound);
        Ok(Solution {
            gap: gap_of(best.objective),
            net_gap: (gap_of(best.objective + sign * (gas - least_gas))).max(0.0),
            unlimited_gap: unlimited
                .map_or_else(|| gap_of(best.objective), gap_of)
                .max(0.0),
            problem: self.problem.clone(),
            objective: best.objective,
            prices: prices
                .into_iter()
                .map(|(asset, price)| (name(asset).to_owned(), price))
                .collect(),
            order,
            bound,
            gas_worth: best.gas_worth,
            legs: best.answer.legs,
            inputs: best.answer.inputs,
            outputs: best.answer.outputs,
            best_path,
            method: best.method,
            iterations: effort.iterations,
            evaluations: effort.evaluations,
            is_timed_out: effort.is_timed_out,
            left_out: left_out
                .into_iter()
                .map(|(market, why)| (self.prepared.markets[market as usize].id().to_owned(), why))
                .collect(),
            elapsed_ns: u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX),
        })
    }

    /// Gas that no plan can do without: that of the cheapest market that ends where flows end.
    fn least_gas(&self, core: &Core) -> u64 {
        core.edges
            .iter()
            .filter(|edge| {
                let is_sink = |node: u32| self.terms.sinks.contains(&core.assets[node as usize]);
                is_sink(edge.a) || is_sink(edge.b)
            })
            .map(|edge| self.prepared.markets[edge.market as usize].gas)
            .min()
            .unwrap_or(0)
    }
}

/// An amount as a real number.
fn float(amount: U256) -> f64 {
    f64::from(amount)
}

/// A choice as the selector keeps it.
impl Selector<'_> {
    fn assess(&self, flows: Vec<Flow>, log_prices: Vec<f64>, bound: f64) -> Choice {
        let (value, is_allowed) = self.judge(&flows, bound);
        Choice {
            flows,
            log_prices,
            bound,
            value,
            is_allowed,
        }
    }
}
