"""What a market of an order venue and an update of its book can be at all: venues are foreign code."""

import re
from datetime import datetime, timedelta
from typing import Final

from sep_hooks.types import MAX_AMOUNT, BookUpdate, OrderMarket

from sep_core.events.values import utc_text

LARGEST: Final = 2**53 - 1
"""The most ticks, lots or changes that the log can say."""

AHEAD: Final = timedelta(minutes=10)
"""How far ahead of ours the clock of a venue may be."""

_NAME: Final = re.compile(r"[\x20-\x7e]{1,200}")
_WHOLE_PPM: Final = 1_000_000
_MOST_DECIMALS: Final = 77


def is_name(text: str) -> bool:
    """Whether a text of a venue can stand in the log as a name."""
    return _NAME.fullmatch(text) is not None


def time_trouble(moment: datetime) -> str:
    """Why a moment is none that the log can say; empty where it is."""
    try:
        utc_text(moment)
    except (ValueError, OverflowError) as error:
        return str(error)
    return ""


def order_market_trouble(market: OrderMarket) -> str:
    """Why a market cannot be, whatever its venue; empty where it can."""
    if not all(is_name(one) for one in (market.name, market.base, market.quote)):
        return "its name or an asset of it is not of 1 to 200 printable characters"
    if market.base == market.quote:
        return f"it trades {market.base} for itself"
    if not all(0 <= one <= _MOST_DECIMALS for one in (market.base_decimals, market.quote_decimals)):
        return "its assets have decimals that no asset has"
    steps = 0 < market.lot <= MAX_AMOUNT and 0 < market.tick <= MAX_AMOUNT
    if not steps or not 0 <= market.least_notional <= MAX_AMOUNT or not 0 < market.most_lots <= LARGEST:
        return "its lot, tick or bounds of an order are no amounts"
    if not 0 <= market.taker_fee_ppm < _WHOLE_PPM or not abs(market.maker_fee_ppm) < _WHOLE_PPM:
        return "its fees are not less than the whole"
    return ""


def update_trouble(update: BookUpdate, now: datetime) -> str:
    """Why an update cannot be one of any book; empty where it can."""
    if type(update.sequence) is not int or not 0 <= update.sequence <= LARGEST:
        return "its sequence is no count of changes"
    wrong = time_trouble(update.at)
    if wrong:
        return f"it is of no time: {wrong}"
    if update.at > now + AHEAD:
        return f"it is of {update.at.isoformat()}, which is yet to come"
    if any(not price <= LARGEST or not lots <= LARGEST for price, lots in (*update.bids, *update.asks)):
        return "it has a level that no book has"
    return ""
