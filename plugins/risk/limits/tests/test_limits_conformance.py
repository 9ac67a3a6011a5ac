"""Conformance of the rule, and each of its limits at its edge."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from sep_hooks.context import PluginContext
from sep_hooks.testing.risk import (
    BASE,
    OTHER,
    QUOTE,
    RiskSuite,
    passes,
    price_book,
    risk_view,
    swap_plan,
    total_charge,
)
from sep_hooks.types import Amount, Json, Plan, PriceBook, RiskStage, RiskView
from sep_risk_limits import Limits, LimitsConfig

PRICES = price_book(2_000_000)
FREE = {QUOTE: 10_000_000, BASE: 10_000_000}


class Quiet:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def info(self, event: str, **fields: Json) -> None: ...

    def warning(self, event: str, **fields: Json) -> None: ...


def limits(**config: object) -> Limits:
    given = {"numeraire": "USDC", "max_notional": "1000000"} | config
    return Limits(LimitsConfig.model_validate(given), PluginContext("limits", Quiet(), Quiet()))


def view(prices: PriceBook | None = PRICES, held: dict[tuple[str, str], int] | None = None) -> RiskView:
    return risk_view(prices=prices, free=FREE, held=held)


def ok(rule: Limits, plan: Plan, seen: RiskView | None = None) -> bool:
    return passes(rule, plan, seen or view(), RiskStage.PLAN)


def quoted(plan: Plan, amount_in: int, amount_out: int) -> Plan:
    """The same plan where the chain answered these amounts."""
    spends = tuple(replace(flow, quoted=Amount(amount_in)) for flow in plan.spends)
    return replace(
        plan,
        spends=spends,
        receives=tuple(replace(flow, quoted=Amount(amount_out)) for flow in plan.receives),
    )


class TestLimits(RiskSuite[LimitsConfig]):
    def rule(self) -> Limits:
        return limits(
            max_open_notional="2000000",
            max_share="0.5",
            max_slippage="0.01",
            assets=[QUOTE, BASE],
            venues=["uni", "sushi"],
        )

    def ladder(self) -> Sequence[Limits]:
        rungs = [(10**30, "1", "1"), (10**24, "0.5", "0.1"), (10**12, "0.1", "0.01"), (1, "0", "0")]
        return [
            limits(
                max_notional=str(amount),
                max_open_notional=str(amount),
                max_share=share,
                max_slippage=slippage,
            )
            for amount, share, slippage in rungs
        ]

    def passing(self) -> tuple[Plan, RiskView]:
        return swap_plan(), view()


class TestNotionalOnly(RiskSuite[LimitsConfig]):
    def rule(self) -> Limits:
        return limits(max_notional=str(10**24))

    def passing(self) -> tuple[Plan, RiskView]:
        return swap_plan(), view()


@pytest.mark.parametrize("exact_in", [True, False])
def test_notional_is_the_worst_outflow_to_the_unit(exact_in: bool) -> None:
    plan = swap_plan(exact_in=exact_in)
    assert ok(limits(max_notional=str(plan.limit_in)), plan)
    assert not ok(limits(max_notional=str(plan.limit_in - 1)), plan)


def test_notional_of_another_asset_follows_its_price_rounded_up() -> None:
    plan = swap_plan(asset_in=BASE, asset_out=QUOTE, amount_in=3, amount_out=5)
    third = view(price_book(1, per=2))
    assert ok(limits(max_notional="2"), plan, third)
    assert not ok(limits(max_notional="1"), plan, third)


def test_what_has_no_price_or_a_price_of_zero_is_refused() -> None:
    plan = swap_plan(asset_in=OTHER, asset_out=QUOTE)
    verdicts = limits().assess(plan, view(), RiskStage.PLAN)
    assert [one.code for one in verdicts if not one.ok] == ["unpriceable"]
    worthless = swap_plan(asset_in=BASE, asset_out=QUOTE)
    assert not ok(limits(max_notional=str(10**30)), worthless, view(price_book(0)))


def test_open_intents_share_one_limit() -> None:
    rule = limits(max_open_notional="2500000")
    plan = swap_plan()
    assert total_charge(rule, plan, view(), "open_notional") == int(plan.limit_in)
    key = "open_notional", "account:main"
    assert ok(rule, plan, view(held={key: 1_500_000}))
    assert not ok(rule, plan, view(held={key: 1_500_001}))


def test_share_of_the_holding_counts_what_others_will_spend() -> None:
    rule = limits(max_share="0.25")
    key = "spending", f"account:main:rebalance:{QUOTE}"
    assert total_charge(rule, swap_plan(), view(), "spending") == 1_000_000
    assert ok(rule, swap_plan(), view(held={key: 1_500_000}))
    assert not ok(rule, swap_plan(), view(held={key: 1_500_001}))
    assert not ok(rule, swap_plan(), risk_view(prices=PRICES, free={}))


@pytest.mark.parametrize("exact_in", [True, False])
def test_slippage_is_measured_off_the_worst_reference(exact_in: bool) -> None:
    rule = limits(max_slippage="0.005", max_notional=str(10**9))
    assert ok(rule, swap_plan(exact_in=exact_in, slippage_ppm=5_000))
    assert not ok(rule, swap_plan(exact_in=exact_in, slippage_ppm=6_000))
    plan = swap_plan(exact_in=exact_in, slippage_ppm=4_000)
    assert ok(rule, plan)
    worse = quoted(plan, 980_000, 510_000)
    assert not ok(rule, worse)
    assert not ok(rule, replace(plan, marginal=(Amount(51), Amount(100))))
    assert not ok(rule, replace(plan, marginal=(Amount(0), Amount(1))))
    assert not ok(rule, quoted(plan, 0, 0))


def test_lists_name_what_is_outside() -> None:
    verdicts = limits(venues=["sushi"], assets=[QUOTE]).assess(swap_plan(), view(), RiskStage.PRE_SIGN)
    refused = {one.code: one.detail for one in verdicts if not one.ok}
    assert set(refused) == {"venue_not_allowed", "asset_not_allowed"}
    assert "uni" in refused["venue_not_allowed"]
    assert BASE in refused["asset_not_allowed"]
    checksummed = BASE.replace("0xc", "0xC")
    assert ok(limits(venues=["uni"], assets=[QUOTE, checksummed]), swap_plan())


@pytest.mark.parametrize(
    "config",
    [
        {"max_notional": "-1"},
        {"max_notional": "1.5"},
        {"max_notional": 1.5},
        {"max_notional": True},
        {"max_notional": None},
        {"numeraire": ""},
        {"max_share": "1.1"},
        {"max_share": "NaN"},
        {"max_slippage": "-0.1"},
        {"max_slippage": True},
        {"assets": ["WETH"]},
        {"max_open_notional": "999999"},
        {"max_leverage": "2"},
    ],
)
def test_a_configuration_that_cannot_be_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LimitsConfig.model_validate({"numeraire": "USDC", "max_notional": "1000000"} | config)


def test_numbers_of_the_file_are_taken_exactly() -> None:
    config = LimitsConfig.model_validate(
        {"numeraire": "USDC", "max_notional": 5, "max_share": 0.1, "max_slippage": "0.005"}
    )
    assert (config.max_notional, str(config.max_share), str(config.max_slippage)) == (5, "0.1", "0.005")
    assert limits().numeraire() == "USDC"
