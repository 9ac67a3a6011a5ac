//! The splits in chunks that a plan is held to.

use std::sync::OnceLock;

use ruint::aliases::U256;

use super::core::{Core, Edge, number};
use super::greedy::{self, Split};
use super::{Relaxed, Solver};
use crate::network::Network;
use crate::problem::{Problem, Utility};

/// Chunks of the splits that a plan is never worse than.
const COARSE_CHUNKS: u32 = 20;
const FINE_CHUNKS: u32 = 256;
/// Networks in which plans are held to a split in fine chunks, and those where legs cost nothing.
const FEW_EDGES: usize = 500;
pub(super) const SOME_EDGES: usize = 2_000;
/// In larger networks chunks do not go where the free prices pay less by this logarithm, or by the share that an order
/// stays behind them. Loops may have moved prices further, but not for much: what chunks lose by it is less than what the
/// order does.
const NEAR: f64 = 3e-4;

/// Splits of the free core, once they were asked for.
#[derive(Debug, Default)]
pub(super) struct Splits {
    coarse: OnceLock<Option<Split>>,
    fine: OnceLock<Option<Split>>,
}

/// What a split of an exact amount in equal chunks buys, each chunk along the path that is best by then, and the worth
/// of its gas: a method to compare with.
pub(crate) fn greedy(network: &Network, problem: &Problem, chunks: u32) -> Option<(U256, U256)> {
    let solver = Solver::new(network, problem).ok()?;
    let (core, _) = solver.core();
    let split = solver.split(&core, chunks)?;
    let best = solver
        .chunks(&core, &split)
        .into_iter()
        .reduce(|best, next| if next.is_better(&best) { next } else { best })?;
    let Utility::ExactIn { want, .. } = problem.utility() else {
        return None;
    };
    let bought = best
        .answer
        .outputs
        .iter()
        .find(|(asset, _)| asset == want)?
        .1;
    Some((bought, best.gas_worth))
}

impl Solver<'_> {
    fn split(&self, core: &Core, chunks: u32) -> Option<Split> {
        let Utility::ExactIn { spend, want } = self.problem.utility() else {
            return None;
        };
        let [(asset, amount)] = &spend[..] else {
            return None;
        };
        let node = |asset: &str| {
            let place = self.place(asset)?;
            core.assets
                .iter()
                .position(|known| *known == place)
                .map(number)
        };
        greedy::split(
            core,
            self.prepared,
            (node(asset)?, node(want)?),
            *amount,
            chunks,
            &self.rules(),
        )
    }

    /// Whether all legs that the free prices ask for are allowed and cost nothing.
    fn is_free(&self, free: &Relaxed) -> bool {
        self.problem.gas_price() == 0.0 && free.flows.len() <= self.problem.limits().max_legs
    }

    /// Whether the free prices say where chunks of a large network do not go.
    fn is_told(&self, free: &Relaxed) -> bool {
        free.core.edges.len() > SOME_EDGES && free.is_settled && self.is_free(free)
    }

    /// The split in coarse chunks, before an order is known.
    pub(super) fn coarse_near(&self, free: &Relaxed) -> Option<Split> {
        if self.is_told(free) {
            self.coarse_within(free, NEAR)
        } else {
            self.split(&free.core, COARSE_CHUNKS)
        }
    }

    /// Keeps it; or splits anew, where what an order brings stays so far behind that chunks may go further.
    pub(super) fn keep_coarse(&self, free: &Relaxed, near: Option<Split>, brought: f64) {
        let reach = 1.0 - brought / free.value;
        let kept = if reach > NEAR && self.is_told(free) {
            self.coarse_within(free, reach)
        } else {
            near
        };
        self.splits.coarse.get_or_init(|| kept);
    }

    /// The split over the part of the free core whose rates are within reach of the free prices.
    fn coarse_within(&self, free: &Relaxed, reach: f64) -> Option<Split> {
        let is_near = |edge: &Edge| {
            let difference = free.log_prices[edge.a as usize] - free.log_prices[edge.b as usize];
            difference - edge.rate_ab < reach || -difference - edge.rate_ba < reach
        };
        let edges: Vec<u32> = (0..)
            .zip(&free.core.edges)
            .filter(|(_, edge)| is_near(edge))
            .map(|(at, _)| at)
            .collect();
        let (core, nodes) = free.core.subset(&edges);
        let mut split = self.split(&core, COARSE_CHUNKS)?;
        for flow in &mut split.flows {
            flow.edge = edges[flow.edge as usize];
            flow.from = nodes[flow.from as usize];
            flow.to = nodes[flow.to as usize];
        }
        Some(split)
    }

    /// The splits of the free core that plans are held to: also the fine one where it costs little, or where legs cost
    /// nothing and it may be ahead of an order without loops.
    pub(super) fn splits(&self, free: &Relaxed) -> impl Iterator<Item = &Split> {
        let Splits { coarse, fine, .. } = &self.splits;
        let coarse = coarse.get_or_init(|| self.coarse_near(free));
        let most = if self.is_free(free) {
            SOME_EDGES
        } else {
            FEW_EDGES
        };
        let fine = (free.core.edges.len() <= most)
            .then(|| fine.get_or_init(|| self.split(&free.core, FINE_CHUNKS)));
        coarse.iter().chain(fine.into_iter().flatten())
    }
}
