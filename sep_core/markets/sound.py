"""What a market and a state can be at all: venues are foreign code, and answer anything."""

import re
from typing import Final, TypeIs

from sep_hooks.errors import SepError
from sep_hooks.types import (
    MAX_AMOUNT,
    MOST_MARKET_ASSETS,
    BlockRef,
    ConcentratedLiquidityState,
    ConstantProductState,
    Ladder,
    LaneState,
    LiquidityFamily,
    Market,
    MarketState,
    OrderBookState,
    SampledState,
    StableRule,
    StableSwapState,
    WeightedProductState,
    address,
    chain_of,
    token_address,
)

_NAME: Final = re.compile(r"[\x21-\x7e]{1,200}")
_WHOLE_PPM: Final = 1_000_000
_MOST_GAS: Final = 2**32
_MOST_FIGURES: Final = 200_000
_LONGEST_REASON: Final = 300


def is_market(item: object) -> TypeIs[Market]:
    """Whether something is a market by the types of its fields."""
    if not isinstance(item, Market):
        return False
    lists: tuple[object, ...] = (item.assets, item.emitters)
    if not all(isinstance(one, tuple) and _all(one, str) for one in lists):
        return False
    place: object = item.address
    return (
        _all((item.id, item.venue, item.chain), str)
        and (place is None or type(place) is str)
        and _all((item.fee_ppm, item.gas), int)
        and isinstance(item.family, LiquidityFamily)
    )


def is_state(item: object) -> TypeIs[MarketState]:
    """Whether something is a state by the types of its fields."""
    numbers = _numbers(item)
    if numbers is None or len(numbers) > _MOST_FIGURES:
        return False
    at: object = getattr(item, "block", None)
    placed = isinstance(at, BlockRef) and type(at.number) is int and type(at.hash) is str
    return placed and type(getattr(item, "market", None)) is str and _all(numbers, int)


def market_trouble(market: Market) -> str:
    """Why a market cannot be, whatever its venue; empty where it can."""
    if not _NAME.fullmatch(market.id):
        return "its id is not of 1 to 200 printable characters without blanks"
    if not 2 <= len(market.assets) <= MOST_MARKET_ASSETS:
        return f"it has {len(market.assets)} assets, where 2 to {MOST_MARKET_ASSETS} can be"
    try:
        contracts = [*market.emitters, *(() if market.address is None else (market.address,))]
        written = [one == address(one) for one in contracts]
        written += [address(token_address(one)) == token_address(one) for one in market.assets]
    except SepError as error:
        return shortened(error.message)
    if not all(written):
        return "its addresses are not in lower case"
    if len(set(market.assets)) < len(market.assets) or {chain_of(one) for one in market.assets} != {
        market.chain
    }:
        return "its assets are not distinct ones of its chain"
    if not 0 <= market.fee_ppm < _WHOLE_PPM or not 0 <= market.gas <= _MOST_GAS:
        return f"its fee is {market.fee_ppm} millionths and a swap takes {market.gas} gas"
    return ""


def state_trouble(market: Market, state: MarketState) -> str:
    """Why a state cannot be one of this market; empty where it can."""
    if state.market != market.id or state.family is not market.family:
        return "its state is one of another market"
    assets = len(market.assets)
    match state:
        case ConstantProductState() | ConcentratedLiquidityState():
            if not 0 <= state.fee_ppm < _WHOLE_PPM:
                return f"its fee is {state.fee_ppm} millionths"
            fits = assets == 2
        case StableSwapState():
            fits = len(state.balances) == len(state.rates) == assets
        case WeightedProductState():
            fits = len(state.balances) == len(state.scaling) == len(state.weights) == assets
        case OrderBookState() | LaneState():
            fits = assets == 2
        case _:
            fits = all({one.asset_in, one.asset_out} <= set(market.assets) for one in state.ladders)
            pairs = {(one.asset_in, one.asset_out) for one in state.ladders}
            fits = fits and len(pairs) == len(state.ladders)
    if not fits:
        return f"its state does not fit its {assets} assets"
    if not all(0 <= one <= MAX_AMOUNT for one in _amounts(state)):
        return "it holds what no amount can be"
    return ""


def shortened(text: str) -> str:
    """A text of foreign code as the log can hold it."""
    return " ".join(text.split())[:_LONGEST_REASON].encode("utf-8", "replace").decode()


def _numbers(item: object) -> tuple[object, ...] | None:
    """All that must be a whole number; None where something is no state, or not built as one."""
    match item:
        case ConstantProductState():
            return (item.reserve0, item.reserve1, item.fee_ppm)
        case ConcentratedLiquidityState():
            if not (_pairs(item.ticks) and _pairs((item.loaded,))):
                return None
            return (item.sqrt_price_x96, item.tick, item.liquidity, item.fee_ppm, item.tick_spacing)
        case StableSwapState():
            if not (_tuples(item.balances, item.rates) and isinstance(item.rule, StableRule)):
                return None
            return (*item.balances, *item.rates, item.amplification, item.fee)
        case WeightedProductState():
            if not _tuples(item.balances, item.scaling, item.weights):
                return None
            return (*item.balances, *item.scaling, *item.weights, item.fee)
        case OrderBookState():
            if not (_pairs(item.bids) and _pairs(item.asks)):
                return None
            terms = (item.sequence, item.lot, item.tick, item.taker_fee_ppm, item.least_notional)
            return (*terms, *(one for level in (*item.bids, *item.asks) for one in level))
        case LaneState():
            if not _pairs((item.rate,)):
                return None
            return (*item.rate, item.fee_ppm, item.fixed_fee, item.capacity, item.delay_seconds)
        case SampledState():
            if not (_tuples(item.ladders) and all(_is_ladder(one) for one in item.ladders)):
                return None
            return tuple(one for ladder in item.ladders for sample in ladder.samples for one in sample)
        case _:
            return None


def _amounts(state: MarketState) -> tuple[int, ...]:
    """What must lie between 0 and the largest amount."""
    match state:
        case ConcentratedLiquidityState():
            return (state.sqrt_price_x96, state.liquidity)
        case _:
            numbers = _numbers(state) or ()
            return tuple(one for one in numbers if isinstance(one, int))


def _is_ladder(item: object) -> bool:
    return isinstance(item, Ladder) and _all((item.asset_in, item.asset_out), str) and _pairs(item.samples)


def _tuples(*values: object) -> bool:
    return all(isinstance(one, tuple) for one in values)


def _all(values: tuple[object, ...], kind: type) -> bool:
    # A flag is no number, and a class of its own may do anything when it is compared.
    return all(type(one) is kind for one in values)


def _pairs(values: object) -> bool:
    return isinstance(values, tuple) and all(
        isinstance(one, tuple) and len(one) == 2 and _all(one, int) for one in values
    )
