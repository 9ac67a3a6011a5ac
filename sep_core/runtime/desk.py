"""The desk: the one place where a command becomes facts.

A decision is synchronous: all that follows from a command in every room is decided against memory, queued as one
atomic append, and folded into memory before the next command is looked at. Answers and effects wait for the commit.
"""

import gc
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID, uuid5

import anyio
from sep_hooks.context import Clock
from sep_hooks.store import (
    AppendResult,
    EventStore,
    Exact,
    IdConflict,
    NewEvent,
    Pending,
    StoreBusy,
    StoreClosed,
    StreamWrite,
    WrongExpectedVersion,
)
from sep_hooks.types import IntentId

from sep_core.events.decided import Decided
from sep_core.events.native import Tree
from sep_core.events.reading import FactReader
from sep_core.events.registry import encode_fact, fact_type
from sep_core.execution import LaneKey
from sep_core.execution.orders import OrderLaneKey
from sep_core.runtime.commands import KernelCommand
from sep_core.runtime.world import Touched, World, intent_of, lane_key, order_key
from sep_core.telemetry.crashpoints import crossing

type Decide = Callable[[World, KernelCommand], Sequence[Decided]]
type CommitListener = Callable[[Touched], None]

MOST_OPEN = 4096
"""How many decisions may wait for the disk at once; below what the store's own queue takes."""

MOST_ATTEMPTS = 100
LONGEST_PAUSE_SECONDS = 0.5
"""A worker's command is decided again for up to some 50 s where the log has no room or was read again."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A decision on its way to the disk; behind it the log is at `position`. Empty where a command changed nothing."""

    decided: tuple[Decided, ...]
    pending: Pending | None
    position: int = 0

    async def durable(self) -> AppendResult | None:
        """Where the facts stand, once they are durable. Raises what the store raises."""
        if self.pending is None:
            return None
        return await self.pending  # sep-ok: the store crosses around its commit


class Desk:
    """Decides, remembers, and tells after each commit what has changed."""

    def __init__(
        self,
        store: EventStore,
        world: World,
        decide: Decide,
        clock: Clock,
        fold_again: Callable[[], Awaitable[World]] | None = None,
    ) -> None:
        self.store = store
        self._fold = fold_again or partial(fold, store)
        self.world = world
        self._decide = decide
        self._clock = clock
        self._open: deque[tuple[Commit, Touched]] = deque()
        self._queued = anyio.Event()
        self._listeners: list[CommitListener] = []
        self._astray = self._over = False
        self.durable = world.position
        """Up to where memory is known to be what the log folds to."""
        self.folds = 0
        """How often the log was read again, as it did not confirm what memory had."""

    def on_commit(self, listener: CommitListener) -> None:
        """Calls `listener` after every commit, in order, with what it touched."""
        self._listeners.append(listener)

    def decide(self, command: KernelCommand) -> Commit:
        """Decides a command against memory and queues its facts.

        Raises what rooms refuse, or `StoreBusy`; then nothing was decided, and memory is what it was or will be
        folded again before the next decision. Raises `StoreClosed` where nobody will fold it again.
        """
        if self._astray and self._over:
            raise StoreClosed("the engine ends and reads the log no more; nothing was written")
        if self._astray or len(self._open) >= MOST_OPEN:
            why = (
                "the log is being read again"
                if self._astray
                else f"{len(self._open)} decisions wait for the disk"
            )
            raise StoreBusy(f"{why}; nothing was written", next_step="repeat the request")
        decided = tuple(self._decide(self.world, command))
        if not decided:
            return Commit((), None)
        writes = self._writes(decided)
        try:
            # Memory first: what it cannot take in must never stand in the log, where it would stop every start.
            for one in decided:
                self.world.apply(one.stream, one.fact)
            pending = self.store.enqueue(writes)
        except BaseException:
            self._astray = True
            self._queued.set()
            raise
        commit = Commit(decided, pending, self.world.position)
        self._open.append((commit, touched_by(decided)))
        self._queued.set()
        return commit

    async def record(self, command: KernelCommand) -> None:
        """Decides a command and returns when its facts are durable; waits where the log is busy or read again."""
        for attempt in range(MOST_ATTEMPTS):
            try:
                commit = self.decide(command)
                await crossing(f"desk.{type(command).__name__}", _done(commit))
                return
            except (StoreBusy, WrongExpectedVersion, IdConflict):
                if attempt == MOST_ATTEMPTS - 1:
                    raise
            await anyio.sleep(
                min(LONGEST_PAUSE_SECONDS, 0.005 * 2**attempt)
            )  # sep-ok: nothing happens meanwhile

    def everything(self) -> Touched:
        """All intents, lanes and orders, for those who begin to listen."""
        return Touched(
            frozenset(self.world.intents), frozenset(self.world.lanes), frozenset(self.world.orders)
        )

    async def settled(self) -> None:
        """Returns when everything decided so far is durable. Raises what the store raises."""
        if self._open:
            await _outcome(self._open[-1][0].pending)

    async def run(self) -> None:
        """Follows the commits in order and wakes those who wait for them; ends with the store's own failure."""
        try:
            while True:
                await self._follow()
                self._queued = anyio.Event()
                if not (self._open or self._astray):
                    await self._queued.wait()
        finally:
            self._over = True

    async def _follow(self) -> None:
        while self._open or self._astray:
            if self._astray:
                await self._refold()
                continue
            commit, touched = self._open[0]
            try:
                await _outcome(commit.pending)
            except (WrongExpectedVersion, IdConflict):
                self._astray = True
                continue
            self._open.popleft()
            self.durable = commit.position
            self._tell(touched)

    def _tell(self, touched: Touched) -> None:
        for listener in self._listeners:
            listener(touched)

    async def _refold(self) -> None:
        # What was decided on a world that the log does not confirm is void: wait out the queue, fold again.
        for commit, _ in self._open:
            try:
                await _outcome(commit.pending)
            except (WrongExpectedVersion, IdConflict):
                continue
        self._open.clear()
        self.world = await self._fold()  # sep-ok: reads
        self.durable, self.folds = self.world.position, self.folds + 1
        self._astray = False
        self._tell(self.everything())

    def _writes(self, decided: Sequence[Decided]) -> list[StreamWrite]:
        by_stream: dict[str, list[Decided]] = {}
        for one in decided:
            by_stream.setdefault(one.stream, []).append(one)
        now = self._clock.now()
        return [
            StreamWrite(
                stream,
                Exact(self.world.version(stream)),
                [
                    NewEvent(
                        one.id or self._event_id(stream, self.world.version(stream) + offset),
                        *fact_type(one.fact),
                        body=encode_fact(one.fact),
                        occurred_at=now,
                    )
                    for offset, one in enumerate(facts, start=1)
                ],
            )
            for stream, facts in by_stream.items()
        ]

    def _event_id(self, stream: str, version: int) -> UUID:
        return uuid5(self.store.store_id, f"{stream}/{version}")


async def fold(
    store: EventStore,
    *,
    as_of: int | datetime | None = None,
    start: World | None = None,
    tree: Tree | None = None,
) -> World:
    """The world as the log tells it, now or as of a position or moment; from its first event on, or from `start`, which
    the events of `tree` fold to. Raises `LogBroken` where what was read is not what was signed.
    """
    world, reader = start or World(), FactReader(store, as_of=as_of, tree=tree)
    with without_collections():
        try:
            await reader.visit(world.apply)  # sep-ok: reads the log into memory
        except Exception:
            await reader.check_rest()  # sep-ok: reads
            raise
    return world


@contextmanager
def without_collections() -> Iterator[None]:
    """A fold makes much and drops nothing in circles: looking for circles all the while costs a quarter of it."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def touched_by(decided: Sequence[Decided]) -> Touched:
    """The intents, lanes and orders that facts belong to."""
    intents: set[IntentId] = set()
    lanes: set[LaneKey] = set()
    orders: set[OrderLaneKey] = set()
    for one in decided:
        room, _, rest = one.stream.partition(":")
        if room == "intent":
            intents.add(intent_of(rest))
        elif room == "account":
            lanes.add(lane_key(rest))
        elif room == "orders":
            orders.add(order_key(rest))
    return Touched(frozenset(intents), frozenset(lanes), frozenset(orders))


async def _done(commit: Commit) -> None:
    await commit.durable()  # sep-ok: the store crosses around its commit


async def _outcome(pending: Awaitable[AppendResult] | None) -> None:
    if pending is not None:
        await pending  # sep-ok: the store crosses around its commit
