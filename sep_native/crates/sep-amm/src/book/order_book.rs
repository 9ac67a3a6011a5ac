use ruint::aliases::U256;

use super::side::{Level, Side};
use crate::math::div_up;
use crate::{AmmError, Quote};

const PARTS: u32 = 1_000_000;

/// The two sides of a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookSide {
    /// Orders that buy the first asset.
    Bids,
    /// Orders that sell the first asset.
    Asks,
}

/// A book of resting orders: the first asset is traded in lots, the second pays.
///
/// A lot is `lot` base units of the first asset and costs `tick` base units of the second at a price of one tick.
/// The fee is on the second asset, rounded against the taker once for the whole order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderBook {
    bids: Side,
    asks: Side,
    lot: U256,
    tick: U256,
    taker_fee_ppm: u32,
    least_notional: U256,
}

/// What an order takes from one side.
struct Take {
    quote: Quote,
    lots: u128,
}

impl OrderBook {
    /// A book with these levels, best first on both sides; orders worth less than `least_notional` are refused.
    pub fn new(
        bids: Vec<Level>,
        asks: Vec<Level>,
        lot: U256,
        tick: U256,
        taker_fee_ppm: u32,
        least_notional: U256,
    ) -> Result<Self, AmmError> {
        if lot.is_zero() || tick.is_zero() {
            return Err(AmmError::InvalidState(
                "a lot or a tick of the book is worth nothing",
            ));
        }
        if taker_fee_ppm >= PARTS {
            return Err(AmmError::InvalidState(
                "the fee is not below 1,000,000 parts per million",
            ));
        }
        let (bids, asks) = (Side::new(bids, false)?, Side::new(asks, true)?);
        if let (Some(bid), Some(ask)) = (bids.levels().first(), asks.levels().first())
            && bid.price >= ask.price
        {
            return Err(AmmError::InvalidState(
                "the best bid is not below the best ask",
            ));
        }
        for side in [&bids, &asks] {
            let (lots, cost) = side.total();
            // Room for the fee's parts per million on top.
            let fits = |count: u128, unit: U256| {
                unit.checked_mul(U256::from(count))
                    .is_some_and(|amount| amount.bit_len() <= 224)
            };
            if !fits(lots, lot) || !fits(cost, tick) {
                return Err(AmmError::InvalidState(
                    "the whole book is worth more than 2^224 base units",
                ));
            }
        }
        Ok(Self {
            bids,
            asks,
            lot,
            tick,
            taker_fee_ppm,
            least_notional,
        })
    }

    /// Levels that buy the first asset, best first.
    pub fn bids(&self) -> &[Level] {
        self.bids.levels()
    }

    /// Levels that sell the first asset, best first.
    pub fn asks(&self) -> &[Level] {
        self.asks.levels()
    }

    /// Base units of the first asset in a lot.
    pub fn lot(&self) -> U256 {
        self.lot
    }

    /// Base units of the second asset that a lot costs at a price of one tick.
    pub fn tick(&self) -> U256 {
        self.tick
    }

    /// Fee for taking, parts per million of what is paid or received.
    pub fn taker_fee_ppm(&self) -> u32 {
        self.taker_fee_ppm
    }

    /// What an order must be worth, in base units of the second asset.
    pub fn least_notional(&self) -> U256 {
        self.least_notional
    }

    /// What an order that takes at once takes and gives.
    ///
    /// Only whole lots trade: exact in may take less than `amount`, the rest staying with the trader; exact out may
    /// give more.
    pub fn quote(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount: U256,
        exact_in: bool,
    ) -> Result<Quote, AmmError> {
        self.take(asset_in, asset_out, amount, exact_in)
            .map(|take| take.quote)
    }

    /// The order and the book after it.
    pub fn after(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount: U256,
        exact_in: bool,
    ) -> Result<(Quote, Self), AmmError> {
        let take = self.take(asset_in, asset_out, amount, exact_in)?;
        let (mut bids, mut asks) = (self.bids().to_vec(), self.asks().to_vec());
        if asset_in == 0 {
            bids = self.bids.without(take.lots);
        } else {
            asks = self.asks.without(take.lots);
        }
        Ok((take.quote, self.with_book(bids, asks)?))
    }

    /// The book with these levels, as a snapshot of the venue's stream gives them.
    pub fn with_book(&self, bids: Vec<Level>, asks: Vec<Level>) -> Result<Self, AmmError> {
        Self::new(
            bids,
            asks,
            self.lot,
            self.tick,
            self.taker_fee_ppm,
            self.least_notional,
        )
    }

    /// The book after the changes of one message: each sets what rests at a price, 0 lots leave nothing there.
    pub fn with_levels(&self, changes: &[(BookSide, Level)]) -> Result<Self, AmmError> {
        let (mut bids, mut asks) = (self.bids().to_vec(), self.asks().to_vec());
        for (side, level) in changes {
            let (levels, found) = match side {
                BookSide::Bids => {
                    let found = bids.binary_search_by(|entry| level.price.cmp(&entry.price));
                    (&mut bids, found)
                }
                BookSide::Asks => {
                    let found = asks.binary_search_by(|entry| entry.price.cmp(&level.price));
                    (&mut asks, found)
                }
            };
            match (found, level.size) {
                (Ok(at), 0) => {
                    levels.remove(at);
                }
                (Ok(at), _) => levels[at] = *level,
                (Err(_), 0) => {}
                (Err(at), _) => levels.insert(at, *level),
            }
        }
        self.with_book(bids, asks)
    }

    fn take(
        &self,
        asset_in: usize,
        asset_out: usize,
        amount: U256,
        exact_in: bool,
    ) -> Result<Take, AmmError> {
        if asset_in == asset_out || asset_in.max(asset_out) > 1 {
            return Err(AmmError::UNKNOWN_ASSETS);
        }
        if amount.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        let sells = asset_in == 0;
        let side = if sells { &self.bids } else { &self.asks };
        let lots = match (sells, exact_in) {
            (true, true) => narrow(amount / self.lot),
            (false, false) => narrow(div_up(amount, self.lot)),
            (true, false) => self.lots_that_bring(amount),
            (false, true) => self.lots_for(amount),
        };
        let (all, _) = side.total();
        let Some(lots) = lots.filter(|lots| *lots <= all) else {
            return Err(self.insufficient(sells));
        };
        if lots == 0 {
            return Err(AmmError::AmountTooSmall);
        }
        let (cost, worst) = side.cost(lots);
        let notional = U256::from(cost) * self.tick;
        // A limit order is valued at its limit, the worst price it takes; for one that buys that is the dearer value.
        let valued = if sells {
            U256::from(lots) * U256::from(worst) * self.tick
        } else {
            notional
        };
        if valued < self.least_notional {
            return Err(AmmError::AmountTooSmall);
        }
        let fee = self.fee(notional);
        let quantity = U256::from(lots) * self.lot;
        let (amount_in, amount_out) = if sells {
            (quantity, notional - fee)
        } else {
            (notional + fee, quantity)
        };
        Ok(Take {
            quote: Quote {
                amount_in,
                amount_out,
                ticks_crossed: 0,
            },
            lots,
        })
    }

    fn fee(&self, notional: U256) -> U256 {
        div_up(notional * U256::from(self.taker_fee_ppm), U256::from(PARTS))
    }

    /// The most lots that this much of the second asset pays for, fee included; `None` beyond the book.
    fn lots_for(&self, amount: U256) -> Option<u128> {
        let notional =
            amount.checked_mul(U256::from(PARTS))? / U256::from(PARTS + self.taker_fee_ppm);
        let budget = narrow(notional / self.tick)?;
        let (all, cost) = self.asks.total();
        let lots = self.asks.lots_within(budget);
        // What would not even pay for one lot more is rounding, not the end of the book.
        let dearest = self
            .asks()
            .last()
            .map_or(0, |level| u128::from(level.price));
        (lots < all || budget - cost < dearest).then_some(lots)
    }

    /// The fewest lots that bring this much of the second asset after the fee; `None` beyond the book.
    fn lots_that_bring(&self, amount: U256) -> Option<u128> {
        let notional = div_up(
            amount.checked_mul(U256::from(PARTS))?,
            U256::from(PARTS - self.taker_fee_ppm),
        );
        let cost = narrow(div_up(notional, self.tick))?;
        (cost <= self.bids.total().1).then(|| self.bids.lots_worth(cost))
    }

    /// All that this side takes and gives.
    fn insufficient(&self, sells: bool) -> AmmError {
        let (lots, cost) = if sells {
            self.bids.total()
        } else {
            self.asks.total()
        };
        let (quantity, notional) = (U256::from(lots) * self.lot, U256::from(cost) * self.tick);
        let fee = self.fee(notional);
        let (amount_in, amount_out) = if sells {
            (quantity, notional - fee)
        } else {
            (notional + fee, quantity)
        };
        AmmError::InsufficientLiquidity {
            amount_in,
            amount_out,
        }
    }
}

fn narrow(value: U256) -> Option<u128> {
    u128::try_from(value).ok()
}
