//! Exact mathematics of automated market makers: amounts equal the contracts' amounts to the last unit.
//!
//! Two families: constant product (Uniswap V2 and forks) and concentrated liquidity (Uniswap V3 and forks).
//! States are plain values; a quote never changes one, `after` returns the next one, the update functions
//! apply what an event of the pool says.

mod concentrated;
mod constant_product;
mod error;
mod math;
mod sqrt_price;
mod swap_step;
mod tick_math;
mod tick_table;

pub use concentrated::{ConcentratedLiquidity, SwapLimit};
pub use constant_product::{ConstantProduct, RESERVE_MAX};
pub use error::AmmError;
pub use ruint::aliases::U256;
pub use tick_math::{
    SQRT_PRICE_MAX, SQRT_PRICE_MIN, TICK_MAX, TICK_MIN, sqrt_price_at_tick, tick_at_sqrt_price,
};
pub use tick_table::{Tick, TickTable};

/// Fees are parts per million of the amount in, for both families.
pub const FEE_DENOMINATOR: u32 = 1_000_000;

/// What a swap takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Taken from the trader, fee included, in base units.
    pub amount_in: U256,
    /// Given to the trader, in base units.
    pub amount_out: U256,
    /// Initialised ticks that the price crossed; 0 for constant product.
    pub ticks_crossed: u32,
}
