"""Books from streams: whole and in order, or not known at all."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.errors import VenueError
from sep_hooks.types import Amount, BookDelta, BookSnapshot, BookUpdate, OrderMarket

from sep_core.markets.order_board import FollowedBook
from sep_core.markets.order_sound import order_market_trouble, update_trouble

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MARKET = OrderMarket("m", "B", "Q", 18, 6, Amount(10), Amount(1), Amount(0), 1_000, 0, 100)
FIRST = BookSnapshot("m", 5, ((90, 3), (80, 2)), ((110, 4),), NOW)


def followed(*updates: BookUpdate) -> FollowedBook:
    book = FollowedBook(MARKET)
    for update in updates:
        book.take(update)
    return book


def test_a_book_is_its_snapshot_and_what_changed() -> None:
    book = followed(FIRST, BookDelta("m", 5, 6, ((90, 0), (85, 1)), ((105, 9), (110, 1)), NOW))
    assert book.sequence == 6
    assert book.levels() == (((85, 1), (80, 2)), ((105, 9), (110, 1)))
    assert book.reason == ""


@pytest.mark.parametrize(
    "update",
    [
        BookDelta("m", 4, 6, (), (), NOW),
        BookDelta("m", 6, 7, (), (), NOW),
        BookDelta("m", 5, 6, ((110, 1),), (), NOW),
        BookDelta("m", 5, 6, ((95, -1),), (), NOW),
        BookDelta("m", 5, 6, ((0, 1),), (), NOW),
        BookDelta("m", 5, 6, ((95, 1.5),), (), NOW),  # type: ignore[arg-type]
        BookDelta("other", 5, 6, (), (), NOW),
        BookSnapshot("m", 9, ((90, 1),), ((90, 1),), NOW),
        "a book",
    ],
    ids=["older", "gap", "crossed", "negative", "no price", "float", "foreign", "crossed anew", "text"],
)
def test_what_cannot_follow_loses_the_book(update: BookUpdate) -> None:
    book = followed(FIRST)
    with pytest.raises(VenueError):
        book.take(update)
    assert book.sequence is None
    assert book.reason
    assert book.levels() == ((), ())
    book.take(FIRST)
    assert book.sequence == 5


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "\ud800"},
        {"name": "x" * 201},
        {"quote": "B"},
        {"base_decimals": 10**9},
        {"lot": Amount(0)},
        {"tick": Amount(0)},
        {"lot": Amount(2**300)},
        {"least_notional": Amount(-1)},
        {"most_lots": 0},
        {"taker_fee_ppm": 2_000_000},
        {"taker_fee_ppm": -1},
        {"maker_fee_ppm": -2_000_000},
    ],
    ids=str,
)
def test_terms_that_cannot_be_are_named(change: dict[str, Any]) -> None:
    assert order_market_trouble(MARKET) == ""
    assert order_market_trouble(replace(MARKET, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": -1},
        {"sequence": 2**53},
        {"at": NOW.replace(tzinfo=None)},
        {"at": NOW.replace(year=9999)},
        {"asks": ((2**300, 1),)},
        {"bids": ((1, 2**300),)},
    ],
    ids=["less than nothing", "no count", "no zone", "yet to come", "no price", "no size"],
)
def test_updates_that_cannot_be_are_named(change: dict[str, Any]) -> None:
    assert update_trouble(FIRST, NOW) == ""
    assert update_trouble(replace(FIRST, **change), NOW)


def test_a_change_before_the_first_snapshot_is_no_book() -> None:
    with pytest.raises(VenueError):
        followed(BookDelta("m", 0, 1, ((90, 1),), (), NOW))


levels = st.dictionaries(st.integers(1, 50), st.integers(1, 9), max_size=8)


@given(bids=levels, asks=levels, then_bids=levels, then_asks=levels)
def test_the_changes_between_two_books_lead_from_one_to_the_other(
    bids: dict[int, int], asks: dict[int, int], then_bids: dict[int, int], then_asks: dict[int, int]
) -> None:
    # Asks lie beyond all bids, so that no book is crossed.
    asks = {price + 50: lots for price, lots in asks.items()}
    then_asks = {price + 50: lots for price, lots in then_asks.items()}

    def change(before: dict[int, int], after: dict[int, int]) -> tuple[tuple[int, int], ...]:
        return tuple((price, after.get(price, 0)) for price in before.keys() | after.keys())

    book = followed(
        BookSnapshot("m", 1, tuple(bids.items()), tuple(asks.items()), NOW),
        BookDelta("m", 1, 2, change(bids, then_bids), change(asks, then_asks), NOW),
    )
    assert (book.bids, book.asks) == (then_bids, then_asks)
