//! Orders as the book sees them.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The book's own number of an order; later orders have higher ones.
pub type OrderId = u64;

/// Whose an order is; orders of one owner never trade with one another.
pub type OwnerId = u32;

/// Whether the base asset is bought or sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Side {
    /// The base asset is bought.
    Buy,
    /// The base asset is sold.
    Sell,
}

impl Side {
    /// The other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// Whether an order of this side at `limit` may trade at `price`.
    #[must_use]
    pub fn accepts(self, limit: u64, price: u64) -> bool {
        match self {
            Self::Buy => price <= limit,
            Self::Sell => price >= limit,
        }
    }
}

/// How long an order may rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TimeInForce {
    /// What is not taken at once rests.
    GoodTillCancelled,
    /// What is not taken at once is cancelled.
    ImmediateOrCancel,
    /// All at once, or nothing.
    FillOrKill,
    /// It takes nothing, or it is refused.
    PostOnly,
}

/// An order that rests, with what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resting {
    /// Its number.
    pub id: OrderId,
    /// Whose it is.
    pub owner: OwnerId,
    /// Lots that are left, never zero.
    pub size: u64,
}

/// Why the book takes an order not in; the book is then what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Refusal {
    /// The size is zero.
    #[error("the size is zero")]
    ZeroSize,
    /// The price is zero.
    #[error("the price is zero")]
    ZeroPrice,
    /// A post-only order would take.
    #[error("it would take at once, and it is to rest only")]
    WouldTake,
    /// A fill-or-kill order would not be filled.
    #[error("it cannot be filled at once as a whole")]
    CannotFill,
    /// The number was used before.
    #[error("an order of this number rests already")]
    KnownId,
    /// A level would hold more than the book can count.
    #[error("the level would hold more than can be counted")]
    TooMuch,
}
