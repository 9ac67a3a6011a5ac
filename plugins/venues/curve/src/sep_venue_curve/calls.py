"""Orders as calls of the pool itself."""

from collections.abc import Mapping

from sep_hooks.context import Abi
from sep_hooks.errors import Permanent, VenueError
from sep_hooks.types import Amount, MarketId, SwapOrder, token_address

from .pools import Pool

EXCHANGE = "exchange(int128,int128,uint256,uint256)"
QUOTE = "get_dy(int128,int128,uint256)"


def pool_of(order: SwapOrder, pools: Mapping[MarketId, Pool]) -> Pool:
    """The pool of an order. Raises `VenueError` where it has not exactly one leg through a pool that is known."""
    if len(order.legs) != 1:
        raise VenueError(f"a pool of Curve takes orders of one leg, this has {len(order.legs)}")
    pool = pools.get(order.legs[0].market)
    if pool is None:
        raise VenueError(
            f"{order.legs[0].market} is no market of this venue", next_step="list its markets first"
        )
    return pool


def swap_data(abi: Abi, order: SwapOrder, pools: Mapping[MarketId, Pool]) -> bytes:
    """An exchange of the exact input for at least the order's output; the pool pays its caller.

    For an exact output that input is the leg's own, which must lie within the order's limit.
    """
    pool = pool_of(order, pools)
    sold = _sold(order)
    if sold <= 0 or order.amount_out <= 0:
        raise VenueError("an order needs amounts above zero")
    if sold > order.amount_in:
        raise VenueError(f"the order may spend {order.amount_in}, its leg needs {sold}")
    return abi.encode_call(EXCHANGE, (*_indices(order, pool), sold, order.amount_out))


def quote_data(abi: Abi, order: SwapOrder, pools: Mapping[MarketId, Pool]) -> bytes:
    """The pool's own quote of the exact input."""
    pool = pool_of(order, pools)
    return abi.encode_call(QUOTE, (*_indices(order, pool), _sold(order)))


def quoted(abi: Abi, order: SwapOrder, output: bytes) -> Amount:
    """What comes out; for an exact output the leg's input, where the pool says that it is enough.

    Raises `VenueError` where it is not, and for any other answer.
    """
    try:
        (amount,) = abi.decode("(uint256)", output)
    except Permanent as error:
        raise VenueError(f"the pool answered something else: {error}") from error
    assert isinstance(amount, int)
    if order.exact_in:
        return Amount(amount)
    if amount < order.amount_out:
        raise VenueError(f"{_sold(order)} buys {amount} now, {order.amount_out} is wanted")
    return _sold(order)


def _sold(order: SwapOrder) -> Amount:
    return order.amount_in if order.exact_in else order.legs[0].amount_in


def _indices(order: SwapOrder, pool: Pool) -> tuple[int, int]:
    (leg,) = order.legs
    coin_in, coin_out = token_address(leg.asset_in), token_address(leg.asset_out)
    if coin_in == coin_out or coin_in not in pool.coins or coin_out not in pool.coins:
        raise VenueError(f"{leg.market} does not exchange {leg.asset_in} for {leg.asset_out}")
    return pool.coins.index(coin_in), pool.coins.index(coin_out)
