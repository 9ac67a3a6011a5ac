use ruint::aliases::U256;
use thiserror::Error;

/// Why a state or a swap was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AmmError {
    /// A swap of nothing; the contracts refuse it too.
    #[error("the amount is zero")]
    ZeroAmount,
    /// The amount is larger than the contract's number types can carry.
    #[error("the amount does not fit the pool's number types")]
    AmountTooLarge,
    /// The amount is smaller than anything that the market trades; its contract reverts or its book has no such lot.
    #[error("the amount is too small for the market to trade")]
    AmountTooSmall,
    /// The pool ends before the amount does.
    #[error("the pool can take {amount_in} and give {amount_out} at most in this direction")]
    InsufficientLiquidity {
        /// All that the pool can take in this direction, fee included.
        amount_in: U256,
        /// All that the pool can give in this direction.
        amount_out: U256,
    },
    /// The swap leaves the ticks that are loaded; a number would be a guess.
    #[error("the swap leaves the loaded ticks at {tick}")]
    NeedTicks {
        /// The edge of the loaded range that the price would pass.
        tick: i32,
    },
    /// The values given for a state contradict each other or the pool's bounds.
    #[error("{0}")]
    InvalidState(&'static str),
}

impl AmmError {
    pub(crate) const UNKNOWN_ASSETS: Self =
        Self::InvalidState("the two assets are not two different ones of the market");
}
