//! Pools that hold assets of nearly equal value, under the rules of Curve or of Balancer.

mod balancer;
mod curve;
mod invariant;
mod pool;
mod rule;

pub use pool::StableSwap;
pub use rule::StableRule;
