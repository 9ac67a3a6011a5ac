//! Plans without loops: an order of the assets that flows must follow, and which of several brings most.

use std::time::Instant;

use super::candidate::Candidate;
use super::core::{Core, number};
use super::flow::Flow;
use super::start::Start;
use super::{Effort, Found, NEARLY, Relaxed, Solver};
use super::{flow, order, parallel, start};
use crate::problem::Utility;
use crate::solution::Method;

impl Solver<'_> {
    /// The problem again with an order of assets that flows must follow.
    pub(super) fn in_order(
        &self,
        free: &Relaxed,
        path: Option<&Candidate>,
        effort: &mut Effort,
    ) -> Relaxed {
        let mut load = vec![0.0; free.core.node_count()];
        for (node, load) in load.iter_mut().enumerate() {
            let mut wanted = free.core.supply[node];
            if let Some(share) = free.core.shares.get(node) {
                wanted -= share * free.value;
            }
            *load = wanted * free.log_prices[node].exp();
        }
        let ranks = order::ranks(&free.core, &free.log_prices, &load);
        let edges = free.core.edges.len();
        let along = |ranks: &[u32]| {
            let mut core = free.core.clone();
            core.direct(ranks);
            let begin = start::prices(&core, &self.terms, self.problem.utility());
            (core, begin)
        };
        let (core, begin) = along(&ranks);
        let (found, near) = parallel::both(
            edges,
            || self.search_from(free, &core, begin),
            || self.coarse_near(free),
        );
        let mut relaxed = found.on(core, effort);
        relaxed.ranks = Some(ranks);
        let mut best = self.brings(&relaxed.core, &relaxed.flows);
        self.keep_coarse(free, near, best);
        // Other orders: those of chunks, that of a single path which goes against the first, and the one that the loops
        // themselves follow most. The best one is kept.
        let ranks = relaxed.ranks.clone().unwrap_or_default();
        let mut others = Vec::new();
        for split in self.splits(free) {
            if f64::from(split.amount_out) > best * (1.0 - NEARLY) {
                let arcs: Vec<(u32, u32)> =
                    (split.flows.iter().map(|flow| (flow.from, flow.to))).collect();
                others.extend(order::ranks_with(&ranks, &arcs));
            }
        }
        if let Some(path) = path.filter(|path| self.is_worth_more(path.objective, best)) {
            let node = |asset: &str| {
                let place = self.place(asset)?;
                (free.core.assets.iter().position(|known| *known == place)).map(number)
            };
            let legs = path.answer.legs.iter();
            let arcs: Option<Vec<(u32, u32)>> = legs
                .map(|leg| Some((node(&leg.asset_in)?, node(&leg.asset_out)?)))
                .collect();
            others.extend(arcs.and_then(|arcs| order::ranks_with(&ranks, &arcs)));
        }
        let mut by_loops = vec![0; ranks.len()];
        for (rank, node) in (0u32..).zip(flow::loose_order(free.core.node_count(), &free.flows)) {
            by_loops[node as usize] = rank;
        }
        others.push(by_loops);
        let tried = parallel::each(edges, others, |ranks| {
            if self
                .deadline
                .is_some_and(|deadline| Instant::now() >= deadline)
            {
                return None;
            }
            let (core, begin) = along(&ranks);
            // In an order in which nothing gets from one end to the other there is nothing to find.
            let ends = begin.slack.iter().take(core.terminal_count);
            if ends.filter(|slack| slack.is_finite()).count() < 2 {
                return None;
            }
            let mut spent = Effort::default();
            let mut other = self.search_from(free, &core, begin).on(core, &mut spent);
            other.ranks = Some(ranks);
            Some((self.brings(&other.core, &other.flows), other, spent))
        });
        // Bounds say little where a search did not end: what a plan really brings decides.
        for (brought, other, spent) in tried.into_iter().flatten() {
            effort.add(spent);
            if brought > best {
                best = brought;
                relaxed = other;
            }
        }
        relaxed
    }

    /// Searches a part of the free core. The free prices bound what any part brings and are nearly its own; where the
    /// way from them leads nowhere, begins again.
    fn search_from(&self, free: &Relaxed, core: &Core, begin: Start) -> Found {
        let near = Start {
            log_prices: free.log_prices.clone(),
            slack: begin.slack.clone(),
        };
        let found = self.search(core, near, false);
        if found.is_settled || found.effort.is_timed_out {
            return found;
        }
        let afresh = self.search(core, begin, true);
        let mut effort = found.effort;
        effort.add(afresh.effort);
        Found {
            effort,
            ..self.better(core, afresh, found)
        }
    }

    /// Whether an objective is better than what a relaxation was found to bring.
    pub(super) fn is_worth_more(&self, objective: f64, brought: f64) -> bool {
        if self.terms.exact_in {
            objective > brought
        } else {
            -objective.abs() > brought
        }
    }

    /// The objective of flows in exact amounts, more being better.
    pub(super) fn brings(&self, core: &Core, flows: &[Flow]) -> f64 {
        let objective = self
            .replay(core, flows)
            .and_then(|replay| self.candidate(replay, core, Method::Dual))
            .map_or(f64::NEG_INFINITY, |candidate| candidate.objective);
        if matches!(self.problem.utility(), Utility::ExactOut { .. }) {
            -objective.abs()
        } else {
            objective
        }
    }
}
