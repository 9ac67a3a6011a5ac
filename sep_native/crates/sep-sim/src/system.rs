use alloy_primitives::{Address, B256, Keccak256, U256, address};

use crate::{
    abi::Erc20,
    machine::{Machine, Outcome, revert},
    market::nudged,
};

/// Who trades where the simulation itself moves a price.
pub(crate) const TRADER: Address = address!("00000000000000000000000000000000007ade12");

/// An act of the simulation, mined like a transaction.
#[derive(Debug, Clone)]
pub(crate) enum SystemOperation {
    Mint {
        token: Address,
        to: Address,
        amount: U256,
    },
    SetBalance {
        account: Address,
        amount: U256,
    },
    Nudge {
        pool: Address,
        bps: u32,
        up: bool,
    },
    SetPrice {
        pool: Address,
        sqrt_price: U256,
    },
}

impl SystemOperation {
    pub(crate) fn target(&self) -> Address {
        match self {
            Self::Mint { token, .. } => *token,
            Self::SetBalance { account, .. } => *account,
            Self::Nudge { pool, .. } | Self::SetPrice { pool, .. } => *pool,
        }
    }

    pub(crate) fn hash(&self, parent: B256, place: usize) -> B256 {
        let mut hasher = Keccak256::new();
        hasher.update(b"sep-sim/system");
        hasher.update(parent);
        hasher.update(place.to_be_bytes());
        hasher.update(format!("{self:?}").as_bytes());
        hasher.finalize()
    }
}

impl Machine<'_> {
    pub(crate) fn perform(&mut self, operation: &SystemOperation) -> Outcome<()> {
        match operation {
            SystemOperation::Mint { token, to, amount } => self.mint(*token, *to, *amount),
            SystemOperation::SetBalance { account, amount } => {
                self.world.account_mut(*account).balance = *amount;
                Ok(())
            }
            SystemOperation::Nudge { pool, bps, up } => {
                let Some(state) = self.world.pool(*pool) else {
                    return revert("UNKNOWN_POOL");
                };
                let target = nudged(state.sqrt_price(), *bps, *up);
                self.trade(*pool, target)
            }
            SystemOperation::SetPrice { pool, sqrt_price } => self.trade(*pool, *sqrt_price),
        }
    }

    fn mint(&mut self, token: Address, to: Address, amount: U256) -> Outcome<()> {
        let Some(state) = self.world.token_mut(token) else {
            return revert("UNKNOWN_TOKEN");
        };
        let wrapped = state.wrapped_native;
        if !state.mint(to, amount) {
            return revert("OVERFLOW");
        }
        if wrapped {
            let backing = self.world.account_mut(token);
            backing.balance = backing.balance.saturating_add(amount);
        }
        self.emit(
            token,
            &Erc20::Transfer {
                from: Address::ZERO,
                to,
                value: amount,
            },
        );
        Ok(())
    }

    /// Somebody else's swap that moves a pool's price to a target.
    fn trade(&mut self, pool: Address, target: U256) -> Outcome<()> {
        let Some(state) = self.world.pool(pool).cloned() else {
            return revert("UNKNOWN_POOL");
        };
        let Some((zero_for_one, quote, next)) = state.towards(target) else {
            return Ok(());
        };
        let (asset_in, asset_out) = state.assets(zero_for_one);
        self.mint(asset_in, TRADER, quote.amount_in)?;
        self.transfer(asset_in, TRADER, pool, quote.amount_in)?;
        self.transfer(asset_out, pool, TRADER, quote.amount_out)?;
        self.announce(&state, TRADER, TRADER, zero_for_one, quote, &next);
        self.world.set_curve(pool, next);
        Ok(())
    }
}
