//! Who holds what at the exchange.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{genesis::text, order::OwnerId};

/// What is free, and what open orders bind, in base units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// May be used.
    #[serde(with = "text")]
    pub free: u128,
    /// Bound by open orders.
    #[serde(with = "text")]
    pub held: u128,
}

/// All accounts, and the fees that the exchange has taken (less its rebates).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    names: Vec<String>,
    balances: BTreeMap<(OwnerId, String), Balance>,
    fees: BTreeMap<String, i128>,
}

impl Accounts {
    /// The account of a name, made where there is none.
    pub fn open(&mut self, name: &str) -> OwnerId {
        if let Some(owner) = self.find(name) {
            return owner;
        }
        self.names.push(name.to_owned());
        owner_of(self.names.len() - 1)
    }

    /// The account of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<OwnerId> {
        self.names
            .iter()
            .position(|known| known == name)
            .map(owner_of)
    }

    /// The name of an account; empty where there is none.
    #[must_use]
    pub fn name(&self, owner: OwnerId) -> &str {
        usize::try_from(owner)
            .ok()
            .and_then(|place| self.names.get(place))
            .map_or("", String::as_str)
    }

    /// What an account holds of an asset.
    #[must_use]
    pub fn balance(&self, owner: OwnerId, asset: &str) -> Balance {
        self.balances
            .get(&(owner, asset.to_owned()))
            .copied()
            .unwrap_or_default()
    }

    /// All that an account holds, by asset.
    pub fn of(&self, owner: OwnerId) -> impl Iterator<Item = (&str, Balance)> {
        self.balances
            .iter()
            .filter(move |((whose, _), _)| *whose == owner)
            .map(|((_, asset), balance)| (asset.as_str(), *balance))
    }

    /// Everything of an asset that there is: free, held and taken as fees.
    #[must_use]
    pub fn total(&self, asset: &str) -> i128 {
        let held: u128 = self
            .balances
            .iter()
            .filter(|((_, code), _)| code == asset)
            .map(|(_, balance)| balance.free + balance.held)
            .sum();
        i128::try_from(held).unwrap_or(i128::MAX) + self.fees.get(asset).copied().unwrap_or(0)
    }

    /// Brings money in.
    pub fn credit(&mut self, owner: OwnerId, asset: &str, amount: u128) {
        self.entry(owner, asset).free += amount;
    }

    /// Takes free money out; false where there is less.
    pub fn debit(&mut self, owner: OwnerId, asset: &str, amount: u128) -> bool {
        let balance = self.entry(owner, asset);
        let Some(left) = balance.free.checked_sub(amount) else {
            return false;
        };
        balance.free = left;
        true
    }

    /// Binds free money; false where there is less.
    pub(crate) fn hold(&mut self, owner: OwnerId, asset: &str, amount: u128) -> bool {
        if !self.debit(owner, asset, amount) {
            return false;
        }
        self.entry(owner, asset).held += amount;
        true
    }

    /// Frees bound money.
    pub(crate) fn release(&mut self, owner: OwnerId, asset: &str, amount: u128) {
        let balance = self.entry(owner, asset);
        let freed = amount.min(balance.held);
        balance.held -= freed;
        balance.free += freed;
    }

    /// Spends bound money.
    pub(crate) fn spend(&mut self, owner: OwnerId, asset: &str, amount: u128) {
        let balance = self.entry(owner, asset);
        balance.held = balance.held.saturating_sub(amount);
    }

    pub(crate) fn take_fee(&mut self, asset: &str, fee: i128) {
        *self.fees.entry(asset.to_owned()).or_default() += fee;
    }

    fn entry(&mut self, owner: OwnerId, asset: &str) -> &mut Balance {
        self.balances.entry((owner, asset.to_owned())).or_default()
    }
}

fn owner_of(place: usize) -> OwnerId {
    OwnerId::try_from(place).unwrap_or(OwnerId::MAX)
}
