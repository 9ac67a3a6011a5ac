use crate::prepared::Prepared;
use crate::problem::Arbitrage;

use super::terms::Terms;

/// A pair of assets of a market between two nodes of the core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) a: u32,
    pub(crate) b: u32,
    /// Logarithm of what a vanishing amount buys; negative infinity where a direction is not allowed.
    pub(crate) rate_ab: f64,
    pub(crate) rate_ba: f64,
    pub(crate) market: u32,
    /// Which pair of nodes it joins, shared by all edges between them.
    pub(crate) tie: u32,
    pub(crate) side_a: u8,
    pub(crate) side_b: u8,
    /// Whether the market has other pairs: it is used through one of them.
    pub(crate) is_shared: bool,
    /// Speed of the amount in at no size.
    pub(crate) depth_ab: f64,
    pub(crate) depth_ba: f64,
    /// Logarithm of what has to go in for each unit that the market takes; the rates are less by as much.
    pub(crate) toll: f64,
}

/// The part of a network that can matter for a problem, as arrays.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    /// The asset of each node.
    pub(crate) assets: Vec<u32>,
    pub(crate) edges: Vec<Edge>,
    pub(crate) ties: Vec<(u32, u32)>,
    /// Nodes where flows begin or end come first.
    pub(crate) terminal_count: usize,
    /// What is given at a node, or asked for where negative; in base units.
    pub(crate) supply: Vec<f64>,
    /// Nodes whose log price is given, or cannot rise above.
    pub(crate) ceiling: Vec<f64>,
    /// Nodes whose log price is fixed at the ceiling.
    pub(crate) is_fixed: Vec<bool>,
    /// For a rebalance: base units of the node in one unit of worth; else empty.
    pub(crate) shares: Vec<f64>,
    pub(crate) has_linear_pieces: bool,
    /// Whether legs are swaps for exact inputs; else for exact outputs. Some markets limit them differently.
    pub(crate) exact_in: bool,
}

/// Why a market is not in the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Excluded,
    Empty,
    DeadEnd,
    Unconnected,
    TooFar,
}

impl Left {
    pub(crate) fn reason(self, max_hops: usize) -> String {
        match self {
            Self::Excluded => "excluded by the problem".to_owned(),
            Self::Empty => "holds nothing".to_owned(),
            Self::DeadEnd => "leads to a dead end".to_owned(),
            Self::Unconnected => "is not connected with the problem's assets".to_owned(),
            Self::TooFar => format!("lies on no path of at most {max_hops} markets"),
        }
    }
}

const FAR: u32 = u32::MAX / 4;

/// Arcs of a graph by the node they leave: where each node's begin, and `(pair, other node)`.
struct Adjacency {
    first: Vec<u32>,
    arcs: Vec<(u32, u32)>,
}

impl Adjacency {
    fn new(prepared: &Prepared, is_usable: &[bool]) -> Self {
        let count = prepared.asset_count();
        let mut first = vec![0u32; count + 1];
        let usable = || {
            (0u32..)
                .zip(&prepared.pairs)
                .filter(|(at, _)| is_usable[*at as usize])
        };
        for (_, pair) in usable() {
            first[pair.a as usize + 1] += 1;
            first[pair.b as usize + 1] += 1;
        }
        for at in 0..count {
            first[at + 1] += first[at];
        }
        let mut next = first.clone();
        let mut arcs = vec![(0, 0); first[count] as usize];
        for (at, pair) in usable() {
            for (from, to) in [(pair.a, pair.b), (pair.b, pair.a)] {
                arcs[next[from as usize] as usize] = (at, to);
                next[from as usize] += 1;
            }
        }
        Self { first, arcs }
    }

    fn of(&self, node: u32) -> &[(u32, u32)] {
        &self.arcs[self.first[node as usize] as usize..self.first[node as usize + 1] as usize]
    }

    fn distances(&self, from: &[u32], is_dropped: &[bool]) -> Vec<u32> {
        let mut distances = vec![FAR; self.first.len() - 1];
        let mut queue: Vec<u32> = from.to_vec();
        for node in from {
            distances[*node as usize] = 0;
        }
        let mut at = 0;
        while let Some(node) = queue.get(at).copied() {
            at += 1;
            for (_, to) in self.of(node) {
                if distances[*to as usize] == FAR && !is_dropped[*to as usize] {
                    distances[*to as usize] = distances[node as usize] + 1;
                    queue.push(*to);
                }
            }
        }
        distances
    }

    /// Assets with one neighbour, repeatedly: what enters them comes back the way it went. Where loops are kept, two
    /// markets to that neighbour are two ways.
    fn dead_ends(&self, is_kept: &[bool], arbitrage: Arbitrage) -> Vec<bool> {
        let count = self.first.len() - 1;
        let mut is_dead = vec![false; count];
        let mut waiting: Vec<u32> = (0u32..)
            .zip(is_kept)
            .filter_map(|(node, is_kept)| (!is_kept).then_some(node))
            .collect();
        while let Some(node) = waiting.pop() {
            if is_dead[node as usize] {
                continue;
            }
            let mut only = None;
            let mut ways = 0;
            let has_one_neighbour = self.of(node).iter().all(|(_, to)| {
                is_dead[*to as usize] || {
                    ways += 1;
                    *only.get_or_insert(*to) == *to
                }
            });
            let is_dead_end = has_one_neighbour && (arbitrage == Arbitrage::Exclude || ways <= 1);
            if is_dead_end {
                is_dead[node as usize] = true;
                waiting.extend(only.filter(|only| !is_kept[*only as usize]));
            }
        }
        is_dead
    }
}

impl Core {
    /// The core of a problem, and why each other market is not in it.
    #[expect(
        clippy::too_many_lines,
        reason = "one pass after another over the same arrays"
    )]
    pub(crate) fn new(
        prepared: &Prepared,
        terms: &Terms,
        excluded: &[bool],
        max_hops: usize,
        arbitrage: Arbitrage,
    ) -> (Self, Vec<(u32, Left)>) {
        let mut left: Vec<(u32, Left)> = Vec::new();
        let mut is_usable = vec![false; prepared.pairs.len()];
        for (market, is_excluded) in excluded.iter().copied().enumerate() {
            let mut is_empty = true;
            if !is_excluded {
                let first = prepared.first_pair[market] as usize;
                for (at, pair) in (first..).zip(prepared.pairs_of(market)) {
                    is_usable[at] =
                        pair.rate_ab > f64::NEG_INFINITY || pair.rate_ba > f64::NEG_INFINITY;
                    is_empty &= !is_usable[at];
                }
            }
            if is_empty {
                let why = if is_excluded {
                    Left::Excluded
                } else {
                    Left::Empty
                };
                left.push((number(market), why));
            }
        }
        let adjacency = Adjacency::new(prepared, &is_usable);
        let mut is_kept = vec![false; prepared.asset_count()];
        for node in terms.sources.iter().chain(&terms.sinks) {
            is_kept[*node as usize] = true;
        }
        let is_dead = adjacency.dead_ends(&is_kept, arbitrage);
        let from_sources = adjacency.distances(&terms.sources, &is_dead);
        let to_sinks = adjacency.distances(&terms.sinks, &is_dead);
        // Loops come back to where they began, so they are limited by nothing but their own length.
        let hops = if arbitrage == Arbitrage::Include {
            FAR
        } else {
            number(max_hops).min(FAR)
        };
        let mut node_of = vec![u32::MAX; prepared.asset_count()];
        let mut assets = Vec::new();
        let mut is_in = vec![false; prepared.asset_count()];
        for asset in 0..prepared.asset_count() {
            is_in[asset] = !is_dead[asset]
                && from_sources[asset] < FAR
                && to_sinks[asset] < FAR
                && (hops == FAR || from_sources[asset] + to_sinks[asset] <= hops);
        }
        // Terminals come first, in a fixed order; the rest as assets are sorted.
        for asset in terms.sources.iter().chain(&terms.sinks).copied() {
            if node_of[asset as usize] == u32::MAX {
                node_of[asset as usize] = number(assets.len());
                assets.push(asset);
            }
        }
        let terminal_count = assets.len();
        for asset in 0..prepared.asset_count() {
            if is_in[asset] && node_of[asset] == u32::MAX {
                node_of[asset] = number(assets.len());
                assets.push(number(asset));
            }
        }
        let count = assets.len();
        let mut core = Self {
            terminal_count,
            supply: vec![0.0; count],
            ceiling: vec![f64::INFINITY; count],
            is_fixed: vec![false; count],
            shares: if terms.shares.is_empty() {
                Vec::new()
            } else {
                vec![0.0; count]
            },
            assets,
            edges: Vec::with_capacity(prepared.pairs.len()),
            ties: Vec::new(),
            has_linear_pieces: false,
            exact_in: terms.exact_in,
        };
        for (asset, amount) in &terms.supply {
            core.supply[node_of[*asset as usize] as usize] += amount;
        }
        for (asset, log_price) in &terms.ceilings {
            core.ceiling[node_of[*asset as usize] as usize] = *log_price;
        }
        for asset in &terms.fixed {
            core.is_fixed[node_of[*asset as usize] as usize] = true;
        }
        for (asset, share) in &terms.shares {
            core.shares[node_of[*asset as usize] as usize] = *share;
        }
        for market in 0..prepared.markets.len() {
            let first = prepared.first_pair[market] as usize;
            let pairs = prepared.pairs_of(market);
            let mut is_reached = false;
            let mut is_connected = false;
            let mut is_dead_end = false;
            let mut is_any = false;
            for (at, pair) in (first..).zip(pairs) {
                if !is_usable[at] {
                    continue;
                }
                is_any = true;
                is_dead_end |= is_dead[pair.a as usize] || is_dead[pair.b as usize];
                is_connected |= from_sources[pair.a as usize] < FAR;
                let (a, b) = (node_of[pair.a as usize], node_of[pair.b as usize]);
                let least = (from_sources[pair.a as usize] + to_sinks[pair.b as usize])
                    .min(from_sources[pair.b as usize] + to_sinks[pair.a as usize]);
                if a == u32::MAX || b == u32::MAX || (hops < FAR && least + 1 > hops) {
                    continue;
                }
                is_reached = true;
                core.edges.push(Edge {
                    a,
                    b,
                    rate_ab: pair.rate_ab,
                    rate_ba: pair.rate_ba,
                    market: pair.market,
                    tie: 0,
                    side_a: pair.side_a,
                    side_b: pair.side_b,
                    is_shared: pairs.len() > 1,
                    depth_ab: pair.depth_ab,
                    depth_ba: pair.depth_ba,
                    toll: 0.0,
                });
            }
            if is_reached {
                core.has_linear_pieces |= prepared.markets[market].real(true).has_linear_pieces();
            } else if is_any {
                let why = if is_dead_end {
                    Left::DeadEnd
                } else if is_connected {
                    Left::TooFar
                } else {
                    Left::Unconnected
                };
                left.push((number(market), why));
            }
        }
        core.tie();
        (core, left)
    }

    /// The same problem on some of its edges, and the node of this core behind each of its nodes.
    pub(crate) fn subset(&self, edges: &[u32]) -> (Self, Vec<u32>) {
        let mut new_of = vec![u32::MAX; self.node_count()];
        let mut nodes = Vec::new();
        for (node, new) in new_of.iter_mut().enumerate().take(self.terminal_count) {
            *new = number(node);
            nodes.push(number(node));
        }
        let mut kept: Vec<Edge> = edges.iter().map(|at| self.edges[*at as usize]).collect();
        for edge in &mut kept {
            for end in [&mut edge.a, &mut edge.b] {
                let new = &mut new_of[*end as usize];
                if *new == u32::MAX {
                    *new = number(nodes.len());
                    nodes.push(*end);
                }
                *end = *new;
            }
        }
        let pick = |values: &[f64]| nodes.iter().map(|node| values[*node as usize]).collect();
        let mut core = Self {
            assets: nodes
                .iter()
                .map(|node| self.assets[*node as usize])
                .collect(),
            edges: kept,
            ties: Vec::new(),
            terminal_count: self.terminal_count,
            supply: pick(&self.supply),
            ceiling: pick(&self.ceiling),
            is_fixed: nodes
                .iter()
                .map(|node| self.is_fixed[*node as usize])
                .collect(),
            shares: if self.shares.is_empty() {
                Vec::new()
            } else {
                pick(&self.shares)
            },
            has_linear_pieces: self.has_linear_pieces,
            exact_in: self.exact_in,
        };
        core.tie();
        (core, nodes)
    }

    /// Asks a toll, as a logarithm, of what goes into each edge.
    pub(crate) fn ask(&mut self, tolls: &[f64]) {
        for (edge, toll) in self.edges.iter_mut().zip(tolls) {
            edge.toll += toll;
            edge.rate_ab -= toll;
            edge.rate_ba -= toll;
        }
    }

    /// Lets trades go from nodes of lower to nodes of higher rank only.
    pub(crate) fn direct(&mut self, rank: &[u32]) {
        for edge in &mut self.edges {
            if rank[edge.a as usize] < rank[edge.b as usize] {
                edge.rate_ba = f64::NEG_INFINITY;
            } else {
                edge.rate_ab = f64::NEG_INFINITY;
            }
        }
    }

    /// Numbers the pairs of nodes that edges join.
    fn tie(&mut self) {
        let count = self.assets.len();
        let mut by_node: Vec<Vec<(u32, u32)>> = vec![Vec::new(); count];
        for edge in &mut self.edges {
            let (low, high) = (edge.a.min(edge.b), edge.a.max(edge.b));
            let known = &mut by_node[high as usize];
            let found = known.iter().find(|(other, _)| *other == low);
            edge.tie = if let Some((_, tie)) = found {
                *tie
            } else {
                let tie = number(self.ties.len());
                self.ties.push((low, high));
                known.push((low, tie));
                tie
            };
        }
    }

    pub(crate) fn node_count(&self) -> usize {
        self.assets.len()
    }
}

/// Positions of markets, assets and nodes fit 32 bits.
pub(crate) fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
