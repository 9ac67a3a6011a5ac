//! The exchange as its users reach it: methods by name, JSON in and out, amounts as decimal text.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    error::ExchangeError,
    exchange::{Arrival, Change, Exchange, Reply, Request},
    fault::Fault,
    order::{Side, TimeInForce},
    record::{OrderRecord, TradeRecord},
};

#[derive(Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
enum Asked {
    Submit {
        client_id: String,
        market: String,
        side: Side,
        price: u64,
        size: u64,
        time_in_force: TimeInForce,
        expires_ms: u64,
    },
    Cancel {
        client_id: String,
    },
    Lookup {
        client_id: String,
    },
    Trades {
        client_id: String,
    },
    Balances,
    Markets,
    Book {
        market: String,
        #[serde(default)]
        after: Option<u64>,
    },
}

#[derive(Deserialize)]
#[serde(tag = "control", rename_all = "snake_case", deny_unknown_fields)]
enum Control {
    /// What goes wrong from now on.
    Faults { faults: Vec<Fault> },
    /// Money in or out.
    Transfer {
        account: String,
        asset: String,
        amount: String,
    },
    /// Somebody else's order.
    Other {
        market: String,
        side: Side,
        price: u64,
        size: u64,
        rests: bool,
    },
    /// All that an account ever ordered.
    Orders { account: String },
    /// Everything of an asset that there is.
    Total { asset: String },
    /// How many messages met a fault.
    Faulted,
    /// What has arrived beyond the first so many, to be told again to the same exchange of another run.
    Arrivals { after: usize },
    /// What arrived at another run of the same exchange.
    Replay { arrivals: Vec<Arrival> },
}

impl Exchange {
    /// Sends a message, JSON with its `method`; the ticket of its answer.
    ///
    /// # Errors
    /// `Malformed` or `Unknown`.
    pub fn ask(&mut self, account: &str, now_ms: u64, request: &str) -> Result<u64, ExchangeError> {
        let request = match parsed(request)? {
            Asked::Submit {
                client_id,
                market,
                side,
                price,
                size,
                time_in_force,
                expires_ms,
            } => Request::Submit {
                client_id,
                market,
                side,
                price,
                size,
                time_in_force,
                expires_ms,
            },
            Asked::Cancel { client_id } => Request::Cancel { client_id },
            Asked::Lookup { client_id } => Request::Lookup { client_id },
            Asked::Trades { client_id } => Request::Trades { client_id },
            Asked::Balances => Request::Balances,
            Asked::Markets => Request::Markets,
            Asked::Book { market, after } => Request::Book { market, after },
        };
        self.send(account, now_ms, request)
    }

    /// The answer of a ticket as JSON: `{"answer": …}`, `{"refused": reason}`, `{"lost": true}`, or `{"wait_ms": …}`.
    #[must_use]
    pub fn told(&mut self, ticket: u64, now_ms: u64) -> String {
        let told = match self.answer(ticket, now_ms) {
            Err(wait_ms) => json!({ "wait_ms": wait_ms }),
            Ok(Reply::Lost) => json!({ "lost": true }),
            Ok(Reply::Refused(reason)) => json!({ "refused": reason }),
            Ok(reply) => json!({ "answer": self.rendered(&reply), "now_ms": self.now_ms() }),
        };
        told.to_string()
    }

    /// Does what no user can do: JSON with its `control`.
    ///
    /// # Errors
    /// `Malformed`, `Unknown` or `TooLarge`.
    pub fn control(&mut self, request: &str) -> Result<String, ExchangeError> {
        let told = match parsed(request)? {
            Control::Faults { faults } => {
                self.set_faults(faults);
                Value::Null
            }
            Control::Transfer {
                account,
                asset,
                amount,
            } => {
                let change = amount
                    .parse()
                    .map_err(|_| ExchangeError::Malformed(format!("amount {amount}")))?;
                self.transfer(&account, &asset, change)?;
                Value::Null
            }
            Control::Other {
                market,
                side,
                price,
                size,
                rests,
            } => {
                self.other(&market, side, price, size, rests)?;
                Value::Null
            }
            Control::Orders { account } => {
                let owner = self.accounts().find(&account);
                let orders = self.orders().filter(|one| Some(one.owner) == owner);
                orders.map(|one| self.rendered_order(one)).collect()
            }
            Control::Total { asset } => json!(self.accounts().total(&asset).to_string()),
            Control::Faulted => json!(self.faulted()),
            Control::Arrivals { after } => json!(self.arrivals().get(after..).unwrap_or_default()),
            Control::Replay { arrivals } => {
                for arrival in &arrivals {
                    self.replay(arrival)?;
                }
                Value::Null
            }
        };
        Ok(told.to_string())
    }

    fn rendered(&self, reply: &Reply) -> Value {
        match reply {
            Reply::Order(order) => order.as_ref().map_or(Value::Null, |one| self.rendered_order(one)),
            Reply::Trades(trades) => trades.iter().map(|one| self.trade(one)).collect(),
            Reply::Balances(balances) => balances
                .iter()
                .map(|(asset, free, held)| {
                    json!({"asset": asset, "free": free.to_string(), "held": held.to_string()})
                })
                .collect(),
            Reply::Markets(markets) => markets
                .iter()
                .map(|one| {
                    let decimals = |code: &str| self.genesis().assets.get(code).copied();
                    json!({
                        "name": one.name, "base": one.base, "quote": one.quote,
                        "base_decimals": decimals(&one.base), "quote_decimals": decimals(&one.quote),
                        "lot": one.lot.to_string(), "tick": one.tick.to_string(),
                        "least_notional": one.least_notional.to_string(), "most_lots": one.most_lots,
                        "maker_fee_ppm": one.maker_fee_ppm, "taker_fee_ppm": one.taker_fee_ppm,
                    })
                })
                .collect(),
            Reply::Book(sequence, bids, asks) => {
                json!({"sequence": sequence, "bids": bids, "asks": asks})
            }
            Reply::Changes(changes) => changes.iter().map(change).collect(),
            Reply::Refused(_) | Reply::Lost => Value::Null,
        }
    }

    fn rendered_order(&self, one: &OrderRecord) -> Value {
        json!({
            "client_id": one.client_id, "id": one.id.to_string(), "market": self.market_name(one.market),
            "side": one.side, "status": one.status, "price": one.price, "size": one.size,
            "filled": one.filled, "reason": one.reason,
        })
    }

    fn trade(&self, one: &TradeRecord) -> Value {
        let order = self.order(one.order);
        json!({
            "id": one.id.to_string(), "price": one.price, "size": one.size, "fee": one.fee.to_string(),
            "maker": one.maker, "at_ms": one.at_ms,
            "client_id": order.map(|known| known.client_id.as_str()),
            "side": order.map(|known| known.side),
        })
    }
}

fn change(one: &Change) -> Value {
    let levels = |side: Side| -> Vec<(u64, u64)> {
        one.levels
            .iter()
            .filter(|(whose, _, _)| *whose == side)
            .map(|(_, price, lots)| (*price, *lots))
            .collect()
    };
    json!({
        "previous": one.previous, "sequence": one.sequence,
        "bids": levels(Side::Buy), "asks": levels(Side::Sell),
    })
}

fn parsed<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, ExchangeError> {
    serde_json::from_str(text).map_err(|error| ExchangeError::Malformed(error.to_string()))
}
