//! How the linear pieces of a core open.

use sep_amm::real::Ramp;

use super::core::{Core, Edge};
use super::evaluate::Evaluation;

/// The ramps of all edges.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ramps {
    width: f64,
    /// What each edge takes already, negative where it goes from `b` to `a`; empty where that is nothing anywhere.
    taken: Vec<f64>,
}

impl Ramps {
    /// Ramps that begin at the rates of their pieces.
    pub(crate) fn of(width: f64) -> Self {
        Self {
            width,
            taken: Vec::new(),
        }
    }

    /// Ramps about what the markets of an evaluation take.
    pub(crate) fn about(width: f64, core: &Core, evaluation: &Evaluation) -> Self {
        let mut taken = vec![0.0; core.edges.len()];
        for awake in &evaluation.awake {
            let at = awake.edge as usize;
            // A toll goes in, but not into the market.
            let amount = awake.amount_in * (-core.edges[at].toll).exp();
            taken[at] = if awake.forward { amount } else { -amount };
        }
        Self { width, taken }
    }

    /// The ramp of one direction of an edge.
    pub(crate) fn of_edge(&self, at: usize, forward: bool) -> Ramp {
        let taken = self.taken.get(at).map_or(0.0, |taken| {
            if forward {
                taken.max(0.0)
            } else {
                (-taken).max(0.0)
            }
        });
        Ramp {
            width: self.width,
            taken,
        }
    }

    /// Log rates below which an edge may trade: from `a` to `b` and back.
    pub(crate) fn rates(&self, at: usize, edge: &Edge) -> (f64, f64) {
        match self.taken.get(at) {
            Some(taken) if *taken > 0.0 => (edge.rate_ab + self.width, edge.rate_ba),
            Some(taken) if *taken < 0.0 => (edge.rate_ab, edge.rate_ba + self.width),
            _ => (edge.rate_ab, edge.rate_ba),
        }
    }
}
