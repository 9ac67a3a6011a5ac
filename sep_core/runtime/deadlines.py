"""Ends intents whose deadline passed before anything was sent."""

import heapq
import math
from datetime import datetime

import anyio
from sep_hooks.context import Clock
from sep_hooks.errors import Retryable
from sep_hooks.store import IdConflict, WrongExpectedVersion
from sep_hooks.types import IntentId

from sep_core.runtime.commands import ExpireIntent
from sep_core.runtime.desk import Desk
from sep_core.runtime.world import Touched

LOOK_SECONDS = 1.0
"""How often the clock is looked at while an intent is open: a sleep knows nothing of a clock that is set, or of a
machine that slept."""

RETRY_SECONDS = 1.0


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
            state = self._desk.world.intents.get(intent_id)
            if state is None or intent_id in self._known:
                continue
            if state.expires and state.deadline is not None:
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
        """Ends what is due, each on its own: one that cannot end yet holds up no other."""
        now = self._clock.now()
        still_open: list[tuple[datetime, IntentId]] = []
        while self._heap and self._heap[0][0] <= now:
            deadline, intent_id = heapq.heappop(self._heap)
            if await self._expire(intent_id):
                self._known.discard(intent_id)
            else:
                still_open.append((deadline, intent_id))
        wait = RETRY_SECONDS if still_open else math.inf
        if self._heap:
            wait = min(wait, LOOK_SECONDS, (self._heap[0][0] - now).total_seconds())
        for one in still_open:
            heapq.heappush(self._heap, one)
        return wait

    async def _expire(self, intent_id: IntentId) -> bool:
        """Whether nothing of the intent waits for its deadline any more."""
        if intent_id not in self._desk.world.intents:
            return True
        try:
            await self._desk.record(ExpireIntent(intent_id, "the deadline passed; nothing was sent"))
        except (Retryable, WrongExpectedVersion, IdConflict):
            return False
        state = self._desk.world.intents.get(intent_id)
        return state is None or not state.expires
