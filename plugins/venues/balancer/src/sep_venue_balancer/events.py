"""Events of the vault and of pools: what each does to a state, and which are fills."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sep_hooks.contract_reads import numbers, text, texts
from sep_hooks.errors import VenueError
from sep_hooks.types import (
    Address,
    Amount,
    BlockRef,
    DecodedLog,
    Leg,
    MarketId,
    MarketState,
    StableSwapState,
    SwapFill,
    SwapOrder,
    WeightedProductState,
    token_address,
)

from .pools import ONE, Pool

SIGNATURES = (
    "event Swap(bytes32 indexed poolId, address indexed tokenIn, address indexed tokenOut, uint256 amountIn,"
    " uint256 amountOut)",
    "event PoolBalanceChanged(bytes32 indexed poolId, address indexed liquidityProvider, address[] tokens,"
    " int256[] deltas, uint256[] protocolFeeAmounts)",
    "event PoolBalanceManaged(bytes32 indexed poolId, address indexed assetManager, address indexed token,"
    " int256 cashDelta, int256 managedDelta)",
    "event SwapFeePercentageChanged(uint256 swapFeePercentage)",
    "event AmpUpdateStarted(uint256 startValue, uint256 endValue, uint256 startTime, uint256 endTime)",
    "event AmpUpdateStopped(uint256 currentValue)",
    "event TokenRateCacheUpdated(uint256 indexed tokenIndex, uint256 rate)",
    "event PausedStateChanged(bool paused)",
)


def after(pool: Pool, state: MarketState, log: DecodedLog, block: BlockRef) -> MarketState | None:
    """The state after one of the pool's or the vault's logs; None where the log does not tell enough."""
    assert isinstance(state, WeightedProductState | StableSwapState)
    match log.event:
        case "Swap":
            changes = {
                _address(log, "tokenIn"): _number(log, "amountIn"),
                _address(log, "tokenOut"): -_number(log, "amountOut"),
            }
        case "PoolBalanceChanged":
            deltas, fees = numbers(log.arguments["deltas"]), numbers(log.arguments["protocolFeeAmounts"])
            kept = [delta - fee for delta, fee in zip(deltas, fees, strict=True)]
            changes = dict(zip(texts(log.arguments["tokens"]), kept, strict=True))
        case "SwapFeePercentageChanged":
            return replace(state, block=block, fee=_number(log, "swapFeePercentage"))
        case "TokenRateCacheUpdated" if isinstance(state, StableSwapState):
            asset = pool.tokens[_number(log, "tokenIndex")]
            rate = _number(log, "rate")
            rates = zip(pool.assets, pool.scaling, state.rates, strict=True)
            changed = tuple(scale * rate // ONE if one == asset else now for one, scale, now in rates)
            return replace(state, block=block, rates=changed)
        case _:
            return None
    # A pool's own token may come and go in either: it is none of the assets.
    balances = tuple(
        balance + changes.get(asset, 0) for balance, asset in zip(state.balances, pool.assets, strict=True)
    )
    return None if min(balances) < 0 else replace(state, block=block, balances=balances)


def fills_of(
    order: SwapOrder, logs: Sequence[DecodedLog], pools: Mapping[MarketId, Pool], vault: Address
) -> Sequence[SwapFill]:
    """One fill for each leg. Raises `VenueError` where a leg has no swap in the logs, or more than one."""
    return [_fill(leg, logs, pools, vault) for leg in order.legs]


def _fill(leg: Leg, logs: Sequence[DecodedLog], pools: Mapping[MarketId, Pool], vault: Address) -> SwapFill:
    pool = pools.get(leg.market)
    if pool is None:
        raise VenueError(f"{leg.market} is no market of this venue", next_step="list its markets first")
    tokens = token_address(leg.asset_in), token_address(leg.asset_out)
    own = [
        log
        for log in logs
        if log.event == "Swap"
        and log.log.address == vault
        and log.arguments["poolId"] == pool.id
        and (_address(log, "tokenIn"), _address(log, "tokenOut")) == tokens
    ]
    if len(own) != 1:
        raise VenueError(
            f"{leg.market}: {len(own)} swaps of {tokens[0]} for {tokens[1]} in the logs, where one was expected"
        )
    (log,) = own
    return SwapFill(
        market=leg.market,
        asset_in=leg.asset_in,
        amount_in=Amount(_number(log, "amountIn")),
        asset_out=leg.asset_out,
        amount_out=Amount(_number(log, "amountOut")),
        ordinal=log.log.ordinal,
    )


def _number(log: DecodedLog, name: str) -> int:
    value = log.arguments[name]
    assert isinstance(value, int)
    return value


def _address(log: DecodedLog, name: str) -> Address:
    return text(log.arguments[name])
