"""Pools: the facts that never change, and how to find them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import Read, number, read_all, text
from sep_hooks.errors import VenueError
from sep_hooks.types import Address, LiquidityFamily, Market, MarketId, erc20, evm_chain

from .config import UniswapV3Config

SWAP_GAS = 100_000
"""About what one pass adds to a transaction, a few tick crossings included."""

NO_POOL = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool's immutable facts; `fee_ppm` in millionths."""

    address: Address
    token0: Address
    token1: Address
    fee_ppm: int
    tick_spacing: int


async def find_pools(
    context: VenueContext, config: UniswapV3Config, factory: Address
) -> Mapping[Address, Pool]:
    """The configured pools and those of the configured pairs, each proven to be the factory's own."""
    asked = [(a, b, fee) for a, b in config.pairs for fee in config.fees]
    found = await read_all(
        context,
        [Read(factory, "getPool(address,address,uint24)", query, "(address)") for query in asked],
    )
    from_pairs = [text(pool) for (pool,) in found if pool != NO_POOL]
    addresses = list(dict.fromkeys([*(Address(pool) for pool in config.pools), *from_pairs]))
    pools = await _facts(context, addresses)
    await _prove(context, pools, factory)
    return {pool.address: pool for pool in pools}


def market_of(pool: Pool, context: VenueContext) -> Market:
    """The pool as a market."""
    return Market(
        id=market_id(context, pool.address),
        venue=context.instance,
        chain=evm_chain(context.chain_id),
        family=LiquidityFamily.CONCENTRATED_LIQUIDITY,
        address=pool.address,
        assets=(erc20(context.chain_id, pool.token0), erc20(context.chain_id, pool.token1)),
        fee_ppm=pool.fee_ppm,
        gas=SWAP_GAS,
    )


def market_id(context: VenueContext, pool: Address) -> MarketId:
    """The market's name: instance and pool address."""
    return MarketId(f"{context.instance}/{pool}")


async def _facts(context: VenueContext, addresses: Sequence[Address]) -> Sequence[Pool]:
    questions = (
        ("token0()", "(address)"),
        ("token1()", "(address)"),
        ("fee()", "(uint24)"),
        ("tickSpacing()", "(int24)"),
    )
    reads = [Read(pool, signature, (), returns) for pool in addresses for signature, returns in questions]
    answers = [value for (value,) in await read_all(context, reads)]
    rows = (answers[start : start + len(questions)] for start in range(0, len(answers), len(questions)))
    return [
        Pool(pool, text(token0), text(token1), number(fee), number(spacing))
        for pool, (token0, token1, fee, spacing) in zip(addresses, rows, strict=True)
    ]


async def _prove(context: VenueContext, pools: Sequence[Pool], factory: Address) -> None:
    """The router derives addresses from the factory: a foreign pool would never be traded through."""
    reads = [
        Read(
            factory, "getPool(address,address,uint24)", (pool.token0, pool.token1, pool.fee_ppm), "(address)"
        )
        for pool in pools
    ]
    for pool, (own,) in zip(pools, await read_all(context, reads), strict=True):
        if own != pool.address:
            raise VenueError(
                f"venue {context.instance}: {pool.address} is no pool of the factory {factory}",
                next_step="remove it from pools, or correct factory",
            )
