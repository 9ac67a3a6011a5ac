"""Conformance of order venues: books that add up, orders under our ids, trades that are counted once."""

from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import datetime, timedelta

import anyio
import pytest
from pydantic import ValidationError

from sep_hooks.config import PluginConfig
from sep_hooks.errors import SepError
from sep_hooks.order_venue import OrderRejected, OrderVenue
from sep_hooks.testing.venue import frozen_exactly
from sep_hooks.types import (
    BookDelta,
    BookSnapshot,
    Level,
    OrderMarket,
    OrderReport,
    OrderRequest,
    OrderSide,
    OrderState,
    OrderTrade,
    TimeInForce,
    VenueBalance,
)

type AnyOrderVenue = OrderVenue[PluginConfig]

LONGEST_SECONDS = 30.0


class OrderVenueSuite:
    """Subclass it and define the fixture `venue`: an instance whose account can buy and sell some lots, alone.

    It trades: let it do so where nothing is worth anything. `lots` is the size of its orders; the first market is used.
    """

    pytestmark = pytest.mark.anyio
    lots: int = 2
    updates: int = 5
    """How many updates of a book are waited for."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        """The kernel runs on asyncio."""
        return "asyncio"

    async def test_o01_configuration_is_closed_andfrozen_exactly(self, venue: AnyOrderVenue) -> None:
        """SEP-O01: the configuration is a frozen table that refuses unknown keys."""
        assert issubclass(type(venue).Config, PluginConfig)
        assert type(venue).Config.model_config.get("frozen") is True
        with pytest.raises(ValidationError):
            type(venue).Config.model_validate({"a key that no venue has": 1})

    async def test_o02_markets_are_well_formed(self, venue: AnyOrderVenue) -> None:
        """SEP-O02: markets have one name each, whole steps, and fees below the whole."""
        markets = await venue.markets()
        assert markets
        assert len({one.name for one in markets}) == len(markets)
        for one in markets:
            assert frozen_exactly(one, OrderMarket)
            assert one.base != one.quote
            assert one.lot > 0
            assert one.tick > 0
            assert one.most_lots > 0
            assert one.least_notional >= 0
            assert 0 <= one.taker_fee_ppm < 1_000_000
            assert abs(one.maker_fee_ppm) < 1_000_000
        await venue.health()

    async def test_o03_the_book_follows_from_its_changes(self, venue: AnyOrderVenue) -> None:
        """SEP-O03: a snapshot comes first, each delta follows on what came before, and no book is crossed."""
        market = await self._market(venue)
        bids: dict[int, int] = {}
        asks: dict[int, int] = {}
        sequence = None
        left = self.updates
        with anyio.fail_after(LONGEST_SECONDS):
            async with aclosing(venue.book(market.name)) as updates:
                async for update in updates:
                    if sequence is None:
                        assert isinstance(update, BookSnapshot)
                    if isinstance(update, BookSnapshot):
                        assert [price for price, _ in update.bids] == sorted(dict(update.bids), reverse=True)
                        assert [price for price, _ in update.asks] == sorted(dict(update.asks))
                        bids, asks = dict(update.bids), dict(update.asks)
                    else:
                        assert isinstance(update, BookDelta)
                        assert update.previous == sequence
                        assert update.sequence > update.previous
                        _apply(bids, update.bids)
                        _apply(asks, update.asks)
                    sequence = update.sequence
                    assert all(price > 0 and lots > 0 for price, lots in (*bids.items(), *asks.items()))
                    assert not bids or not asks or max(bids) < min(asks)
                    left -= 1
                    if not left:
                        break
        assert sequence is not None

    async def test_o04_an_order_rests_is_found_and_is_cancelled(
        self, venue: AnyOrderVenue, names: "Names"
    ) -> None:
        """SEP-O04: an order below the book rests under our id, and a cancel frees what it bound."""
        market = await self._market(venue)
        before = await _balances(venue)
        order = await self._resting(venue, names)
        report = await venue.submit(order)
        assert frozen_exactly(report, OrderReport)
        assert (report.client_order_id, report.state, report.filled) == (
            order.client_order_id,
            OrderState.OPEN,
            0,
        )
        found = await venue.lookup(market.name, order.client_order_id)
        assert found is not None
        assert (found.venue_order_id, found.price, found.size) == (
            report.venue_order_id,
            order.price,
            order.size,
        )
        bound = await _balances(venue)
        least = order.price * order.size * market.tick
        assert bound[market.quote].held - before[market.quote].held >= least
        await venue.cancel(market.name, order.client_order_id)
        ended = await venue.lookup(market.name, order.client_order_id)
        assert ended is not None
        assert (ended.state, ended.filled) == (OrderState.CANCELLED, 0)
        assert await _balances(venue) == before
        assert await venue.trades(market.name, order.client_order_id) == []

    async def test_o05_the_same_id_is_never_a_second_order(
        self, venue: AnyOrderVenue, names: "Names"
    ) -> None:
        """SEP-O05: the same request again is refused or answers the same order; it binds nothing more."""
        market = await self._market(venue)
        order = await self._resting(venue, names)
        first = await venue.submit(order)
        bound = await _balances(venue)
        try:
            again = await venue.submit(order)
        except OrderRejected:
            again = first
        assert again.venue_order_id == first.venue_order_id
        assert await _balances(venue) == bound
        await venue.cancel(market.name, order.client_order_id)

    async def test_o06_an_unknown_id_is_no_order(self, venue: AnyOrderVenue, names: "Names") -> None:
        """SEP-O06: an id that was never sent has no order and no trades, and its cancel changes nothing."""
        market = await self._market(venue)
        before, name = await _balances(venue), names.next()
        assert await venue.lookup(market.name, name) is None
        assert list(await venue.trades(market.name, name)) == []
        with suppress(SepError):
            await venue.cancel(market.name, name)
        assert await _balances(venue) == before

    async def test_o07_trades_and_balances_say_the_same(self, venue: AnyOrderVenue, names: "Names") -> None:
        """SEP-O07: what an order bought or sold, its trades and the change of the balances agree to the unit."""
        market = await self._market(venue)
        for side in (OrderSide.BUY, OrderSide.SELL):
            before = await _balances(venue)
            order = await self._taking(venue, names, side)
            report = await venue.submit(order)
            assert report.state.closed
            assert 0 < report.filled <= order.size
            trades = {one.trade_id: one for one in await venue.trades(market.name, order.client_order_id)}
            assert sum(one.size for one in trades.values()) == report.filled
            worth = fee = 0
            for one in trades.values():
                assert frozen_exactly(one, OrderTrade)
                assert (one.side, one.fee_asset, one.maker) == (side, market.quote, False)
                assert one.price <= order.price if side is OrderSide.BUY else one.price >= order.price
                worth += one.price * one.size * market.tick
                fee += one.fee
            assert fee == -(-worth * market.taker_fee_ppm // 1_000_000)
            after = await _balances(venue)
            sign = 1 if side is OrderSide.BUY else -1
            base = sign * report.filled * market.lot
            assert _total(after, market.base) - _total(before, market.base) == base
            assert _total(after, market.quote) - _total(before, market.quote) == -sign * worth - fee
            assert after[market.quote].held == before[market.quote].held

    async def test_o08_a_rejected_order_leaves_nothing(self, venue: AnyOrderVenue, names: "Names") -> None:
        """SEP-O08: an order that cannot be is refused by name, binds nothing and is not found."""
        market = await self._market(venue)
        before = await _balances(venue)
        good = await self._resting(venue, names)
        for bad in (
            replace(good, client_order_id=names.next(), size=0),
            replace(good, client_order_id=names.next(), size=market.most_lots + 1),
        ):
            with pytest.raises(OrderRejected):
                await venue.submit(bad)
            found = await venue.lookup(market.name, bad.client_order_id)
            assert found is None or found.state is OrderState.REJECTED
        assert await _balances(venue) == before

    async def test_o09_an_expired_request_is_not_taken_in(self, venue: AnyOrderVenue, names: "Names") -> None:
        """SEP-O09: what arrives after its own expiry is refused, so that absence can be known."""
        market = await self._market(venue)
        order = replace(await self._resting(venue, names), expires_at=self._now(venue) - timedelta(minutes=5))
        with pytest.raises(OrderRejected):
            await venue.submit(order)
        assert await venue.lookup(market.name, order.client_order_id) is None

    async def test_o10_a_cancel_does_not_undo_a_trade(self, venue: AnyOrderVenue, names: "Names") -> None:
        """SEP-O10: a filled order stays filled, whoever cancels it afterwards."""
        market = await self._market(venue)
        order = await self._taking(venue, names, OrderSide.BUY)
        report = await venue.submit(order)
        with suppress(SepError):
            await venue.cancel(market.name, order.client_order_id)
        assert await venue.lookup(market.name, order.client_order_id) == report

    async def test_o11_the_clock_goes_on(self, venue: AnyOrderVenue) -> None:
        """SEP-O11: a venue that tells its time tells it in a zone, near ours, and never goes back."""
        first, second = await venue.now(), await venue.now()
        assert (first is None) == (second is None)
        if first is not None and second is not None:
            assert first.tzinfo is not None
            assert first <= second
            assert abs(second - self._now(venue)) < timedelta(minutes=1)

    @pytest.fixture
    def names(self, venue: AnyOrderVenue) -> "Names":
        """Fresh client order ids."""
        return Names(self._now(venue))

    async def _market(self, venue: AnyOrderVenue) -> OrderMarket:
        return (await venue.markets())[0]

    async def _book(self, venue: AnyOrderVenue) -> BookSnapshot:
        market = await self._market(venue)
        with anyio.fail_after(LONGEST_SECONDS):
            async with aclosing(venue.book(market.name)) as updates:
                async for update in updates:
                    assert isinstance(update, BookSnapshot)
                    return update
        raise AssertionError("a book without a snapshot")

    async def _resting(self, venue: AnyOrderVenue, names: "Names") -> OrderRequest:
        market, book = await self._market(venue), await self._book(venue)
        price = max(1, book.bids[-1][0] // 2)
        size = max(self.lots, -(-market.least_notional // (price * market.tick)))
        return OrderRequest(
            names.next(),
            market.name,
            OrderSide.BUY,
            price,
            size,
            TimeInForce.GOOD_TILL_CANCELLED,
            self._soon(venue),
        )

    async def _taking(self, venue: AnyOrderVenue, names: "Names", side: OrderSide) -> OrderRequest:
        market, book = await self._market(venue), await self._book(venue)
        best = book.asks[0][0] if side is OrderSide.BUY else book.bids[0][0]
        # Five per cent beyond the best price, so that it trades whatever moves meanwhile.
        price = best + best // 20 if side is OrderSide.BUY else best - best // 20
        size = max(self.lots, -(-market.least_notional // (price * market.tick)))
        return OrderRequest(
            names.next(),
            market.name,
            side,
            price,
            size,
            TimeInForce.IMMEDIATE_OR_CANCEL,
            self._soon(venue),
        )

    def _now(self, venue: AnyOrderVenue) -> datetime:
        return venue.context.clock.now()

    def _soon(self, venue: AnyOrderVenue) -> datetime:
        return self._now(venue) + timedelta(seconds=10)


class Names:
    """Client order ids that no other run has used, as far as the clock tells."""

    def __init__(self, now: datetime) -> None:
        self._start = f"{int(now.timestamp() * 1000):x}"
        self._count = 0

    def next(self) -> str:
        """A fresh one."""
        self._count += 1
        return f"sepsuite{self._start}n{self._count}"


def _apply(levels: dict[int, int], changes: tuple[Level, ...]) -> None:
    for price, lots in changes:
        if lots:
            levels[price] = lots
        else:
            levels.pop(price, None)


async def _balances(venue: AnyOrderVenue) -> Mapping[str, VenueBalance]:
    return {one.asset: one for one in await venue.balances()}


def _total(balances: Mapping[str, VenueBalance], asset: str) -> int:
    one = balances.get(asset)
    return 0 if one is None else one.free + one.held
