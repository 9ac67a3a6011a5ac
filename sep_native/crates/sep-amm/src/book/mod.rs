//! Order books, as someone sees them who takes what rests there.

mod order_book;
mod side;

pub use order_book::{BookSide, OrderBook};
pub use side::Level;
