"""The conformance suite of risk rules finds what is planted."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from sep_hooks.config import PluginConfig
from sep_hooks.context import PluginContext
from sep_hooks.risk import RiskRule
from sep_hooks.testing.risk import RiskSuite, price_book, risk_view, swap_plan
from sep_hooks.types import Charge, Json, Need, Plan, Quantity, RiskStage, RiskView, Verdict


class Quiet:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def info(self, event: str, **fields: Json) -> None: ...

    def warning(self, event: str, **fields: Json) -> None: ...


class Cap(RiskRule[PluginConfig]):
    """An honest cap on what is spent, at a worth that must be known."""

    Config = PluginConfig
    version = "1"
    needs = frozenset({Need.PRICES})
    cap = 10**7

    def charges(self, plan: Plan, view: RiskView) -> Sequence[Charge]:
        return (Charge("spent", "global", Quantity(plan.limit_in)),)

    def assess(self, plan: Plan, view: RiskView, stage: RiskStage) -> Sequence[Verdict]:
        held = view.held.get(("spent", "global"), 0)
        return (self.verdict(plan.limit_in, held, self.within(plan, view, held)),)

    def within(self, plan: Plan, view: RiskView, held: int) -> bool:
        assert view.prices is not None
        priced = view.prices.value(plan.asset_in, plan.limit_in) is not None
        return priced and held + plan.limit_in <= self.cap

    def verdict(self, asked: int, held: int, ok: bool) -> Verdict:
        return Verdict(
            "cap", "1", "cap_exceeded", "global", "spent", "", Quantity(0), Quantity(held),
            Quantity(asked), Quantity(self.cap), True, ok,
        )  # fmt: skip


class Inverted(Cap):
    """Lets larger ones pass, again and again on the way up; it wants no prices, so that every view tells of it."""

    needs = frozenset()

    def within(self, plan: Plan, view: RiskView, held: int) -> bool:
        return int(plan.limit_in).bit_length() % 2 == 0


class ForgetsHolds(Cap):
    """The more is held, the more passes; with a cap so low that nearly every plan drawn is refused at first."""

    cap = 1

    def within(self, plan: Plan, view: RiskView, held: int) -> bool:
        return held > 0 or super().within(plan, view, held)


class FailsOpen(Cap):
    """What has no price is let through."""

    def within(self, plan: Plan, view: RiskView, held: int) -> bool:
        return view.prices is None or view.prices.value(plan.asset_in, 1) is None or plan.limit_in < self.cap


class Counting(Cap):
    """Remembers how often it was asked."""

    asked = 0

    def within(self, plan: Plan, view: RiskView, held: int) -> bool:
        self.asked += 1
        return self.asked % 2 == 0


class Refunding(Cap):
    """Frees what others hold."""

    def charges(self, plan: Plan, view: RiskView) -> Sequence[Charge]:
        return (Charge("spent", "global", Quantity(-1)),)


class Unlimited(Cap):
    """Claims what nothing limits."""

    def charges(self, plan: Plan, view: RiskView) -> Sequence[Charge]:
        return (Charge("spend", "global", Quantity(1)),)


class Truthy(Cap):
    """Answers numbers for yes."""

    def within(self, plan: Plan, view: RiskView, held: int) -> bool:
        return 1  # type: ignore[return-value]


def suite_of(cls: type[Cap]) -> RiskSuite[PluginConfig]:
    class Suite(RiskSuite[PluginConfig]):
        def rule(self) -> Cap:
            return cls(PluginConfig(), PluginContext("cap", Quiet(), Quiet()))

        def ladder(self) -> Sequence[Cap]:
            looser, tighter = self.rule(), self.rule()
            tighter.cap = 10**4
            return looser, tighter

        def passing(self) -> tuple[Plan, RiskView]:
            return swap_plan(), risk_view(prices=price_book(2), free={})

    return Suite()


type Test = Callable[[RiskSuite[PluginConfig]], None]

TESTS: tuple[Test, ...] = (
    RiskSuite.test_passing_plan_passes,
    RiskSuite.test_total_and_well_typed,
    RiskSuite.test_pure,
    RiskSuite.test_larger_never_passes_where_smaller_failed,
    RiskSuite.test_tighter_never_passes_where_looser_failed,
    RiskSuite.test_more_held_never_passes_where_less_failed,
    RiskSuite.test_fails_closed_without_prices,
)


def test_an_honest_rule_passes() -> None:
    for test in TESTS:
        test(suite_of(Cap))


@pytest.mark.parametrize(
    ("cls", "test"),
    [
        (Inverted, RiskSuite.test_larger_never_passes_where_smaller_failed),
        (ForgetsHolds, RiskSuite.test_more_held_never_passes_where_less_failed),
        (FailsOpen, RiskSuite.test_fails_closed_without_prices),
        (Counting, RiskSuite.test_pure),
        (Refunding, RiskSuite.test_total_and_well_typed),
        (Unlimited, RiskSuite.test_total_and_well_typed),
        (Truthy, RiskSuite.test_total_and_well_typed),
    ],
)
def test_each_lie_is_found(cls: type[Cap], test: Test) -> None:
    with pytest.raises(AssertionError):
        test(suite_of(cls))
