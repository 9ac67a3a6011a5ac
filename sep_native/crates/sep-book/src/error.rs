//! What the exchange cannot do; never what it refuses an order for.

use thiserror::Error;

/// A call that is wrong in itself.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExchangeError {
    /// A document does not say what it must.
    #[error("malformed: {0}")]
    Malformed(String),
    /// There is no such account, market or asset.
    #[error("there is no {0}")]
    Unknown(String),
    /// A number is beyond what is counted here.
    #[error("{0} is beyond what can be counted")]
    TooLarge(String),
}
