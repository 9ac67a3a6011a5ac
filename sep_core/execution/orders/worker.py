"""The worker of one account's orders: asks after what is open, ends what shall end, sends what is approved."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import anyio
from sep_hooks.context import Clock, Log
from sep_hooks.errors import Permanent, SepError
from sep_hooks.order_venue import OrderRejected
from sep_hooks.store import StoreBusy
from sep_hooks.types import OrderReport, OrderRequest, OrderState, OrderTrade

from sep_core.execution.asking import CALL_TIMEOUT_SECONDS, ChainSilent, ask
from sep_core.execution.errors import is_refusal
from sep_core.execution.orders.commands import (
    OrderLaneKey,
    RecordOrder,
    RecordOrderAbsent,
    RecordOrderCancel,
    RecordOrderDoubt,
    ReserveOrder,
)
from sep_core.execution.orders.lane import OrderEntry, OrderStatus
from sep_core.execution.orders.paper import paper_fill
from sep_core.execution.orders.ports import OrderDesk, OrderPort, PlannedOrder
from sep_core.execution.ports import Pause
from sep_core.telemetry.crashpoints import crossing

REQUEST_SECONDS = 10.0
"""How long the venue may take a request in, from when it is made durable; what is absent then was never placed."""

CLOCKS_DIFFER_SECONDS = 120.0
"""How far behind ours the clock of a venue that does not tell its time is believed to be at most."""

LOOK_SECONDS = 1.0
"""How often the venue is asked after orders that are open."""

MOST_OPEN = 64
"""How many orders of one account may be open at once."""

MOST_WORK_IN_A_ROW = 16

RESTARTED = "the engine ended between the order's reservation and the venue's answer"


class OrderWorker:
    """One account, one loop. Start, restart and take-over are the same: ask the venue, end, send, go on.

    An order is sent once, right after its reservation is durable. Whatever its answer is worth, a rejection too, from
    then on only what the venue says of it by our id counts. On paper nothing is sent.
    """

    def __init__(
        self,
        key: OrderLaneKey,
        venue: OrderPort,
        desk: OrderDesk,
        clock: Clock,
        log: Log,
        *,
        paper: bool = False,
        pause: Pause = anyio.sleep,
    ) -> None:
        self._key = key
        self._venue = venue
        self._desk = desk
        self._clock = clock
        self._log = log
        self._paper = paper
        self._pause = pause
        self._wake = anyio.Event()
        self._blocked = ""
        self._silent = False
        self._told: set[str] = set()
        self._told_before: set[str] = set()
        self._unclear: dict[str, str] = {}

    @property
    def blocked(self) -> str:
        """Why nothing new is sent, empty where it is."""
        return self._blocked

    def work_available(self) -> None:
        """A plan was approved for this account, or something was recorded that it should look at."""
        self._wake.set()

    async def run(self) -> None:
        """Works until cancelled. Raises what the desk's store fails with."""
        while True:
            self._wake = anyio.Event()
            await self.turn()
            await self._rest()

    async def turn(self) -> None:
        """Does all that can be done now."""
        self._silent = False
        self._blocked = ""
        self._told_before, self._told = self._told, set()
        lane = self._desk.lane()
        if lane is None:
            return
        for entry in lane.open:
            await self._safely(self._follow, entry)
        for _ in range(MOST_WORK_IN_A_ROW):
            lane = self._desk.lane()
            if lane is None or len(lane.open) >= MOST_OPEN:
                self._blocked = (
                    f"{MOST_OPEN} orders of account {self._key.account} are open, as many as may be"
                )
                return
            if self._silent:
                return
            work = self._desk.next_work()
            if work is None:
                return
            await self._safely(self._place, work)

    async def _safely[T](self, act: Callable[[T], Awaitable[None]], what: T) -> None:
        """One order's trouble ends neither the others nor the engine; a store that fails does."""
        try:
            await act(what)  # sep-ok: it crosses itself
        except (ChainSilent, StoreBusy) as error:
            self._tell(_told(error), silent=True)
        except Permanent as error:
            if not is_refusal(error):
                raise
            self._tell(_told(error), silent=True)
        except Exception as error:  # what the venue told cannot be decided or written; nothing was recorded
            self._tell(f"an order is not understood: {_told(error)}; nothing was recorded", silent=True)

    async def _place(self, work: PlannedOrder) -> None:
        """Reserves the order and sends it once that is durable; nothing where the reservation was overtaken."""
        book = work.step.book
        if book is None:
            return
        if self._paper:
            fill = paper_fill(work, self._key.venue)
            await crossing("execution.order.paper", self._desk.record_paper(work.intent_id, (fill,)))
            return
        request = OrderRequest(
            work.client_order_id,
            book.market,
            book.side,
            book.price,
            book.size,
            book.time_in_force,
            self._clock.now() + timedelta(seconds=REQUEST_SECONDS),
        )
        reserve = ReserveOrder(
            self._key,
            work.intent_id,
            work.client_order_id,
            work.step,
            work.units,
            work.plan.digest,
            request.expires_at,
        )
        await crossing("execution.order.reserve", self._desk.record(reserve))
        lane = self._desk.lane()
        entry = None if lane is None else lane.entries.get(work.client_order_id)
        if (
            entry is None
            or entry.status is not OrderStatus.RESERVED
            or entry.expires_at != request.expires_at
        ):
            return
        await self._send(entry, request)

    async def _send(self, entry: OrderEntry, request: OrderRequest) -> None:
        try:
            with anyio.fail_after(CALL_TIMEOUT_SECONDS):
                report = await crossing("execution.order.submit", self._venue.submit(request))
        except OrderRejected as rejected:
            # Who rejected it may not know what another part of the venue has taken in.
            await self._ask_instead(entry, f"{self._key.venue} rejected it: {_told(rejected)}")
        except Exception as error:  # whatever it is, it does not say what the venue did
            await self._ask_instead(entry, f"no usable answer to its request: {_told(error)}")
        else:
            if report.state is OrderState.REJECTED:
                await self._ask_instead(entry, f"{self._key.venue} rejected it: {report.reason}")
            else:
                await self._take_first(entry, report)

    async def _ask_instead(self, entry: OrderEntry, why: str) -> None:
        """The answer to the request leaves the outcome open: looks, and concludes nothing before it may."""
        self._unclear[entry.client_order_id] = why
        await self._doubt(entry, why)
        await self._look(entry)

    async def _take_first(self, entry: OrderEntry, report: OrderReport) -> None:
        try:
            await self._take(entry, report)
        except Exception as error:
            # Whatever it is, the next look is to say what it was.
            self._unclear[entry.client_order_id] = f"its first answer was of no use: {_told(error)}"
            raise

    async def _follow(self, entry: OrderEntry) -> None:
        """What the venue says of an order that is open; one that shall not rest any longer is ended."""
        if entry.status is OrderStatus.RESERVED:
            await self._doubt(entry, self._unclear.get(entry.client_order_id, RESTARTED))
        elif entry.status is OrderStatus.SUBMITTED:
            reason = self._desk.why_end(entry.intent_id)
            if reason:
                await self._cancel(entry, reason)
        await self._look(entry)

    async def _cancel(self, entry: OrderEntry, reason: str) -> None:
        if not entry.cancel_reason:
            command = RecordOrderCancel(self._key, entry.client_order_id, reason)
            await crossing("execution.order.record_cancel", self._desk.record(command))
        await ask("execution.order.cancel", self._venue.cancel(entry.market, entry.client_order_id))

    async def _look(self, entry: OrderEntry) -> None:
        lookup = self._venue.lookup(entry.market, entry.client_order_id)
        report = await ask("execution.order.lookup", lookup)
        if report is None:
            await self._missing(entry)
        else:
            await self._take(entry, report)

    async def _take(self, entry: OrderEntry, report: OrderReport) -> None:
        trades: tuple[OrderTrade, ...] = ()
        # That nothing of it traded must be seen twice before it is believed.
        if report.filled > entry.filled or report.state.closed:
            trades = tuple(
                await ask("execution.order.trades", self._venue.trades(entry.market, entry.client_order_id))
            )
        await crossing("execution.order.record", self._desk.record(RecordOrder(self._key, report, trades)))
        self._unclear.pop(entry.client_order_id, None)

    async def _missing(self, entry: OrderEntry) -> None:
        """The venue shows no such order. Evidence only where it can take the request in no more, by its own clock:
        what is asked after that moment, and shows neither order nor trade, will never be.
        """
        told = await ask("execution.order.clock", self._venue.now())
        by_then = self._clock.now() - timedelta(seconds=CLOCKS_DIFFER_SECONDS) if told is None else told
        if by_then <= entry.expires_at + timedelta(seconds=self._venue.absence_seconds):
            return
        lookup = self._venue.lookup(entry.market, entry.client_order_id)
        report = await ask("execution.order.absent_order", lookup)
        listed = self._venue.trades(entry.market, entry.client_order_id)
        trades = await ask("execution.order.absent_trades", listed)
        if report is not None or trades:
            return  # the next look takes it in
        evidence = (
            f"{self._key.venue}, asked after {by_then.isoformat()} of its clock, knows no order"
            f" {entry.client_order_id} and no trade of it; it takes no request in that expired at"
            f" {entry.expires_at.isoformat()}"
        )
        command = RecordOrderAbsent(self._key, entry.client_order_id, by_then, evidence)
        await crossing("execution.order.absent", self._desk.record(command))
        self._unclear.pop(entry.client_order_id, None)

    async def _doubt(self, entry: OrderEntry, reason: str) -> None:
        command = RecordOrderDoubt(self._key, entry.client_order_id, reason)
        await crossing("execution.order.doubt", self._desk.record(command))

    async def _rest(self) -> None:
        lane = self._desk.lane()
        if lane is None or not (lane.open or self._silent):
            await self._wake.wait()
            return
        with anyio.move_on_after(LOOK_SECONDS):
            await self._wake.wait()

    def _tell(self, reason: str, *, silent: bool) -> None:
        self._silent = self._silent or silent
        if reason not in self._told_before | self._told:
            self._log.warning("orders.wait", account=self._key.account, venue=self._key.venue, reason=reason)
        self._blocked = reason
        self._told.add(reason)


def _told(error: Exception) -> str:
    text = error.message if isinstance(error, SepError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:300].encode("utf-8", "replace").decode()
