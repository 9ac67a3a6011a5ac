use std::collections::{BTreeMap, VecDeque};

use ruint::aliases::U256;
use sep_amm::AmmError;

use super::problem::PathProblem;
use crate::market::Market;
use crate::network::Network;

/// One direction of a market, as the search walks it: from an asset whose amount is known to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arc {
    market: u32,
    /// The asset reached.
    pub(crate) to: u32,
    /// Numbers of the assets traded, as the market counts them.
    asset_in: u8,
    asset_out: u8,
    /// Natural logarithm of the least that it can cost: what a vanishing amount loses, fees included. Kept here
    /// since the search for potentials reads nothing else, many times.
    pub(crate) log_cost: f64,
}

/// The part of a network that can matter for a problem.
///
/// Exact in walks with the trade from the funding asset to the wanted one; exact out walks against it. Either
/// way a walk begins at one asset with a known amount and may end at any of the goals.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    markets: Vec<&'a Market>,
    ends: Vec<Box<[u32]>>,
    arcs: Vec<Vec<Arc>>,
    exact_in: bool,
    pub(crate) start: u32,
    /// Assets where a path may end, with the worth of a unit.
    pub(crate) goals: Vec<(u32, (U256, U256))>,
    pub(crate) max_hops: usize,
    pub(crate) left_out: BTreeMap<&'a str, String>,
}

const FAR: usize = usize::MAX / 4;

impl<'a> Graph<'a> {
    /// The graph of a problem, or the name of an asset that no market trades.
    pub(crate) fn new(network: &'a Network, problem: &'a PathProblem) -> Result<Self, &'a str> {
        let mut numbers = Numbers {
            of_asset: vec![None; network.asset_count()],
            count: 0,
        };
        let mut number = |name: &'a str| network.asset_id(name).map(|asset| numbers.of(asset));
        let want = number(problem.want()).ok_or(problem.want())?;
        let mut funding = Vec::new();
        for (at, name) in problem.funding().iter().enumerate() {
            funding.extend(number(name).map(|asset| (asset, problem.value(at))));
        }
        let first = funding.first().ok_or(problem.funding()[0].as_str())?.0;
        let (start, goals) = if problem.exact_in() {
            (first, vec![(want, (U256::ONE, U256::ONE))])
        } else {
            (want, funding)
        };
        let mut graph = Self {
            markets: Vec::new(),
            ends: Vec::new(),
            arcs: Vec::new(),
            exact_in: problem.exact_in(),
            start,
            goals,
            max_hops: problem.max_hops(),
            left_out: BTreeMap::new(),
        };
        for market in network.markets() {
            if problem.exclude().contains(market.id()) {
                graph
                    .left_out
                    .insert(market.id(), "excluded by the problem".to_owned());
            } else if market.buys_nothing() {
                graph
                    .left_out
                    .insert(market.id(), "holds nothing".to_owned());
            } else {
                graph.markets.push(market);
                graph.ends.push(
                    market
                        .assets
                        .iter()
                        .map(|asset| numbers.of(*asset))
                        .collect(),
                );
            }
        }
        graph.connect(numbers.count);
        graph.prune();
        Ok(graph)
    }

    fn connect(&mut self, node_count: u32) {
        self.arcs = vec![Vec::new(); node_count as usize];
        for (number, (market, ends)) in (0u32..).zip(self.markets.iter().zip(&self.ends)) {
            for (asset_in, node_in) in (0u8..).zip(ends) {
                for (asset_out, node_out) in (0u8..).zip(ends) {
                    if asset_in == asset_out {
                        continue;
                    }
                    // A walk against the trade enters the market where its output is.
                    let (from, to) = if self.exact_in {
                        (*node_in, *node_out)
                    } else {
                        (*node_out, *node_in)
                    };
                    self.arcs[from as usize].push(Arc {
                        market: number,
                        to,
                        asset_in,
                        asset_out,
                        log_cost: -market.log_rate(usize::from(asset_in), usize::from(asset_out)),
                    });
                }
            }
        }
    }

    /// Drops what no path within the hop limit can use.
    fn prune(&mut self) {
        let dead = self.dead_ends();
        let mut kept = std::mem::take(&mut self.arcs);
        for (from, arcs) in kept.iter_mut().enumerate() {
            arcs.retain(|arc| !dead[from] && !dead[arc.to as usize]);
        }
        self.arcs = kept;
        let from_start = self.distances(std::iter::once(self.start));
        let goals: Vec<u32> = self.goals.iter().map(|goal| goal.0).collect();
        let to_goal = self.distances(goals.into_iter());
        let max_hops = self.max_hops;
        let mut used = vec![false; self.markets.len()];
        let only_goal = (self.goals.len() == 1).then(|| self.goals[0].0 as usize);
        let start = self.start;
        for (from, (arcs, begun)) in self.arcs.iter_mut().zip(from_start).enumerate() {
            // No path comes back to where it began or goes on from its only goal.
            arcs.retain(|arc| {
                only_goal != Some(from)
                    && arc.to != start
                    && begun + 1 + to_goal[arc.to as usize] <= max_hops
            });
            for arc in arcs {
                used[arc.market as usize] = true;
            }
        }
        for ((market, ends), _) in self
            .markets
            .iter()
            .zip(&self.ends)
            .zip(used)
            .filter(|(_, used)| !used)
        {
            let reason = if ends.iter().any(|end| dead[*end as usize]) {
                "leads to a dead end".to_owned()
            } else {
                format!("lies on no path of at most {max_hops} markets")
            };
            self.left_out.insert(market.id(), reason);
        }
    }

    /// Assets with one neighbour, repeatedly: a path that enters cannot leave, unless it ends there.
    fn dead_ends(&self) -> Vec<bool> {
        let ends = |asset: usize| {
            asset == self.start as usize
                || self.goals.iter().any(|(goal, _)| *goal as usize == asset)
        };
        let mut dead = vec![false; self.arcs.len()];
        let mut waiting: Vec<usize> = (0..self.arcs.len()).filter(|asset| !ends(*asset)).collect();
        while let Some(asset) = waiting.pop() {
            if dead[asset] {
                continue;
            }
            let mut neighbours = self.arcs[asset]
                .iter()
                .map(|arc| arc.to as usize)
                .filter(|neighbour| !dead[*neighbour]);
            let only = neighbours.next();
            if only.is_none_or(|only| neighbours.all(|other| other == only)) {
                dead[asset] = true;
                waiting.extend(only.filter(|only| !ends(*only)));
            }
        }
        dead
    }

    /// Hops from a set of assets; every market can be walked both ways.
    fn distances(&self, from: impl Iterator<Item = u32>) -> Vec<usize> {
        let mut distances = vec![FAR; self.arcs.len()];
        let mut queue = VecDeque::new();
        for asset in from {
            distances[asset as usize] = 0;
            queue.push_back(asset as usize);
        }
        while let Some(asset) = queue.pop_front() {
            for arc in &self.arcs[asset] {
                let to = arc.to as usize;
                if distances[to] == FAR {
                    distances[to] = distances[asset] + 1;
                    queue.push_back(to);
                }
            }
        }
        distances
    }

    pub(crate) fn node_count(&self) -> usize {
        self.arcs.len()
    }

    /// The arcs that leave an asset, sorted by the name of their market.
    pub(crate) fn arcs(&self, from: u32) -> &[Arc] {
        &self.arcs[from as usize]
    }

    pub(crate) fn market(&self, arc: Arc) -> &'a Market {
        self.markets[arc.market as usize]
    }

    /// Numbers of the assets of the trade, as the market counts them.
    pub(crate) fn sides(arc: Arc) -> (usize, usize) {
        (usize::from(arc.asset_in), usize::from(arc.asset_out))
    }

    /// Whether two arcs lead through one market, whose state the first of them would have changed.
    pub(crate) fn share_market(a: Arc, b: Arc) -> bool {
        a.market == b.market
    }

    /// Whether a path might meet the market of an arc twice without meeting an asset twice.
    pub(crate) fn has_many_assets(&self, arc: Arc) -> bool {
        self.ends[arc.market as usize].len() > 2
    }

    /// The cost of being at an amount: less is better whichever way the search walks.
    pub(crate) fn log_amount(&self, amount: U256) -> f64 {
        let logarithm = f64::from(amount).ln();
        if self.exact_in { -logarithm } else { logarithm }
    }

    /// Natural logarithm of the worth of a unit.
    pub(crate) fn log_worth((numerator, denominator): (U256, U256)) -> f64 {
        f64::from(numerator).ln() - f64::from(denominator).ln()
    }

    /// The amount beyond an arc for an amount before it; never zero.
    pub(crate) fn walk(&self, arc: Arc, amount: U256) -> Result<U256, AmmError> {
        let (asset_in, asset_out) = Self::sides(arc);
        let quote = self
            .market(arc)
            .state
            .quote(asset_in, asset_out, amount, self.exact_in)?;
        let reached = if self.exact_in {
            quote.amount_out
        } else {
            quote.amount_in
        };
        if reached.is_zero() {
            Err(AmmError::ZeroAmount)
        } else {
            Ok(reached)
        }
    }

    /// The least cost of being beyond an arc with what there is before it, by the market's curve: exact amounts cost no
    /// less, but for rounding of real numbers.
    pub(crate) fn least_beyond(&self, arc: Arc, amount: U256) -> f64 {
        let (asset_in, asset_out) = Self::sides(arc);
        let real = self.market(arc).real(self.exact_in);
        let amount = f64::from(amount);
        if self.exact_in {
            -real.output_at_most(asset_in, asset_out, amount).ln()
        } else {
            real.input_at_least(asset_in, asset_out, amount).ln()
        }
    }

    /// Whether the amount is spent: then more at an asset is better, else less.
    pub(crate) fn exact_in(&self) -> bool {
        self.exact_in
    }

    /// Whether amount `a` at an asset is better than `b`.
    pub(crate) fn is_better(&self, a: U256, b: U256) -> bool {
        if self.exact_in { a > b } else { a < b }
    }

    /// The worth of a unit, where a path may end.
    pub(crate) fn goal(&self, asset: u32) -> Option<(U256, U256)> {
        self.goals
            .iter()
            .find(|goal| goal.0 == asset)
            .map(|goal| goal.1)
    }

    /// Whether a path goes on from this asset: not from the only goal there is.
    pub(crate) fn goes_on(&self, asset: u32) -> bool {
        self.goals.len() > 1 || self.goals[0].0 != asset
    }

    /// Names an arc that an exact amount could not pass.
    pub(crate) fn leave_out(&mut self, arc: Arc, error: &AmmError) {
        let market = self.market(arc).id();
        self.left_out
            .entry(market)
            .or_insert_with(|| error.to_string());
    }
}

/// Numbers for the assets in the order in which sorted markets name them, so that the order in which a network
/// was filled changes nothing.
struct Numbers {
    of_asset: Vec<Option<u32>>,
    count: u32,
}

impl Numbers {
    fn of(&mut self, asset: usize) -> u32 {
        *self.of_asset[asset].get_or_insert_with(|| {
            self.count += 1;
            self.count - 1
        })
    }
}
