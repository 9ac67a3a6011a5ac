"""What a trade of an order can be at all: the venue is foreign, and lists anything."""

import re
from typing import Final

from sep_hooks.types import MAX_AMOUNT, OrderSide, OrderTrade

from sep_core.events.values import utc_text
from sep_core.execution.orders.lane import OrderEntry

LARGEST: Final = 2**53 - 1
"""The most ticks or lots that the log can say."""

_ID: Final = re.compile(r"[\x20-\x7e]{1,200}")


def trade_trouble(entry: OrderEntry, trade: OrderTrade) -> str:
    """Why a trade cannot be one of this order; empty where it can."""
    if not _ID.fullmatch(trade.trade_id):
        return "its id is not of 1 to 200 printable characters"
    if trade.market != entry.market:
        return f"trade {trade.trade_id} is of another market than {entry.market}"
    if not 0 < trade.size <= entry.size or not 0 < trade.price <= LARGEST:
        return f"trade {trade.trade_id} has a size or a price that none of {entry.size} lots has"
    if (trade.price > entry.price) if entry.side is OrderSide.BUY else (trade.price < entry.price):
        return f"trade {trade.trade_id} is at {trade.price} ticks, the order's limit is {entry.price}"
    worth = trade.price * trade.size * entry.units.tick
    if worth > MAX_AMOUNT or abs(trade.fee) > worth:
        return f"trade {trade.trade_id} has a fee or a worth that no trade has"
    try:
        utc_text(trade.at)
    except ValueError as error:
        return f"trade {trade.trade_id} is at no time: {error}"
    return ""
