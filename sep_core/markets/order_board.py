"""The board of books: each followed from its venue's stream, whole or not at all."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import anyio
from sep_hooks.context import Clock, Log
from sep_hooks.errors import SepError, VenueError
from sep_hooks.order_venue import QUIET_SECONDS, OrderVenue
from sep_hooks.types import BookDelta, BookSnapshot, BookUpdate, Level, OrderMarket

from sep_core.markets.order_sound import is_name, order_market_trouble, update_trouble
from sep_core.markets.sound import shortened

AGAIN_SECONDS = 1.0
"""How long after a stream broke it is asked for again."""

LONGEST_AGAIN_SECONDS = 30.0
CALL_SECONDS = 15.0
CLOSE_SECONDS = 5.0


@dataclass(slots=True)
class FollowedBook:
    """One book as its stream tells it. Without a sequence it is not known, and `reason` says why."""

    market: OrderMarket
    sequence: int | None = None
    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)
    at: datetime | None = None
    reason: str = "its first snapshot has not come yet"

    def take(self, update: BookUpdate) -> None:
        """Takes an update in. Raises `VenueError` for one that does not follow; the book is then not known."""
        try:
            if isinstance(update, BookSnapshot):
                self.bids, self.asks = dict(update.bids), dict(update.asks)
            elif isinstance(update, BookDelta):
                if update.previous != self.sequence:
                    raise VenueError(
                        f"a change follows on {update.previous}, the book is at {self.sequence}: changes are missing"
                    )
                _change(self.bids, update.bids)
                _change(self.asks, update.asks)
            else:
                raise VenueError(f"the stream told a {type(update).__name__}")
            self._check(update)
        except VenueError as error:
            self.lose(error.message)
            raise
        self.sequence, self.at, self.reason = update.sequence, update.at, ""

    def lose(self, reason: str) -> None:
        """The book is not known any more."""
        self.sequence, self.reason = None, reason
        self.bids, self.asks = {}, {}

    def _check(self, update: BookUpdate) -> None:
        if update.market != self.market.name:
            raise VenueError(f"the stream of {self.market.name} tells of {update.market}")
        for price, lots in (*self.bids.items(), *self.asks.items()):
            if type(price) is not int or type(lots) is not int or price <= 0 or lots <= 0:
                raise VenueError(f"a level of {lots!r} lots at {price!r} ticks cannot be")
        if self.bids and self.asks and max(self.bids) >= min(self.asks):
            raise VenueError(f"the book is crossed: {max(self.bids)} is bid, {min(self.asks)} asked")

    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """Bids and asks, best first."""
        return tuple(sorted(self.bids.items(), reverse=True)), tuple(sorted(self.asks.items()))


class OrderGuard(Protocol):
    """Runs one call of an order venue under the failure policy of its kind."""

    async def call[T](
        self, venue: str, call: str, make: Callable[[], Awaitable[T]], timeout_seconds: float
    ) -> T:
        """The venue's answer. Raises what the policy makes of a failure, or what the venue raised on purpose."""
        ...


class OrderBoard:
    """Follows all books of all order venues while it runs."""

    def __init__(
        self, venues: Mapping[str, OrderVenue[Any]], guard: OrderGuard, clock: Clock, log: Log
    ) -> None:
        self._venues = venues
        self._guard = guard
        self._clock = clock
        self._log = log
        self._followed: dict[str, dict[str, FollowedBook]] = {venue: {} for venue in venues}
        self._reasons = dict.fromkeys(venues, "its markets are not known yet")
        self._unsound: dict[str, list[tuple[str, str]]] = {venue: [] for venue in venues}
        self._listeners: list[Callable[[], None]] = []
        self.ready = {venue: anyio.Event() for venue in venues}

    def on_change(self, listener: Callable[[], None]) -> None:
        """Calls `listener` after every update of a book."""
        self._listeners.append(listener)

    def followed(self, venue: str) -> Sequence[FollowedBook]:
        """The venue's books that are known now."""
        return [one for one in self._followed.get(venue, {}).values() if one.sequence is not None]

    def markets(self, venue: str) -> Sequence[OrderMarket]:
        """All markets of the venue, whether their books are known now or not."""
        return [one.market for one in self._followed.get(venue, {}).values()]

    def lost(self, venue: str) -> Sequence[tuple[str, str]]:
        """What is not known now, and why."""
        books, unsound = self._followed.get(venue, {}), self._unsound.get(venue, [])
        if not (books or unsound):
            return [(venue, self._reasons.get(venue, "it is not configured"))]
        lost = [(f"{venue}/{one.market.name}", one.reason) for one in books.values() if one.sequence is None]
        return [*lost, *unsound]

    def market(self, venue: str, name: str) -> OrderMarket | None:
        """A market by its venue's own name."""
        book = self._followed.get(venue, {}).get(name)
        return None if book is None else book.market

    async def run(self) -> None:
        """Follows until cancelled."""
        async with anyio.create_task_group() as group:
            for venue in self._venues:
                group.start_soon(self._follow_venue, venue)

    async def _follow_venue(self, venue: str) -> None:
        markets = await self._markets(venue)
        async with anyio.create_task_group() as group:
            for place, market in enumerate(markets):
                twice = market.name in self._followed[venue]
                wrong = order_market_trouble(market) or ("another has its name" if twice else "")
                if wrong:
                    name = market.name if is_name(market.name) else f"its market {place + 1}"
                    self._unsound[venue].append((f"{venue}/{name}", wrong))
                    self._log.warning("orders.market_left_out", venue=venue, market=name, reason=wrong)
                    continue
                book = self._followed[venue][market.name] = FollowedBook(market)
                group.start_soon(self._follow, venue, book)

    async def _markets(self, venue: str) -> Sequence[OrderMarket]:
        wait = AGAIN_SECONDS
        while True:
            try:
                return await self._guard.call(venue, "markets", self._venues[venue].markets, CALL_SECONDS)
            except SepError as error:
                reason = self._reasons[venue] = shortened(error.message)
                self._log.warning("orders.no_markets", venue=venue, reason=reason)
            await anyio.sleep(wait)
            wait = min(2 * wait, LONGEST_AGAIN_SECONDS)

    async def _follow(self, venue: str, book: FollowedBook) -> None:
        wait = AGAIN_SECONDS
        while True:
            stream = _Stream(self._venues[venue], book.market.name)
            try:
                while True:
                    update = await self._guard.call(venue, "book", stream.next, 2 * QUIET_SECONDS)
                    self._take(book, update)
                    wait = AGAIN_SECONDS
                    self._tell(venue)
            except Exception as error:  # whatever a stream does, it ends itself and not the engine
                self._lose(venue, book, error)
            finally:
                await self._close(venue, book, stream)
            await anyio.sleep(wait)
            wait = min(2 * wait, LONGEST_AGAIN_SECONDS)

    def _take(self, book: FollowedBook, update: BookUpdate) -> None:
        book.take(update)
        wrong = update_trouble(update, self._clock.now())
        if wrong:
            raise VenueError(f"an update of the book cannot be: {wrong}")

    def _lose(self, venue: str, book: FollowedBook, error: Exception) -> None:
        text = error.message if isinstance(error, SepError) else f"{type(error).__name__}: {error}"
        book.lose(shortened(text))
        self._log.warning("orders.book_lost", venue=venue, market=book.market.name, reason=book.reason)

    async def _close(self, venue: str, book: FollowedBook, stream: "_Stream") -> None:
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            try:
                await stream.close()
            except (Exception, SystemExit) as error:
                reason = shortened(f"its stream fails to end: {type(error).__name__}: {error}")
                self._log.warning("orders.book_lost", venue=venue, market=book.market.name, reason=reason)

    def _tell(self, venue: str) -> None:
        books = self._followed[venue].values()
        if all(one.sequence is not None for one in books):
            self.ready[venue].set()
        for listener in self._listeners:
            listener()


class _Stream:
    """The stream of one book, opened when the first update is asked for, so that opening it is guarded as well."""

    def __init__(self, venue: OrderVenue[Any], market: str) -> None:
        self._venue = venue
        self._market = market
        self._updates: Any = None

    async def next(self) -> BookUpdate:
        """The next update. Raises what the venue raises, and `TypeError` for what is no stream."""
        if self._updates is None:
            self._updates = self._venue.book(self._market)
        update: BookUpdate = await anext(self._updates)
        return update

    async def close(self) -> None:
        """Ends it, whatever it is that can be ended."""
        end = getattr(self._updates, "aclose", None)
        if end is not None:
            await end()
        elif hasattr(self._updates, "close"):
            self._updates.close()


def _change(levels: dict[int, int], changes: Sequence[Level]) -> None:
    for price, lots in changes:
        if lots:
            levels[price] = lots
        else:
            levels.pop(price, None)
