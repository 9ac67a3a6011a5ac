use std::cmp::Ordering;

use ruint::aliases::U256;
use sep_amm::AmmError;

use super::bounds::Bounds;
use super::graph::{Arc, Graph};
use super::label::{Label, Labels, Visited};
use super::problem::PathProblem;
use super::solution::{PathMethod, PathSolution};
use super::{exhaustive, relaxation, shortest};
use crate::Leg;
use crate::RouteError;
use crate::market::Marginal;
use crate::network::Network;
use crate::value::{Ratio, compare};

/// What every way of searching shares: the graph, the labels so far, and the best that reached a goal.
#[derive(Debug)]
pub(crate) struct Search<'a> {
    pub(crate) graph: Graph<'a>,
    pub(crate) labels: Labels,
    pub(crate) best: Option<usize>,
    pub(crate) quotes: u64,
}

/// Finds the best single path of a problem.
pub(crate) fn solve(network: &Network, problem: &PathProblem) -> Result<PathSolution, RouteError> {
    let graph = Graph::new(network, problem)
        .map_err(|asset| RouteError::NoRoute(format!("no market trades {asset}")))?;
    let mut search = Search {
        graph,
        labels: Labels::default(),
        best: None,
        quotes: 0,
    };
    let method = match shortest::potentials(&search.graph) {
        Some(potentials) if shortest::run(&mut search, problem.amount(), &potentials).is_ok() => {
            PathMethod::Dijkstra
        }
        _ => {
            let bounds = Bounds::new(&search.graph);
            if relaxation::run(&mut search, problem.amount(), &bounds).is_err() {
                exhaustive::run(&mut search, problem.amount(), &bounds);
            }
            PathMethod::Relaxation
        }
    };
    search.solution(network, problem, method)
}

/// A market could not take an amount that was the best at its asset; a lesser one might pass.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocked;

impl Search<'_> {
    /// The label at which every path begins.
    pub(crate) fn begin(&mut self, amount: U256) -> usize {
        let node = self.graph.start;
        self.labels.push(Label {
            node,
            amount,
            hops: 0,
            from: None,
            visited: Visited::default(),
        })
    }

    /// The label beyond an arc; it joins the labels and, at a goal, the competition.
    pub(crate) fn advance(&mut self, from: usize, arc: Arc) -> Result<usize, AmmError> {
        let before = *self.labels.get(from);
        self.quotes += 1;
        let amount = match self.graph.walk(arc, before.amount) {
            Ok(amount) => amount,
            Err(error) => {
                self.graph.leave_out(arc, &error);
                return Err(error);
            }
        };
        let at = self.labels.push(Label {
            node: arc.to,
            amount,
            hops: before.hops + 1,
            from: Some((from, arc)),
            visited: before.visited.with(arc.to),
        });
        self.arrive(at);
        Ok(at)
    }

    /// Whether an asset would be visited twice by going there.
    pub(crate) fn is_loop(&self, label: &Label, arc: Arc) -> bool {
        arc.to == self.graph.start
            || label.visited.contains(arc.to)
            || (self.graph.has_many_assets(arc) && self.labels.passed(label, arc))
    }

    /// The cost of the best path so far, as a logarithm.
    pub(crate) fn best_cost(&self) -> f64 {
        self.best.map_or(f64::INFINITY, |best| {
            let label = self.labels.get(best);
            self.graph.log_amount(label.amount)
                + self.graph.goal(label.node).map_or(0.0, Graph::log_worth)
        })
    }

    fn arrive(&mut self, at: usize) {
        let label = self.labels.get(at);
        let Some(value) = self.graph.goal(label.node) else {
            return;
        };
        let is_better = self.best.is_none_or(|best| {
            let incumbent = self.labels.get(best);
            let incumbent_value = self.graph.goal(incumbent.node).unwrap_or(value);
            let order = compare((label.amount, value), (incumbent.amount, incumbent_value));
            let order = if self.graph.exact_in() {
                order.reverse()
            } else {
                order
            };
            order
                .then_with(|| label.hops.cmp(&incumbent.hops))
                .then_with(|| self.labels.compare_names(&self.graph, at, best))
                == Ordering::Less
        });
        if is_better {
            self.best = Some(at);
        }
    }

    fn solution(
        mut self,
        network: &Network,
        problem: &PathProblem,
        method: PathMethod,
    ) -> Result<PathSolution, RouteError> {
        let Some(best) = self.best else {
            return Err(self.no_route(problem));
        };
        let mut path = self.labels.path(best);
        if !self.graph.exact_in() {
            path.reverse();
        }
        let (mut marginal, mut after_fees) = (Ratio::ONE, Ratio::ONE);
        let mut legs = Vec::with_capacity(path.len());
        for (arc, before, beyond) in path {
            let market = self.graph.market(arc);
            let (side_in, side_out) = Graph::sides(arc);
            // A market of whole lots may take less than was there for it, or give more than was asked.
            let (amount_in, amount_out) =
                match market
                    .state
                    .quote(side_in, side_out, before, self.graph.exact_in())
                {
                    Ok(quote) => (quote.amount_in, quote.amount_out),
                    Err(_) if self.graph.exact_in() => (before, beyond),
                    Err(_) => (beyond, before),
                };
            let name = |side: usize| network.asset_name(market.assets[side]).to_owned();
            let Marginal { price, kept } = market.marginal(side_in, side_out);
            marginal = marginal.times(&price.0, &price.1);
            after_fees = after_fees.times(&(price.0 * kept.0), &(price.1 * kept.1));
            self.graph.left_out.remove(market.id());
            legs.push(Leg {
                market: market.id().to_owned(),
                asset_in: name(side_in),
                asset_out: name(side_out),
                amount_in,
                amount_out,
                gas: market.gas,
            });
        }
        let (Some(first), Some(last)) = (legs.first(), legs.last()) else {
            return Err(self.no_route(problem));
        };
        Ok(PathSolution {
            amount_in: first.amount_in,
            amount_out: last.amount_out,
            funding: first.asset_in.clone(),
            method,
            iterations: self.quotes,
            marginal: marginal.reduced(),
            marginal_after_fees: after_fees.reduced(),
            left_out: self
                .graph
                .left_out
                .into_iter()
                .map(|(market, why)| (market.to_owned(), why))
                .collect(),
            legs,
        })
    }

    fn no_route(&self, problem: &PathProblem) -> RouteError {
        let reasons: Vec<String> = self
            .graph
            .left_out
            .iter()
            .take(3)
            .map(|(market, why)| format!("{market}: {why}"))
            .collect();
        let more = self.graph.left_out.len().saturating_sub(reasons.len());
        let mut text = format!(
            "no path of at most {} markets leads from {} to {}",
            problem.max_hops(),
            problem.funding().join(" or "),
            problem.want()
        );
        if !reasons.is_empty() {
            text = format!("{text}; left out were {}", reasons.join("; "));
        }
        if more > 0 {
            text = format!("{text}; and {more} more");
        }
        RouteError::NoRoute(text)
    }
}
