"""Ends intents whose deadline passed before anything was sent."""

import heapq
from datetime import datetime

import anyio
from sep_hooks.context import Clock
from sep_hooks.types import IntentId, IntentStatus

from sep_core.intents import BEFORE_EXECUTION
from sep_core.runtime.commands import ExpireIntent
from sep_core.runtime.desk import Desk
from sep_core.runtime.world import Touched

LONGEST_WAIT_SECONDS = 30.0
RETRY_SECONDS = 1.0

_EXPIRES = BEFORE_EXECUTION | {IntentStatus.PARTIALLY_FILLED}


class Deadlines:
    """One timer for all open intents. What is being signed is looked at again shortly: it may still be withdrawn."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self._heap: list[tuple[datetime, IntentId]] = []
        self._known: set[IntentId] = set()
        self._news = anyio.Event()

    def touched(self, touched: Touched) -> None:
        """Takes note of deadlines of intents that were accepted."""
        for intent_id in touched.intents:
            state = self._desk.world.intents[intent_id]
            if intent_id not in self._known and state.status in _EXPIRES and state.deadline is not None:
                self._known.add(intent_id)
                heapq.heappush(self._heap, (state.deadline, intent_id))
                self._news.set()

    async def run(self) -> None:
        """Expires intents until cancelled."""
        while True:
            self._news = anyio.Event()
            wait = await self._expire_due()
            with anyio.move_on_after(wait):
                await self._news.wait()

    async def _expire_due(self) -> float:
        while self._heap:
            deadline, intent_id = self._heap[0]
            wait = (deadline - self._clock.now()).total_seconds()
            if wait > 0:
                return min(wait, LONGEST_WAIT_SECONDS)
            heapq.heappop(self._heap)
            await self._desk.record(ExpireIntent(intent_id, "the deadline passed; nothing was sent"))
            if self._desk.world.intents[intent_id].status in _EXPIRES:
                heapq.heappush(self._heap, (deadline, intent_id))
                return RETRY_SECONDS
            self._known.discard(intent_id)
        return LONGEST_WAIT_SECONDS
