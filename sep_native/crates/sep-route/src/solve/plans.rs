//! Plans of a relaxation: with all its legs, with a selection of them, and those of a split in chunks.

use ruint::aliases::U256;

use super::candidate::Candidate;
use super::core::{Core, Edge, number};
use super::flow::{Flow, topological};
use super::greedy::Split;
use super::replay::{Plan, Replay};
use super::select::{Choice, Selector};
use super::{Effort, Relaxed, Solver, TIGHT};
use crate::leg::Leg;
use crate::problem::Utility;
use crate::solution::Method;

impl Solver<'_> {
    /// Plans from the relaxation: all its legs where that is allowed, and a selection where legs cost something. Also
    /// the objective of the first, limits aside.
    pub(super) fn candidates(
        &self,
        free: &Relaxed,
        relaxed: &Relaxed,
        path: Option<&Candidate>,
        effort: &mut Effort,
    ) -> (Vec<Candidate>, Option<f64>) {
        let rules = self.rules();
        let mut candidates = Vec::new();
        let full = self
            .replay(&relaxed.core, &relaxed.flows)
            .and_then(|replay| self.candidate(replay, &relaxed.core, Method::Dual));
        let unlimited = full.as_ref().map(|full| full.objective);
        let mut selector = Selector {
            core: &relaxed.core,
            prepared: self.prepared,
            rules,
            deadline: self.deadline,
            solves: 0,
            iterations: 0,
        };
        let begin = selector.assess(
            relaxed.flows.clone(),
            relaxed.log_prices.clone(),
            relaxed.value,
        );
        let is_free = rules.gas_price == 0.0 && begin.is_allowed;
        // How exact the first plan is: whether anything else could be better by more than a trifle.
        let is_tight = full.as_ref().is_some_and(|full| {
            (full.objective - relaxed.value.abs()).abs() <= TIGHT * relaxed.value.abs()
        });
        if begin.is_allowed {
            candidates.extend(full);
        }
        let mut choices: Vec<Choice> = Vec::new();
        if !is_free {
            choices.extend(selector.select(begin.clone()));
        }
        if !is_free || !is_tight || relaxed.ranks.is_some() {
            // What chunks would take is a plan of its own, and another place to begin from.
            for split in self.splits(free) {
                candidates.extend(self.chunks(&free.core, split));
                if !is_free {
                    let edges: Vec<u32> = split.flows.iter().map(|flow| flow.edge).collect();
                    let begin = selector.choose(&edges, &relaxed.log_prices);
                    choices.extend(selector.select(begin));
                }
            }
        }
        choices.sort_by(|a, b| b.value.total_cmp(&a.value));
        for choice in choices.iter().take(2) {
            candidates.extend(self.exact(&relaxed.core, &choice.flows));
        }
        if !is_free {
            let known = self.known(&relaxed.core, &candidates, path);
            let exact = |flows: &[Flow]| self.exact(&relaxed.core, flows);
            let pool = selector.pool(&begin, &choices);
            candidates.extend(selector.branch(&pool, &begin, known, &exact));
        }
        effort.iterations += selector.iterations;
        if !is_free && relaxed.ranks.is_some() {
            // Few legs rarely close a loop: what goes against the order is looked at as well.
            let mut selector = Selector {
                core: &free.core,
                iterations: 0,
                ..selector
            };
            let begin = selector.assess(free.flows.clone(), free.log_prices.clone(), free.value);
            let known = self.known(&free.core, &candidates, path);
            let exact = |flows: &[Flow]| self.exact(&free.core, flows);
            let pool = selector.pool(&begin, &[]);
            candidates.extend(selector.branch_nearby(&pool, &begin, known, &exact));
            effort.iterations += selector.iterations;
        }
        (candidates, unlimited)
    }

    /// Flows in exact amounts, as a plan.
    pub(super) fn exact(&self, core: &Core, flows: &[Flow]) -> Option<Candidate> {
        self.candidate(self.replay(core, flows)?, core, Method::Dual)
    }

    /// What the best of some plans brings after gas, and the edges that it passes.
    pub(super) fn known(
        &self,
        core: &Core,
        candidates: &[Candidate],
        path: Option<&Candidate>,
    ) -> (f64, Vec<u32>) {
        candidates
            .iter()
            .filter(|plan| plan.answer.legs.len() <= self.problem.limits().max_legs)
            .chain(path)
            .max_by(|a, b| a.net().total_cmp(&b.net()))
            .map_or((f64::NEG_INFINITY, Vec::new()), |plan| {
                (plan.net(), self.edges_of(core, &plan.answer.legs))
            })
    }

    /// The edges of a core that legs pass.
    pub(super) fn edges_of(&self, core: &Core, legs: &[Leg]) -> Vec<u32> {
        let places: Vec<(&str, Option<u32>, Option<u32>)> = legs
            .iter()
            .map(|leg| {
                (
                    &*leg.market,
                    self.place(&leg.asset_in),
                    self.place(&leg.asset_out),
                )
            })
            .collect();
        let is_passed = |edge: &Edge| {
            let id = self.prepared.markets[edge.market as usize].id();
            let ends = [edge.a, edge.b].map(|node| Some(core.assets[node as usize]));
            places
                .iter()
                .any(|(market, from, to)| *market == id && ends.contains(from) && ends.contains(to))
        };
        (0..)
            .zip(&core.edges)
            .filter(|(_, edge)| is_passed(edge))
            .map(|(at, _)| at)
            .collect()
    }

    /// Plans of a split in chunks: as the chunks went, and with what rounding left over spread again.
    pub(super) fn chunks(&self, core: &Core, split: &Split) -> Vec<Candidate> {
        let mut replays: Vec<Replay> = self.replay(core, &split.flows).into_iter().collect();
        if let (Some(order), Utility::ExactIn { spend, .. }) = (
            topological(core.node_count(), &split.flows),
            self.problem.utility(),
        ) {
            let plan = Plan {
                core,
                prepared: self.prepared,
                flows: &split.flows,
                order: &order,
            };
            let given: Vec<(u32, U256)> = spend
                .iter()
                .filter_map(|(asset, amount)| {
                    let place = self.place(asset)?;
                    Some((
                        number(core.assets.iter().position(|known| *known == place)?),
                        *amount,
                    ))
                })
                .collect();
            replays.extend(plan.fixed(&given, &split.amounts_in));
        }
        replays
            .into_iter()
            .filter_map(|replay| self.candidate(replay, core, Method::Greedy))
            .collect()
    }
}
