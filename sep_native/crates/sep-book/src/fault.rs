//! What goes wrong between an exchange and its users.

use serde::{Deserialize, Serialize};

/// Kinds of messages, for faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A new order.
    Submit,
    /// The end of an order.
    Cancel,
    /// What became of an order.
    Lookup,
    /// The trades of an order.
    Trades,
    /// What the account holds.
    Balances,
    /// The markets.
    Markets,
    /// The book, or what changed in it.
    Book,
}

/// What happens to one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// No answer comes; the message arrived, or it did not.
    Lost {
        /// Whether it arrived.
        taken: bool,
    },
    /// No answer comes, and the message arrives this much later.
    Late {
        /// Milliseconds.
        by_ms: u64,
    },
    /// The exchange refuses.
    Refused,
    /// The answer leaves out what is there: no order, no trades, the last trade, the last change of the book.
    Hidden,
    /// The message arrives twice; a list has everything twice.
    Doubled,
}

/// A fault for the messages of a method with these numbers, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Whose messages are counted.
    pub method: Method,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// The numbers of the messages.
    #[serde(default)]
    pub at: Vec<u64>,
    /// Of this many messages in a thousand instead, drawn.
    #[serde(default)]
    pub per_mille: u64,
}
