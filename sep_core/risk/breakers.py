"""Breakers: what stops new plans of a strategy, or of all, until it is closed again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sep_hooks.errors import Permanent
from sep_hooks.types import AssetId, BreakerAction, Gauge, Plan, Quantity

from sep_core.events.facts import BreakerClosed, BreakerOpened
from sep_core.events.scopes import GLOBAL, scope_of

QUIET: Final = timedelta(minutes=5)
"""How long a metric must stay at half its limit or less before its breaker closes by itself."""

SURE: Final = timedelta(seconds=3)
"""For how long a scope could not be measured when it is blocked, and for how long it could when it is free again."""

MEASURING: Final = "measuring"
"""The breaker that opens where a scope cannot be measured."""


class BreakerHolds(Permanent):
    """A breaker closes by itself alone: nobody knows what its scope holds is worth."""

    code = "breaker_holds"


BREAKER_OPEN: Final = "breaker_open"
"""Why a plan is refused that an open breaker stops."""

type Breakers = Mapping[str, BreakerOpened]
"""The open ones by name."""


def evolve_breakers(breakers: dict[str, BreakerOpened], fact: BreakerOpened | BreakerClosed) -> None:
    """Takes one more fact in."""
    if isinstance(fact, BreakerOpened):
        breakers[fact.breaker] = fact
    else:
        breakers.pop(fact.breaker, None)


def check_may_close(opened: BreakerOpened) -> None:
    """Raises `BreakerHolds` where no person can close a breaker."""
    if opened.breaker.startswith(f"{MEASURING}:"):
        raise BreakerHolds(
            f"breaker {opened.breaker} closes by itself once {opened.scope} can be measured: {opened.reason}",
            next_step="sep doctor",
        )


def concerning(breakers: Breakers, strategy: str) -> Mapping[str, BreakerAction]:
    """The open breakers of a strategy and of all, by name."""
    scopes = {scope_of(strategy), GLOBAL}
    return {name: one.action for name, one in breakers.items() if one.scope in scopes}


def reduces(plan: Plan, numeraire: AssetId | None) -> bool:
    """Whether a plan turns other holdings into the numéraire and does nothing else: it lowers every exposure."""
    return all(flow.asset == numeraire for flow in plan.receives) and all(
        flow.asset != numeraire for flow in plan.spends
    )


def lets_pass(action: BreakerAction, plan: Plan, numeraire: AssetId | None) -> bool:
    """Whether an open breaker leaves a plan alone."""
    return action is BreakerAction.REDUCE_ONLY and reduces(plan, numeraire)


def why_stopped(
    breakers: Breakers, strategy: str, plan: Plan, numeraire: AssetId | None
) -> tuple[str, str] | None:
    """Why open breakers stop a plan, as code and reason; None where they do not."""
    for name, action in concerning(breakers, strategy).items():
        if not lets_pass(action, plan, numeraire):
            return BREAKER_OPEN, f"breaker {name} is open: {breakers[name].reason}"
    return None


@dataclass(frozen=True, slots=True)
class Reading:
    """One gauge of one rule, as a look found it."""

    breaker: str
    scope: str
    gauge: Gauge


def breaker_name(rule: str, metric: str, scope: str) -> str:
    """The name of the breaker that guards a rule's metric in a scope."""
    return f"{rule}.{metric}:{scope}"


@dataclass(slots=True)
class Watchkeeping:
    """What looks remember between them: since when metrics are quiet, and scopes are missing or measured again.

    Nothing of it needs to outlive a run: what is open stands in the log, and a quiet time begins anew.
    """

    _quiet: dict[str, datetime] = field(default_factory=dict)
    _missing: dict[str, datetime] = field(default_factory=dict)
    _measured: dict[str, datetime] = field(default_factory=dict)

    def judged(
        self, breakers: Breakers, readings: Sequence[Reading], now: datetime
    ) -> Iterator[BreakerOpened | BreakerClosed]:
        """What opens and closes by what was read."""
        for one in readings:
            gauge = one.gauge
            known = breakers.get(one.breaker)
            if known is None and gauge.used >= gauge.limit:
                self._quiet.pop(one.breaker, None)
                yield BreakerOpened(
                    one.breaker,
                    one.scope,
                    gauge.action,
                    gauge.latched,
                    gauge.unit,
                    gauge.used,
                    gauge.limit,
                    gauge.detail,
                    now,
                )
            elif known is not None and not known.latched:
                if 2 * gauge.used > gauge.limit:
                    self._quiet.pop(one.breaker, None)
                elif now - self._quiet.setdefault(one.breaker, now) >= QUIET:
                    del self._quiet[one.breaker]
                    minutes = QUIET // timedelta(minutes=1)
                    why = f"for {minutes} minutes it was at half its limit or less: {gauge.detail}"
                    yield BreakerClosed(one.breaker, one.scope, why, "engine", now)

    def is_blind(self, breakers: Breakers, scope: str) -> bool:
        """Whether a breaker says already that the scope cannot be measured."""
        return f"{MEASURING}:{scope}" in breakers

    def measured(self, breakers: Breakers, scope: str, now: datetime) -> Iterator[BreakerClosed]:
        """What closes because a scope was measured."""
        self._missing.pop(scope, None)
        if not self.is_blind(breakers, scope):
            return
        if now - self._measured.setdefault(scope, now) >= SURE:
            del self._measured[scope]
            yield BreakerClosed(f"{MEASURING}:{scope}", scope, "it is measured again", "engine", now)

    def missed(self, breakers: Breakers, scope: str, why: str, now: datetime) -> Iterator[BreakerOpened]:
        """What opens because a scope could not be measured."""
        self._measured.pop(scope, None)
        missing = now - self._missing.setdefault(scope, now)
        if missing < SURE or self.is_blind(breakers, scope):
            return
        yield BreakerOpened(
            f"{MEASURING}:{scope}",
            scope,
            BreakerAction.BLOCK,
            False,
            "seconds",
            Quantity(int(missing.total_seconds())),
            Quantity(int(SURE.total_seconds())),
            why,
            now,
        )
