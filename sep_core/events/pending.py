"""Appends in the queue: each is answered once, after the commit."""

import asyncio
from collections.abc import Generator
from typing import Any

from sep_hooks.errors import SepError
from sep_hooks.store import AppendResult, Pending

from sep_core.events.native import DraftedAppend


class QueuedAppend(Pending):
    """An append in the queue. A future is made only for those who wait, so not waiting costs nothing."""

    __slots__ = ("_outcome", "_waiters", "append", "taken_at")

    def __init__(self, append: DraftedAppend, taken_at: int) -> None:
        self.append = append
        self.taken_at = taken_at
        self._outcome: AppendResult | SepError | None = None
        self._waiters: list[asyncio.Future[AppendResult]] | None = None

    @property
    def done(self) -> bool:
        """Whether the outcome is known."""
        return self._outcome is not None

    def settle(self, outcome: AppendResult | SepError) -> None:
        """Answers everybody who waits; called once, on the event loop."""
        self._outcome = outcome
        waiters = self._waiters
        if waiters is not None:
            self._waiters = None
            for waiter in waiters:
                if waiter.done():
                    continue
                if type(outcome) is AppendResult:
                    waiter.set_result(outcome)
                elif isinstance(outcome, SepError):
                    waiter.set_exception(outcome)

    def __await__(self) -> Generator[Any, None, AppendResult]:
        if self._outcome is None:
            waiter: asyncio.Future[AppendResult] = asyncio.get_running_loop().create_future()
            if self._waiters is None:
                self._waiters = [waiter]
            else:
                self._waiters.append(waiter)
            return waiter.__await__()
        return self._told()

    def _told(self) -> Generator[Any, None, AppendResult]:
        yield from ()
        outcome = self._outcome
        if isinstance(outcome, SepError):
            raise outcome
        assert outcome is not None
        return outcome
