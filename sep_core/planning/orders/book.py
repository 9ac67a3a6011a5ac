"""A book as it is planned on: levels, steps, fees, and what sizes come to, in exact integers."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sep_hooks.types import AssetId, Level, OrderMarket, OrderSide

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class BookView:
    """One book at one moment. `base` and `quote` are its assets as the configuration knows them."""

    venue: str
    market: OrderMarket
    base: AssetId
    quote: AssetId
    sequence: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    at: datetime

    @property
    def digest(self) -> str:
        """What the book held, as a hash."""
        body = [self.venue, self.market.name, self.sequence, self.bids, self.asks]
        return "0x" + hashlib.sha256(json.dumps(body).encode()).hexdigest()

    def against(self, side: OrderSide) -> tuple[Level, ...]:
        """The levels that an order of this side takes from, best first."""
        return self.asks if side is OrderSide.BUY else self.bids


def fee(market: OrderMarket, worth: int) -> int:
    """What taking this much costs besides, rounded up as the venue does."""
    return -(-worth * market.taker_fee_ppm // PPM)


def with_fee(market: OrderMarket, side: OrderSide, worth: int) -> int:
    """What is paid for a purchase, or got for a sale, worth this much."""
    return worth + fee(market, worth) if side is OrderSide.BUY else worth - fee(market, worth)


def at_price(market: OrderMarket, side: OrderSide, price: int, lots: int) -> int:
    """What lots cost or bring, fee included, where all of them trade at one price."""
    return with_fee(market, side, price * lots * market.tick)


@dataclass(frozen=True, slots=True)
class Walk:
    """What taking lots off a book comes to: `worth` before the fee, `last` the price of the last level touched.

    `lots` is less than was asked where the book holds no more.
    """

    lots: int
    worth: int
    last: int


def walk(market: OrderMarket, levels: Sequence[Level], lots: int) -> Walk:
    """Takes lots level by level."""
    left, worth, last = lots, 0, 0
    for price, size in levels:
        if left == 0:
            break
        taken = min(size, left)
        worth += price * taken * market.tick
        left -= taken
        last = price
    return Walk(lots - left, worth, last)


def lots_for_at_most(market: OrderMarket, levels: Sequence[Level], amount: int) -> tuple[int, int]:
    """The most lots whose cost cannot go beyond `amount` whatever they trade at up to a level's price, and that price.

    A cheaper limit buys more for the money but finds fewer lots; the level that gives most is taken.
    """
    best, limit, found = 0, 0, 0
    for price, size in levels:
        found += size
        lots = min(found, _affordable(market, price, amount))
        if lots > best:
            best, limit = lots, price
    return best, limit


def lots_for_at_least(market: OrderMarket, levels: Sequence[Level], amount: int) -> tuple[int, int]:
    """The fewest lots that bring `amount` even where all trade at a level's price, and that price; 0 where none do."""
    found = 0
    for price, size in levels:
        found += size
        lots = _sufficient(market, price, amount)
        if lots <= found:
            return lots, price
    return 0, 0


def highest_price(market: OrderMarket, lots: int, most: int) -> int:
    """The highest price at which lots cost at most `most`, fee included; 0 where none is that low."""
    price = most * PPM // ((PPM + market.taker_fee_ppm) * lots * market.tick) + 1
    while price > 0 and at_price(market, OrderSide.BUY, price, lots) > most:
        price -= 1
    return price


def lowest_price(market: OrderMarket, lots: int, least: int) -> int:
    """The lowest price at which lots bring at least `least`, fee taken off."""
    price = max(1, least * PPM // ((PPM - market.taker_fee_ppm) * lots * market.tick))
    while at_price(market, OrderSide.SELL, price, lots) < least:
        price += 1
    return price


def _affordable(market: OrderMarket, price: int, amount: int) -> int:
    lots = amount * PPM // ((PPM + market.taker_fee_ppm) * price * market.tick) + 1
    while lots > 0 and at_price(market, OrderSide.BUY, price, lots) > amount:
        lots -= 1
    return lots


def _sufficient(market: OrderMarket, price: int, amount: int) -> int:
    lots = max(1, amount * PPM // ((PPM - market.taker_fee_ppm) * price * market.tick))
    while at_price(market, OrderSide.SELL, price, lots) < amount:
        lots += 1
    return lots
