use std::collections::BTreeSet;

use alloy_primitives::{Address, I256, U256};
use alloy_sol_types::{SolCall, SolInterface};
use sep_amm::{AmmError, Quote};

use crate::{
    abi::{Concentrated, Pair, Router},
    gas,
    machine::{Machine, Outcome, revert, revert_silently},
    pool::{Curve, Pool},
    world::World,
};

/// One pass of a path, with the pool after it.
struct Hop {
    pool: Address,
    zero_for_one: bool,
    quote: Quote,
    next: Curve,
}

/// Where a swap's calldata would trade; None where it is no swap of the router.
pub(crate) fn swap_path(data: &[u8]) -> Option<(Vec<Address>, Address)> {
    match Router::RouterCalls::abi_decode(data).ok()? {
        Router::RouterCalls::swapExactIn(call) => Some((call.pools, call.assetIn)),
        Router::RouterCalls::swapExactOut(call) => Some((call.pools, call.assetIn)),
        _ => None,
    }
}

impl Machine<'_> {
    pub(crate) fn router(&mut self, from: Address, data: &[u8]) -> Outcome<Vec<u8>> {
        use Router::RouterCalls as Call;
        let Ok(call) = Call::abi_decode(data) else {
            return revert_silently();
        };
        match call {
            Call::pools(_) => {
                self.charge(gas::VIEW)?;
                Ok(Router::poolsCall::abi_encode_returns(&self.world.pools()))
            }
            Call::quoteExactIn(call) => {
                let hops = self.hops(&call.pools, call.assetIn, call.amountIn, true)?;
                Ok(Router::quoteExactInCall::abi_encode_returns(&amount_out(
                    &hops,
                )))
            }
            Call::quoteExactOut(call) => {
                let hops = self.hops(&call.pools, call.assetIn, call.amountOut, false)?;
                Ok(Router::quoteExactOutCall::abi_encode_returns(&amount_in(
                    &hops,
                )))
            }
            Call::swapExactIn(call) => {
                self.check_deadline(call.deadline)?;
                let hops = self.hops(&call.pools, call.assetIn, call.amountIn, true)?;
                let out = amount_out(&hops);
                if out < call.minimumOut {
                    return revert("Too little received");
                }
                self.execute(from, call.recipient, hops)?;
                Ok(Router::swapExactInCall::abi_encode_returns(&out))
            }
            Call::swapExactOut(call) => {
                self.check_deadline(call.deadline)?;
                let hops = self.hops(&call.pools, call.assetIn, call.amountOut, false)?;
                let spent = amount_in(&hops);
                if spent > call.maximumIn {
                    return revert("Too much requested");
                }
                self.execute(from, call.recipient, hops)?;
                Ok(Router::swapExactOutCall::abi_encode_returns(&spent))
            }
        }
    }

    fn check_deadline(&mut self, deadline: U256) -> Outcome<()> {
        self.charge(gas::ROUTER)?;
        if U256::from(self.timestamp) > deadline {
            revert("Transaction too old")
        } else {
            Ok(())
        }
    }

    /// The passes of a path with exact amounts: forwards from the input, or backwards from the output.
    fn hops(
        &mut self,
        pools: &[Address],
        asset_in: Address,
        amount: U256,
        exact_in: bool,
    ) -> Outcome<Vec<Hop>> {
        let path = oriented(self.world, pools, asset_in)?;
        let mut hops = Vec::with_capacity(path.len());
        let mut amount = amount;
        let mut pass =
            |machine: &mut Self, (address, zero_for_one): (Address, bool)| -> Outcome<()> {
                let Some(pool) = machine.world.pool(address) else {
                    return revert("UNKNOWN_POOL");
                };
                let (quote, next) = match pool.after(zero_for_one, amount, exact_in) {
                    Ok(swapped) => swapped,
                    Err(error) => return revert(reason(error)),
                };
                let cost = match pool.curve {
                    Curve::Product(_) => gas::PAIR_SWAP,
                    Curve::Concentrated(_) => {
                        gas::CONCENTRATED_SWAP + gas::TICK_CROSSED * u64::from(quote.ticks_crossed)
                    }
                };
                machine.charge(cost)?;
                amount = if exact_in {
                    quote.amount_out
                } else {
                    quote.amount_in
                };
                hops.push(Hop {
                    pool: address,
                    zero_for_one,
                    quote,
                    next,
                });
                Ok(())
            };
        if exact_in {
            path.into_iter().try_for_each(|step| pass(self, step))?;
        } else {
            path.into_iter()
                .rev()
                .try_for_each(|step| pass(self, step))?;
            hops.reverse();
        }
        Ok(hops)
    }

    fn execute(&mut self, payer: Address, recipient: Address, hops: Vec<Hop>) -> Outcome<()> {
        let router = self.world.router;
        let last = hops.len() - 1;
        for (place, hop) in hops.into_iter().enumerate() {
            let payer = if place == 0 { payer } else { router };
            let to = if place == last { recipient } else { router };
            self.pass(payer, to, hop)?;
        }
        Ok(())
    }

    /// One pass with the logs of the genuine contracts, in their order.
    fn pass(&mut self, payer: Address, to: Address, hop: Hop) -> Outcome<()> {
        let router = self.world.router;
        let Some(pool) = self.world.pool(hop.pool).cloned() else {
            return revert("UNKNOWN_POOL");
        };
        let (asset_in, asset_out) = pool.assets(hop.zero_for_one);
        let Quote {
            amount_in,
            amount_out,
            ..
        } = hop.quote;
        match hop.next {
            Curve::Product(_) => {
                self.take(asset_in, payer, pool.address, amount_in)?;
                self.transfer(asset_out, pool.address, to, amount_out)?;
            }
            Curve::Concentrated(_) => {
                self.transfer(asset_out, pool.address, to, amount_out)?;
                self.take(asset_in, payer, pool.address, amount_in)?;
            }
        }
        self.announce(&pool, router, to, hop.zero_for_one, hop.quote, &hop.next);
        self.world.set_curve(hop.pool, hop.next);
        Ok(())
    }

    fn take(&mut self, asset: Address, payer: Address, pool: Address, amount: U256) -> Outcome<()> {
        let router = self.world.router;
        if payer == router {
            self.transfer(asset, router, pool, amount)
        } else {
            self.transfer_from(asset, router, payer, pool, amount)
        }
    }

    /// The pool's own logs of a swap.
    pub(crate) fn announce(
        &mut self,
        pool: &Pool,
        sender: Address,
        to: Address,
        zero_for_one: bool,
        quote: Quote,
        next: &Curve,
    ) {
        let Quote {
            amount_in,
            amount_out,
            ..
        } = quote;
        match next {
            Curve::Product(curve) => {
                let sync = Pair::Sync {
                    reserve0: curve.reserve0().saturating_to(),
                    reserve1: curve.reserve1().saturating_to(),
                };
                self.emit(pool.address, &sync);
                let of_first = |amount: U256, first: bool| if first { amount } else { U256::ZERO };
                let swap = Pair::Swap {
                    sender,
                    amount0In: of_first(amount_in, zero_for_one),
                    amount1In: of_first(amount_in, !zero_for_one),
                    amount0Out: of_first(amount_out, !zero_for_one),
                    amount1Out: of_first(amount_out, zero_for_one),
                    to,
                };
                self.emit(pool.address, &swap);
            }
            Curve::Concentrated(curve) => {
                let (taken, given) = (I256::from_raw(amount_in), -I256::from_raw(amount_out));
                let (amount0, amount1) = if zero_for_one {
                    (taken, given)
                } else {
                    (given, taken)
                };
                let swap = Concentrated::Swap {
                    sender,
                    recipient: to,
                    amount0,
                    amount1,
                    sqrtPriceX96: curve.sqrt_price_x96().saturating_to(),
                    liquidity: curve.liquidity(),
                    tick: curve.tick().try_into().unwrap_or_default(),
                };
                self.emit(pool.address, &swap);
            }
        }
    }
}

fn amount_in(hops: &[Hop]) -> U256 {
    hops.first()
        .map(|hop| hop.quote.amount_in)
        .unwrap_or_default()
}

fn amount_out(hops: &[Hop]) -> U256 {
    hops.last()
        .map(|hop| hop.quote.amount_out)
        .unwrap_or_default()
}

/// Each pool with its direction; a pool may stand in a path once, since a path's passes share one state.
fn oriented(world: &World, pools: &[Address], asset_in: Address) -> Outcome<Vec<(Address, bool)>> {
    if pools.is_empty() {
        return revert("EMPTY_PATH");
    }
    let mut seen = BTreeSet::new();
    let mut asset = asset_in;
    let mut path = Vec::with_capacity(pools.len());
    for address in pools {
        let Some(pool) = world.pool(*address) else {
            return revert("UNKNOWN_POOL");
        };
        let Some(zero_for_one) = pool.direction(asset) else {
            return revert("WRONG_ASSET");
        };
        if !seen.insert(*address) {
            return revert("POOL_TWICE");
        }
        asset = pool.assets(zero_for_one).1;
        path.push((*address, zero_for_one));
    }
    Ok(path)
}

fn reason(error: AmmError) -> &'static str {
    match error {
        AmmError::ZeroAmount | AmmError::AmountTooSmall => "INSUFFICIENT_AMOUNT",
        AmmError::AmountTooLarge => "OVERFLOW",
        AmmError::InsufficientLiquidity { .. } => "INSUFFICIENT_LIQUIDITY",
        AmmError::NeedTicks { .. } | AmmError::InvalidState(_) => "INVALID_STATE",
    }
}
