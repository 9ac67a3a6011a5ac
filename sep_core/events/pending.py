"""Appends in the queue: each is answered once, after the commit."""

import asyncio
from collections.abc import Generator
from typing import Any

from sep_hooks.errors import SepError
from sep_hooks.store import AppendResult, Pending

from sep_core.events.appender import DraftedAppend


class QueuedAppend(Pending):
    """An append in the queue. A future is made only for those who wait, so not waiting costs nothing."""

    __slots__ = ("_outcome", "_waiters", "append")

    def __init__(self, append: DraftedAppend) -> None:
        self.append = append
        self._outcome: AppendResult | SepError | None = None
        self._waiters: list[asyncio.Future[None]] | None = None

    @property
    def done(self) -> bool:
        """Whether the outcome is known."""
        return self._outcome is not None

    def settle(self, outcome: AppendResult | SepError) -> None:
        """Answers everybody who waits; called once, on the event loop."""
        self._outcome = outcome
        if self._waiters is not None:
            for waiter in self._waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._waiters = None

    def __await__(self) -> Generator[Any, None, AppendResult]:
        if self._outcome is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if self._waiters is None:
                self._waiters = [waiter]
            else:
                self._waiters.append(waiter)
            yield from waiter
        outcome = self._outcome
        if isinstance(outcome, SepError):
            raise outcome
        assert outcome is not None
        return outcome
