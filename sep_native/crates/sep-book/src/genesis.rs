//! What an exchange begins with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{book::SelfTrade, error::ExchangeError};

/// Numbers beyond 2^53 as decimal text.
pub(crate) mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(value: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.to_string())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// The whole document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// From which everything that is drawn follows.
    pub seed: u64,
    /// Decimals of each asset by its code.
    pub assets: BTreeMap<String, u32>,
    /// The books.
    pub markets: Vec<MarketGenesis>,
    /// Balances by account and asset, in base units as text.
    #[serde(default)]
    pub accounts: BTreeMap<String, BTreeMap<String, String>>,
    /// Least and most milliseconds that a message takes there and back.
    #[serde(default)]
    pub latency_ms: (u64, u64),
    /// Other people's orders; none without.
    #[serde(default)]
    pub flow: Option<FlowGenesis>,
    /// What becomes of orders that would trade with their own owner's.
    #[serde(default)]
    pub self_trade: SelfTrade,
    /// Whether a client order id is refused for ever once it was used, or only while its order is open.
    #[serde(default = "yes")]
    pub unique_client_ids: bool,
}

/// One book: a lot is `lot` base units of `base`; at one tick it costs `tick` base units of `quote`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketGenesis {
    /// Its name.
    pub name: String,
    /// The code of the asset that is bought and sold.
    pub base: String,
    /// The code of the asset that pays.
    pub quote: String,
    /// Base units of one lot.
    #[serde(with = "text")]
    pub lot: u128,
    /// What a lot costs at one tick.
    #[serde(with = "text")]
    pub tick: u128,
    /// Below this worth an order is refused.
    #[serde(with = "text", default)]
    pub least_notional: u128,
    /// Above this many lots an order is refused.
    #[serde(default = "many")]
    pub most_lots: u64,
    /// Parts per million of what is traded; negative: a rebate.
    #[serde(default)]
    pub maker_fee_ppm: i32,
    /// Parts per million of what is traded.
    #[serde(default)]
    pub taker_fee_ppm: u32,
    /// What the first orders of others stand around, in ticks.
    pub price: u64,
}

/// How others trade: some keep levels around a price that wanders, some take from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowGenesis {
    /// Milliseconds between two of their actions; 0: they stand still after the first orders.
    pub every_ms: u64,
    /// Levels on each side at the beginning.
    pub levels: u64,
    /// Least and most lots of an order.
    pub lots: (u64, u64),
    /// How often in a hundred actions one takes; the rest adds, or cancels as often as it takes.
    pub takes_percent: u64,
}

fn yes() -> bool {
    true
}

fn many() -> u64 {
    1 << 40
}

const PPM: u32 = 1_000_000;

impl Genesis {
    /// The document that JSON text holds.
    ///
    /// # Errors
    /// `Malformed` or `Unknown` with what is wrong.
    pub fn parse(json: &str) -> Result<Self, ExchangeError> {
        let genesis: Self = serde_json::from_str(json)
            .map_err(|error| ExchangeError::Malformed(error.to_string()))?;
        for market in &genesis.markets {
            market.check(&genesis.assets)?;
        }
        let names: std::collections::BTreeSet<_> =
            genesis.markets.iter().map(|market| &market.name).collect();
        if names.len() < genesis.markets.len() {
            return Err(ExchangeError::Malformed("a market stands twice".into()));
        }
        Ok(genesis)
    }
}

impl MarketGenesis {
    fn check(&self, assets: &BTreeMap<String, u32>) -> Result<(), ExchangeError> {
        for code in [&self.base, &self.quote] {
            if !assets.contains_key(code) {
                return Err(ExchangeError::Unknown(format!("asset {code}")));
            }
        }
        let fees_fit = self.taker_fee_ppm < PPM && self.maker_fee_ppm.unsigned_abs() < PPM;
        if self.base == self.quote
            || self.lot == 0
            || self.tick == 0
            || self.price == 0
            || !fees_fit
        {
            return Err(ExchangeError::Malformed(format!(
                "market {}: two assets, lot, tick and price above zero, fees below the whole",
                self.name
            )));
        }
        Ok(())
    }

    /// What lots cost at a price, in base units of the quote asset; None beyond what is counted.
    #[must_use]
    pub fn notional(&self, price: u64, lots: u64) -> Option<u128> {
        u128::from(price)
            .checked_mul(u128::from(lots))?
            .checked_mul(self.tick)
            .filter(|notional| *notional < 1 << 100)
    }

    /// The base units of lots; None beyond what is counted.
    #[must_use]
    pub fn quantity(&self, lots: u64) -> Option<u128> {
        self.lot
            .checked_mul(u128::from(lots))
            .filter(|quantity| *quantity < 1 << 100)
    }

    /// The fee on what an order took and what it made, each over all its trades; negative: a rebate.
    #[must_use]
    pub fn fee(&self, taken: u128, made: u128) -> i128 {
        let part = |notional: u128, ppm: u128| notional * ppm;
        let ppm = u128::from(PPM);
        let taker = part(taken, self.taker_fee_ppm.into()).div_ceil(ppm);
        let size = part(made, self.maker_fee_ppm.unsigned_abs().into());
        let maker = if self.maker_fee_ppm < 0 {
            -signed(size / ppm)
        } else {
            signed(size.div_ceil(ppm))
        };
        signed(taker) + maker
    }

    /// The most that an order can take from its owner: base units of what it gives.
    #[must_use]
    pub fn hold(&self, buys: bool, price: u64, lots: u64) -> Option<u128> {
        if !buys {
            return self.quantity(lots);
        }
        if lots == 0 {
            return Some(0);
        }
        let notional = self.notional(price, lots)?;
        let most =
            u128::from(self.taker_fee_ppm).max(u128::try_from(self.maker_fee_ppm).unwrap_or(0));
        // Taken and made parts are rounded up each for itself.
        let fee = (notional * most).div_ceil(u128::from(PPM)) + u128::from(most > 0);
        Some(notional + fee)
    }
}

/// Amounts stay below 2^100 (`notional`, `quantity`), so this never saturates.
fn signed(value: u128) -> i128 {
    i128::try_from(value).unwrap_or(i128::MAX)
}
