"""The call of an account's executor: several trades in one transaction, all of them or nothing.

The executor takes the most of each asset that may be spent, runs the trades, and gives all that it holds then to
its owner; it reverts unless enough of each wanted asset came.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sep_hooks.errors import VenueError
from sep_hooks.types import Address, Amount, AssetId, Bundle, Call, SwapOrder, Trade, token_address

from sep_core.planning.native import encode_call

EXECUTE: Final = (
    "execute(address[],uint256[],uint256[],"
    "(address,address,uint256,uint256,uint256,uint256)[],bytes[],uint256)"
)
MOST_TRADES: Final = 32
MOST_TOKENS: Final = 24
LONGEST_CALL_BYTES: Final = 1024
REST: Final = 2**256 - 1

_WORD: Final = 32
_OTHER_AMOUNT: Final = 0x5EED_0FF5E7


@dataclass(frozen=True, slots=True)
class VenueCall:
    """A trade as its venue wants it: the call, who takes the input, and where in the call its amount stands."""

    trade: Trade
    call: Call
    spender: Address
    places: tuple[int, ...]


def venue_call(
    trade: Trade, swap_call: Callable[[SwapOrder], Call], spender: Callable[[SwapOrder], Address]
) -> VenueCall:
    """A trade's call. Raises `VenueError` where an executor cannot make it."""
    order = trade.order
    call = swap_call(order)
    if call.value:
        raise VenueError(f"its call sends {call.value} wei along, though tokens are spent")
    if not 4 <= len(call.data) <= LONGEST_CALL_BYTES:
        raise VenueError(f"its call has {len(call.data)} bytes, an executor takes 4 to {LONGEST_CALL_BYTES}")
    places = amount_places(order, call, swap_call) if trade.takes_rest else ()
    return VenueCall(trade, call, spender(order), places)


def amount_places(order: SwapOrder, call: Call, swap_call: Callable[[SwapOrder], Call]) -> tuple[int, ...]:
    """Where in a call the amount in stands, so that another one can be written there: found by asking the venue for
    the same order with another amount. Raises `VenueError` where that is not clear.
    """
    other = Amount(order.amount_in + _OTHER_AMOUNT)
    first = order.legs[0]
    legs = (replace(first, amount_in=other), *order.legs[1:])
    changed = swap_call(replace(order, legs=legs, amount_in=other))
    old, new = call.data, changed.data
    places = [
        place
        for place in range(4, len(old) - _WORD + 1, _WORD)
        if old[place : place + _WORD] != new[place : place + _WORD]
    ]
    written = bytearray(old)
    for place in places:
        if old[place : place + _WORD] != order.amount_in.to_bytes(_WORD):
            raise VenueError("its call depends on the amount in another way than by holding it")
        written[place : place + _WORD] = other.to_bytes(_WORD)
    if not 1 <= len(places) <= 2 or bytes(written) != new or changed.to != call.to:
        raise VenueError("its call does not say where the amount stands, so that no other can be put there")
    return tuple(places)


def bundle_call(bundle: Bundle, calls: Sequence[VenueCall]) -> Call:
    """The transaction that runs a bundle. Raises `VenueError` where an executor cannot run it."""
    touched = {flow.asset for flow in (*bundle.spends, *bundle.receives)}
    touched |= {
        asset for one in calls for leg in one.trade.order.legs for asset in (leg.asset_in, leg.asset_out)
    }
    tokens = sorted(token_address(asset) for asset in touched)
    if len(calls) > MOST_TRADES or len(tokens) > MOST_TOKENS:
        raise VenueError(f"an executor runs at most {MOST_TRADES} trades over {MOST_TOKENS} tokens")
    for one in calls:
        if one.call.to in tokens:
            raise VenueError(
                f"{one.trade.venue} calls the token {one.call.to} itself, which no executor does"
            )
    taken = {token_address(flow.asset): int(flow.limit) for flow in bundle.spends}
    least = {token_address(flow.asset): int(flow.limit) for flow in bundle.receives}
    rows = tuple(_row(one, tokens) for one in calls)
    arguments = (
        tuple(tokens),
        tuple(taken.get(token, 0) for token in tokens),
        tuple(least.get(token, 0) for token in tokens),
        rows,
        tuple(one.call.data for one in calls),
        bundle.deadline,
    )
    return Call(bundle.executor, encode_call(EXECUTE, arguments))


def _row(one: VenueCall, tokens: Sequence[Address]) -> tuple[Address, Address, int, int, int, int]:
    order = one.trade.order
    first, second = (*one.places, 0, 0)[:2]
    amount = REST if one.trade.takes_rest else int(order.amount_in)
    return one.call.to, one.spender, tokens.index(_token(order.asset_in)), amount, first, second


def _token(asset: AssetId) -> Address:
    return token_address(asset)
