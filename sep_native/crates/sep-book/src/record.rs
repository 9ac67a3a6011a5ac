//! What the exchange remembers of orders and trades, for ever.

use serde::{Deserialize, Serialize};

use crate::order::{OrderId, OwnerId, Side};

/// Where an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OrderStatus {
    /// It rests.
    Open,
    /// All of it traded.
    Filled,
    /// It ended with lots left.
    Cancelled,
    /// It was not taken in.
    Rejected,
}

/// One order; amounts in base units, sizes in lots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderRecord {
    /// The exchange's number.
    pub id: OrderId,
    /// Whose it is.
    pub owner: OwnerId,
    /// The owner's own name for it.
    pub client_id: String,
    /// The place of its market.
    pub market: usize,
    /// Buys or sells.
    pub side: Side,
    /// The limit in ticks.
    pub price: u64,
    /// All lots of it.
    pub size: u64,
    /// Lots that traded.
    pub filled: u64,
    /// Where it is.
    pub status: OrderStatus,
    /// Why it ended with lots left.
    pub reason: String,
    /// What is bound for it.
    pub(crate) held: u128,
    pub(crate) taken: u128,
    pub(crate) made: u128,
    pub(crate) trades: Vec<usize>,
}

/// One trade, as one of its two sides sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TradeRecord {
    /// The exchange's number of the trade; both sides have the same.
    pub id: u64,
    /// The order.
    pub order: OrderId,
    /// Ticks.
    pub price: u64,
    /// Lots.
    pub size: u64,
    /// In base units of the quote asset; negative: a rebate.
    pub fee: i128,
    /// Whether the order rested.
    pub maker: bool,
    /// Milliseconds of the exchange's clock.
    pub at_ms: u64,
}
