//! The matching book: best price first, first come first at one price.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    level::Level,
    order::{OrderId, OwnerId, Refusal, Resting, Side, TimeInForce},
};

/// What becomes of orders that would trade with their own owner's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SelfTrade {
    /// The order that rests is cancelled, and the incoming one goes on.
    #[default]
    CancelResting,
    /// What is left of the incoming order is cancelled.
    CancelIncoming,
}

/// A trade between an order that rested (the maker) and an incoming one, at the resting order's price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The order that rested.
    pub maker: OrderId,
    /// Whose that is.
    pub maker_owner: OwnerId,
    /// The price in ticks.
    pub price: u64,
    /// The size in lots.
    pub size: u64,
}

/// What an incoming order did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Execution {
    /// Its trades, in order.
    pub matches: Vec<Match>,
    /// Lots that rest now.
    pub resting: u64,
    /// Lots that were cancelled at once.
    pub cancelled: u64,
    /// Orders of the same owner that were cancelled because they stood in the way: number and lots.
    pub displaced: Vec<(OrderId, u64)>,
}

/// One book. Two books that were told the same are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    bids: BTreeMap<u64, Level>,
    asks: BTreeMap<u64, Level>,
    places: BTreeMap<OrderId, (Side, u64)>,
    self_trade: SelfTrade,
    sequence: u64,
    changed: Vec<(Side, u64)>,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new(self_trade: SelfTrade) -> Self {
        Self {
            self_trade,
            ..Self::default()
        }
    }

    /// How often the book has changed.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The best price of a side, None where nothing rests there.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<u64> {
        match side {
            Side::Buy => self.bids.keys().next_back().copied(),
            Side::Sell => self.asks.keys().next().copied(),
        }
    }

    /// Lots that rest at a price.
    #[must_use]
    pub fn at(&self, side: Side, price: u64) -> u64 {
        self.levels(side).get(&price).map_or(0, Level::total)
    }

    /// Price and lots of the best levels, best first.
    #[must_use]
    pub fn depth(&self, side: Side, most: usize) -> Vec<(u64, u64)> {
        let told = |(price, level): (&u64, &Level)| (*price, level.total());
        match side {
            Side::Buy => self.bids.iter().rev().take(most).map(told).collect(),
            Side::Sell => self.asks.iter().take(most).map(told).collect(),
        }
    }

    /// What is left of an order that rests: side, price, lots.
    #[must_use]
    pub fn resting(&self, id: OrderId) -> Option<(Side, u64, u64)> {
        let (side, price) = *self.places.get(&id)?;
        let order = self
            .levels(side)
            .get(&price)?
            .orders()
            .find(|order| order.id == id)?;
        Some((side, price, order.size))
    }

    /// Takes an order in: trades, then rests or is cancelled.
    ///
    /// # Errors
    /// A `Refusal`; the book is then unchanged.
    pub fn submit(
        &mut self,
        id: OrderId,
        owner: OwnerId,
        side: Side,
        price: u64,
        size: u64,
        time_in_force: TimeInForce,
    ) -> Result<Execution, Refusal> {
        self.check(id, owner, side, price, size, time_in_force)?;
        let mut done = Execution::default();
        let mut left = size;
        let stopped = self.take(owner, side, price, &mut left, &mut done);
        let rests = matches!(
            time_in_force,
            TimeInForce::GoodTillCancelled | TimeInForce::PostOnly
        );
        if left > 0 && rests && !stopped {
            self.levels_mut(side)
                .entry(price)
                .or_default()
                .push(Resting {
                    id,
                    owner,
                    size: left,
                });
            self.places.insert(id, (side, price));
            self.touch(side, price);
            done.resting = left;
        } else {
            done.cancelled = left;
        }
        if !self.changed.is_empty() {
            self.sequence += 1;
        }
        Ok(done)
    }

    /// Cancels an order that rests; the lots that were left of it.
    pub fn cancel(&mut self, id: OrderId) -> Option<u64> {
        let (side, price) = self.places.remove(&id)?;
        let levels = self.levels_mut(side);
        let level = levels.get_mut(&price)?;
        let order = level.remove(id)?;
        if level.is_empty() {
            levels.remove(&price);
        }
        self.touch(side, price);
        self.sequence += 1;
        Some(order.size)
    }

    /// The levels that changed since this was last asked: side, price, and lots now.
    pub fn take_changes(&mut self) -> Vec<(Side, u64, u64)> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.sort_unstable();
        changed.dedup();
        changed
            .into_iter()
            .map(|(side, price)| (side, price, self.at(side, price)))
            .collect()
    }

    fn check(
        &self,
        id: OrderId,
        owner: OwnerId,
        side: Side,
        price: u64,
        size: u64,
        time_in_force: TimeInForce,
    ) -> Result<(), Refusal> {
        if size == 0 {
            return Err(Refusal::ZeroSize);
        }
        if price == 0 {
            return Err(Refusal::ZeroPrice);
        }
        if self.places.contains_key(&id) {
            return Err(Refusal::KnownId);
        }
        let takes = self
            .best(side.other())
            .is_some_and(|best| side.accepts(price, best));
        if time_in_force == TimeInForce::PostOnly && takes {
            return Err(Refusal::WouldTake);
        }
        if time_in_force == TimeInForce::FillOrKill
            && self.takeable(owner, side, price, size) < size
        {
            return Err(Refusal::CannotFill);
        }
        let room = self
            .levels(side)
            .get(&price)
            .is_none_or(|level| level.has_room(size));
        if room { Ok(()) } else { Err(Refusal::TooMuch) }
    }

    /// How much of `wanted` an order could take at once, own orders left out as `self_trade` says.
    fn takeable(&self, owner: OwnerId, side: Side, limit: u64, wanted: u64) -> u64 {
        let mut found = 0_u64;
        for (price, level) in self.best_first(side.other()) {
            if !side.accepts(limit, price) {
                break;
            }
            for order in level.orders() {
                if order.owner == owner {
                    if self.self_trade == SelfTrade::CancelIncoming {
                        return found;
                    }
                    continue;
                }
                found = found.saturating_add(order.size);
                if found >= wanted {
                    return wanted;
                }
            }
        }
        found
    }

    /// Trades until nothing is left or nothing fits; whether the owner's own order stopped it.
    fn take(
        &mut self,
        owner: OwnerId,
        side: Side,
        limit: u64,
        left: &mut u64,
        done: &mut Execution,
    ) -> bool {
        let against = side.other();
        while *left > 0 {
            let Some(price) = self.best(against) else {
                break;
            };
            if !side.accepts(limit, price) {
                break;
            }
            let Some(first) = self.levels(against).get(&price).and_then(Level::first) else {
                break;
            };
            if first.owner == owner && self.self_trade == SelfTrade::CancelIncoming {
                return true;
            }
            if first.owner == owner {
                self.change(against, price, Level::drop_first);
                self.places.remove(&first.id);
                done.displaced.push((first.id, first.size));
                continue;
            }
            let size = first.size.min(*left);
            self.change(against, price, |level| level.take_first(size));
            if size == first.size {
                self.places.remove(&first.id);
            }
            *left -= size;
            done.matches.push(Match {
                maker: first.id,
                maker_owner: first.owner,
                price,
                size,
            });
        }
        false
    }

    fn change(&mut self, side: Side, price: u64, change: impl FnOnce(&mut Level)) {
        let levels = self.levels_mut(side);
        if let Some(level) = levels.get_mut(&price) {
            change(level);
            if level.is_empty() {
                levels.remove(&price);
            }
        }
        self.touch(side, price);
    }

    fn touch(&mut self, side: Side, price: u64) {
        self.changed.push((side, price));
    }

    fn best_first(&self, side: Side) -> Box<dyn Iterator<Item = (u64, &Level)> + '_> {
        match side {
            Side::Buy => Box::new(self.bids.iter().rev().map(|(price, level)| (*price, level))),
            Side::Sell => Box::new(self.asks.iter().map(|(price, level)| (*price, level))),
        }
    }

    fn levels(&self, side: Side) -> &BTreeMap<u64, Level> {
        match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        }
    }

    fn levels_mut(&mut self, side: Side) -> &mut BTreeMap<u64, Level> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}
