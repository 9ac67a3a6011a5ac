use ruint::aliases::U256;

use crate::leg::Leg;
use crate::problem::Problem;

/// How the legs of a plan were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// One convex problem over all markets, solved by its prices, then legs chosen under costs and limits.
    Dual,
    /// Equal chunks one after another, each along the path that is best by then.
    Greedy,
    /// One path.
    SinglePath,
}

impl Method {
    /// The name that plans and reports carry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dual => "dual",
            Self::Greedy => "greedy",
            Self::SinglePath => "single path",
        }
    }
}

/// The best single path, for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BestPath {
    /// The markets in order.
    pub legs: Vec<Leg>,
    /// What it spends, in base units.
    pub amount_in: U256,
    /// What it buys, in base units.
    pub amount_out: U256,
    /// Worth of its gas.
    pub gas_worth: U256,
}

/// A plan over a network with its certificate.
///
/// `objective` and `bound` are in base units of the wanted asset (exact in, arbitrage), in the measure of the
/// reference values (rebalance: worth of what is held at the end; exact out: worth of what is spent). More is
/// better but for exact out, where `bound` is the least that any plan can spend.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The problem it answers.
    pub problem: Problem,
    /// The markets in an order in which each leg finds what it spends, loops of an arbitrage aside.
    pub legs: Vec<Leg>,
    /// What is spent of each asset: net, in base units.
    pub inputs: Vec<(String, U256)>,
    /// What is gained of each asset: net, in base units; remainders of assets on the way among them.
    pub outputs: Vec<(String, U256)>,
    /// What was made as good as possible.
    pub objective: f64,
    /// Price of a base unit of each asset that the certificate covers, in the measure of the objective.
    pub prices: Vec<(String, f64)>,
    /// Where loops had to be excluded: the assets in the order that the certificate holds for; else empty.
    pub order: Vec<String>,
    /// No plan that the certificate covers is better than this, before gas.
    pub bound: f64,
    /// How far the plan may be from the bound at most, before gas, as a share of the bound.
    pub gap: f64,
    /// The same after gas, against the bound less the least gas that any plan costs.
    pub net_gap: f64,
    /// The gap of the plan before legs were chosen under gas and limits: how exact the search itself was.
    pub unlimited_gap: f64,
    /// Worth of the gas of all legs.
    pub gas_worth: U256,
    /// The best single path, where there is one and the problem has one source.
    pub best_path: Option<BestPath>,
    /// How the legs were found.
    pub method: Method,
    /// Steps of the search over prices.
    pub iterations: u32,
    /// Evaluations of all markets at some prices.
    pub evaluations: u32,
    /// Time it took.
    pub elapsed_ns: u64,
    /// Whether the time limit ended the search.
    pub is_timed_out: bool,
    /// Markets that the certificate does not cover, or that refused their amounts, and why; sorted by name.
    pub left_out: Vec<(String, String)>,
}

impl Solution {
    /// Net amount that is gained of an asset.
    pub fn output(&self, asset: &str) -> U256 {
        amount_of(&self.outputs, asset)
    }

    /// Net amount that is spent of an asset.
    pub fn input(&self, asset: &str) -> U256 {
        amount_of(&self.inputs, asset)
    }

    /// Gas of all legs, as the markets were said to cost.
    pub fn gas(&self) -> u64 {
        self.legs
            .iter()
            .fold(0, |sum, leg| sum.saturating_add(leg.gas))
    }
}

fn amount_of(amounts: &[(String, U256)], asset: &str) -> U256 {
    amounts
        .iter()
        .find(|(name, _)| name == asset)
        .map_or(U256::ZERO, |(_, amount)| *amount)
}
