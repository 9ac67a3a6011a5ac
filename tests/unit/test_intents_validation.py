"""What is wrong with an intent: every reason, each with its place and code."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sep_hooks.testing.risk import BASE, OTHER, QUOTE
from sep_hooks.types import (
    Amount,
    Asset,
    Constraints,
    ExecutionStyle,
    Intent,
    IntentAsset,
    IntentType,
    Slicing,
    address,
    erc20,
    evm_chain,
)

from sep_core.intents import Bounds, IntentRules, KnownAccount, Roster, intent_id, validate

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CLIENT = UUID("a3a2e9a8-1b3c-4d5e-8f6a-7b8c9d0e1f2a")
STRATEGY = UUID("c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d")
ROSTER = Roster(
    {"quickstart": "main", "poor": "empty"},
    {
        "main": KnownAccount("main", evm_chain(1), address("0x" + "ee" * 20), (QUOTE,)),
        "empty": KnownAccount("empty", evm_chain(1), address("0x" + "ef" * 20), (BASE,)),
    },
)
WETH = Asset(BASE, "WETH", 18)
USD = Asset(QUOTE, "USDC", 6)
EXAMPLE = Intent(
    id=intent_id(STRATEGY, CLIENT),
    client_id=CLIENT,
    strategy="quickstart",
    account="main",
    type=IntentType.ACQUIRE,
    assets=(IntentAsset(WETH, Amount(10**17), Decimal("1.0")),),
    constraints=Constraints(Decimal("0.005"), 60_000, ExecutionStyle.ADAPTIVE),
)


def part(amount: int | None, percentage: str | None = None, asset: Asset = WETH) -> tuple[IntentAsset, ...]:
    return (
        IntentAsset(
            asset,
            None if amount is None else Amount(amount),
            None if percentage is None else Decimal(percentage),
        ),
    )


def having(**changes: object) -> Intent:
    return replace(EXAMPLE, constraints=replace(EXAMPLE.constraints, **changes))  # type: ignore[arg-type]


def twap(slicing: Slicing, window_ms: int = 60_000) -> Intent:
    return having(execution_style=ExecutionStyle.TWAP, slicing=slicing, time_window_ms=window_ms)


def vwap(*profile: str) -> Intent:
    return having(execution_style=ExecutionStyle.VWAP, slicing=Slicing(None, weights(*profile)))


def weights(*texts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(text) for text in texts)


def jitter(time: str, size: str) -> Slicing:
    return Slicing(None, (), Decimal(time), Decimal(size))


def rebalance(*targets: tuple[str | None, Asset]) -> Intent:
    assets = tuple(one for weight, asset in targets for one in part(None, weight, asset))
    constraints = replace(EXAMPLE.constraints, execution_style=ExecutionStyle.IMMEDIATE)
    return replace(EXAMPLE, type=IntentType.REBALANCE, assets=assets, constraints=constraints)


WIDE_PROFILE = replace(
    EXAMPLE.constraints,
    execution_style=ExecutionStyle.VWAP,
    time_window_ms=3_600_000,
    slicing=Slicing(None, weights(*["1"] * 257)),
)


def said(intent: Intent, rules: IntentRules | None = None) -> list[tuple[str, str]]:
    problems = validate(intent, rules or IntentRules(), NOW, ROSTER)
    assert all(problem.message for problem in problems)
    return [(problem.pointer, problem.code) for problem in problems]


def test_the_example_is_taken_as_it_stands() -> None:
    assert said(EXAMPLE) == []


@pytest.mark.parametrize(
    "assets", [part(1), part(1, "1"), part(None, "0.25"), part(None, "1"), part(2**256 - 1)]
)
def test_amount_or_share(assets: tuple[IntentAsset, ...]) -> None:
    assert said(replace(EXAMPLE, assets=assets)) == []
    assert said(replace(EXAMPLE, assets=assets, type=IntentType.DISPOSE)) == []


@pytest.mark.parametrize(
    ("intent", "expected"),
    [
        (replace(EXAMPLE, assets=part(None)), ("/assets/0/amount", "amount_missing")),
        (replace(EXAMPLE, assets=part(0)), ("/assets/0/amount", "zero_amount")),
        (replace(EXAMPLE, assets=part(-1)), ("/assets/0/amount", "amount_out_of_range")),
        (replace(EXAMPLE, assets=part(10**80)), ("/assets/0/amount", "amount_out_of_range")),
        (replace(EXAMPLE, assets=part(1, "0.5")), ("/assets/0/percentage", "amount_and_percentage")),
        (replace(EXAMPLE, assets=part(None, "0")), ("/assets/0/percentage", "percentage_out_of_range")),
        (replace(EXAMPLE, assets=part(None, "1.01")), ("/assets/0/percentage", "percentage_out_of_range")),
        (replace(EXAMPLE, assets=part(None, "-1")), ("/assets/0/percentage", "percentage_out_of_range")),
        (replace(EXAMPLE, assets=part(None, "NaN")), ("/assets/0/percentage", "percentage_out_of_range")),
        (replace(EXAMPLE, assets=()), ("/assets", "exactly_one_asset")),
        (replace(EXAMPLE, assets=part(1) + part(1)), ("/assets", "exactly_one_asset")),
        (replace(EXAMPLE, strategy="nobody"), ("/strategy_id", "unknown_strategy")),
        (replace(EXAMPLE, account="nowhere"), ("/strategy_id", "unknown_account")),
        (replace(EXAMPLE, strategy="poor", account="empty"), ("/assets/0/asset", "no_funding")),
        (
            replace(EXAMPLE, assets=part(1, asset=Asset(erc20(10, "0x" + "c0" * 20), "WETH", 18))),
            ("/assets/0/asset/chain_id", "asset_on_other_chain"),
        ),
        (having(max_slippage=Decimal("0.0009")), ("/constraints/max_slippage", "constraint_out_of_bounds")),
        (having(max_slippage=Decimal("0.11")), ("/constraints/max_slippage", "constraint_out_of_bounds")),
        (having(max_slippage=Decimal("NaN")), ("/constraints/max_slippage", "constraint_out_of_bounds")),
        (having(max_slippage=Decimal("sNaN")), ("/constraints/max_slippage", "constraint_out_of_bounds")),
        (having(time_window_ms=59_999), ("/constraints/time_window_ms", "constraint_out_of_bounds")),
        (having(time_window_ms=3_600_001), ("/constraints/time_window_ms", "constraint_out_of_bounds")),
        (
            having(execution_style=ExecutionStyle.VWAP),
            ("/constraints/slicing/profile", "profile_missing"),
        ),
        (having(slicing=Slicing(3)), ("/constraints/slicing", "slicing_without_use")),
        (twap(Slicing(1)), ("/constraints/slicing/slices", "slices_out_of_range")),
        (twap(Slicing(257), 3_600_000), ("/constraints/slicing/slices", "slices_out_of_range")),
        (twap(Slicing(61)), ("/constraints/slicing", "slices_too_close")),
        (twap(Slicing(None, weights("1", "2"))), ("/constraints/slicing/profile", "slicing_without_use")),
        (twap(jitter("0.91", "0")), ("/constraints/slicing/time_jitter", "jitter_out_of_range")),
        (twap(jitter("0", "-0.1")), ("/constraints/slicing/size_jitter", "jitter_out_of_range")),
        (twap(jitter("NaN", "0")), ("/constraints/slicing/time_jitter", "jitter_out_of_range")),
        (vwap("1"), ("/constraints/slicing/profile", "profile_length")),
        (replace(vwap("1"), constraints=WIDE_PROFILE), ("/constraints/slicing/profile", "profile_length")),
        (vwap("0", "0"), ("/constraints/slicing/profile", "profile_empty")),
        (vwap("1", "-1"), ("/constraints/slicing/profile", "profile_weight")),
        (vwap("1", "Infinity"), ("/constraints/slicing/profile", "profile_weight")),
        (vwap(*["1"] * 61), ("/constraints/slicing", "slices_too_close")),
        (
            having(execution_style=ExecutionStyle.VWAP, slicing=Slicing(2, (Decimal(1), Decimal(2)))),
            ("/constraints/slicing/slices", "slicing_without_use"),
        ),
        (rebalance(("1", WETH)), ("/assets", "at_least_two_assets")),
        (rebalance(("0.5", WETH), ("0.5", WETH)), ("/assets/1/asset", "asset_twice")),
        (rebalance(("0.5", WETH), ("0.4", USD)), ("/assets", "weights_not_one")),
        (rebalance(("0.5", WETH), ("0.5000000000000000000000000001", USD)), ("/assets", "weights_not_one")),
        (rebalance(("0.5", WETH), (None, USD)), ("/assets/1/percentage", "weight_missing")),
        (rebalance(("1", WETH), ("-0.5", USD)), ("/assets/1/percentage", "percentage_out_of_range")),
        (rebalance(("NaN", WETH), ("1", USD)), ("/assets/0/percentage", "percentage_out_of_range")),
        (
            replace(rebalance(("0.5", WETH)), assets=(*part(1, "0.5"), *part(None, "0.5", USD))),
            ("/assets/0/amount", "amount_in_rebalance"),
        ),
        (
            rebalance(("0.5", WETH), ("0.5", Asset(erc20(10, "0x" + "c0" * 20), "WETH", 18))),
            ("/assets/1/asset/chain_id", "asset_on_other_chain"),
        ),
        (
            replace(
                rebalance(("0.5", WETH), ("0.5", USD)),
                constraints=replace(EXAMPLE.constraints, execution_style=ExecutionStyle.TWAP),
            ),
            ("/constraints/execution_style", "execution_style_not_supported"),
        ),
        (having(assets=(OTHER,)), ("/constraints/assets", "asset_not_allowed")),
        (having(chains=(evm_chain(10),)), ("/constraints/chains", "chain_not_allowed")),
        (having(max_fee=Amount(10**80)), ("/constraints/max_fee", "amount_out_of_range")),
        (replace(EXAMPLE, deadline=NOW), ("/deadline", "deadline_passed")),
        (
            replace(EXAMPLE, deadline=(NOW + timedelta(days=1)).replace(tzinfo=None)),
            ("/deadline", "deadline_without_zone"),
        ),
    ],
)
def test_each_mistake_is_named_alone(intent: Intent, expected: tuple[str, str]) -> None:
    assert said(intent) == [expected]


@pytest.mark.parametrize(
    "intent",
    [
        twap(Slicing(None)),
        having(execution_style=ExecutionStyle.TWAP),
        twap(Slicing(60)),
        twap(Slicing(256), 3_600_000),
        twap(jitter("0.9", "0.9")),
        vwap("1", "0", "2.5"),
        vwap(*["0.1"] * 60),
        rebalance(("0.5", WETH), ("0.5", USD)),
        rebalance(("1", WETH), ("0", USD)),
        rebalance(*[("0.3333333333333333333333333333", WETH), ("0.6666666666666666666666666667", USD)]),
    ],
)
def test_slices_and_weights_that_make_sense_are_taken(intent: Intent) -> None:
    assert said(intent) == []


@pytest.mark.parametrize("kind", [IntentType.BRIDGE, IntentType.LIQUIDATE])
def test_later_types_say_so(kind: IntentType) -> None:
    problems = validate(replace(EXAMPLE, type=kind), IntentRules(), NOW, ROSTER)
    assert [problem.code for problem in problems] == ["intent_type_not_supported"]
    assert "later release" in problems[0].message
    assert kind in problems[0].message


def test_several_mistakes_are_all_named() -> None:
    intent = replace(having(time_window_ms=1, max_slippage=Decimal(1)), assets=part(0), strategy="nobody")
    assert {code for _, code in said(intent)} == {
        "unknown_strategy",
        "zero_amount",
        "constraint_out_of_bounds",
    }
    assert len(said(intent)) == 4


def test_bounds_follow_configuration_and_name_their_source() -> None:
    narrow = Bounds(Decimal("0.01"), Decimal("0.02"), 1_000, 2_000, "[intents.bounds.ACQUIRE]")
    rules = IntentRules(by_type={IntentType.ACQUIRE: narrow})
    problems = validate(EXAMPLE, rules, NOW, ROSTER)
    assert [problem.pointer for problem in problems] == [
        "/constraints/max_slippage",
        "/constraints/time_window_ms",
    ]
    assert all("[intents.bounds.ACQUIRE]" in problem.message for problem in problems)
    assert said(replace(EXAMPLE, type=IntentType.DISPOSE), rules) == []
