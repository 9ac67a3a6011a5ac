"""Orders, trades and books of order venues, in the venue's own integer steps of price and size."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sep_hooks.types.amount import Amount, Quantity

type Level = tuple[int, int]
"""A price in ticks and all that rests there, in lots."""


class OrderSide(StrEnum):
    """Whether the market's base asset is bought or sold."""

    BUY = "BUY"
    SELL = "SELL"


class TimeInForce(StrEnum):
    """How long an order may rest."""

    GOOD_TILL_CANCELLED = "GOOD_TILL_CANCELLED"
    """What is not taken at once rests until it is filled or cancelled."""
    IMMEDIATE_OR_CANCEL = "IMMEDIATE_OR_CANCEL"
    """What is not taken at once is cancelled."""
    FILL_OR_KILL = "FILL_OR_KILL"
    """All of it is taken at once, or nothing."""
    POST_ONLY = "POST_ONLY"
    """It rests and takes nothing, or it is rejected."""


class OrderState(StrEnum):
    """Where the venue has an order."""

    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"

    @property
    def closed(self) -> bool:
        """Whether nothing of the order can trade any more."""
        return self is not OrderState.OPEN


@dataclass(frozen=True, slots=True)
class OrderMarket:
    """One book. `base` and `quote` are the venue's own codes of its assets, decimals the power of their base units.

    A lot is `lot` base units of the base asset; at a price of one tick it costs `tick` base units of the quote asset.
    Fees are in the quote asset, on top of what a buyer pays and out of what a seller gets, rounded up over all trades
    of an order together; a negative maker fee is a rebate.
    """

    name: str
    base: str
    quote: str
    base_decimals: int
    quote_decimals: int
    lot: Amount
    tick: Amount
    least_notional: Amount
    most_lots: int
    maker_fee_ppm: int
    taker_fee_ppm: int


@dataclass(frozen=True, slots=True)
class BookOrder:
    """What a plan's step asks of a book: at most `price` to buy, at least `price` to sell, for each of `size` lots."""

    market: str
    side: OrderSide
    price: int
    size: int
    time_in_force: TimeInForce


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order as it is sent. The venue takes no request in after `expires_at`, however late it arrives.

    `client_order_id` is ours, unique for ever: the identity by which the order is found again.
    """

    client_order_id: str
    market: str
    side: OrderSide
    price: int
    size: int
    time_in_force: TimeInForce
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OrderReport:
    """What the venue knows of an order now; `size` and `filled` in lots, `reason` why it closed unfilled."""

    client_order_id: str
    venue_order_id: str
    market: str
    side: OrderSide
    state: OrderState
    price: int
    size: int
    filled: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OrderTrade:
    """One trade of an order, under the venue's own id; a negative fee is a rebate. `fee_asset` is a code."""

    trade_id: str
    client_order_id: str
    market: str
    side: OrderSide
    price: int
    size: int
    fee_asset: str
    fee: Quantity
    maker: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class VenueBalance:
    """What the account holds of an asset at the venue, in base units; `held` is bound by open orders."""

    asset: str
    free: Amount
    held: Amount


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    """A whole book, best levels first; `sequence` counts its changes."""

    market: str
    sequence: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class BookDelta:
    """Levels that changed, with their new sizes; a size of zero takes the level away.

    It follows on the book of sequence `previous`; on any other it says nothing, and a snapshot is needed.
    """

    market: str
    previous: int
    sequence: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    at: datetime


type BookUpdate = BookSnapshot | BookDelta
