"""Pool states, all parts of each at the same block."""

from collections.abc import Iterator, Sequence

from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import Read, Reading, number, read_each, timestamp_of
from sep_hooks.errors import VenueError
from sep_hooks.types import (
    AbiValue,
    Address,
    BlockRef,
    MarketState,
    StableRule,
    StableSwapState,
    WeightedProductState,
)

from .pools import ONE, POOL_TOKENS, POOL_TOKENS_RETURNS, Pool, PoolKind, balances_of, market_id

type _Answers = Iterator[tuple[AbiValue, ...]]

_AMPLIFICATION_PRECISION = 1000
_PAUSED = "getPausedState()"
_PAUSED_RETURNS = "(bool,uint256,uint256)"


async def read_states(
    context: VenueContext, pools: Sequence[Pool], vault: Address, at: BlockRef
) -> Sequence[MarketState]:
    """The states of pools that can be predicted; one that is paused or whose amplification moves is absent.

    Raises `VenueError` where none is left.
    """
    rates_age = any(provider for pool in pools for provider in pool.rate_providers)
    now = await timestamp_of(context, at) if rates_age else 0
    questions = [_questions(pool, vault) for pool in pools]
    readings = iter(await read_each(context, [read for reads in questions for read in reads], at))
    states: list[MarketState] = []
    failure: VenueError | None = None
    for pool, reads in zip(pools, questions, strict=True):
        own = [next(readings) for _ in reads]
        try:
            states.append(_state(context, pool, _answers(own), now, at))
        except VenueError as error:
            failure = error
    if failure is not None and not states:
        raise failure
    return states


def _questions(pool: Pool, vault: Address) -> Sequence[Read]:
    reads = [
        Read(vault, POOL_TOKENS, (pool.id,), POOL_TOKENS_RETURNS),
        Read(pool.address, "getSwapFeePercentage()", (), "(uint256)"),
        Read(pool.address, _PAUSED, (), _PAUSED_RETURNS),
    ]
    if pool.kind is PoolKind.STABLE:
        reads.append(Read(pool.address, "getAmplificationParameter()", (), "(uint256,bool,uint256)"))
    for asset, provider in zip(pool.assets, pool.rate_providers, strict=True):
        if provider is not None:
            cache = "(uint256,uint256,uint256,uint256)"
            reads.append(Read(pool.address, "getTokenRateCache(address)", (asset,), cache))
            reads.append(Read(provider, "getRate()", (), "(uint256)"))
    return reads


def _answers(readings: Sequence[Reading]) -> _Answers:
    """The answers one by one. Raises `VenueError` at the first that could not be had."""
    for reading in readings:
        if isinstance(reading, VenueError):
            raise reading
        yield reading


def _state(context: VenueContext, pool: Pool, answers: _Answers, now: int, at: BlockRef) -> MarketState:
    balances = balances_of(pool, next(answers))
    fee = number(next(answers)[0])
    if balances is None:
        raise VenueError(f"{pool.address}: the vault tells of other tokens than before; discover it again")
    if next(answers)[0]:
        raise VenueError(f"{pool.address} is paused")
    market = market_id(context, pool.address)
    if pool.kind is PoolKind.WEIGHTED:
        return WeightedProductState(market, at, balances, pool.scaling, pool.weights, fee)
    amplification, moves, precision = next(answers)
    if moves:
        raise VenueError(f"{pool.address}: its amplification is being moved, each second to another one")
    if precision != _AMPLIFICATION_PRECISION:
        raise VenueError(f"{pool.address}: its amplification is kept times {precision!r}")
    rates = tuple(
        scale if provider is None else scale * _rate(answers, now) // ONE
        for scale, provider in zip(pool.scaling, pool.rate_providers, strict=True)
    )
    return StableSwapState(market, at, balances, rates, number(amplification), fee, StableRule.BALANCER)


def _rate(answers: _Answers, now: int) -> int:
    """The rate that the next swap works with: the pool's own until it expires, then the provider's."""
    cached, _, _, expires = next(answers)
    current = number(next(answers)[0])
    return current if number(expires) <= now else number(cached)
