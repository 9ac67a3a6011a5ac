use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, U256};
use sep_amm::{ConcentratedLiquidity, ConstantProduct, Tick, TickTable};

use crate::{
    Genesis, GenesisError,
    genesis::{GenesisPool, Position},
    market::position_amounts,
    pool::{Curve, Pool},
    token::Token,
};

/// Native balance and nonce.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Account {
    pub(crate) balance: U256,
    pub(crate) nonce: u64,
}

/// What stands at a contract's address.
#[derive(Debug, Clone)]
pub(crate) enum Contract {
    Token(Token),
    Pool(Pool),
    Router,
}

/// All state at one block. A clone is cheap: contracts are copied when they change.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    accounts: BTreeMap<Address, Account>,
    contracts: BTreeMap<Address, Arc<Contract>>,
    pub(crate) router: Address,
}

impl World {
    pub(crate) fn genesis(genesis: &Genesis) -> Result<Self, GenesisError> {
        let mut world = Self {
            router: genesis.router,
            ..Self::default()
        };
        world.place(genesis.router, Contract::Router)?;
        for token in &genesis.tokens {
            let state = Token::new(
                token.address,
                token.symbol.clone(),
                token.decimals,
                token.wrapped_native,
                token.approval_reset,
            );
            world.place(token.address, Contract::Token(state))?;
        }
        for account in &genesis.accounts {
            if world.contracts.contains_key(&account.address) {
                return Err(GenesisError(format!(
                    "account {} is a contract",
                    account.address
                )));
            }
            world.accounts.entry(account.address).or_default().balance = account.balance;
            for (token, amount) in &account.tokens {
                world.endow(*token, account.address, amount.0)?;
            }
        }
        for pool in &genesis.pools {
            world.open_pool(pool)?;
        }
        let backing: Vec<(Address, U256)> = world.wrapped_supplies().collect();
        for (address, supply) in backing {
            world.accounts.entry(address).or_default().balance = supply;
        }
        Ok(world)
    }

    pub(crate) fn account(&self, address: Address) -> Account {
        self.accounts.get(&address).copied().unwrap_or_default()
    }

    pub(crate) fn account_mut(&mut self, address: Address) -> &mut Account {
        self.accounts.entry(address).or_default()
    }

    /// Moves wei; false where there are too few.
    pub(crate) fn pay(&mut self, from: Address, to: Address, value: U256) -> bool {
        if value.is_zero() {
            return true;
        }
        let Some(left) = self.account(from).balance.checked_sub(value) else {
            return false;
        };
        self.account_mut(from).balance = left;
        let receiver = self.account_mut(to);
        receiver.balance = receiver.balance.saturating_add(value);
        true
    }

    pub(crate) fn contract(&self, address: Address) -> Option<&Contract> {
        self.contracts.get(&address).map(Arc::as_ref)
    }

    pub(crate) fn token(&self, address: Address) -> Option<&Token> {
        match self.contract(address) {
            Some(Contract::Token(token)) => Some(token),
            _ => None,
        }
    }

    pub(crate) fn token_mut(&mut self, address: Address) -> Option<&mut Token> {
        match Arc::make_mut(self.contracts.get_mut(&address)?) {
            Contract::Token(token) => Some(token),
            _ => None,
        }
    }

    pub(crate) fn pool(&self, address: Address) -> Option<&Pool> {
        match self.contract(address) {
            Some(Contract::Pool(pool)) => Some(pool),
            _ => None,
        }
    }

    pub(crate) fn set_curve(&mut self, address: Address, curve: Curve) {
        if let Some(Contract::Pool(pool)) = self.contracts.get_mut(&address).map(Arc::make_mut) {
            pool.curve = curve;
        }
    }

    /// Addresses of all pools, in order.
    pub(crate) fn pools(&self) -> Vec<Address> {
        let is_pool = |entry: (&Address, &Arc<Contract>)| {
            matches!(**entry.1, Contract::Pool(_)).then_some(*entry.0)
        };
        self.contracts.iter().filter_map(is_pool).collect()
    }

    fn wrapped_supplies(&self) -> impl Iterator<Item = (Address, U256)> + '_ {
        self.contracts
            .values()
            .filter_map(|contract| match contract.as_ref() {
                Contract::Token(token) if token.wrapped_native => {
                    Some((token.address, token.supply))
                }
                _ => None,
            })
    }

    fn place(&mut self, address: Address, contract: Contract) -> Result<(), GenesisError> {
        match self.contracts.insert(address, Arc::new(contract)) {
            None => Ok(()),
            Some(_) => Err(GenesisError(format!("two contracts stand at {address}"))),
        }
    }

    fn endow(&mut self, token: Address, owner: Address, amount: U256) -> Result<(), GenesisError> {
        let state = self
            .token_mut(token)
            .ok_or_else(|| GenesisError(format!("{token} is no token of this chain")))?;
        if state.mint(owner, amount) {
            Ok(())
        } else {
            Err(GenesisError(format!("{token} has a supply above 2^256")))
        }
    }

    fn open_pool(&mut self, pool: &GenesisPool) -> Result<(), GenesisError> {
        let (state, held0, held1) = match pool {
            GenesisPool::ConstantProduct {
                address,
                token0,
                token1,
                fee_ppm,
                reserve0,
                reserve1,
            } => {
                let curve = ConstantProduct::new(*reserve0, *reserve1, *fee_ppm)
                    .map_err(|error| GenesisError(format!("pool {address}: {error}")))?;
                let curve = Curve::Product(curve);
                (
                    Pool {
                        address: *address,
                        token0: *token0,
                        token1: *token1,
                        curve,
                    },
                    *reserve0,
                    *reserve1,
                )
            }
            GenesisPool::ConcentratedLiquidity {
                address,
                token0,
                token1,
                fee_ppm,
                tick_spacing,
                sqrt_price_x96,
                positions,
            } => {
                let (curve, held0, held1) =
                    concentrated(*fee_ppm, *tick_spacing, *sqrt_price_x96, positions)
                        .map_err(|error| GenesisError(format!("pool {address}: {error}")))?;
                let curve = Curve::Concentrated(curve);
                (
                    Pool {
                        address: *address,
                        token0: *token0,
                        token1: *token1,
                        curve,
                    },
                    held0,
                    held1,
                )
            }
        };
        if state.token0 == state.token1 {
            return Err(GenesisError(format!(
                "pool {} trades a token for itself",
                state.address
            )));
        }
        self.endow(state.token0, state.address, held0)?;
        self.endow(state.token1, state.address, held1)?;
        self.place(state.address, Contract::Pool(state))
    }
}

fn concentrated(
    fee_ppm: u32,
    tick_spacing: i32,
    sqrt_price: U256,
    positions: &[Position],
) -> Result<(ConcentratedLiquidity, U256, U256), String> {
    let no_ticks: Vec<Tick> = Vec::new();
    let table = TickTable::new(tick_spacing, no_ticks, None).map_err(|error| error.to_string())?;
    let tick = sep_amm::tick_at_sqrt_price(sqrt_price).map_err(|error| error.to_string())?;
    let mut curve = ConcentratedLiquidity::new(sqrt_price, tick, 0, fee_ppm, table)
        .map_err(|error| error.to_string())?;
    let (mut held0, mut held1) = (U256::ZERO, U256::ZERO);
    for position in positions {
        let liquidity = i128::try_from(position.liquidity)
            .map_err(|_| "a position's liquidity is above 2^127")?;
        curve = curve
            .with_liquidity(position.lower, position.upper, liquidity)
            .map_err(|error| error.to_string())?;
        let (above, below) = position_amounts(
            sqrt_price,
            position.lower,
            position.upper,
            position.liquidity,
        )
        .map_err(|error| error.to_string())?;
        held0 += above;
        held1 += below;
    }
    Ok((curve, held0, held1))
}
