"""Conformance of the strategy, and the sizes that it trades."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sep_hooks.strategy import BlockTick, QuoteTick
from sep_hooks.testing.strategy import Bench, StrategySuite, walk
from sep_hooks.types import Asset, AssetId, IntentType, erc20
from sep_strategy_rebalance import Rebalance, RebalanceConfig, RebalanceState
from sep_strategy_rebalance.sizing import Holdings, largest_drift, share_is_off, trade

WETH = Asset(erc20(1, "0x" + "c0" * 20), "WETH", 18)
WBTC = Asset(erc20(1, "0x" + "b0" * 20), "WBTC", 8)
USDC = Asset(erc20(1, "0x" + "a0" * 20), "USDC", 6)
CONFIG = RebalanceConfig.model_validate({"base": "WETH", "quote": "USDC", "band": "0.01"})


BASKET = RebalanceConfig.model_validate(
    {"quote": "USDC", "band": "0.02", "weights": {"WETH": "0.4", "WBTC": "0.35", "USDC": "0.25"}}
)


class TestBasket(StrategySuite[RebalanceConfig, RebalanceState]):
    """Three assets, each with a price of its own."""

    def strategy(self) -> type[Rebalance]:
        return Rebalance

    def config(self) -> RebalanceConfig:
        return BASKET

    def assets(self) -> tuple[Asset, Asset, Asset]:
        return WETH, WBTC, USDC

    def holdings(self) -> Mapping[AssetId, int]:
        return {WETH.id: 10**18, WBTC.id: 10**7, USDC.id: 6_000 * 10**6}

    def tape(self, seed: int = 7) -> Sequence[QuoteTick | BlockTick]:
        return two_prices(seed)


def two_prices(seed: int, step_ppm: int = 30_000) -> tuple[QuoteTick, ...]:
    """Both prices in each block."""
    one = walk(WETH, USDC, seed=seed, step_ppm=step_ppm)
    other = walk(WBTC, USDC, seed=seed + 1, price=40_000, step_ppm=step_ppm)
    return tuple(tick for pair in zip(one, other, strict=True) for tick in pair)


@pytest.mark.parametrize("seed", range(5))
def test_it_brings_a_basket_to_its_weights_and_keeps_it_near(seed: int) -> None:
    bench = Bench(Rebalance, BASKET, (WETH, WBTC, USDC), {USDC.id: 10_000 * 10**6})
    tape = two_prices(seed, 5_000)
    run = bench.run(tape)
    assert run.submissions
    assert {one.draft.type for one in run.submissions} == {IntentType.REBALANCE}
    prices = {tick.base.symbol: Fraction(tick.numerator, tick.denominator) for tick in tape}
    held = {symbol: run.holdings.get(asset.id, 0) for symbol, asset in (("WETH", WETH), ("WBTC", WBTC))}
    worths = {symbol: amount * prices[symbol] for symbol, amount in held.items()}
    worths["USDC"] = Fraction(run.holdings[USDC.id])
    assert BASKET.weights is not None
    share, _ = largest_drift(worths, BASKET.weights)
    assert share <= Fraction(3, 100)


def test_a_basket_within_its_band_or_below_its_least_trade_is_silent() -> None:
    holdings = {WETH.id: 2 * 10**18, WBTC.id: 10**7, USDC.id: 3_000 * 10**6}
    for change in ({"band": "0.6"}, {"minimum_trade": str(10**12)}):
        config = RebalanceConfig.model_validate(BASKET.model_dump() | change)
        assert Bench(Rebalance, config, (WETH, WBTC, USDC), holdings).run(two_prices(3)).submissions == ()


def test_nothing_is_traded_before_every_price_is_known() -> None:
    bench = Bench(Rebalance, BASKET, (WETH, WBTC, USDC), {USDC.id: 10**10})
    assert bench.run(walk(WETH, USDC, seed=3)).submissions == ()


class TestRebalance(StrategySuite[RebalanceConfig, RebalanceState]):
    def strategy(self) -> type[Rebalance]:
        return Rebalance

    def config(self) -> RebalanceConfig:
        return CONFIG

    def assets(self) -> tuple[Asset, Asset]:
        return WETH, USDC

    def holdings(self) -> Mapping[AssetId, int]:
        return {WETH.id: 10**18, USDC.id: 6_000 * 10**6}


@pytest.mark.parametrize("seed", range(5))
def test_it_brings_the_share_back_and_keeps_it_near(seed: int) -> None:
    bench = Bench(Rebalance, CONFIG, (WETH, USDC), {WETH.id: 0, USDC.id: 10_000 * 10**6})
    tape = walk(WETH, USDC, seed=seed, step_ppm=5_000)
    run = bench.run(tape)
    last = tape[-1]
    value = run.holdings[WETH.id] * last.numerator // last.denominator
    total = value + run.holdings[USDC.id]
    assert not share_is_off(value, total, Decimal("0.5"), Decimal("0.025"))
    assert isinstance(run.state, RebalanceState)
    assert run.state.trades == len(run.submissions)


def test_within_the_band_it_is_silent() -> None:
    wide = RebalanceConfig.model_validate({"base": "WETH", "quote": "USDC", "band": "0.4"})
    holdings = {WETH.id: 10**18, USDC.id: 2_000 * 10**6}
    bench = Bench(Rebalance, wide, (WETH, USDC), holdings)
    assert bench.run(walk(WETH, USDC, seed=3)).submissions == ()


def test_after_a_rejection_it_pauses() -> None:
    """Nothing is free at the price of the fill, so every intent is rejected: one a minute, not one a block."""
    thin = RebalanceConfig.model_validate(
        {"base": "WETH", "quote": "USDC", "weight": "1", "band": "0.01", "max_slippage": "0.0001"}
    )
    bench = Bench(Rebalance, thin, (WETH, USDC), {WETH.id: 0, USDC.id: 10**9})
    tape = walk(WETH, USDC, seed=3, blocks=50, step_ppm=0)
    run = bench.run(tape)
    moments = {f"quote:{tick.base.id}:{tick.quote.id}:{tick.block.hash}": tick.timestamp for tick in tape}
    times = [moments[one.trigger] for one in run.submissions]
    assert len(times) > 3
    assert all(later - earlier >= 60 for earlier, later in pairwise(times))


amounts = st.integers(0, 10**30)


def holdings_of(base: int, quote: int, held: int) -> Holdings:
    return Holdings(base, quote, base - base // held, quote - quote // held)


@given(
    st.builds(holdings_of, amounts, amounts, st.integers(1, 9)),
    st.tuples(st.integers(1, 10**18), st.integers(1, 10**18)),
    st.decimals("0", "1", places=3),
    st.decimals("0.001", "0.9", places=3),
    st.decimals("0.001", "0.5", places=3),
    st.integers(0, 10**6),
)
def test_sizes_are_paid_for_and_never_overshoot(
    holdings: Holdings,
    price: tuple[int, int],
    weight: Decimal,
    band: Decimal,
    slippage: Decimal,
    minimum: int,
) -> None:
    due = trade(holdings, price, weight, band, slippage, minimum)
    numerator, denominator = price
    value = holdings.base * numerator // denominator
    total = value + holdings.quote
    if due is None:
        return
    assert share_is_off(value, total, weight, band)
    worth = due.amount * numerator // denominator
    if due.type is IntentType.ACQUIRE:
        assert due.amount * numerator <= holdings.free_quote * (1 - Fraction(slippage)) * denominator
        assert value + worth <= Fraction(weight) * total
    else:
        assert due.amount <= holdings.free_base
        assert value - worth >= Fraction(weight) * total - 1


@pytest.mark.parametrize(
    "change",
    [
        {"quote": "WETH"},
        {"base": ""},
        {"base": None},
        {"weights": {"WETH": "0.5", "USDC": "0.5"}},
        {"base": None, "weights": {"WETH": "1"}},
        {"base": None, "weights": {"WETH": "0.5", "USDC": "0.4"}},
        {"base": None, "weights": {"WETH": "1.5", "USDC": "-0.5"}},
        {"base": None, "weights": {"WETH": "0.5", "USDC": "0.5"}, "execution_style": "TWAP"},
        {"weight": "1.1"},
        {"weight": "NaN"},
        {"band": "0"},
        {"max_slippage": "1"},
        {"time_window_ms": 0},
        {"minimum_trade": "-1"},
        {"minimum_trade": 1.5},
        {"execution_style": "LATER"},
        {"leverage": "2"},
    ],
)
def test_a_configuration_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RebalanceConfig.model_validate({"base": "WETH", "quote": "USDC"} | change)
