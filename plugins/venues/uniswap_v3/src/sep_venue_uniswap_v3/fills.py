"""Fills out of a transaction's logs."""

from collections.abc import Sequence

from sep_hooks.errors import VenueError
from sep_hooks.types import Address, Amount, DecodedLog, Leg, SwapFill, SwapOrder

from .events import argument


def fills_of(order: SwapOrder, logs: Sequence[DecodedLog], router: Address) -> Sequence[SwapFill]:
    """One fill for each leg. Raises `VenueError` where a leg has no swap of ours, or more than one."""
    return [_fill(leg, logs, router) for leg in order.legs]


def _fill(leg: Leg, logs: Sequence[DecodedLog], router: Address) -> SwapFill:
    pool = leg.market.rpartition("/")[2]
    own = [
        log
        for log in logs
        if log.event == "Swap" and log.log.address == pool and log.arguments.get("sender") == router
    ]
    if len(own) != 1:
        raise VenueError(f"{leg.market}: {len(own)} swaps of the router in the logs, where one was expected")
    (log,) = own
    amounts = argument(log, "amount0"), argument(log, "amount1")
    paid, received = max(amounts), -min(amounts)
    zero_for_one = leg.asset_in < leg.asset_out  # a pool sorts its tokens by address
    if paid < 0 or received < 0 or (amounts[0] > 0) != zero_for_one:
        raise VenueError(f"{leg.market}: the swap went against the order, amounts {amounts}")
    return SwapFill(
        market=leg.market,
        asset_in=leg.asset_in,
        amount_in=Amount(paid),
        asset_out=leg.asset_out,
        amount_out=Amount(received),
        ordinal=log.log.ordinal,
    )
