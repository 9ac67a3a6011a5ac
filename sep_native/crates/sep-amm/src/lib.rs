//! Exact mathematics of automated market makers: amounts equal the contracts' amounts to the last unit.
//!
//! Constant product (Uniswap V2 and forks), concentrated liquidity (Uniswap V3 and forks), stable swap (Curve and
//! Balancer), weighted product (Balancer), order books, lanes of a fixed rate, and venues that only answer quotes.
//! States are plain values; a quote never changes one, `after` returns the next one, the update functions
//! apply what an event of the pool says.

mod book;
mod concentrated;
mod constant_product;
mod error;
mod fixed_point;
mod lane;
mod log_exp;
mod math;
pub mod real;
mod sampled;
mod sqrt_price;
mod stable;
mod swap_path;
mod swap_step;
mod tick_math;
mod tick_table;
mod weighted;

pub use book::{BookSide, Level, OrderBook};
pub use concentrated::{ConcentratedLiquidity, SwapLimit};
pub use constant_product::{ConstantProduct, RESERVE_MAX};
pub use error::AmmError;
pub use lane::{Lane, LaneTerms};
pub use ruint::aliases::U256;
pub use sampled::{Ladder, Sampled};
pub use stable::{StableRule, StableSwap};
pub use tick_math::{
    SQRT_PRICE_MAX, SQRT_PRICE_MIN, TICK_MAX, TICK_MIN, sqrt_price_at_tick, tick_at_sqrt_price,
};
pub use tick_table::{Tick, TickTable};
pub use weighted::WeightedProduct;

/// Markets of more than two assets hold at most this many.
pub const ASSETS_MAX: usize = 8;

/// Fees are parts per million of the amount in, for constant product and concentrated liquidity.
pub const FEE_DENOMINATOR: u32 = 1_000_000;

/// What a swap takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Taken from the trader, fee included, in base units; below what was offered where a venue trades in lots.
    pub amount_in: U256,
    /// Given to the trader, in base units; above what was asked for where a venue cannot give just that.
    pub amount_out: U256,
    /// Initialised ticks that the price crossed; 0 for families without ticks.
    pub ticks_crossed: u32,
}
