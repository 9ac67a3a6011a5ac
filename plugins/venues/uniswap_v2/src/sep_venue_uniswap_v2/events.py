"""The pair's events: what each does to a state, and which are fills."""

from collections.abc import Sequence
from dataclasses import replace

from sep_hooks.errors import VenueError
from sep_hooks.types import (
    Address,
    Amount,
    BlockRef,
    ConstantProductState,
    DecodedLog,
    Leg,
    SwapFill,
    SwapOrder,
)

SIGNATURES = (
    "event Sync(uint112 reserve0, uint112 reserve1)",
    "event Swap(address indexed sender, uint256 amount0In, uint256 amount1In,"
    " uint256 amount0Out, uint256 amount1Out, address indexed to)",
)


def after(state: ConstantProductState, log: DecodedLog, block: BlockRef) -> ConstantProductState:
    """The state after one of the pair's logs: every change of the reserves is told by a `Sync`."""
    if log.event != "Sync":
        return replace(state, block=block)
    return replace(
        state, block=block, reserve0=_argument(log, "reserve0"), reserve1=_argument(log, "reserve1")
    )


def fills_of(order: SwapOrder, logs: Sequence[DecodedLog], router: Address) -> Sequence[SwapFill]:
    """One fill for each leg. Raises `VenueError` where a leg has no swap of ours, or more than one."""
    return [_fill(leg, logs, router) for leg in order.legs]


def _fill(leg: Leg, logs: Sequence[DecodedLog], router: Address) -> SwapFill:
    pair = leg.market.rpartition("/")[2]
    own = [
        log
        for log in logs
        if log.event == "Swap" and log.log.address == pair and log.arguments.get("sender") == router
    ]
    if len(own) != 1:
        raise VenueError(f"{leg.market}: {len(own)} swaps of the router in the logs, where one was expected")
    (log,) = own
    zero_for_one = leg.asset_in < leg.asset_out  # a pair sorts its tokens by address
    paid = _argument(log, "amount0In" if zero_for_one else "amount1In")
    received = _argument(log, "amount1Out" if zero_for_one else "amount0Out")
    if paid == 0 or received == 0:
        raise VenueError(f"{leg.market}: the swap went against the order")
    return SwapFill(
        market=leg.market,
        asset_in=leg.asset_in,
        amount_in=Amount(paid),
        asset_out=leg.asset_out,
        amount_out=Amount(received),
        ordinal=log.log.ordinal,
    )


def _argument(log: DecodedLog, name: str) -> int:
    value = log.arguments[name]
    assert isinstance(value, int)
    return value
