//! The best single path on exact amounts.
//!
//! A path visits no asset twice, so it uses each market once at most and no loop hides in it. Where no market
//! offers more than the best marginal prices say, a shortest-path search with those prices as potentials finds
//! it; elsewhere, with arbitrage in the snapshot, a relaxation limited in hops does.

mod bounds;
mod exhaustive;
mod graph;
mod label;
mod problem;
mod relaxation;
mod search;
mod shortest;
mod solution;

pub use problem::{HOPS_MAX, PathProblem};
pub(crate) use search::solve;
pub use solution::{PathMethod, PathSolution};
