"""From weights to amounts in base units."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sep_hooks.types import (
    Address,
    Amount,
    Asset,
    AssetId,
    Constraints,
    ExecutionStyle,
    Intent,
    IntentAsset,
    IntentId,
    IntentType,
    erc20,
)

from sep_core.planning import PlanRequest
from sep_core.planning.rebalance import WEIGHT_PARTS, Holding, Rebalance, rebalance_of
from sep_core.planning.request import NoPlan

WETH, USDC, DAI = (erc20(1, "0x" + digit * 40) for digit in "abc")


class Books:
    """What is held."""

    def __init__(self, held: Mapping[AssetId, int]) -> None:
        self.held = held

    def holding(self, account: str, strategy: str, asset: AssetId) -> Amount:
        """What may be spent."""
        return Amount(self.held.get(asset, 0))


def request(weights: Mapping[AssetId, str]) -> PlanRequest:
    assets = tuple(
        IntentAsset(Asset(asset, asset[-4:], 18), None, Decimal(weight)) for asset, weight in weights.items()
    )
    constraints = Constraints(Decimal("0.01"), 60_000, ExecutionStyle.IMMEDIATE)
    intent = Intent(
        IntentId(UUID(int=1)), UUID(int=2), "s", "main", IntentType.REBALANCE, assets, constraints
    )
    return PlanRequest(intent, Address("0x" + "1" * 40), "main", (), datetime(2026, 1, 1, tzinfo=UTC))


def of(
    weights: Mapping[AssetId, str], held: Mapping[AssetId, int], prices: Mapping[AssetId, Fraction]
) -> Rebalance:
    return rebalance_of(request(weights), Books(held), prices.get, USDC)


def test_two_assets_to_one_half() -> None:
    prices = {WETH: Fraction(3000 * 10**6, 10**18), USDC: Fraction(1)}
    found = of({WETH: "0.5", USDC: "0.5"}, {WETH: 10**18, USDC: 1000 * 10**6}, prices)
    assert found.whole == 4000 * 10**6
    assert found.targets == {WETH: 666666666666666666, USDC: 2000 * 10**6}
    assert found.changes == {WETH: -333333333333333334, USDC: 1000 * 10**6}
    assert found.weight_parts == (WEIGHT_PARTS // 2, WEIGHT_PARTS // 2)
    assert found.drift == Fraction(1, 4)


def test_an_asset_of_weight_zero_is_sold_whole() -> None:
    prices = {WETH: Fraction(2), USDC: Fraction(1), DAI: Fraction(1, 3)}
    found = of({WETH: "1", USDC: "0", DAI: "0"}, {USDC: 100, DAI: 30}, prices)
    assert found.changes == {WETH: 55, USDC: -100, DAI: -30}


def test_what_has_no_price_or_nothing_held_has_no_plan() -> None:
    with pytest.raises(NoPlan) as unpriced:
        of({WETH: "0.5", USDC: "0.5"}, {WETH: 1}, {USDC: Fraction(1)})
    assert unpriced.value.refused.code == "no_reference_price"
    assert unpriced.value.refused.retryable
    with pytest.raises(NoPlan) as empty:
        of({WETH: "0.5", USDC: "0.5"}, {}, {WETH: Fraction(1), USDC: Fraction(1)})
    assert empty.value.refused.code == "insufficient_funds"


def test_what_no_market_trades_stays_as_it_is() -> None:
    prices = {WETH: Fraction(2), USDC: Fraction(1), DAI: Fraction(1)}
    found = of({WETH: "0.5", USDC: "0.25", DAI: "0.25"}, {USDC: 100, DAI: 30}, prices)
    rest = found.among({WETH, USDC})
    assert rest is not None
    assert {one.asset: one.weight for one in rest.parts} == {WETH: Fraction(2, 3), USDC: Fraction(1, 3)}
    assert rest.changes == {WETH: 33, USDC: -67}
    assert found.among({WETH}) is None
    assert of({WETH: "0", USDC: "0", DAI: "1"}, {USDC: 1}, prices).among({WETH, USDC}) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 100), st.integers(0, 10**24), st.fractions(Fraction(1, 10**12), 10**12)),
        min_size=2,
        max_size=8,
    )
)
def test_targets_are_worth_the_whole_but_for_less_than_a_unit_of_each(
    drawn: list[tuple[int, int, Fraction]],
) -> None:
    total = sum(weight for weight, _, _ in drawn)
    assume(total > 0 and any(held for _, held, _ in drawn))
    parts = tuple(
        Holding(erc20(1, f"0x{place + 1:040x}"), Fraction(weight, total), Amount(held), price)
        for place, (weight, held, price) in enumerate(drawn)
    )
    found = Rebalance(parts[0].asset, parts)
    worth = sum((found.targets[one.asset] * one.price for one in parts), Fraction(0))
    assert found.whole - sum(one.price for one in parts) < worth <= found.whole
    assert all(found.changes[one.asset] + one.held == found.targets[one.asset] for one in parts)
    assert sum(found.weight_parts) == WEIGHT_PARTS
    for one, part in zip(parts, found.weight_parts, strict=True):
        assert abs(one.weight - Fraction(part, WEIGHT_PARTS)) < Fraction(1, WEIGHT_PARTS)
