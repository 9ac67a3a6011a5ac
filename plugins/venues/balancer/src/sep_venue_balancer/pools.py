"""Pools: the facts that never change."""

from dataclasses import dataclass
from enum import StrEnum

from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import numbers, texts
from sep_hooks.types import (
    AbiValue,
    Address,
    LiquidityFamily,
    Market,
    MarketId,
    erc20,
    evm_chain,
)

ONE = 10**18
NOBODY = "0x" + "00" * 20
POOL_TOKENS = "getPoolTokens(bytes32)"
POOL_TOKENS_RETURNS = "(address[],uint256[],uint256)"


class PoolKind(StrEnum):
    """What a pool's mathematics are; a swap of either takes about so much gas."""

    WEIGHTED = "weighted"
    STABLE = "stable"

    @property
    def family(self) -> LiquidityFamily:
        """The liquidity family."""
        weighted = self is PoolKind.WEIGHTED
        return LiquidityFamily.WEIGHTED_PRODUCT if weighted else LiquidityFamily.STABLE_SWAP

    @property
    def gas(self) -> int:
        """About what one pass adds to a transaction."""
        return 80_000 if self is PoolKind.WEIGHTED else 115_000


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool's immutable facts. `tokens` are all that the vault counts for it, `assets` those that can be traded:
    a stable pool's own token is none of them.

    `scaling` lifts each asset to 18 decimals over 10^18, without a rate; `weights` are parts of 10^18, of a weighted
    pool alone; `rate_providers` of a stable pool, None for an asset whose rate is one.
    """

    id: bytes
    address: Address
    kind: PoolKind
    tokens: tuple[Address, ...]
    assets: tuple[Address, ...]
    scaling: tuple[int, ...]
    weights: tuple[int, ...]
    rate_providers: tuple[Address | None, ...]
    fee_ppm: int


def market_of(pool: Pool, context: VenueContext, vault: Address) -> Market:
    """The pool as a market; swaps and joins are told by the vault."""
    return Market(
        id=market_id(context, pool.address),
        venue=context.instance,
        chain=evm_chain(context.chain_id),
        family=pool.kind.family,
        address=pool.address,
        assets=tuple(erc20(context.chain_id, asset) for asset in pool.assets),
        fee_ppm=pool.fee_ppm,
        gas=pool.kind.gas,
        emitters=(vault,),
    )


def market_id(context: VenueContext, pool: Address) -> MarketId:
    """The market's name: instance and pool address."""
    return MarketId(f"{context.instance}/{pool}")


def balances_of(pool: Pool, answer: tuple[AbiValue, ...]) -> tuple[int, ...] | None:
    """The balances of the pool's assets in the vault's answer; None where it tells of other tokens."""
    tokens, balances = texts(answer[0]), numbers(answer[1])
    if tokens != pool.tokens or len(balances) != len(tokens):
        return None
    held = dict(zip(tokens, balances, strict=True))
    return tuple(held[asset] for asset in pool.assets)
