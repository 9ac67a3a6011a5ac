//! Routing over a snapshot of markets: the best single path on exact amounts.
//!
//! A path visits no asset twice, so it uses each market once at most and no loop hides in it. Where no market
//! offers more than the best marginal prices say, a shortest-path search with those prices as potentials finds
//! it; elsewhere, with arbitrage in the snapshot, a relaxation limited in hops does.

mod bounds;
mod error;
mod exhaustive;
mod graph;
mod label;
mod market;
mod network;
mod problem;
mod relaxation;
mod search;
mod shortest;
mod solution;
mod value;

pub use error::RouteError;
pub use market::{Market, MarketState};
pub use network::Network;
pub use problem::{HOPS_MAX, Problem};
pub use solution::{Leg, Method, Solution};
pub use value::{Ratio, Wide};
