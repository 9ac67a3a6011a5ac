"""Orders as calls of UniswapV2Router02."""

from collections.abc import Mapping

from sep_hooks.context import Abi
from sep_hooks.errors import Permanent, VenueError
from sep_hooks.types import Address, Amount, MarketId, SwapOrder, token_address

from .pairs import Pair

EXACT_IN = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
EXACT_OUT = "swapTokensForExactTokens(uint256,uint256,address[],address,uint256)"
QUOTE_IN = "getAmountsOut(uint256,address[])"
QUOTE_OUT = "getAmountsIn(uint256,address[])"


def swap_data(abi: Abi, order: SwapOrder, pairs: Mapping[MarketId, Pair]) -> bytes:
    """The router's calldata, with limit, recipient and deadline."""
    path = _path(order, pairs)
    if order.amount_in <= 0 or order.amount_out <= 0 or order.deadline <= 0:
        raise VenueError("an order needs amounts and a deadline above zero")
    if order.recipient == "0x" + "00" * 20:
        raise VenueError("nobody cannot receive")
    if order.exact_in:
        amounts = (order.amount_in, order.amount_out)
        return abi.encode_call(EXACT_IN, (*amounts, path, order.recipient, order.deadline))
    amounts = (order.amount_out, order.amount_in)
    return abi.encode_call(EXACT_OUT, (*amounts, path, order.recipient, order.deadline))


def quote_data(abi: Abi, order: SwapOrder, pairs: Mapping[MarketId, Pair]) -> bytes:
    """The router's own quote of the same path and amount."""
    path = _path(order, pairs)
    if order.exact_in:
        return abi.encode_call(QUOTE_IN, (order.amount_in, path))
    return abi.encode_call(QUOTE_OUT, (order.amount_out, path))


def quoted(abi: Abi, order: SwapOrder, output: bytes) -> Amount:
    """The end of the router's list of amounts that was asked for. Raises `VenueError` for anything else."""
    try:
        (amounts,) = abi.decode("(uint256[])", output)
    except Permanent as error:
        raise VenueError(f"the router answered something else: {error}") from error
    if not isinstance(amounts, tuple) or len(amounts) != len(order.legs) + 1:
        raise VenueError("the router answered amounts of another path")
    amount = amounts[-1] if order.exact_in else amounts[0]
    assert isinstance(amount, int)
    return Amount(amount)


def _path(order: SwapOrder, pairs: Mapping[MarketId, Pair]) -> tuple[Address, ...]:
    """The tokens on the way; each leg must go on where the last one ended, through a pair of its own."""
    path: list[Address] = []
    seen: set[MarketId] = set()
    for leg in order.legs:
        pair = pairs.get(leg.market)
        token_in, token_out = token_address(leg.asset_in), token_address(leg.asset_out)
        if pair is None:
            raise VenueError(f"{leg.market} is no market of this venue", next_step="list its markets first")
        if {token_in, token_out} != {pair.token0, pair.token1}:
            raise VenueError(f"{leg.market} does not exchange {leg.asset_in} for {leg.asset_out}")
        if leg.market in seen or (path and path[-1] != token_in):
            raise VenueError(f"the order's path breaks at {leg.market}")
        seen.add(leg.market)
        path += [token_out] if path else [token_in, token_out]
    if not path:
        raise VenueError("the order has no leg")
    return tuple(path)
