//! All orders at one price, in the order of their arrival.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::order::{OrderId, Resting};

/// One price level. `total` is the sum of its orders' sizes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    orders: VecDeque<Resting>,
    total: u64,
}

impl Level {
    /// All lots that rest here.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether nothing rests here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// The orders, first come first.
    pub fn orders(&self) -> impl Iterator<Item = &Resting> {
        self.orders.iter()
    }

    pub(crate) fn has_room(&self, size: u64) -> bool {
        self.total.checked_add(size).is_some()
    }

    pub(crate) fn push(&mut self, order: Resting) {
        self.total += order.size;
        self.orders.push_back(order);
    }

    pub(crate) fn first(&self) -> Option<Resting> {
        self.orders.front().copied()
    }

    pub(crate) fn drop_first(&mut self) {
        if let Some(order) = self.orders.pop_front() {
            self.total -= order.size;
        }
    }

    /// Takes lots off the first order; it leaves when nothing is left of it.
    pub(crate) fn take_first(&mut self, size: u64) {
        let Some(order) = self.orders.front_mut() else {
            return;
        };
        order.size -= size;
        self.total -= size;
        if order.size == 0 {
            self.orders.pop_front();
        }
    }

    pub(crate) fn remove(&mut self, id: OrderId) -> Option<Resting> {
        let place = self.orders.iter().position(|order| order.id == id)?;
        let order = self.orders.remove(place)?;
        self.total -= order.size;
        Some(order)
    }
}
