use alloy_primitives::{Address, LogData, U256};
use alloy_sol_types::{SolCall, SolError, SolEvent, SolInterface};

use crate::{
    abi::{self, Concentrated, Erc20, Pair, WrappedNative},
    gas,
    pool::{Curve, Pool},
    world::{Contract, World},
};

/// A log as a contract emits it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) address: Address,
    pub(crate) data: LogData,
}

/// Why a call ended without effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Reverted with this data.
    Revert(Vec<u8>),
    OutOfGas,
}

pub(crate) type Outcome<T> = Result<T, Halt>;

/// `Error(string)`, as Solidity's `require` reverts.
pub(crate) fn revert<T>(reason: impl Into<String>) -> Outcome<T> {
    Err(Halt::Revert(
        abi::Error {
            reason: reason.into(),
        }
        .abi_encode(),
    ))
}

/// A revert without data, as an unknown selector gives.
pub(crate) fn revert_silently<T>() -> Outcome<T> {
    Err(Halt::Revert(Vec::new()))
}

/// Executes calls on a world. After a `Halt` the world is half changed: the caller restores it.
pub(crate) struct Machine<'world> {
    pub(crate) world: &'world mut World,
    pub(crate) timestamp: u64,
    pub(crate) logs: Vec<Entry>,
    pub(crate) gas_left: u64,
}

impl<'world> Machine<'world> {
    pub(crate) fn new(world: &'world mut World, timestamp: u64, gas_left: u64) -> Self {
        Self {
            world,
            timestamp,
            logs: Vec::new(),
            gas_left,
        }
    }

    pub(crate) fn charge(&mut self, gas: u64) -> Outcome<()> {
        self.gas_left = self.gas_left.checked_sub(gas).ok_or(Halt::OutOfGas)?;
        Ok(())
    }

    pub(crate) fn emit(&mut self, address: Address, event: &impl SolEvent) {
        self.logs.push(Entry {
            address,
            data: event.encode_log_data(),
        });
    }

    /// Calls an address with value; an address without code takes it and answers nothing.
    pub(crate) fn call(
        &mut self,
        from: Address,
        to: Address,
        value: U256,
        data: &[u8],
    ) -> Outcome<Vec<u8>> {
        if !self.world.pay(from, to, value) {
            return revert("insufficient balance for transfer");
        }
        let payable = match self.world.contract(to) {
            None => return Ok(Vec::new()),
            Some(Contract::Token(token)) => token.wrapped_native,
            Some(_) => false,
        };
        if !value.is_zero() && !payable {
            return revert_silently();
        }
        match self.world.contract(to) {
            Some(Contract::Token(_)) => self.token(from, to, value, data),
            Some(Contract::Pool(pool)) => {
                let output = view_pool(pool, data);
                self.charge(gas::VIEW)?;
                output
            }
            _ => self.router(from, data),
        }
    }

    fn token(
        &mut self,
        from: Address,
        token: Address,
        value: U256,
        data: &[u8],
    ) -> Outcome<Vec<u8>> {
        use Erc20::Erc20Calls as Call;
        let Some(state) = self.world.token(token) else {
            return revert_silently();
        };
        if state.wrapped_native {
            if data.is_empty() {
                return self.deposit(from, token, value).map(|()| Vec::new());
            }
            if let Ok(call) = WrappedNative::WrappedNativeCalls::abi_decode(data) {
                return match call {
                    WrappedNative::WrappedNativeCalls::deposit(_) => {
                        self.deposit(from, token, value)
                    }
                    WrappedNative::WrappedNativeCalls::withdraw(call) => {
                        self.withdraw(from, token, call.wad)
                    }
                }
                .map(|()| Vec::new());
            }
        }
        if !value.is_zero() {
            return revert_silently();
        }
        let Ok(call) = Call::abi_decode(data) else {
            return revert_silently();
        };
        let view = match &call {
            Call::name(_) => Erc20::nameCall::abi_encode_returns(&state.symbol),
            Call::symbol(_) => Erc20::symbolCall::abi_encode_returns(&state.symbol),
            Call::decimals(_) => Erc20::decimalsCall::abi_encode_returns(&state.decimals),
            Call::totalSupply(_) => Erc20::totalSupplyCall::abi_encode_returns(&state.supply),
            Call::balanceOf(call) => {
                Erc20::balanceOfCall::abi_encode_returns(&state.balance(call.owner))
            }
            Call::allowance(call) => {
                Erc20::allowanceCall::abi_encode_returns(&state.allowance(call.owner, call.spender))
            }
            Call::approve(call) => {
                self.approve(token, from, call.spender, call.value)?;
                return Ok(Erc20::approveCall::abi_encode_returns(&true));
            }
            Call::transfer(call) => {
                self.transfer(token, from, call.to, call.value)?;
                return Ok(Erc20::transferCall::abi_encode_returns(&true));
            }
            Call::transferFrom(call) => {
                self.transfer_from(token, from, call.from, call.to, call.value)?;
                return Ok(Erc20::transferFromCall::abi_encode_returns(&true));
            }
        };
        self.charge(gas::VIEW)?;
        Ok(view)
    }

    fn approve(
        &mut self,
        token: Address,
        owner: Address,
        spender: Address,
        value: U256,
    ) -> Outcome<()> {
        self.charge(gas::APPROVE)?;
        let Some(state) = self.world.token_mut(token) else {
            return revert_silently();
        };
        if state.approval_reset && !value.is_zero() && !state.allowance(owner, spender).is_zero() {
            return revert("approve from non-zero to non-zero allowance");
        }
        state.approve(owner, spender, value);
        self.emit(
            token,
            &Erc20::Approval {
                owner,
                spender,
                value,
            },
        );
        Ok(())
    }

    pub(crate) fn transfer(
        &mut self,
        token: Address,
        from: Address,
        to: Address,
        value: U256,
    ) -> Outcome<()> {
        self.charge(gas::TRANSFER)?;
        let Some(state) = self.world.token_mut(token) else {
            return revert_silently();
        };
        if to.is_zero() {
            return revert("ERC20: transfer to the zero address");
        }
        if !state.transfer(from, to, value) {
            return revert("ERC20: transfer amount exceeds balance");
        }
        self.emit(token, &Erc20::Transfer { from, to, value });
        Ok(())
    }

    pub(crate) fn transfer_from(
        &mut self,
        token: Address,
        spender: Address,
        from: Address,
        to: Address,
        value: U256,
    ) -> Outcome<()> {
        let Some(state) = self.world.token_mut(token) else {
            return revert_silently();
        };
        if !state.spend_allowance(from, spender, value) {
            return revert("ERC20: insufficient allowance");
        }
        self.transfer(token, from, to, value)
    }

    fn deposit(&mut self, owner: Address, token: Address, value: U256) -> Outcome<()> {
        self.charge(gas::DEPOSIT)?;
        if !self
            .world
            .token_mut(token)
            .is_some_and(|state| state.mint(owner, value))
        {
            return revert_silently();
        }
        self.emit(
            token,
            &WrappedNative::Deposit {
                dst: owner,
                wad: value,
            },
        );
        Ok(())
    }

    fn withdraw(&mut self, owner: Address, token: Address, value: U256) -> Outcome<()> {
        self.charge(gas::DEPOSIT)?;
        let burnt = self
            .world
            .token_mut(token)
            .is_some_and(|state| state.burn(owner, value));
        if !burnt || !self.world.pay(token, owner, value) {
            return revert_silently();
        }
        self.emit(
            token,
            &WrappedNative::Withdrawal {
                src: owner,
                wad: value,
            },
        );
        Ok(())
    }
}

fn view_pool(pool: &Pool, data: &[u8]) -> Outcome<Vec<u8>> {
    use Concentrated::ConcentratedCalls as Wide;
    use Pair::PairCalls as Call;
    match &pool.curve {
        Curve::Product(curve) => match Call::abi_decode(data) {
            Ok(Call::token0(_)) => Ok(Pair::token0Call::abi_encode_returns(&pool.token0)),
            Ok(Call::token1(_)) => Ok(Pair::token1Call::abi_encode_returns(&pool.token1)),
            Ok(Call::fee(_)) => Ok(Pair::feeCall::abi_encode_returns(
                &pool.fee_ppm().try_into().unwrap_or_default(),
            )),
            Ok(Call::getReserves(_)) => Ok(Pair::getReservesCall::abi_encode_returns(
                &Pair::getReservesReturn {
                    reserve0: curve.reserve0().saturating_to(),
                    reserve1: curve.reserve1().saturating_to(),
                    blockTimestampLast: 0,
                },
            )),
            Err(_) => revert_silently(),
        },
        Curve::Concentrated(curve) => match Wide::abi_decode(data) {
            Ok(Wide::token0(_)) => Ok(Concentrated::token0Call::abi_encode_returns(&pool.token0)),
            Ok(Wide::token1(_)) => Ok(Concentrated::token1Call::abi_encode_returns(&pool.token1)),
            Ok(Wide::fee(_)) => Ok(Concentrated::feeCall::abi_encode_returns(
                &pool.fee_ppm().try_into().unwrap_or_default(),
            )),
            Ok(Wide::tickSpacing(_)) => {
                let spacing = curve.table().spacing().try_into().unwrap_or_default();
                Ok(Concentrated::tickSpacingCall::abi_encode_returns(&spacing))
            }
            Ok(Wide::liquidity(_)) => Ok(Concentrated::liquidityCall::abi_encode_returns(
                &curve.liquidity(),
            )),
            Ok(Wide::slot0(_)) => Ok(Concentrated::slot0Call::abi_encode_returns(
                &Concentrated::slot0Return {
                    sqrtPriceX96: curve.sqrt_price_x96().saturating_to(),
                    tick: curve.tick().try_into().unwrap_or_default(),
                    observationIndex: 0,
                    observationCardinality: 1,
                    observationCardinalityNext: 1,
                    feeProtocol: 0,
                    unlocked: true,
                },
            )),
            Ok(Wide::ticks(_)) => {
                let table = curve.table().ticks();
                let ticks = Concentrated::ticksReturn {
                    indexes: table
                        .iter()
                        .map(|tick| tick.index.try_into().unwrap_or_default())
                        .collect(),
                    liquidityNet: table.iter().map(|tick| tick.liquidity_net).collect(),
                };
                Ok(Concentrated::ticksCall::abi_encode_returns(&ticks))
            }
            Err(_) => revert_silently(),
        },
    }
}
