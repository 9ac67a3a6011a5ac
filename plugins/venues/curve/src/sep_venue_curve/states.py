"""Pool states, all parts of each at the same block."""

from collections.abc import Sequence

from sep_hooks.context import VenueContext
from sep_hooks.contract_reads import read_each
from sep_hooks.errors import VenueError
from sep_hooks.types import BlockRef, StableRule, StableSwapState

from .pools import Pool, market_id


async def read_states(
    context: VenueContext, pools: Sequence[Pool], at: BlockRef
) -> Sequence[StableSwapState]:
    """The states of pools that can be predicted; one whose amplification is being moved is absent.

    Raises `VenueError` where none is left.
    """
    plans = [pool.reads() for pool in pools]
    answers = iter(await read_each(context, [read for reads in plans for read in reads], at))
    states: list[StableSwapState] = []
    failure: VenueError | None = None
    for pool, reads in zip(pools, plans, strict=True):
        readings = [next(answers) for _ in reads]
        bad = next((one for one in readings if isinstance(one, VenueError)), None)
        if bad is not None:
            failure = bad
            continue
        numbers = pool.numbers([one for one in readings if not isinstance(one, VenueError)])
        if numbers.moves:
            failure = VenueError(
                f"{pool.address}: its amplification is being moved, each second to another one"
            )
            continue
        states.append(
            StableSwapState(
                market=market_id(context, pool.address),
                block=at,
                balances=numbers.balances,
                rates=pool.rates,
                amplification=numbers.amplification,
                fee=numbers.fee,
                rule=StableRule.CURVE,
            )
        )
    if failure is not None and not states:
        raise failure
    return states
