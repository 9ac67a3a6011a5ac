use ruint::aliases::U256;

use crate::value::Ratio;

/// How a path was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A shortest-path search with the best marginal prices as potentials.
    Dijkstra,
    /// A relaxation over exact amounts, limited in hops.
    Relaxation,
}

impl Method {
    /// The name that plans and reports carry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dijkstra => "dijkstra",
            Self::Relaxation => "relaxation",
        }
    }
}

/// One market of a plan with its exact amounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Name of the market.
    pub market: String,
    /// What goes in.
    pub asset_in: String,
    /// What comes out.
    pub asset_out: String,
    /// How much goes in, in base units.
    pub amount_in: U256,
    /// How much comes out, in base units.
    pub amount_out: U256,
    /// Gas that the market was said to cost.
    pub gas: u64,
}

/// The best single path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// The markets in order; the amount out of each is the amount into the next.
    pub legs: Vec<Leg>,
    /// What is spent.
    pub amount_in: U256,
    /// What is bought.
    pub amount_out: U256,
    /// The asset that is spent.
    pub funding: String,
    /// How the path was found.
    pub method: Method,
    /// Exact quotes that were computed.
    pub iterations: u64,
    /// Output for input along the path at no size, before fees.
    pub marginal: Ratio,
    /// Output for input along the path at no size, after fees.
    pub marginal_after_fees: Ratio,
    /// Markets that were not considered to the end, and why; sorted by name.
    pub left_out: Vec<(String, String)>,
}
