"""Order venues as each room wants to call them: guarded, bounded, their answers checked."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sep_hooks.errors import SepError, VenueError
from sep_hooks.order_venue import OrderRejected
from sep_hooks.types import (
    MAX_AMOUNT,
    AssetId,
    BookUpdate,
    LeftOut,
    OrderMarket,
    OrderReport,
    OrderRequest,
    OrderTrade,
    VenueBalance,
)

from sep_core.execution.orders import Units
from sep_core.markets.order_board import OrderBoard
from sep_core.markets.order_sound import is_name, time_trouble
from sep_core.markets.sound import shortened
from sep_core.planning.orders import BookView
from sep_core.runtime.installation import Installation, OrderVenuePart
from sep_core.runtime.venue_calls import CallBook

READ_SECONDS: Final = 15.0
SUBMIT_SECONDS: Final = 20.0
LONGEST_ABSENCE_SECONDS: Final = 600.0

_ANSWERS: Final[Mapping[str, object]] = {"markets": Sequence[OrderMarket], "book": BookUpdate}


class OrderBoardGuard:
    """Calls order venues for the board of books."""

    def __init__(self, installation: Installation, calls: CallBook) -> None:
        self._installation = installation
        self._calls = calls

    async def call[T](
        self, venue: str, call: str, make: Callable[[], Awaitable[T]], timeout_seconds: float
    ) -> T:
        """The venue's answer. Raises `PluginFault`, or what it raised on purpose."""
        plugin = self._installation.order_venues[venue].plugin

        async def answer() -> T:
            try:
                return await make()
            except StopAsyncIteration:
                raise VenueError(f"the stream of {venue} ended") from None

        since = self._calls.monotonic()
        try:
            answered = await self._installation.guard.call(
                plugin,
                call,
                answer,
                timeout_seconds=timeout_seconds,
                returns=_ANSWERS.get(call),
                answers=(SepError,),
            )
        except SepError as error:
            self._calls.failed(venue, call, shortened(error.message))
            raise
        if call != "book":  # how long a book says nothing is no latency
            self._calls.answered(venue, since)
        return answered


class GuardedOrderVenue:
    """One order venue for the execution of orders; execution's `OrderPort`. Who acts for it is one account."""

    def __init__(
        self, installation: Installation, part: OrderVenuePart, board: OrderBoard, calls: CallBook
    ) -> None:
        self._guard = installation.guard
        self._calls = calls
        self._part = part
        self._board = board

    @property
    def absence_seconds(self) -> float:
        """What the venue's class says, within reason."""
        return min(LONGEST_ABSENCE_SECONDS, max(0.0, type(self._part.adapter).absence_seconds))

    async def now(self) -> datetime | None:
        """The venue's own clock. Raises `VenueError` for a time without zone."""
        told = await self._call("now", self._part.adapter.now, datetime | None)
        if told is not None and (wrong := time_trouble(told)):
            raise VenueError(f"its clock says what is no time: {wrong}")
        return told

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Sends an order once. Raises `OrderRejected`, or anything where the outcome is not known."""
        report = await self._call(
            "submit",
            lambda: self._part.adapter.submit(request),
            OrderReport,
            seconds=SUBMIT_SECONDS,
            submitted=True,
        )
        return _of(request.client_order_id, report)

    async def cancel(self, market: str, client_order_id: str) -> None:
        """Asks for the end of an order."""
        await self._call(
            "cancel", lambda: self._part.adapter.cancel(market, client_order_id), None, submitted=True
        )

    async def lookup(self, market: str, client_order_id: str) -> OrderReport | None:
        """The order as the venue has it. Raises `VenueError` where it answers of another one."""
        report = await self._call(
            "lookup", lambda: self._part.adapter.lookup(market, client_order_id), OrderReport | None
        )
        return None if report is None else _of(client_order_id, report)

    async def trades(self, market: str, client_order_id: str) -> Sequence[OrderTrade]:
        """The order's trades. Raises `VenueError` for a fee that the market's terms do not know, or what cannot be."""
        trades = await self._call(
            "trades", lambda: self._part.adapter.trades(market, client_order_id), Sequence[OrderTrade]
        )
        known = self._board.market(self._part.instance, market)
        for one in trades:
            wrong = f"the book of {market} is not known now" if known is None else _trade_trouble(known, one)
            if wrong:
                raise VenueError(wrong)
        return trades

    async def balances(self) -> Sequence[VenueBalance]:
        """What the account holds. Raises `VenueError` for amounts that cannot be."""
        told = await self._call("balances", self._part.adapter.balances, Sequence[VenueBalance])
        for one in told:
            if min(one.free, one.held) < 0 or one.free + one.held > MAX_AMOUNT:
                raise VenueError(f"a balance of {shortened(one.asset)} is no amount")
        if len({one.asset for one in told}) < len(told):
            raise VenueError("it lists the balance of an asset twice")
        return told

    async def _call[T](
        self,
        call: str,
        make: Callable[[], Awaitable[T]],
        returns: object,
        *,
        seconds: float | None = None,
        submitted: bool = False,
    ) -> T:
        since, venue = self._calls.monotonic(), self._part.instance
        try:
            answered = await self._guard.call(
                self._part.plugin,
                call,
                make,
                timeout_seconds=READ_SECONDS if seconds is None else seconds,
                returns=returns,
                answers=(SepError,),
                submitted=submitted,
            )
        except OrderRejected:
            self._calls.answered(venue, since)
            raise
        except SepError as error:
            self._calls.failed(venue, call, shortened(error.message))
            raise
        self._calls.answered(venue, since)
        return answered


def _of(name: str, report: OrderReport) -> OrderReport:
    """A report that can be one of the order. Raises `VenueError`."""
    if report.client_order_id != name:
        raise VenueError(f"asked for {name}, it answered of {shortened(report.client_order_id)[:60]}")
    if report.venue_order_id and not is_name(report.venue_order_id):
        raise VenueError(f"its own id of order {name} is not of 1 to 200 printable characters")
    if report.market and not is_name(report.market):
        raise VenueError(f"it says that order {name} is of a market without a printable name")
    return replace(report, reason=shortened(report.reason))


def _trade_trouble(market: OrderMarket, trade: OrderTrade) -> str:
    """What of a trade the terms of its market rule out; empty where they do not."""
    if not is_name(trade.trade_id):
        return "the id of a trade is not of 1 to 200 printable characters"
    if trade.fee_asset != market.quote:
        other = shortened(trade.fee_asset)[:60]
        return (
            f"trade {trade.trade_id} has its fee in {other}, which the books of {market.name} do not follow"
        )
    wrong = time_trouble(trade.at)
    if wrong:
        return f"trade {trade.trade_id} is at no time: {wrong}"
    rates = (0, market.maker_fee_ppm, market.taker_fee_ppm)
    worth = abs(trade.price * trade.size * market.tick)
    least, most = (-(-worth * abs(ppm) // 1_000_000) for ppm in (min(rates), max(rates)))
    if not -least <= trade.fee <= most:
        return f"trade {trade.trade_id} has another fee than {market.name} declares"
    return ""


class KnownBooks:
    """The board's books whose assets the configuration names; planning's `Books`."""

    def __init__(self, installation: Installation, board: OrderBoard) -> None:
        self._installation = installation
        self._board = board

    def asset(self, venue: str, code: str, decimals: int) -> AssetId | str:
        """The asset that a code of the venue means, or why none does."""
        said = self._installation.settings.order_venues[venue]
        symbol = said.assets.get(code, code)
        asset = self._installation.assets.get(symbol)
        if asset is None or self._installation.settings.assets[symbol].chain != said.chain:
            return f"its asset {code} is none of [assets] on chain {said.chain!r}"
        if asset.decimals != decimals:
            return f"it counts {code} with {decimals} decimals, sep.toml with {asset.decimals}"
        return asset.id

    def books(self, venue: str) -> Sequence[BookView]:
        """The books that are followed now and whose assets are known."""
        found = []
        for one in self._board.followed(venue):
            base, quote = self._assets(venue, one.market)
            if _is_id(base) and _is_id(quote) and one.sequence is not None and one.at is not None:
                bids, asks = one.levels()
                found.append(
                    BookView(
                        venue, one.market, AssetId(base), AssetId(quote), one.sequence, bids, asks, one.at
                    )
                )
        return found

    def assets(self, venue: str) -> Sequence[tuple[AssetId, str]]:
        """Every asset that the venue's markets trade and the configuration names, with the venue's code."""
        found: dict[AssetId, str] = {}
        for market in self._board.markets(venue):
            for text, code in zip(self._assets(venue, market), (market.base, market.quote), strict=True):
                if _is_id(text):
                    found[AssetId(text)] = code
        return sorted(found.items())

    def left_out(self, venue: str) -> tuple[LeftOut, ...]:
        """What is not followed, or trades what the configuration does not name."""
        out = [LeftOut(name, reason) for name, reason in self._board.lost(venue)]
        for one in self._board.followed(venue):
            name = f"{venue}/{one.market.name}"
            out += [LeftOut(name, why) for why in self._assets(venue, one.market) if not _is_id(why)]
        return tuple(out)

    def units(self, venue: str, market: str) -> Units | None:
        """What the steps of a book are in base units; None where it is not known."""
        known = self._board.market(venue, market)
        if known is None:
            return None
        base, quote = self._assets(venue, known)
        if not (_is_id(base) and _is_id(quote)):
            return None
        return Units(AssetId(base), AssetId(quote), known.lot, known.tick)

    def _assets(self, venue: str, market: OrderMarket) -> tuple[str, str]:
        base = self.asset(venue, market.base, market.base_decimals)
        return base, self.asset(venue, market.quote, market.quote_decimals)


def _is_id(text: str) -> bool:
    return text.startswith("eip155:")
