"""Pairs: the facts that never change, and how to find them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import Read, read_all, text
from sep_hooks.errors import VenueError
from sep_hooks.types import Address, LiquidityFamily, Market, MarketId, erc20, evm_chain

from .config import UniswapV2Config

SWAP_GAS = 67_000
"""About what one pass adds to a transaction."""

NO_PAIR = "0x" + "00" * 20
_GET_PAIR = "getPair(address,address)"


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair's immutable facts."""

    address: Address
    token0: Address
    token1: Address


async def find_pairs(context: VenueContext, config: UniswapV2Config, factory: Address) -> Sequence[Pair]:
    """The configured pools and the factory's pairs of the configured tokens, each proven to be its own."""
    found = await read_all(context, [Read(factory, _GET_PAIR, pair, "(address)") for pair in config.pairs])
    named = [text(pair) for (pair,) in found if pair != NO_PAIR]
    addresses = list(dict.fromkeys([*(Address(pool) for pool in config.pools), *named]))
    tokens = await read_all(
        context,
        [
            Read(pair, signature, (), "(address)")
            for pair in addresses
            for signature in ("token0()", "token1()")
        ],
    )
    pairs = [
        Pair(pair, text(token0), text(token1))
        for pair, (token0,), (token1,) in zip(addresses, tokens[::2], tokens[1::2], strict=True)
    ]
    own = await read_all(
        context, [Read(factory, _GET_PAIR, (pair.token0, pair.token1), "(address)") for pair in pairs]
    )
    for pair, (address,) in zip(pairs, own, strict=True):
        if address != pair.address:
            raise VenueError(
                f"venue {context.instance}: {pair.address} is no pair of the factory {factory}",
                next_step="remove it from pools, or correct factory",
            )
    return pairs


def market_of(pair: Pair, context: VenueContext, fee_ppm: int) -> Market:
    """The pair as a market."""
    return Market(
        id=market_id(context, pair.address),
        venue=context.instance,
        chain=evm_chain(context.chain_id),
        family=LiquidityFamily.CONSTANT_PRODUCT,
        address=pair.address,
        assets=(erc20(context.chain_id, pair.token0), erc20(context.chain_id, pair.token1)),
        fee_ppm=fee_ppm,
        gas=SWAP_GAS,
    )


def market_id(context: VenueContext, pair: Address) -> MarketId:
    """The market's name: instance and pair address."""
    return MarketId(f"{context.instance}/{pair}")
