use sep_amm::AmmError;
use thiserror::Error;

/// Why a market, a problem or a quote was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RouteError {
    /// Nothing leads from what may be spent to what is wanted.
    #[error("{0}")]
    NoRoute(String),
    /// The network has no market of this name.
    #[error("the network has no market {0}")]
    UnknownMarket(String),
    /// The market does not trade this asset.
    #[error("the market {market} does not trade {asset}")]
    UnknownAsset {
        /// The market asked.
        market: String,
        /// The asset it does not know.
        asset: String,
    },
    /// The problem or the market contradicts itself.
    #[error("{0}")]
    Invalid(&'static str),
    /// A certificate does not hold; the text says what differs.
    #[error("the certificate does not hold: {0}")]
    Refuted(String),
    /// The market's own mathematics refused.
    #[error(transparent)]
    Amm(#[from] AmmError),
}
