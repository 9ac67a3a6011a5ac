"""The accounts at order venues of a running engine: their books followed, their orders worked on, plans made."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

import anyio
from anyio.abc import TaskGroup
from sep_hooks.context import Clock
from sep_hooks.errors import SepError
from sep_hooks.types import Amount, Asset, AssetId, IntentType, LeftOut, Level, OrderSide, PriceBook

from sep_core.execution.orders import OpenOrderAccount, OrderLaneKey, OrderWorker
from sep_core.intents import IntentState
from sep_core.markets.order_board import OrderBoard
from sep_core.planning import Planned, PlanRefused, PlanRequest
from sep_core.planning.orders import BookView, Done, OrderAccount, OrderPlanner
from sep_core.planning.ports import Holdings
from sep_core.planning.request import Sliced
from sep_core.portfolio import Mismatch
from sep_core.runtime.desk import Desk
from sep_core.runtime.flow import Composition
from sep_core.runtime.installation import Installation
from sep_core.runtime.order_desk import OrderWork
from sep_core.runtime.order_standing import OrderVenueManager
from sep_core.runtime.order_venues import GuardedOrderVenue, KnownBooks, OrderBoardGuard
from sep_core.runtime.settings import Mode, Settings
from sep_core.runtime.venue_calls import CallBook
from sep_core.runtime.views import ServiceView
from sep_core.runtime.world import Touched, World
from sep_core.runtime.worth import Worth
from sep_core.telemetry.crashpoints import crossing
from sep_core.telemetry.log import NamedLog

PLAN_AGAIN_SECONDS = 1.0
"""How often, at most, intents without a plan are looked at again because a book has changed."""

type Answer = Planned | Sliced | PlanRefused
type MakePlan = Callable[[PlanRequest], Awaitable[Answer]]

AGAIN_SECONDS = 2.0
"""How long after a venue did not answer for its balances it is asked again."""


class Orders:
    """All that an engine has to do with order venues."""

    def __init__(
        self,
        settings: Settings,
        installation: Installation,
        clock: Clock,
        log: NamedLog,
        calls: CallBook,
    ) -> None:
        self._calls = calls
        self._settings = settings
        self._installation = installation
        self._clock = clock
        self._log = log
        self.board = OrderBoard(
            {name: part.adapter for name, part in installation.order_venues.items()},
            OrderBoardGuard(installation, calls),
            clock,
            log,
        )
        self.books = KnownBooks(installation, self.board)
        self.works: dict[OrderLaneKey, OrderWork] = {}
        self.workers: dict[OrderLaneKey, OrderWorker] = {}
        self._venues: dict[OrderLaneKey, GuardedOrderVenue] = {}
        self._opened: dict[OrderLaneKey, anyio.Event] = {}
        self._moved = anyio.Event()

    def planning(
        self, others: MakePlan, desk: Desk, composition: Composition, holdings: Holdings, worth: Worth
    ) -> MakePlan:
        """Plans intents of accounts at order venues from their books, and all others as before."""
        planner = OrderPlanner(
            OthersOrders(self.books, desk),
            holdings,
            self._clock,
            partial(self._prices, worth),
            numeraire=composition.numeraire,
        )

        async def plan(request: PlanRequest) -> Answer:
            said = self._settings.order_accounts.get(request.account_name)
            if said is None:
                return await others(request)  # sep-ok: it crosses itself
            why = self.manager(desk).why_not(said.venue)
            if why:
                return PlanRefused("venue_not_used", f"{said.venue}: {why}; nothing was sent", retryable=True)
            done = _done(desk.world.intents.get(request.intent.id))
            return planner.plan(request, OrderAccount(said.name, said.venue, said.resting), done)

        return plan

    def manager(self, desk: Desk) -> OrderVenueManager:
        """Who says how the venues stand."""
        return OrderVenueManager(
            self._installation, self.board, self.books, desk, self._calls, lambda: self._moved.set()
        )

    def make(self, desk: Desk, composition: Composition) -> None:
        """Makes each account's worker; they do not run yet."""
        paper = self._settings.mode is Mode.PAPER
        for said in self._settings.order_accounts.values():
            part = self._installation.order_venues.get(said.venue)
            if part is None:
                continue
            key = OrderLaneKey(said.venue, said.name)
            venue = self._venues[key] = GuardedOrderVenue(self._installation, part, self.board, self._calls)
            work = self.works[key] = OrderWork(
                desk, key, self.books, composition, self._clock, desk.store.store_id
            )
            worker = self.workers[key] = OrderWorker(key, venue, work, self._clock, self._log, paper=paper)
            self._opened[key] = anyio.Event()
            work.wake = worker.work_available

    def touched(self, touched: Touched) -> None:
        """Something was committed."""
        for work in self.works.values():
            work.touched(touched)

    def start(
        self, group: TaskGroup, desk: Desk, worth: Worth, moved: Callable[[Collection[str]], None]
    ) -> None:
        """Follows the books, opens the accounts, works on their orders, until the group is cancelled.

        `moved` is told the accounts whose books have changed, not more often than it can look at them.
        """
        if not self._installation.order_venues:
            return
        self.board.on_change(lambda: self._moved.set())
        group.start_soon(self.board.run)
        group.start_soon(self.manager(desk).run)
        group.start_soon(self._tell, moved)
        for key, worker in self.workers.items():
            group.start_soon(self._open_and_work, desk, key, worth, worker)

    async def opened(self, seconds: float) -> None:
        """Returns once every account is known to the log, or when the time is over."""
        with anyio.move_on_after(seconds):
            for opened in self._opened.values():
                await opened.wait()

    def services(self, world: World) -> dict[str, ServiceView]:
        """How the accounts are, for people."""
        found = {}
        for said in self._settings.order_accounts.values():
            worker = self.workers.get(OrderLaneKey(said.venue, said.name))
            if worker is None:
                detail = self._takes_no_part(OrderLaneKey(said.venue, said.name), world)
            else:
                lost = "; ".join(f"{name}: {why}" for name, why in self.board.lost(said.venue))
                detail = lost or worker.blocked
            status = "blocked" if detail else "ok"
            found[f"account {said.name}"] = ServiceView(status=status, detail=detail or "ready")
        return found

    def _takes_no_part(self, key: OrderLaneKey, world: World) -> str:
        told = [text for ref, text in self._installation.left_out.items() if ref.instance == key.venue]
        lane = world.orders.get(key)
        names = [] if lane is None else [entry.client_order_id for entry in lane.open]
        followed = f"; nobody follows {len(names)} orders that are not closed: {', '.join(names[:3])}"
        why = "; ".join(told) or "it could not be made"
        return f"order venue {key.venue} takes no part: {why}{followed if names else ''}"

    async def mismatches(self, world: World) -> list[Mismatch]:
        """Where the books and a venue differ, of accounts without an open order. Raises `SepError`."""
        found: list[Mismatch] = []
        for key, venue in self._venues.items():
            lane = world.orders.get(key)
            if lane is None:
                continue
            balances = dict(await self._balances(key, venue))
            again = world.orders.get(key)
            if lane.open or again is not lane:
                continue
            for asset in sorted(lane.assets):
                booked = sum(
                    one.final
                    for one in world.ledger.holdings()
                    if (one.account, one.asset) == (key.account, asset)
                )
                held = balances.get(asset, Amount(0))
                if booked != held:
                    found.append(Mismatch(key.account, asset, booked, held))
        return found

    async def _open_and_work(self, desk: Desk, key: OrderLaneKey, worth: Worth, worker: OrderWorker) -> None:
        while True:
            try:
                await self._open(desk, key, worth)
                break
            except SepError as error:
                self._log.warning(
                    "orders.not_open", account=key.account, venue=key.venue, reason=error.message
                )
            await anyio.sleep(AGAIN_SECONDS)
        self._opened[key].set()
        await worker.run()  # sep-ok: it crosses itself

    async def _tell(self, moved: Callable[[Collection[str]], None]) -> None:
        accounts = frozenset(key.account for key in self.workers)
        while True:
            await self._moved.wait()
            self._moved = anyio.Event()
            moved(accounts)
            await anyio.sleep(PLAN_AGAIN_SECONDS)

    async def _open(self, desk: Desk, key: OrderLaneKey, worth: Worth) -> None:
        """Records what the account holds of assets that the log does not know yet. Raises `SepError`.

        Assets that are new wait until nothing is open: what an order brings meanwhile would count twice.
        """
        await self.board.ready[key.venue].wait()
        lane = desk.world.orders.get(key)
        held = await self._balances(key, self._venues[key])
        known: frozenset[AssetId] = frozenset() if lane is None else lane.assets
        fresh = tuple((asset, amount) for asset, amount in held if asset not in known)
        if lane is not None and (not fresh or lane.open):
            return
        chain = self._installation.chains[self._settings.order_venues[key.venue].chain].ref
        assets = [one for asset, _ in fresh if (one := self._installation.known_asset(asset)) is not None]
        prices = worth.prices(assets)
        await desk.record(OpenOrderAccount(key, chain, fresh, self._clock.now(), prices))

    async def _balances(
        self, key: OrderLaneKey, venue: GuardedOrderVenue
    ) -> Sequence[tuple[AssetId, Amount]]:
        """What the account holds of every asset that its venue's markets trade, absent ones as zero."""
        told = await crossing("orders.balances", venue.balances())
        total = {one.asset: Amount(one.free + one.held) for one in told}
        return [(asset, total.get(code, Amount(0))) for asset, code in self.books.assets(key.venue)]

    def _prices(self, worth: Worth, assets: Sequence[AssetId]) -> PriceBook | None:
        known: list[Asset] = [
            one for asset in assets if (one := self._installation.known_asset(asset)) is not None
        ]
        return worth.prices(known)


class OthersOrders:
    """The books without what our own orders add to them: nobody trades with himself. Planning's `Books`."""

    def __init__(self, books: KnownBooks, desk: Desk) -> None:
        self._books = books
        self._desk = desk

    def books(self, venue: str) -> Sequence[BookView]:
        """The books that are followed now, own orders taken off their levels."""
        own: dict[tuple[str, OrderSide, int], int] = {}
        for key, lane in self._desk.world.orders.items():
            for entry in lane.open if key.venue == venue else ():
                place = entry.market, entry.side, entry.price
                own[place] = own.get(place, 0) + entry.size - entry.filled
        return [_without(book, own) for book in self._books.books(venue)] if own else self._books.books(venue)

    def left_out(self, venue: str) -> tuple[LeftOut, ...]:
        """What is not usable now, and why."""
        return self._books.left_out(venue)


def _without(book: BookView, own: Mapping[tuple[str, OrderSide, int], int]) -> BookView:
    def others(side: OrderSide, levels: tuple[Level, ...]) -> tuple[Level, ...]:
        rest = ((price, lots - own.get((book.market.name, side, price), 0)) for price, lots in levels)
        return tuple((price, lots) for price, lots in rest if lots > 0)

    return replace(book, bids=others(OrderSide.BUY, book.bids), asks=others(OrderSide.SELL, book.asks))


def _done(state: IntentState | None) -> Done | None:
    """What of an intent is exchanged already, of the asset that it is about."""
    if state is None or not state.fills or len(state.intent.assets) != 1:
        return None
    asset = state.intent.assets[0].asset.id
    sells = state.intent.type is IntentType.DISPOSE
    moved = sum(amount for fill in state.fills for one, amount in fill.moved if one == asset)
    return Done(asset, -moved if sells else moved)
