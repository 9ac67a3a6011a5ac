"""The pool's events: what each does to a state, and which are fills."""

from dataclasses import replace

from sep_hooks.errors import NeedTicks
from sep_hooks.types import BlockRef, ConcentratedLiquidityState, DecodedLog

SIGNATURES = (
    "event Initialize(uint160 sqrtPriceX96, int24 tick)",
    "event Mint(address sender, address indexed owner, int24 indexed tickLower, int24 indexed tickUpper,"
    " uint128 amount, uint256 amount0, uint256 amount1)",
    "event Burn(address indexed owner, int24 indexed tickLower, int24 indexed tickUpper,"
    " uint128 amount, uint256 amount0, uint256 amount1)",
    "event Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1,"
    " uint160 sqrtPriceX96, uint128 liquidity, int24 tick)",
)


def after(state: ConcentratedLiquidityState, log: DecodedLog, block: BlockRef) -> ConcentratedLiquidityState:
    """The state after one of the pool's logs.

    Raises `NeedTicks` where a burn may have emptied a tick: its gross liquidity is not known.
    """
    match log.event:
        case "Initialize":
            return replace(
                state, block=block, sqrt_price_x96=argument(log, "sqrtPriceX96"), tick=argument(log, "tick")
            )
        case "Swap":
            return replace(
                state,
                block=block,
                sqrt_price_x96=argument(log, "sqrtPriceX96"),
                tick=argument(log, "tick"),
                liquidity=argument(log, "liquidity"),
            )
        case "Mint":
            return _with_position(state, log, argument(log, "amount"), block)
        case "Burn":
            return _with_position(state, log, -argument(log, "amount"), block)
        case _:
            return replace(state, block=block)


def argument(log: DecodedLog, name: str) -> int:
    """An integer argument of a log."""
    value = log.arguments[name]
    assert isinstance(value, int)
    return value


def _with_position(
    state: ConcentratedLiquidityState, log: DecodedLog, delta: int, block: BlockRef
) -> ConcentratedLiquidityState:
    if delta == 0:  # a burn of nothing only collects fees
        return replace(state, block=block)
    lower, upper = argument(log, "tickLower"), argument(log, "tickUpper")
    ticks = dict(state.ticks)
    for tick, change in ((lower, delta), (upper, -delta)):
        if not state.loaded[0] <= tick <= state.loaded[1]:
            continue
        net = ticks.get(tick, 0) + change
        if net == 0 and delta < 0:
            raise NeedTicks(f"{state.market}: tick {tick} may be empty after a burn; read it again")
        ticks[tick] = net
    inside = lower <= state.tick < upper
    return replace(
        state,
        block=block,
        ticks=tuple(sorted(ticks.items())),
        liquidity=state.liquidity + delta if inside else state.liquidity,
    )
