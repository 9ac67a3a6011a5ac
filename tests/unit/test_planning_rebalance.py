"""From weights to amounts in base units."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import cast
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
    Leg,
    MarketId,
    PlanMode,
    erc20,
)

from sep_core.planning import PlanRequest, Reference
from sep_core.planning.candidate import Candidate, flows_of
from sep_core.planning.flows import net_of
from sep_core.planning.passage import Passage
from sep_core.planning.rebalance import WEIGHT_PARTS, Holding, Rebalance, rebalance_of
from sep_core.planning.request import NoPlan
from sep_core.planning.scene import Scene
from sep_core.planning.terms import Terms, terms_of

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


def terms(
    mode: PlanMode,
    parts: Sequence[Passage],
    prices: Mapping[AssetId, Fraction],
    slippage: Decimal,
    moved: Sequence[tuple[AssetId, int]] = (),
) -> Terms:
    """The terms of a rebalance over these passages, quoted at what they bring."""
    spends, receives = flows_of(parts, list(prices))
    choice = Candidate(
        tuple(parts), True, spends, receives, ((1, 1),), (1, 1), mode, "", "", 0, None, None
    )  # fmt: skip
    asked = SimpleNamespace(
        moved=moved, references=(Reference(WETH, USDC, Amount(1), Amount(1)),) if moved else ()
    )
    whole = Rebalance(
        USDC, tuple(Holding(one, Fraction(0), Amount(0), price) for one, price in prices.items())
    )
    bounds = SimpleNamespace(max_slippage=slippage)
    scene = SimpleNamespace(rebalance=whole, request=asked, constraints=bounds)
    return terms_of(cast(Scene, scene), choice, parts, parts)


def part(asset_in: AssetId, asset_out: AssetId, amount_in: int, amount_out: int) -> Passage:
    """A trade of one market."""
    return Passage("a", (Leg(MarketId("a/1"), asset_in, asset_out, Amount(amount_in), Amount(amount_out)),))


ONES = dict.fromkeys((WETH, USDC, DAI), Fraction(1))


def test_a_transaction_of_several_may_lose_the_slippage_and_no_more() -> None:
    parts = [part(WETH, USDC, 1000, 980), part(WETH, DAI, 1000, 990)]
    found = terms(PlanMode.SEQUENCE, parts, ONES, Decimal("0.05"))
    assert [(one.asset, one.limit) for one in found.spends] == [(WETH, 1000)]
    assert [(one.asset, one.limit) for one in found.receives] == [(USDC, 950)], "not 5 % off the quote of 980"
    with pytest.raises(NoPlan, match=r"2\.0000% less"):
        terms(PlanMode.SEQUENCE, parts, ONES, Decimal("0.0199"))


def test_a_transaction_leaves_the_others_what_they_will_lose() -> None:
    parts = [part(WETH, USDC, 1000, 960), part(WETH, DAI, 1000, 942)]
    with pytest.raises(NoPlan, match=r"4\.9000% less"):
        terms(PlanMode.SEQUENCE, parts, ONES, Decimal("0.048"))
    found = terms(PlanMode.SEQUENCE, parts, ONES, Decimal("0.05"))
    assert found.receives[0].limit == 958, "100 may be lost of 2000, 58 of them by the other one"


@pytest.mark.parametrize("mode", [PlanMode.ONE_CALL, PlanMode.SEQUENCE])
def test_what_was_lost_before_is_not_lost_again(mode: PlanMode) -> None:
    before = [(WETH, -1000), (USDC, 920)]
    parts = [part(WETH, DAI, 1000, 990)]
    found = terms(mode, parts, ONES, Decimal("0.05"), before)
    assert found.receives[0].limit == 980, "80 of the 100 are gone"
    with pytest.raises(NoPlan, match=r"8\.0000% of it are lost besides") as refused:
        terms(mode, parts, ONES, Decimal("0.044"), before)
    assert refused.value.refused.retryable
    gained = terms(mode, parts, ONES, Decimal("0.05"), [(WETH, -1000), (USDC, 1500)])
    assert gained.receives[0].limit == 950, "a gain is no licence"


def test_what_is_not_weighed_is_not_held_between_two_transactions() -> None:
    parts = [part(WETH, DAI, 1000, 990), part(DAI, USDC, 990, 980)]
    with pytest.raises(NoPlan) as refused:
        terms(PlanMode.SEQUENCE, parts, {WETH: Fraction(1), USDC: Fraction(1)}, Decimal("0.05"))
    assert refused.value.refused.code == "not_in_parts"


@given(
    st.lists(
        st.tuples(
            st.permutations([WETH, USDC, DAI]), st.integers(10**3, 10**24), st.fractions(Fraction(9, 10), 1)
        ),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.tuples(st.sampled_from([WETH, USDC, DAI]), st.integers(-(10**22), 10**22)), max_size=3),
    st.lists(st.fractions(Fraction(1, 10**6), 10**6), min_size=3, max_size=3),
    st.decimals("0.0001", "0.2", places=4),
    st.sampled_from([PlanMode.BUNDLE, PlanMode.SEQUENCE]),
)
def test_no_terms_allow_more_than_the_slippage_of_all_that_is_sold(
    drawn: list[tuple[list[AssetId], int, Fraction]],
    before: list[tuple[AssetId, int]],
    worths: list[Fraction],
    slippage: Decimal,
    mode: PlanMode,
) -> None:
    prices = dict(zip((WETH, USDC, DAI), worths, strict=True))
    parts = [
        part(one, other, amount, int(amount * prices[one] / prices[other] * kept))
        for (one, other, _), amount, kept in drawn
    ]
    assume(all(one.amount_out > 0 for one in parts))
    assume(all(flows_of(parts, list(prices))))
    try:
        found = terms(mode, parts, prices, slippage, before)
    except NoPlan:
        return
    most = Fraction(slippage)
    given = sum(one.limit * prices[one.asset] for one in found.spends)
    lost = given - sum(one.limit * prices[one.asset] for one in found.receives)
    assert lost <= most * given
    if mode is PlanMode.BUNDLE and before:
        net = net_of([*before, *((one.asset, -int(one.limit)) for one in found.spends)])
        sold = sum(-amount * prices[asset] for asset, amount in net.items() if amount < 0)
        assert lost - sum(change * prices[asset] for asset, change in before) <= most * sold


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
