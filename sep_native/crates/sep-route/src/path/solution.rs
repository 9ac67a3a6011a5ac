use ruint::aliases::U256;

use crate::Leg;
use crate::value::Ratio;

/// How a path was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathMethod {
    /// A shortest-path search with the best marginal prices as potentials.
    Dijkstra,
    /// A relaxation over exact amounts, limited in hops.
    Relaxation,
}

impl PathMethod {
    /// The name that plans and reports carry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dijkstra => "dijkstra",
            Self::Relaxation => "relaxation",
        }
    }
}

/// The best single path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathSolution {
    /// The markets in order; the amount out of each is the amount into the next.
    pub legs: Vec<Leg>,
    /// What is spent.
    pub amount_in: U256,
    /// What is bought.
    pub amount_out: U256,
    /// The asset that is spent.
    pub funding: String,
    /// How the path was found.
    pub method: PathMethod,
    /// Exact quotes that were computed.
    pub iterations: u64,
    /// Output for input along the path at no size, before fees.
    pub marginal: Ratio,
    /// Output for input along the path at no size, after fees.
    pub marginal_after_fees: Ratio,
    /// Markets that were not considered to the end, and why; sorted by name.
    pub left_out: Vec<(String, String)>,
}
