"""What a market and a state can be at all: venues are foreign code, and answer anything."""

import re
from typing import Final, TypeIs

from sep_hooks.errors import SepError
from sep_hooks.types import (
    MAX_AMOUNT,
    BlockRef,
    ConcentratedLiquidityState,
    ConstantProductState,
    LiquidityFamily,
    Market,
    MarketState,
    address,
    chain_of,
    token_address,
)

_NAME: Final = re.compile(r"[\x21-\x7e]{1,200}")
_WHOLE_PPM: Final = 1_000_000
_MOST_GAS: Final = 2**32
_LONGEST_REASON: Final = 300


def is_market(item: object) -> TypeIs[Market]:
    """Whether something is a market by the types of its fields."""
    if not isinstance(item, Market):
        return False
    texts = (item.id, item.venue, item.chain, item.address, item.asset0, item.asset1)
    numbers = (item.fee_ppm, item.gas)
    return _all(texts, str) and _all(numbers, int) and isinstance(item.family, LiquidityFamily)


def is_state(item: object) -> TypeIs[MarketState]:
    """Whether something is a state by the types of its fields."""
    match item:
        case ConstantProductState():
            numbers: tuple[object, ...] = (item.reserve0, item.reserve1, item.fee_ppm)
        case ConcentratedLiquidityState():
            if not (_pairs(item.ticks) and _pairs((item.loaded,))):
                return False
            numbers = (item.sqrt_price_x96, item.tick, item.liquidity, item.fee_ppm, item.tick_spacing)
        case _:
            return False
    at: object = item.block
    placed = isinstance(at, BlockRef) and type(at.number) is int and type(at.hash) is str
    return placed and type(item.market) is str and _all(numbers, int)


def market_trouble(market: Market) -> str:
    """Why a market cannot be, whatever its venue; empty where it can."""
    if not _NAME.fullmatch(market.id):
        return "its id is not of 1 to 200 printable characters without blanks"
    try:
        placed = address(market.address) == market.address
        tokens = [address(token_address(one)) == token_address(one) for one in (market.asset0, market.asset1)]
    except SepError as error:
        return shortened(error.message)
    if not placed or not all(tokens):
        return "its addresses are not in lower case"
    if market.asset0 == market.asset1 or {chain_of(market.asset0), chain_of(market.asset1)} != {market.chain}:
        return "its assets are not two of its chain"
    if not 0 <= market.fee_ppm < _WHOLE_PPM or not 0 <= market.gas <= _MOST_GAS:
        return f"its fee is {market.fee_ppm} millionths and a swap takes {market.gas} gas"
    return ""


def state_trouble(market: Market, state: MarketState) -> str:
    """Why a state cannot be one of this market; empty where it can."""
    product = isinstance(state, ConstantProductState)
    if state.market != market.id or product != (market.family is LiquidityFamily.CONSTANT_PRODUCT):
        return "its state is one of another market"
    if not 0 <= state.fee_ppm < _WHOLE_PPM:
        return f"its fee is {state.fee_ppm} millionths"
    amounts = (
        (state.reserve0, state.reserve1)
        if isinstance(state, ConstantProductState)
        else (state.sqrt_price_x96, state.liquidity)
    )
    if not all(0 <= one <= MAX_AMOUNT for one in amounts):
        return "it holds what no amount can be"
    return ""


def shortened(text: str) -> str:
    """A text of foreign code as the log can hold it."""
    return " ".join(text.split())[:_LONGEST_REASON].encode("utf-8", "replace").decode()


def _all(values: tuple[object, ...], kind: type) -> bool:
    # A flag is no number, and a class of its own may do anything when it is compared.
    return all(type(one) is kind for one in values)


def _pairs(values: object) -> bool:
    return isinstance(values, tuple) and all(
        isinstance(one, tuple) and len(one) == 2 and _all(one, int) for one in values
    )
