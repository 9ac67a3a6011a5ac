//! A price-time matching book, and an exchange around it that behaves like a venue far away.
//!
//! The book is exact and deterministic: integer prices in ticks, integer sizes in lots. The exchange adds accounts,
//! fees, client order ids, other people's orders, the time that messages take, and faults, all under a clock that
//! its user moves and all drawn from one seed.

mod account;
mod book;
mod error;
mod exchange;
mod face;
mod fault;
mod flow;
mod genesis;
mod level;
mod order;
mod random;
mod record;

pub use account::{Accounts, Balance};
pub use book::{Book, Execution, Match, SelfTrade};
pub use error::ExchangeError;
pub use exchange::{Arrival, Exchange, Reply, Ticket};
pub use fault::{Fault, FaultKind, Method};
pub use flow::Flow;
pub use genesis::{FlowGenesis, Genesis, MarketGenesis};
pub use level::Level;
pub use order::{OrderId, OwnerId, Refusal, Resting, Side, TimeInForce};
pub use random::Random;
pub use record::{OrderRecord, OrderStatus, TradeRecord};
