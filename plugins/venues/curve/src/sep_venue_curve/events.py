"""The pool's events, and which of them are fills."""

from collections.abc import Mapping, Sequence

from sep_hooks.errors import VenueError
from sep_hooks.types import (
    MOST_MARKET_ASSETS,
    Amount,
    DecodedLog,
    Leg,
    MarketId,
    SwapFill,
    SwapOrder,
    token_address,
)

from .pools import Pool

_COUNTS = range(2, MOST_MARKET_ASSETS + 1)

SIGNATURES = (
    "event TokenExchange(address indexed buyer, int128 sold_id, uint256 tokens_sold, int128 bought_id,"
    " uint256 tokens_bought)",
    *(
        f"event AddLiquidity(address indexed provider, uint256[{count}] token_amounts, uint256[{count}] fees,"
        " uint256 invariant, uint256 token_supply)"
        for count in _COUNTS
    ),
    *(
        f"event RemoveLiquidity(address indexed provider, uint256[{count}] token_amounts, uint256[{count}] fees,"
        " uint256 token_supply)"
        for count in _COUNTS
    ),
    *(
        f"event RemoveLiquidityImbalance(address indexed provider, uint256[{count}] token_amounts,"
        f" uint256[{count}] fees, uint256 invariant, uint256 token_supply)"
        for count in _COUNTS
    ),
    "event RemoveLiquidityOne(address indexed provider, uint256 token_amount, uint256 coin_amount)",
    "event RemoveLiquidityOne(address indexed provider, uint256 token_amount, uint256 coin_amount,"
    " uint256 token_supply)",
    "event RampA(uint256 old_A, uint256 new_A, uint256 initial_time, uint256 future_time)",
    "event StopRampA(uint256 A, uint256 t)",
    "event NewFee(uint256 fee, uint256 admin_fee)",
)


def fills_of(
    order: SwapOrder, logs: Sequence[DecodedLog], pools: Mapping[MarketId, Pool]
) -> Sequence[SwapFill]:
    """The one fill of the order. Raises `VenueError` where the logs do not show exactly one exchange of it.

    The pool names its caller as buyer, and that is the order's recipient.
    """
    return [_fill(leg, order, logs, pools) for leg in order.legs]


def _fill(leg: Leg, order: SwapOrder, logs: Sequence[DecodedLog], pools: Mapping[MarketId, Pool]) -> SwapFill:
    pool = pools.get(leg.market)
    if pool is None:
        raise VenueError(f"{leg.market} is no market of this venue", next_step="list its markets first")
    own = [
        log
        for log in logs
        if log.event == "TokenExchange"
        and log.log.address == pool.address
        and log.arguments.get("buyer") == order.recipient
    ]
    if len(own) != 1:
        raise VenueError(
            f"{leg.market}: {len(own)} exchanges of {order.recipient} in the logs, where one was expected"
        )
    (log,) = own
    names = ("sold_id", "bought_id", "tokens_sold", "tokens_bought")
    sold, bought, amount_in, amount_out = (_argument(log, name) for name in names)
    expected = pool.coins.index(token_address(leg.asset_in)), pool.coins.index(token_address(leg.asset_out))
    if (sold, bought) != expected:
        raise VenueError(f"{leg.market}: coin {sold} was sold for coin {bought}, not as the order says")
    return SwapFill(
        market=leg.market,
        asset_in=leg.asset_in,
        amount_in=Amount(amount_in),
        asset_out=leg.asset_out,
        amount_out=Amount(amount_out),
        ordinal=log.log.ordinal,
    )


def _argument(log: DecodedLog, name: str) -> int:
    value = log.arguments[name]
    assert isinstance(value, int)
    return value
