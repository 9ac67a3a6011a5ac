"""When breakers open and close, and what they let pass."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sep_hooks.risk import RiskRule
from sep_hooks.testing.risk import BASE, OTHER, QUOTE, price_book, risk_view, swap_plan
from sep_hooks.types import (
    BreakerAction,
    Constraints,
    Equity,
    ExecutionStyle,
    Gauge,
    Need,
    Quantity,
    RiskStage,
    native_asset,
)

from sep_core.events.facts import BreakerClosed, BreakerOpened
from sep_core.risk import (
    Reading,
    RiskEngine,
    WatchFailed,
    Watchkeeping,
    breaker_name,
    concerning,
    evolve_breakers,
    reduces,
    why_stopped,
)
from sep_core.risk.breakers import QUIET, SURE

START = datetime(2026, 5, 4, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EQUITY = Equity("global", QUOTE, START, Quantity(10**9), 10**18, 10**18, 10**18, 10**18)


def reading(used: int, *, latched: bool = False, scope: str = "global") -> Reading:
    gauge = Gauge("lost", "ppm", Quantity(used), Quantity(100), BreakerAction.REDUCE_ONLY, latched, f"{used}")
    return Reading(breaker_name("rule", "lost", scope), scope, gauge)


class Watch:
    """A watch whose findings become facts at once."""

    def __init__(self) -> None:
        self.keeping = Watchkeeping()
        self.open: dict[str, BreakerOpened] = {}
        self.now = START

    def reads(self, one: Reading, after: timedelta = SECOND) -> bool:
        """Whether the reading's breaker is open after it."""
        self.now += after
        for fact in list(self.keeping.judged(self.open, [one], self.now)):
            evolve_breakers(self.open, fact)
        return one.breaker in self.open

    def misses(self, after: timedelta = SECOND) -> bool:
        """Whether the scope is blocked after it could not be measured."""
        self.now += after
        for fact in list(self.keeping.missed(self.open, "global", "no price", self.now)):
            evolve_breakers(self.open, fact)
        return self.keeping.is_blind(self.open, "global")

    def measures(self, after: timedelta = SECOND) -> bool:
        """Whether the scope is blocked still after it was measured."""
        self.now += after
        for fact in list(self.keeping.measured(self.open, "global", self.now)):
            evolve_breakers(self.open, fact)
        return self.keeping.is_blind(self.open, "global")


def test_it_opens_at_its_limit_and_not_before() -> None:
    watch = Watch()
    assert [watch.reads(reading(used)) for used in (0, 99, 100, 99)] == [False, False, True, True]


def test_it_closes_by_itself_after_a_quiet_time_at_half_its_limit() -> None:
    watch = Watch()
    watch.reads(reading(100))
    assert watch.reads(reading(50))
    assert watch.reads(reading(50), QUIET - SECOND)
    assert watch.reads(reading(51))  # not quiet: the time begins anew
    assert watch.reads(reading(50))
    assert watch.reads(reading(0), QUIET - SECOND)
    assert not watch.reads(reading(0))


def test_a_latched_one_never_closes_by_itself() -> None:
    watch = Watch()
    watch.reads(reading(100, latched=True))
    assert watch.reads(reading(0, latched=True))
    assert watch.reads(reading(0, latched=True), 100 * QUIET)


def test_a_scope_is_blocked_once_it_was_missing_for_long_enough_and_free_as_late() -> None:
    watch = Watch()
    assert not watch.misses()
    assert not watch.misses(SURE - SECOND)
    assert not watch.measures()  # found again in time
    assert not watch.misses()
    assert watch.misses(SURE)
    assert watch.open["measuring:global"].action is BreakerAction.BLOCK
    assert watch.measures()
    assert watch.misses()  # and gone again
    assert watch.measures()
    assert not watch.measures(SURE)


_GAS = native_asset(1)
SELL = swap_plan(asset_in=BASE, asset_out=QUOTE)
BUY = swap_plan(asset_in=QUOTE, asset_out=BASE)
TURN = swap_plan(asset_in=BASE, asset_out=OTHER)


@pytest.mark.parametrize(("plan", "lowers"), [(SELL, True), (BUY, False), (TURN, False)])
def test_only_what_ends_in_the_numeraire_lowers_risk(plan: Any, lowers: bool) -> None:
    assert reduces(plan, QUOTE) is lowers
    assert not reduces(plan, None)
    both = replace(plan, spends=(*plan.spends, *swap_plan(asset_in=QUOTE).spends))
    assert not reduces(both, QUOTE)


def opened(action: BreakerAction, scope: str) -> dict[str, BreakerOpened]:
    one = BreakerOpened("b", scope, action, True, "ppm", Quantity(9), Quantity(5), "it fell", START)
    return {one.breaker: one}


@pytest.mark.parametrize(
    ("action", "scope", "stopped"),
    [
        (BreakerAction.REDUCE_ONLY, "strategy:mine", {"buy", "turn"}),
        (BreakerAction.REDUCE_ONLY, "global", {"buy", "turn"}),
        (BreakerAction.BLOCK, "strategy:mine", {"buy", "turn", "sell"}),
        (BreakerAction.BLOCK, "strategy:other", set()),
    ],
)
def test_it_stops_its_own_scope_alone(action: BreakerAction, scope: str, stopped: set[str]) -> None:
    breakers, plans = opened(action, scope), {"buy": BUY, "sell": SELL, "turn": TURN}
    assert {name for name, plan in plans.items() if why_stopped(breakers, "mine", plan, QUOTE)} == stopped
    bounds = Constraints(Decimal("0.5"), 60_000, ExecutionStyle.IMMEDIATE)
    view = risk_view(prices=price_book(2_000_000), free={QUOTE: 10**30, BASE: 10**30, _GAS: 10**30})
    seen = replace(view, breakers=concerning(breakers, "mine"))
    refused = set()
    for name, plan in plans.items():
        decision = RiskEngine({}).decide(plan, bounds, seen, RiskStage.PLAN)
        if not decision.approved:
            assert decision.code == "breaker_open"
            refused.add(name)
    assert refused == stopped


class Watching(RiskRule[Any]):
    version = "1"
    needs = frozenset({Need.EQUITY})

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def watch(self, equity: Equity) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def assess(self, plan: Any, view: Any, stage: Any) -> Any:
        return ()


GOOD = reading(1).gauge


@pytest.mark.parametrize(
    "answer",
    [
        ValueError("no table"),
        None,
        5,
        [None],
        ["halt"],
        [replace(GOOD, used=1.5)],  # type: ignore[arg-type]
        [replace(GOOD, used=float("nan"))],  # type: ignore[arg-type]
        [replace(GOOD, limit=Quantity(0))],
        [replace(GOOD, latched=None)],  # type: ignore[arg-type]
        [replace(GOOD, action="block")],  # type: ignore[arg-type]
        [replace(GOOD, metric=None)],  # type: ignore[arg-type]
    ],
)
def test_a_rule_that_answers_nonsense_is_no_all_clear(answer: object) -> None:
    with pytest.raises(WatchFailed, match="risk rule odd cannot watch"):
        RiskEngine({"odd": Watching(answer)}).gauges(EQUITY)


def test_gauges_are_named_by_rule_metric_and_scope() -> None:
    (found,) = RiskEngine({"odd": Watching([GOOD])}).gauges(EQUITY)
    assert (found.breaker, found.scope) == ("odd.lost:global", "global")


def test_closing_one_that_is_not_open_changes_nothing() -> None:
    breakers = opened(BreakerAction.BLOCK, "global")
    evolve_breakers(breakers, BreakerClosed("other", "global", "", "tests", START))
    assert set(breakers) == {"b"}
