use std::collections::BTreeMap;

use alloy_primitives::{Address, U256};

/// An ERC-20 contract's storage.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) address: Address,
    pub(crate) symbol: String,
    pub(crate) decimals: u8,
    pub(crate) wrapped_native: bool,
    pub(crate) approval_reset: bool,
    pub(crate) supply: U256,
    balances: BTreeMap<Address, U256>,
    allowances: BTreeMap<(Address, Address), U256>,
}

impl Token {
    pub(crate) fn new(
        address: Address,
        symbol: String,
        decimals: u8,
        wrapped_native: bool,
        approval_reset: bool,
    ) -> Self {
        Self {
            address,
            symbol,
            decimals,
            wrapped_native,
            approval_reset,
            supply: U256::ZERO,
            balances: BTreeMap::new(),
            allowances: BTreeMap::new(),
        }
    }

    pub(crate) fn balance(&self, owner: Address) -> U256 {
        self.balances.get(&owner).copied().unwrap_or_default()
    }

    pub(crate) fn allowance(&self, owner: Address, spender: Address) -> U256 {
        self.allowances
            .get(&(owner, spender))
            .copied()
            .unwrap_or_default()
    }

    /// Makes new units; false where the supply would overflow.
    pub(crate) fn mint(&mut self, owner: Address, value: U256) -> bool {
        let Some(supply) = self.supply.checked_add(value) else {
            return false;
        };
        self.supply = supply;
        *self.balances.entry(owner).or_default() += value;
        true
    }

    /// Destroys units; false where there are too few.
    pub(crate) fn burn(&mut self, owner: Address, value: U256) -> bool {
        let Some(left) = self.balance(owner).checked_sub(value) else {
            return false;
        };
        self.balances.insert(owner, left);
        self.supply -= value;
        true
    }

    /// Moves units; false where there are too few.
    pub(crate) fn transfer(&mut self, from: Address, to: Address, value: U256) -> bool {
        let Some(left) = self.balance(from).checked_sub(value) else {
            return false;
        };
        self.balances.insert(from, left);
        *self.balances.entry(to).or_default() += value;
        true
    }

    pub(crate) fn approve(&mut self, owner: Address, spender: Address, value: U256) {
        self.allowances.insert((owner, spender), value);
    }

    /// Spends an allowance; the greatest one never falls, as in the common implementations.
    pub(crate) fn spend_allowance(
        &mut self,
        owner: Address,
        spender: Address,
        value: U256,
    ) -> bool {
        let allowed = self.allowance(owner, spender);
        if allowed == U256::MAX {
            return true;
        }
        let Some(left) = allowed.checked_sub(value) else {
            return false;
        };
        self.allowances.insert((owner, spender), left);
        true
    }
}
