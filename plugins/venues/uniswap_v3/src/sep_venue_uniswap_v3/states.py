"""Pool states, all parts of each at the same block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import Read, number, read_each
from sep_hooks.errors import VenueError
from sep_hooks.types import Address, BlockRef, ConcentratedLiquidityState

from .pools import Pool, market_id
from .ticks import Window, first_window, read_ticks

_SLOT0 = "(uint160,int24,uint16,uint16,uint16,uint8,bool)"


@dataclass(frozen=True, slots=True)
class Spot:
    """A pool's price and the liquidity there."""

    sqrt_price_x96: int
    tick: int
    liquidity: int


async def read_spots(context: VenueContext, pools: Sequence[Pool], at: BlockRef) -> Mapping[Address, Spot]:
    """Price and liquidity of each pool; one that cannot be read or has no price yet is absent.

    Raises `VenueError` where none can be read.
    """
    reads = [
        read
        for pool in pools
        for read in (
            Read(pool.address, "slot0()", (), _SLOT0),
            Read(pool.address, "liquidity()", (), "(uint128)"),
        )
    ]
    answers = await read_each(context, reads, at)
    spots: dict[Address, Spot] = {}
    failure: VenueError | None = None
    for pool, slot0, liquidity in zip(pools, answers[::2], answers[1::2], strict=True):
        if isinstance(slot0, VenueError):
            failure = slot0
        elif isinstance(liquidity, VenueError):
            failure = liquidity
        elif number(slot0[0]) > 0:
            spots[pool.address] = Spot(number(slot0[0]), number(slot0[1]), number(liquidity[0]))
    if failure is not None and not spots:
        raise failure
    return spots


async def read_states(
    context: VenueContext,
    pools: Sequence[Pool],
    lens: Address | None,
    at: BlockRef,
    windows: Mapping[Address, Window],
) -> Sequence[ConcentratedLiquidityState]:
    """The states of pools that have a price, with the ticks of the given windows, else those near the price."""
    spots = await read_spots(context, pools, at)
    chosen = {
        pool.address: windows.get(pool.address) or first_window(spots[pool.address].tick, pool.tick_spacing)
        for pool in pools
        if pool.address in spots
    }
    ticks = await read_ticks(context, chosen, lens, at)
    return [
        ConcentratedLiquidityState(
            market=market_id(context, pool.address),
            block=at,
            sqrt_price_x96=spots[pool.address].sqrt_price_x96,
            tick=spots[pool.address].tick,
            liquidity=spots[pool.address].liquidity,
            fee_ppm=pool.fee_ppm,
            tick_spacing=pool.tick_spacing,
            ticks=ticks[pool.address],
            loaded=chosen[pool.address].loaded,
        )
        for pool in pools
        if pool.address in ticks
    ]
