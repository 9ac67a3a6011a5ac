"""Conformance of the rule, and each of its limits at its edge."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from sep_hooks.context import PluginContext
from sep_hooks.testing.risk import BASE, QUOTE, RiskSuite, price_book, risk_view, swap_plan
from sep_hooks.types import BreakerAction, Equity, Json, Plan, Quantity, RiskView
from sep_risk_drawdown import Drawdown, DrawdownConfig

ONE = 10**18
CALM = Equity("global", QUOTE, datetime(2026, 1, 2, tzinfo=UTC), Quantity(10**12), ONE, ONE, ONE, ONE)


class Quiet:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def info(self, event: str, **fields: Json) -> None: ...

    def warning(self, event: str, **fields: Json) -> None: ...


def drawdown(**config: object) -> Drawdown:
    given = {"numeraire": "USDC"} | config
    return Drawdown(DrawdownConfig.model_validate(given), PluginContext("drawdown", Quiet(), Quiet()))


def reached(equity: Equity, **config: object) -> set[str]:
    """The metrics that stand at their limit or beyond."""
    return {one.metric for one in drawdown(**config).watch(equity) if one.used >= one.limit}


class TestDrawdown(RiskSuite[DrawdownConfig]):
    def rule(self) -> Drawdown:
        return drawdown()

    def passing(self) -> tuple[Plan, RiskView]:
        return swap_plan(), risk_view(prices=price_book(2_000_000), free={QUOTE: 10**7, BASE: 10**7})


@pytest.mark.parametrize(
    ("unit_value", "expected"),
    [
        (ONE, set()),
        (ONE - ONE // 10 + ONE // 10**6, set()),
        (ONE - ONE // 10 + 1, {"reduce"}),  # less than a millionth from it counts as there
        (ONE - ONE // 10, {"reduce"}),
        (ONE * 85 // 100 + ONE // 10**6, {"reduce"}),
        (ONE * 85 // 100, {"reduce", "halt"}),
        (0, {"reduce", "halt"}),
    ],
)
def test_a_limit_acts_where_it_says(unit_value: int, expected: set[str]) -> None:
    lost = replace(CALM, unit_value=unit_value, day_start=unit_value, day_ago=unit_value)
    assert reached(lost) == expected


@pytest.mark.parametrize("since", ["day_start", "day_ago"])
def test_a_day_is_measured_from_both_its_beginnings(since: str) -> None:
    rose = replace(CALM, high=2 * ONE, unit_value=2 * ONE, day_start=ONE, day_ago=ONE)
    assert reached(rose) == set()
    fell = replace(rose, unit_value=194 * ONE // 100, **{since: 2 * ONE})
    assert reached(fell) == {"daily_loss"}
    assert reached(fell, daily_loss="0.031") == set()


def test_what_halts_waits_for_a_person_and_what_reduces_does_not() -> None:
    latched = {one.metric: one.latched for one in drawdown().watch(CALM)}
    assert latched == {"reduce": False, "halt": True, "daily_loss": True}
    assert {one.action for one in drawdown().watch(CALM)} == {BreakerAction.REDUCE_ONLY}


def test_it_says_what_was_lost_in_words() -> None:
    lost = replace(CALM, unit_value=ONE * 7 // 8)
    assert drawdown().watch(lost)[0].detail == "a unit has lost 12.5 % since its high, 10 % are allowed"


@pytest.mark.parametrize(
    "config",
    [
        {"numeraire": ""},
        {"reduce": "0"},
        {"halt": "1"},
        {"daily_loss": "-0.1"},
        {"reduce": "0.15"},
        {"halt": "0.05"},
        {"halt": "much"},
        {"halt": True},
        {"halt": "nan"},
        {"horizon": "1d"},
    ],
)
def test_what_makes_no_sense_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        drawdown(**config)
