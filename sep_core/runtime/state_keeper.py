"""Keeps the state of a running engine every so many events, once the log is known to fold to it."""

from collections.abc import Callable
from typing import Final

import anyio

from sep_core.runtime.desk import Desk
from sep_core.runtime.state_cache import StateCache
from sep_core.runtime.world import Touched, World
from sep_core.telemetry.log import NamedLog

EVERY: Final = 20_000
SHARE: Final = 10
"""A state is kept each 20,000 events; of a log longer than ten times that, each time it has grown by a tenth: what a
start has to read is bounded, and so is what keeping costs."""


class StateKeeper:
    """One task beside the others. A disk that does not take a state costs the next start time, nothing else."""

    def __init__(self, desk: Desk, cache: StateCache, *, every: int = EVERY) -> None:
        self._desk = desk
        self._cache = cache
        self._every = every
        self._last = cache.begun_at
        self._news = anyio.Event()
        self._log = NamedLog("state")

    def touched(self, _: Touched) -> None:
        """Something was committed."""
        self._news.set()

    async def run(self) -> None:
        """Keeps states until cancelled."""
        while True:
            await self._until(self._due)
            state, folds = self._desk.world.copy(), self._desk.folds
            await self._until(lambda state=state, folds=folds: self._settled(state, folds))  # type: ignore[misc]
            self._last = state.position
            if self._desk.folds != folds:
                continue  # the log did not confirm what memory had
            try:
                await self._cache.keep(state)  # sep-ok: a cache
            except OSError as error:
                self._log.warning("state.not_kept", position=state.position, reason=str(error))

    def _due(self) -> bool:
        return self._desk.world.position >= self._last + max(self._every, self._last // SHARE)

    def _settled(self, state: World, folds: int) -> bool:
        return self._desk.durable >= state.position or self._desk.folds != folds

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            self._news = anyio.Event()
            await self._news.wait()
