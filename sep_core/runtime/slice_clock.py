"""Watches the schedules of intents in slices: what is due is released, or cut anew with the markets of the moment."""

import heapq
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

LONGEST_WAIT_SECONDS = 30.0
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
            wait = await self._release_due()
            with anyio.move_on_after(wait):
                await self._news.wait()

    async def _release_due(self) -> float:
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
        wait = RETRY_SECONDS if again else LONGEST_WAIT_SECONDS
        if self._heap and not again:
            wait = min(wait, max(0.0, (self._heap[0][0] - now).total_seconds()))
        return wait

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
