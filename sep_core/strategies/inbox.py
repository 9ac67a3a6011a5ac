"""What waits for one instance: facts and timers never lost, data conflated to the latest."""

from collections import deque
from collections.abc import Callable
from datetime import datetime

import anyio

from sep_core.strategies.triggers import BlockArrived, DataTrigger, FactTrigger, QuoteArrived, TimerDue

type Waiting = FactTrigger | TimerDue | DataTrigger


class Inbox:
    """One instance's queue: facts before timers before data. `skipped` counts data that newer data replaced."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._facts: deque[FactTrigger] = deque()
        self._data: dict[str, tuple[DataTrigger, datetime]] = {}
        self._rung = anyio.Event()
        self._idle = anyio.Event()
        self.timers: dict[str, datetime] = {}
        self.skipped = 0
        self.closed = False

    def fact(self, trigger: FactTrigger) -> None:
        """Adds a fact; the log is what bounds them."""
        self._facts.append(trigger)
        self.wake()

    def data(self, trigger: DataTrigger) -> None:
        """Adds data in place of older data of the same source, which keeps its turn."""
        key = _source(trigger)
        self.skipped += key in self._data
        self._data[key] = trigger, self._now()
        self.wake()

    def wake(self) -> None:
        """Looks at the clock again."""
        if self._idle.is_set():
            self._idle = anyio.Event()
        self._rung.set()

    def close(self) -> None:
        """Lets `next` end at once."""
        self.closed = True
        self.wake()

    def end(self) -> None:
        """Nobody reads any more."""
        self.closed = True
        self._idle.set()

    async def idle(self) -> None:
        """Returns when everything has been handed out and dealt with, and nothing is due."""
        while not self._idle.is_set():
            await self._idle.wait()

    async def next(self) -> tuple[Waiting, datetime] | None:
        """What comes next and when it arrived; None once closed."""
        while not self.closed:
            self._rung = anyio.Event()
            ready = self._ready()
            if ready is not None:
                return ready
            self._idle.set()
            with anyio.move_on_after(self._seconds_to_timer()):
                await self._rung.wait()
            if self._idle.is_set():
                self._idle = anyio.Event()
        return None

    def _ready(self) -> tuple[Waiting, datetime] | None:
        now = self._now()
        if self._facts:
            return self._facts.popleft(), now
        due = min(self.timers.items(), key=lambda item: (item[1], item[0]), default=None)
        if due is not None and due[1] <= now:
            return TimerDue(*due), now
        for key, (trigger, arrived) in self._data.items():
            del self._data[key]
            return trigger, arrived
        return None

    def _seconds_to_timer(self) -> float | None:
        if not self.timers:
            return None
        return max(0.0, (min(self.timers.values()) - self._now()).total_seconds())


def _source(trigger: DataTrigger) -> str:
    match trigger:
        case BlockArrived(tick):
            return f"block:{tick.chain}"
        case QuoteArrived(quote):
            return f"quote:{quote.base.id}:{quote.quote.id}"
