"""Runs a plugin's coroutine step by step, so that it is known at every moment who holds the thread."""

from asyncio import CancelledError
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, Final

from sep_core.plugins.holding import Holding
from sep_core.plugins.reference import PluginRef

CANCELLATIONS_BEFORE_ABANDON: Final = 16
"""How often a coroutine may await on after being cancelled, for its clean-up, before it is abandoned."""


class Driven[T](Awaitable[T]):
    """Awaits a coroutine inside the current task; each step of it runs with the slot held.

    `cancelled` is the last cancellation from outside, `longest_seconds` the longest stretch without an await.
    """

    __slots__ = ("_call", "_coroutine", "_holding", "_plugin", "cancelled", "longest_seconds")

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], plugin: PluginRef, call: str, holding: Holding
    ) -> None:
        self._coroutine = coroutine
        self._plugin = plugin
        self._call = call
        self._holding = holding
        self.cancelled: CancelledError | None = None
        self.longest_seconds = 0.0

    def __await__(self) -> Generator[Any, Any, T]:
        coroutine, holding = self._coroutine, self._holding
        value: Any = None
        thrown: BaseException | None = None
        cancellations = 0
        while True:
            previous = holding.enter(self._plugin, self._call)
            try:
                awaited = coroutine.send(value) if thrown is None else coroutine.throw(thrown)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            finally:
                seconds = holding.leave(previous)
                if seconds > self.longest_seconds:
                    self.longest_seconds = seconds
            value = thrown = None
            try:
                value = yield awaited
            except CancelledError as error:
                self.cancelled = error
                cancellations += 1
                if cancellations > CANCELLATIONS_BEFORE_ABANDON:
                    self._abandon()
                    raise
                thrown = error
            except BaseException as error:
                thrown = error

    def _abandon(self) -> None:
        """Closes a coroutine that goes on awaiting however often it is cancelled."""
        previous = self._holding.enter(self._plugin, self._call)
        try:
            self._coroutine.close()
        except BaseException:  # noqa: S110 - it was told to end and has no more say
            pass
        finally:
            self._holding.leave(previous)
