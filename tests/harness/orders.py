"""Engines that trade at the simulated exchange, killed at every crash point, judged by the exchange's own record.

`python -m tests.harness.orders SCENARIO FOLDER DEATHS [BUG]` leaves what it found in `FOLDER/found.json`.
"""

import asyncio
import json
import os
import re
import shutil
import sys
import threading
import traceback
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from unittest.mock import patch
from uuid import UUID

from sep_hooks.types import IntentStatus, OrderRequest
from sep_native.book import SimExchange
from sep_native.sim import SimChain

from sep_core.adapters.sim_book import DEFAULT_ACCOUNT, demo_exchange, share_exchange
from sep_core.adapters.sim_chain import share
from sep_core.events.facts import OrderReserved
from sep_core.events.reading import read_facts
from sep_core.execution.orders import OrderStatus, RecordOrderAbsent, worker
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.settings import Settings, settings_of
from sep_core.runtime.start import running_kernel
from sep_core.telemetry.crashpoints import armed

from .bench import DATA, ENVIRON, STRATEGY, Wish, acquire, dispose, new_chain, tables
from .run import submit_all
from .scenario import START
from .surviving import LOG_FILE, _rows
from .verdict import Broken, check_accepted, check_fold, check_log

ACCOUNT = "cex"
VENUE = "book"
LOT = 10**15
START_MS = int(START.timestamp() * 1000)
STILL = {"every_ms": 0, "levels": 6, "lots": [60, 60], "takes_percent": 0}

type Disturb = Callable[[str, SimExchange], None]


class RunningClock:
    """Thirty times as fast as the machine's, from a moment on: the exchange's clock never stands or goes back.

    The time that copies of a surviving state take is left out.
    """

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._began = monotonic()

    def now(self) -> datetime:
        """The moment."""
        return self._start + timedelta(seconds=30 * (monotonic() - self._began))

    def leave_out(self, seconds: float) -> None:
        """So much of the machine's time does not count."""
        self._began += seconds


@dataclass(frozen=True, slots=True)
class OrderScenario:
    """One path of orders. `ends` are the states in which its intents may end."""

    name: str
    wishes: tuple[Wish, ...]
    faults: tuple[Mapping[str, Any], ...] = ()
    disturb: Disturb = lambda point, exchange: None
    resting: bool = False
    cancels: bool = False
    paper: bool = False
    ends: frozenset[str] = frozenset({"SETTLED"})
    exchange: Mapping[str, Any] = field(default_factory=dict)

    def settings(
        self,
        folder: Path,
        chain: str,
        exchange: str,
        *,
        poll_seconds: float = 0.005,
        block_seconds: float = 0.02,
    ) -> Settings:
        """An engine whose only strategy trades at the exchange."""
        made = tables(
            {"shared": chain},
            block_seconds=block_seconds,
            accounts={
                ACCOUNT: {
                    "order_venue": VENUE,
                    "funding": ["USDC"],
                    "orders": "resting" if self.resting else "immediate",
                }
            },
            order_venues={
                VENUE: {
                    "use": "simulated-book",
                    "chain": "sim",
                    "shared": exchange,
                    "poll_seconds": poll_seconds,
                }
            },
            strategies={"author": {"use": "external", "id": STRATEGY, "account": ACCOUNT}},
        )
        if self.paper:
            made["mode"] = "paper"
        return settings_of(made, source="test", folder=folder)

    def new_exchange(self) -> SimExchange:
        """The exchange at the beginning; a client order id may be used again once its order is closed, so that an
        order that is sent twice is two orders.
        """
        changes = {"flow": STILL, "latency_ms": [0, 0], "unique_client_ids": False, **self.exchange}
        genesis = demo_exchange(7) | changes
        made = SimExchange(json.dumps(genesis), START_MS)
        control(made, control="faults", faults=list(self.faults))
        return made


def control(exchange: SimExchange, **request: Any) -> Any:
    """One thing that no user can do."""
    return json.loads(exchange.control(json.dumps(request)))


def orders_of(exchange: SimExchange) -> list[dict[str, Any]]:
    """All orders of the account that the exchange ever took in, as it has them."""
    told = control(exchange, control="orders", account=DEFAULT_ACCOUNT)
    return [one for one in told if one["status"] != "REJECTED"]


@asynccontextmanager
async def order_engine(
    scenario: OrderScenario,
    folder: Path,
    chain: SimChain,
    exchange: SimExchange,
    clock: RunningClock,
) -> AsyncIterator[Kernel]:
    """An engine of the scenario at an exchange of this process."""
    name = f"{folder} {os.getpid()}"
    share(name, chain)
    share_exchange(name, exchange)
    try:
        with patch.object(worker, "LOOK_SECONDS", 0.02):
            settings = scenario.settings(folder, name, name)
            async with running_kernel(settings, ENVIRON, clock) as kernel:
                yield kernel
    finally:
        share(name, None)
        share_exchange(name, None)


async def check_orders(
    kernel: Kernel, exchange: SimExchange, scenario: OrderScenario, wishes: Sequence[Wish]
) -> Counter[str]:
    """Nothing open, nothing held, and every trade at the exchange is one fill of the order that the log sent."""
    ended: Counter[str] = Counter()
    for state in kernel.world.intents.values():
        ended[state.status.value] += 1
        if not state.status.terminal:
            why = [one.blocked for one in (kernel.orders.workers.values() if kernel.orders else ())]
            waiting = kernel.plans.why_waiting(state.id)
            raise Broken(f"intent {state.id} is {state.status}: {state.reason}; {why}; {waiting}")
    entries = {name: one for lane in kernel.world.orders.values() for name, one in lane.entries.items()}
    for entry in entries.values():
        if entry.status is not OrderStatus.CLOSED:
            raise Broken(f"order {entry.client_order_id} is {entry.status}: {entry.reasons}")
    found = orders_of(exchange)
    sent = Counter(one["client_id"] for one in found)
    twice = [name for name, count in sent.items() if count > 1]
    if twice:
        raise Broken(f"sent twice: {twice}")
    for one in found:
        known = entries.get(one["client_id"])
        if known is None or known.filled != one["filled"] or one["status"] == "OPEN":
            raise Broken(f"the exchange has {one}, the log {known}")
    absent = [one for name, one in entries.items() if name not in sent and one.filled]
    if absent:
        raise Broken(f"filled, but not at the exchange: {absent}")
    if kernel.world.book.holds:
        raise Broken(f"held for ever: {kernel.world.book.holds}")
    if kernel.orders is not None and not scenario.paper:
        mismatches = await kernel.orders.mismatches(kernel.world)
        if mismatches:
            raise Broken(f"books: {mismatches}")
    _check_amounts(kernel, scenario, wishes)
    await check_fold(kernel)
    return ended


def _check_amounts(kernel: Kernel, scenario: OrderScenario, wishes: Sequence[Wish]) -> None:
    """What settled was exchanged in full, whole lots, and once."""
    for wish in wishes:
        body = json.loads(wish.body)
        state = kernel.world.intents[kernel.world.by_client["author", wish.client_id]]
        asked = int(body["assets"][0]["amount"]) // LOT * LOT
        base = state.intent.assets[0].asset.id
        sign = 1 if body["type"] == "ACQUIRE" else -1
        done = sign * sum(amount for fill in state.fills for asset, amount in fill.moved if asset == base)
        if done > asked or (state.status is IntentStatus.SETTLED and done != asked):
            raise Broken(f"intent {state.id} is {state.status}: {done} of {asked} exchanged")


@dataclass(frozen=True, slots=True)
class Left:
    """What a death leaves: the folder, the chain, the exchange, and what had been acknowledged."""

    name: str
    folder: Path
    chain: SimChain
    exchange: SimExchange
    acknowledged: frozenset[UUID]
    deaths: int
    at: datetime


@dataclass
class Recorder:
    """Passed to `armed`: counts the places, and keeps every new surviving state where it `keeps`."""

    scenario: OrderScenario
    folder: Path
    chain: SimChain
    exchange: SimExchange
    clock: RunningClock
    store_in: Path
    seen: set[object]
    deaths: int
    keeps: bool
    acknowledged: set[UUID] = field(default_factory=set)
    passed: Counter[str] = field(default_factory=Counter)
    found: list[Left] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __call__(self, point: str) -> None:
        """The engine is at a crash point, on its loop's thread or on the store's."""
        if point == "store.before_commit":
            # From here to `store.after_commit` the file changes under whoever would copy it.
            self._lock.acquire()
        with self._lock:
            self.passed[point] += 1
            self.scenario.disturb(point, self.exchange)
            if self.keeps:
                began = monotonic()
                self._keep(point)
                self.clock.leave_out(monotonic() - began)
        if point == "store.after_commit":
            self._lock.release()

    def _keep(self, point: str) -> None:
        exchange = self.exchange.copy()
        target = self.store_in / f"{len(self.seen)}-{self.deaths}"
        shutil.copytree(self.folder, target)
        told = _told(target)
        sent = json.dumps(orders_of(exchange))
        key = (told, sent, control(exchange, control="faulted"), frozenset(self.acknowledged))
        self._check_durable_before_send(point, target, exchange)
        if key in self.seen:
            shutil.rmtree(target)
            return
        self.seen.add(key)
        name = f"{point}#{self.passed[point]}"
        known = frozenset(self.acknowledged)
        left = Left(name, target, self.chain.copy(), exchange, known, self.deaths, self.clock.now())
        self.found.append(left)

    def _check_durable_before_send(self, point: str, folder: Path, exchange: SimExchange) -> None:
        durable = set(_reserved(folder))
        sent = {one["client_id"] for one in orders_of(exchange)}
        if sent - durable:
            self.broken.append(f"at {point}: {sent - durable} left and do not stand in the log")


def _told(folder: Path) -> tuple[tuple[str, str], ...]:
    rows = _rows(
        folder / DATA / LOG_FILE,
        "SELECT stream, type FROM events WHERE stream GLOB 'intent:*' OR stream GLOB 'orders:*'"
        " OR stream GLOB 'ledger:*' OR stream GLOB 'risk:*' ORDER BY pos",
    )
    return tuple((str(stream), str(kind)) for stream, kind in rows)


def _reserved(folder: Path) -> Iterator[str]:
    for (record,) in _rows(
        folder / DATA / LOG_FILE, "SELECT record FROM events WHERE type = 'OrderReserved'"
    ):
        found = re.search(rb'"client_order_id":"([0-9a-f]{32})"', bytes(record))
        assert found is not None
        yield found[1].decode()


@dataclass
class Explored:
    """What an exploration found."""

    scenario: str
    points: Counter[str] = field(default_factory=Counter)
    recovery_points: Counter[str] = field(default_factory=Counter)
    recovered: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For the caller, and for people."""
        return {
            "scenario": self.scenario,
            "places": self.points.total(),
            "points": dict(sorted(self.points.items())),
            "recovery_points": sorted(self.recovery_points),
            "recovered": self.recovered,
            "ended": dict(self.ended),
            "broken": self.broken,
            "seconds": round(self.seconds, 1),
        }


class OrderExplorer:
    """Walks one scenario, then starts again from every state that a death leaves, `deaths` deep."""

    def __init__(
        self, scenario: OrderScenario, folder: Path, deaths: int, *, stops_early: bool = False
    ) -> None:
        self.scenario = scenario
        self.folder = folder
        self.deaths = deaths
        self.stops_early = stops_early
        self.found = Explored(scenario.name)
        self._seen: set[object] = set()
        self._open: deque[Left] = deque()

    def run(self) -> Explored:
        """The whole path once, then one recovery from each state."""
        began = monotonic()
        first = self.folder / "first"
        first.mkdir()
        chain = new_chain(first)
        self._walk(first, chain, self.scenario.new_exchange(), None)
        while self._open and not (self.stops_early and self.found.broken):
            left = self._open.popleft()
            self.found.recovered += 1
            self._walk(left.folder, left.chain, left.exchange, left)
            shutil.rmtree(left.folder)
        self.found.seconds = monotonic() - began
        return self.found

    def _walk(self, folder: Path, chain: SimChain, exchange: SimExchange, after: Left | None) -> None:
        deaths = 1 if after is None else after.deaths + 1
        recorder = Recorder(
            self.scenario,
            folder,
            chain,
            exchange,
            RunningClock(START if after is None else after.at),
            self.folder,
            self._seen,
            deaths,
            deaths <= self.deaths,
        )
        recorder.acknowledged |= frozenset() if after is None else after.acknowledged
        try:
            with armed(recorder):
                asyncio.run(self._live(folder, chain, exchange, after, recorder))
        except Exception as error:
            told = "".join(traceback.format_exception(error)[-4:])
            where = "without a death" if after is None else f"dead at {after.name} ({after.deaths} deaths)"
            self.found.broken.append(f"{where}: {told}")
        self._open.extend(recorder.found)
        self.found.broken += recorder.broken
        (self.found.points if after is None else self.found.recovery_points).update(recorder.passed)

    async def _live(
        self, folder: Path, chain: SimChain, exchange: SimExchange, after: Left | None, recorder: Recorder
    ) -> None:
        async with order_engine(self.scenario, folder, chain, exchange, recorder.clock) as kernel:
            if after is not None:
                check_accepted(kernel, after.acknowledged)
            views = await submit_all(
                kernel, self.scenario.wishes, recorder.acknowledged.add, cancel=self.scenario.cancels
            )
            ended = await check_orders(kernel, exchange, self.scenario, self.scenario.wishes)
            await _check_reserved_once(kernel)
        check_log(folder / DATA)
        if not self.scenario.ends >= set(ended):
            raise Broken(f"ended {dict(ended)}: {[one.reason for one in views]}")
        self.found.ended.update(ended)


async def _check_reserved_once(kernel: Kernel) -> None:
    names: Counter[str] = Counter()
    async for _, fact in read_facts(kernel.store):
        if isinstance(fact, OrderReserved):
            names[fact.client_order_id] += 1
    if any(count > 1 for count in names.values()):
        raise Broken(f"reserved twice: {names}")


def others_take_first(point: str, exchange: SimExchange) -> None:
    """Between the first reservation and its order's arrival somebody takes most of the book; later it fills again."""
    other = {"control": "other", "market": "WETH-USDC"}
    taken = control(exchange, control="orders", account="others too")
    if point == "execution.order.submit.before" and not taken:
        control(exchange, side="BUY", price=300_006, size=300, rests=False, **other)
        control(exchange, side="SELL", price=299_994, size=300, rests=False, **other)
    elif point == "planning.plan.before" and taken:
        back = [one for one in control(exchange, control="orders", account="others") if one["size"] == 400]
        if not back:
            control(exchange, side="SELL", price=300_007, size=400, rests=True, **other)
            control(exchange, side="BUY", price=299_993, size=400, rests=True, **other)


def others_come(point: str, exchange: SimExchange) -> None:
    """While an order rests, others bring what fills it, in two parts."""
    if point != "execution.order.lookup.after":
        return
    open_orders = [one for one in orders_of(exchange) if one["status"] == "OPEN"]
    for one in open_orders:
        side = "SELL" if one["side"] == "BUY" else "BUY"
        size = max(1, (one["size"] - one["filled"]) // 2)
        control(
            exchange,
            control="other",
            market=one["market"],
            side=side,
            price=one["price"],
            size=size,
            rests=False,
        )


BUY, SELL = acquire("buys", 10**17, slippage="0.01"), dispose("sells", 10**17, slippage="0.01")
THIN = {"flow": {**STILL, "levels": 1, "lots": [40, 40]}}

PLAIN = OrderScenario("plain", (BUY, SELL))

LOST = OrderScenario(
    "lost",
    (BUY, SELL),
    faults=(
        {"method": "submit", "kind": "lost", "taken": True, "at": [1]},
        {"method": "submit", "kind": "lost", "taken": False, "at": [2]},
        {"method": "trades", "kind": "doubled", "at": [1]},
        {"method": "lookup", "kind": "hidden", "at": [1, 2]},
        {"method": "trades", "kind": "hidden", "at": [2]},
    ),
)

LATE = OrderScenario(
    "late",
    (BUY, SELL),
    faults=(
        {"method": "submit", "kind": "late", "by_ms": 6_000, "at": [1]},
        {"method": "submit", "kind": "late", "by_ms": 60_000, "at": [2]},
        {"method": "submit", "kind": "refused", "at": [3]},
    ),
)

PARTIAL = OrderScenario(
    "partial", (acquire("buys much", 2 * 10**17, slippage="0.01"), SELL), disturb=others_take_first
)

RESTING = OrderScenario(
    "resting",
    (acquire("rests", 10**17, slippage="0.001"),),
    resting=True,
    disturb=others_come,
    exchange=THIN,
)

CANCELLED = OrderScenario(
    "cancelled",
    (acquire("rests", 10**17, slippage="0.001"),),
    resting=True,
    cancels=True,
    exchange=THIN,
    ends=frozenset({"CANCELLED", "FAILED", "SETTLED"}),
)

EXPIRED = OrderScenario(
    "expired",
    (acquire("rests", 10**17, window_ms=60_000, slippage="0.001"),),
    resting=True,
    exchange=THIN,
    ends=frozenset({"EXPIRED", "FAILED", "SETTLED"}),
)

PAPER = OrderScenario("paper", (BUY, SELL), paper=True)

ORDER_SCENARIOS = {one.name: one for one in (PLAIN, LOST, LATE, PARTIAL, RESTING, CANCELLED, EXPIRED, PAPER)}


@contextmanager
def resend_before_query() -> Iterator[None]:
    """What got no answer is sent again at once, under the same id."""
    look = worker.OrderWorker._look

    async def impatient(self: Any, entry: Any) -> None:
        lane = self._desk.lane()
        now = lane.entries[entry.client_order_id]
        if now.status is OrderStatus.IN_DOUBT:
            request = OrderRequest(
                entry.client_order_id,
                entry.market,
                entry.side,
                entry.price,
                entry.size,
                entry.time_in_force,
                self._clock.now() + timedelta(seconds=10),
            )
            await self._send_again(entry, request)
        await look(self, entry)

    async def send_again(self: Any, entry: Any, request: Any) -> None:
        try:
            await self._venue.submit(request)
        except Exception:
            return

    with (
        patch.object(worker.OrderWorker, "_look", impatient),
        patch.object(worker.OrderWorker, "_send_again", send_again, create=True),
    ):
        yield


@contextmanager
def send_before_persist() -> Iterator[None]:
    """The order leaves first; its reservation follows."""
    place = worker.OrderWorker._place

    async def hasty(self: Any, work: Any) -> None:
        book = work.step.book
        await self._venue.submit(
            OrderRequest(
                work.client_order_id,
                book.market,
                book.side,
                book.price,
                book.size,
                book.time_in_force,
                self._clock.now() + timedelta(seconds=10),
            )
        )
        await place(self, work)

    with patch.object(worker.OrderWorker, "_place", hasty):
        yield


@contextmanager
def absence_at_once() -> Iterator[None]:
    """An order that the venue does not show now counts as never placed, and the next attempt follows."""
    from importlib import import_module

    deciding = import_module("sep_core.execution.orders.decide")

    async def hasty(self: Any, entry: Any) -> None:
        command = RecordOrderAbsent(self._key, entry.client_order_id, self._clock.now(), "it is not there")
        await self._desk.record(command)

    def believing(lane: Any, command: Any) -> Any:
        entry = lane.entries.get(command.client_order_id)
        if entry is None or not entry.open:
            return ()
        closed = deciding.OrderClosed(entry.client_order_id, "not_placed", 0, command.evidence)
        return deciding._in(lane.key, closed)

    with (
        patch.object(worker.OrderWorker, "_missing", hasty),
        patch.object(deciding, "_absent", believing),
    ):
        yield


ORDER_BUGS: dict[str, Callable[[], Any]] = {
    "resend-before-query": resend_before_query,
    "send-before-persist": send_before_persist,
    "absence-at-once": absence_at_once,
}


def main() -> None:
    """See the module."""
    name, folder, deaths, *bug = sys.argv[1:]
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    with ORDER_BUGS[bug[0]]() if bug else nullcontext():
        found = OrderExplorer(ORDER_SCENARIOS[name], place, int(deaths), stops_early=bool(bug)).run()
    (place / "found.json").write_text(json.dumps(found.as_json(), indent=1))


if __name__ == "__main__":
    main()
