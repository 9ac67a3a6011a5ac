//! Routing over a snapshot of markets: the best plan, split over as many markets as it takes, with a proof.
//!
//! Every set of prices bounds what any plan can reach; the best prices are found by a second-order method, the
//! flows at them become exact integer amounts, and the bound stays with the plan as its certificate. The best
//! single path on exact amounts is searched for as well; no plan is ever worse.

mod certificate;
mod error;
pub mod generate;
mod leg;
mod market;
mod network;
mod path;
mod prepared;
mod problem;
mod solution;
mod solve;
mod value;

pub use certificate::Verified;
pub use error::RouteError;
pub use leg::Leg;
pub use market::{Market, MarketState};
pub use network::Network;
pub use path::{HOPS_MAX, PathMethod, PathProblem, PathSolution};
pub use problem::{Arbitrage, Fraction, Limits, Problem, Target, Utility};
pub use solution::{BestPath, Method, Solution};
pub use value::{Ratio, Wide};
