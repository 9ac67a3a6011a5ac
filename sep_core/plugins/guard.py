"""Every call into a plugin goes through the guard: bounded, contained, checked, counted and reported."""

import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal

import anyio

from sep_core.plugins.conformity import check_of
from sep_core.plugins.driven import Driven
from sep_core.plugins.facts import PluginFact, faulted, quarantined, released
from sep_core.plugins.failure import (
    CIRCUIT_PAUSE_SECONDS,
    POLICIES,
    Consequence,
    FailurePolicy,
    FaultKind,
    PluginFault,
    described,
)
from sep_core.plugins.holding import Holding
from sep_core.plugins.reference import PluginRef
from sep_core.telemetry.crashpoints import crash_point

type Report = Callable[[PluginRef, PluginFact], None]
"""Takes a fact about a plugin for the log; must not wait."""


@dataclass(slots=True)
class _Standing:
    policy: FailurePolicy
    strikes: int = 0
    consequence: Consequence | None = None
    reason: str = ""
    probe_at: float = 0.0
    probing: bool = False


class Guard:
    """Wraps calls into plugins. A call answers, or raises `PluginFault` and nothing else that the plugin raised.

    Exceptions listed in `answers` are answers: they pass through and are no fault. Cancellation from outside and
    `KeyboardInterrupt` pass through too.
    """

    def __init__(
        self,
        report: Report,
        *,
        holding: Holding | None = None,
        redact: Callable[[str], str] = lambda text: text,
        monotonic: Callable[[], float] = time.monotonic,
        circuit_pause_seconds: float = CIRCUIT_PAUSE_SECONDS,
    ) -> None:
        self.holding = holding or Holding()
        self._report = report
        self._redact = redact
        self._monotonic = monotonic
        self._pause = circuit_pause_seconds
        self._standings: dict[PluginRef, _Standing] = {}

    async def call[T](
        self,
        plugin: PluginRef,
        call: str,
        make: Callable[[], Awaitable[T]],
        *,
        timeout_seconds: float | None,
        returns: object = None,
        answers: tuple[type[Exception], ...] = (),
        submitted: bool = False,
    ) -> T:
        """Awaits `make()` and checks the answer against the type `returns`, where one is given.

        `submitted`: something of ours may be on its way through the plugin; its third strike makes it read-only.
        Raises `PluginFault`, or one of `answers`.
        """
        standing = self._admit(plugin, call)
        driven: Driven[T] | None = None
        answer: list[T] = []
        scope = anyio.move_on_after(timeout_seconds)
        late = f"did not answer within {timeout_seconds} s"
        try:
            with scope:
                driven = Driven(self._coroutine(plugin, call, make), plugin, call, self.holding)
                answer.append(await driven)
        except (KeyboardInterrupt, GeneratorExit):
            standing.probing = False
            raise
        except answers:
            self._served(plugin, standing)
            raise
        except BaseException as raised:
            if _simulated_death(raised):
                raise
            if driven is not None and driven.cancelled is not None and not scope.cancel_called:
                standing.probing = False
                raise driven.cancelled from (None if raised is driven.cancelled else raised)
            error = described(raised)
            if scope.cancel_called:
                raise self._strike(
                    plugin, standing, call, "timed_out", f"{late}: {error}", submitted=submitted
                ) from raised
            raise self._strike(plugin, standing, call, "raised", error, submitted=submitted) from raised
        if scope.cancel_called or not answer:
            raise self._strike(plugin, standing, call, "timed_out", late, submitted=submitted)
        seconds = 0.0 if driven is None else driven.longest_seconds
        return self._checked(plugin, standing, call, answer[0], returns, seconds, submitted=submitted)

    def call_sync[T](
        self,
        plugin: PluginRef,
        call: str,
        make: Callable[[], T],
        *,
        returns: object = None,
        answers: tuple[type[Exception], ...] = (),
    ) -> T:
        """Calls `make()` and checks the answer. Raises `PluginFault`, or one of `answers`."""
        standing = self._admit(plugin, call)
        previous = self.holding.enter(plugin, call)
        seconds = 0.0
        try:
            result = make()
        except KeyboardInterrupt:
            standing.probing = False
            raise
        except answers:
            self._served(plugin, standing)
            raise
        except BaseException as raised:
            if _simulated_death(raised):
                raise
            raise self._strike(plugin, standing, call, "raised", described(raised)) from raised
        finally:
            seconds = self.holding.leave(previous)
        return self._checked(plugin, standing, call, result, returns, seconds)

    async def attempt[T](
        self,
        plugin: PluginRef,
        call: str,
        make: Callable[[], Awaitable[T]],
        *,
        timeout_seconds: float | None,
        returns: object = None,
        submitted: bool = False,
    ) -> T | PluginFault:
        """As `call`, with the fault as a value."""
        try:
            return await self.call(
                plugin, call, make, timeout_seconds=timeout_seconds, returns=returns, submitted=submitted
            )
        except PluginFault as fault:
            return fault

    def consequence(self, plugin: PluginRef) -> Consequence | None:
        """What the plugin's faults have led to, or None while it is asked."""
        standing = self._standings.get(plugin)
        return None if standing is None else standing.consequence

    def reason(self, plugin: PluginRef) -> str:
        """Why the plugin is not asked; empty while it is."""
        standing = self._standings.get(plugin)
        return "" if standing is None or standing.consequence is None else standing.reason

    def circuit(self, plugin: PluginRef) -> Literal["closed", "open", "half_open"]:
        """Whether calls go through: all, none, or the next one as a probe."""
        standing = self._standings.get(plugin)
        if standing is None or standing.consequence is None:
            return "closed"
        return "half_open" if standing.probing or self._monotonic() >= standing.probe_at else "open"

    def strikes(self, plugin: PluginRef) -> int:
        """Faults in a row so far."""
        standing = self._standings.get(plugin)
        return 0 if standing is None else standing.strikes

    def refuse(self, plugin: PluginRef, consequence: Consequence, reason: str) -> None:
        """Takes over a consequence that the log holds from an earlier run; nothing is reported."""
        standing = self._standing(plugin)
        standing.consequence, standing.reason, standing.probe_at = consequence, reason, float("inf")

    def quarantine(self, plugin: PluginRef, reason: str) -> None:
        """Asks the plugin no more, whatever its kind, and reports it."""
        standing = self._standing(plugin)
        if standing.consequence != "quarantined":
            self._follow(plugin, standing, "quarantined", reason)

    def release(self, plugin: PluginRef, reason: str) -> None:
        """Asks the plugin again, and reports it."""
        standing = self._standing(plugin)
        if standing.consequence is not None:
            self._standings.pop(plugin)
            self._report(plugin, released(plugin, reason))

    def strike(self, plugin: PluginRef, call: str, fault: FaultKind, error: str) -> PluginFault:
        """Counts a fault that somebody else noticed: a late report, a callback that a supervisor cancelled."""
        return self._strike(plugin, self._standing(plugin), call, fault, error)

    def _standing(self, plugin: PluginRef) -> _Standing:
        standing = self._standings.get(plugin)
        if standing is None:
            standing = self._standings[plugin] = _Standing(POLICIES[plugin.kind])
        return standing

    def _admit(self, plugin: PluginRef, call: str) -> _Standing:
        standing = self._standing(plugin)
        if standing.consequence is None:
            return standing
        probe = standing.consequence in ("circuit_open", "read_only") and not standing.probing
        if probe and self._monotonic() >= standing.probe_at:
            standing.probing = True
            return standing
        raise PluginFault(
            plugin, call, None, f"is not asked: {standing.reason}", consequence=standing.consequence
        )

    def _coroutine[T](
        self, plugin: PluginRef, call: str, make: Callable[[], Awaitable[T]]
    ) -> Coroutine[Any, Any, T]:
        previous = self.holding.enter(plugin, call)
        try:
            made = make()
        finally:
            self.holding.leave(previous)
        if inspect.iscoroutine(made):
            return made
        if not inspect.isawaitable(made):
            raise TypeError(
                f"{call} answered a {type(made).__name__} that cannot be awaited; is it `async def`?"
            )
        return _awaited(made)

    def _checked[T](
        self,
        plugin: PluginRef,
        standing: _Standing,
        call: str,
        answer: T,
        returns: object,
        seconds: float,
        *,
        submitted: bool = False,
    ) -> T:
        """The answer, if it is of the promised type. One that took the loop too long is served and counted."""
        wrong = "" if returns is None else check_of(returns)(answer)
        if wrong:
            raise self._strike(
                plugin, standing, call, "wrong_result", f"the answer {wrong}", submitted=submitted
            )
        limit = standing.policy.held_seconds
        if limit is not None and seconds >= limit:
            held = f"held the event loop for {seconds * 1000:.0f} ms in one go, allowed are {limit * 1000:.0f} ms"
            self._strike(plugin, standing, call, "held_the_loop", held, submitted=submitted)
        else:
            self._served(plugin, standing)
        return answer

    def _served(self, plugin: PluginRef, standing: _Standing) -> None:
        standing.strikes = 0
        if standing.probing:
            standing.probing = False
            standing.consequence = None
            self._report(plugin, released(plugin, "a probe was answered"))

    def _strike(
        self,
        plugin: PluginRef,
        standing: _Standing,
        call: str,
        fault: FaultKind,
        error: str,
        *,
        submitted: bool = False,
    ) -> PluginFault:
        standing.strikes += 1
        text = self._redact(error)[:500]
        self._report(
            plugin,
            faulted(plugin, call, fault, text, standing.strikes),
        )
        if standing.probing:
            standing.probing = False
            standing.probe_at = self._monotonic() + self._pause
        elif standing.consequence is None and standing.strikes >= standing.policy.strikes:
            self._follow(
                plugin,
                standing,
                "read_only" if submitted else standing.policy.consequence,
                f"{standing.strikes} faults in a row, the last in {call}: {text}",
            )
        return PluginFault(
            plugin, call, fault, text, strike=standing.strikes, consequence=standing.consequence
        )

    def _follow(self, plugin: PluginRef, standing: _Standing, consequence: Consequence, reason: str) -> None:
        standing.consequence = consequence
        standing.reason = reason
        standing.probe_at = self._monotonic() + self._pause
        self._report(plugin, quarantined(plugin, consequence, reason))


def _simulated_death(error: BaseException) -> bool:
    """Whether a test's crash point, passed by kernel code that the plugin had called, raised this: no fault of it."""
    if isinstance(error, BaseExceptionGroup):
        return any(_simulated_death(one) for one in error.exceptions)
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is crash_point.__code__:
            return True
        trace = trace.tb_next
    return False


async def _awaited[T](made: Awaitable[T]) -> T:
    return await made
