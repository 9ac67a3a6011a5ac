"""Watches the schedules of intents in slices: what is due is released, or cut anew with the markets of the moment."""

import heapq
import math
from collections.abc import Callable
from datetime import datetime

import anyio
from sep_hooks.context import Clock
from sep_hooks.errors import Retryable
from sep_hooks.store import IdConflict, WrongExpectedVersion
from sep_hooks.types import IntentId

from sep_core.runtime.commands import ReleaseSlices
from sep_core.runtime.desk import Desk
from sep_core.runtime.flow.slices import BY_CLOCK
from sep_core.runtime.world import Touched

LOOK_SECONDS = 0.2
"""How often the clock is looked at while something is scheduled: a sleep knows nothing of a clock that is set, or of
a machine that slept."""

RETRY_SECONDS = 1.0


class SliceClock:
    """One timer for all schedules. The log has them: a start looks at each and goes on where it stands.

    `rest_due` is told of ADAPTIVE intents, whose rest planning counts before anything is released.
    """

    def __init__(self, desk: Desk, clock: Clock, rest_due: Callable[[IntentId], None]) -> None:
        self._desk = desk
        self._clock = clock
        self._rest_due = rest_due
        self._heap: list[tuple[datetime, IntentId]] = []
        self._awaited: dict[IntentId, datetime] = {}
        self._news = anyio.Event()

    def touched(self, touched: Touched) -> None:
        """Takes note of when the next slice of each intent is due."""
        for intent_id in touched.intents:
            due = self._next_due(intent_id)
            if due is None:
                self._awaited.pop(intent_id, None)
            elif self._awaited.get(intent_id) != due:
                self._awaited[intent_id] = due
                heapq.heappush(self._heap, (due, intent_id))
                self._news.set()

    async def run(self) -> None:
        """Releases what is due until cancelled."""
        while True:
            self._news = anyio.Event()
            again = await self._release_due()
            with anyio.move_on_after(self._wait_seconds(again)):
                await self._news.wait()

    def _wait_seconds(self, again: bool) -> float:
        if not self._heap:
            return math.inf
        until_due = (self._heap[0][0] - self._clock.now()).total_seconds()
        return RETRY_SECONDS if again else max(0.0, min(LOOK_SECONDS, until_due))

    async def _release_due(self) -> bool:
        """Whether something has to be tried again."""
        now = self._clock.now()
        again: list[tuple[datetime, IntentId]] = []
        while self._heap and self._heap[0][0] <= now:
            due, intent_id = heapq.heappop(self._heap)
            if self._awaited.get(intent_id) != due:
                continue  # it was scheduled anew, or has ended
            del self._awaited[intent_id]
            if not await self._release(intent_id):
                again.append((due, intent_id))
        for due, intent_id in again:
            self._awaited[intent_id] = due
            heapq.heappush(self._heap, (due, intent_id))
        return bool(again)

    async def _release(self, intent_id: IntentId) -> bool:
        """Whether nothing is left to be done for the slice that was due."""
        state = self._desk.world.intents.get(intent_id)
        if state is None or state.slices is None:
            return True
        if state.slices.style not in BY_CLOCK:
            self._rest_due(intent_id)
            return True
        try:
            await self._desk.record(ReleaseSlices(intent_id))
        except (Retryable, WrongExpectedVersion, IdConflict):
            return False
        return True

    def _next_due(self, intent_id: IntentId) -> datetime | None:
        state = self._desk.world.intents.get(intent_id)
        if state is None or not state.open or state.slices is None or not state.slices.pending:
            return None
        return min(one.at for one in state.slices.pending)
