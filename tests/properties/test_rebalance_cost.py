"""A rebalance of five assets in one plan: weights reached within rounding, for less than swaps of pair after pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sep_hooks.errors import NoRoute
from sep_hooks.types import Amount, AssetId, erc20
from sep_native.amm import ConstantProduct
from sep_native.route import Limits, Network, PathProblem, Problem, Solution

from sep_core.planning.rebalance import Holding, Rebalance

ASSETS = [erc20(1, f"0x{place + 1:040x}") for place in range(5)]
DECIMALS = (18, 6, 8, 18, 12)


@dataclass
class Pools:
    """Constant-product pools at prices that agree with one another, and the network of them."""

    prices: Sequence[Fraction]
    states: dict[str, tuple[str, str, ConstantProduct]] = field(default_factory=dict)

    @property
    def network(self) -> Network:
        """The pools as they stand."""
        made = Network()
        for name, (one, other, state) in self.states.items():
            made.set(name, [one, other], state, 100_000)
        return made

    def swap(self, market: str, asset_in: str, amount: int) -> int:
        """What comes of a swap; the pool moves."""
        one, other, state = self.states[market]
        quote, after = state.after(asset_in == one, amount, True)
        self.states[market] = one, other, after
        return quote.amount_out


def drawn(seed: int) -> tuple[Pools, list[int], list[int]]:
    """Pools, holdings and weights; pools hold some hundred times what is held."""
    random = Random(seed)
    prices = [Fraction(random.randint(1, 10**6), 10**decimals) for decimals in DECIMALS]
    pools = Pools(prices)
    pairs = [(one, other) for one in range(5) for other in range(one + 1, 5)]
    for place, (one, other) in enumerate(random.sample(pairs, 8) + [(0, one) for one in range(1, 5)]):
        worth = Fraction(random.randint(2 * 10**10, 5 * 10**11))
        state = ConstantProduct(
            int(worth / prices[one]), int(worth / prices[other]), random.choice([500, 3000, 10_000])
        )
        pools.states[f"pool-{place:02}"] = ASSETS[one], ASSETS[other], state
    held = [int(Fraction(random.randint(0, 2 * 10**9)) / price) for price in prices]
    weights = [random.randint(0, 10) for _ in ASSETS]
    return pools, held, weights


def wanted(pools: Pools, held: Sequence[int], weights: Sequence[int]) -> Rebalance:
    """The rebalance that follows."""
    return Rebalance(
        ASSETS[1],
        tuple(
            Holding(asset, Fraction(weight, sum(weights)), Amount(amount), price)
            for asset, weight, amount, price in zip(ASSETS, weights, held, pools.prices, strict=True)
        ),
    )


def solved(pools: Pools, of: Rebalance) -> Solution:
    """The one plan."""
    targets = [
        (one.asset, weight, (one.price.numerator, one.price.denominator))
        for one, weight in zip(of.parts, of.weight_parts, strict=True)
    ]
    holdings = [(one.asset, int(one.held)) for one in of.parts if one.held]
    return pools.network.solve(Problem.rebalance(holdings, targets, Limits(max_legs=16)))


def held_after(of: Rebalance, solution: Solution) -> dict[AssetId, int]:
    """What is held when the plan is done."""
    held = {one.asset: int(one.held) for one in of.parts}
    for asset, amount in solution.inputs:
        held[AssetId(asset)] -= amount
    for asset, amount in solution.outputs:
        held[AssetId(asset)] = held.get(AssetId(asset), 0) + amount
    return held


def pair_by_pair(pools: Pools, of: Rebalance) -> dict[AssetId, int]:
    """What is held when each surplus was swapped into each lack in turn, along the best path of the moment."""
    held = {one.asset: int(one.held) for one in of.parts}
    price = {one.asset: one.price for one in of.parts}
    lacks = {asset: change * price[asset] for asset, change in of.changes.items() if change > 0}
    for asset, change in of.changes.items():
        surplus = -change
        for lacking in list(lacks):
            amount = min(surplus, int(lacks[lacking] / price[asset]))
            if change >= 0 or amount <= 0:
                continue
            try:
                path = pools.network.best_path(PathProblem(lacking, amount, True, [asset]))
            except NoRoute:
                continue  # so little that it brings nothing
            moving = amount
            for leg in path.legs:
                moving = pools.swap(leg.market, leg.asset_in, moving)
            held[asset] -= amount
            held[lacking] += moving
            surplus -= amount
            lacks[lacking] -= amount * price[asset]
    return held


def worth(held: Mapping[AssetId, int], of: Rebalance) -> Fraction:
    """At reference prices."""
    return sum((held[one.asset] * one.price for one in of.parts), Fraction(0))


def least(held: Mapping[AssetId, int], of: Rebalance) -> Fraction:
    """The whole that the scarcest asset makes up for: what a rebalance is to make as large as possible."""
    return min(held[one.asset] * one.price / one.weight for one in of.parts if one.weight)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_weights_are_reached_for_less_than_pair_by_pair(seed: int) -> None:
    pools, held, weights = drawn(seed)
    if sum(weight > 0 for weight in weights) < 2 or not any(held):
        return
    of = wanted(pools, held, weights)
    solution = solved(pools, of)
    solution.verify(pools.network)
    after = held_after(of, solution)
    assert all(amount >= 0 for amount in after.values())
    whole = worth(after, of)
    unit = max(one.price for one in of.parts)
    for one in of.parts:
        share = after[one.asset] * one.price / whole
        assert abs(share - one.weight) <= Fraction(1, 10**4) + 20 * unit / whole, (one.asset, float(share))
    pairs = pair_by_pair(pools, of)
    assert least(after, of) >= least(pairs, of) * (1 - Fraction(1, 10**9)) - unit


@pytest.mark.says
def test_what_a_plan_of_five_assets_saves() -> None:
    saved = []
    for seed in range(40):
        pools, held, weights = drawn(seed)
        if sum(weight > 0 for weight in weights) < 2 or not any(held):
            continue
        of = wanted(pools, held, weights)
        cost = of.whole - least(held_after(of, solved(pools, of)), of)
        of_pairs = of.whole - least(pair_by_pair(pools, of), of)
        if of_pairs > 0:
            saved.append(float(1 - cost / of_pairs))
    saved.sort()
    print(
        f"of what swaps of pair after pair cost, one plan saves {saved[len(saved) // 2]:.0%} (median of {len(saved)}),"
        f" at least {saved[0]:.0%}"
    )
    assert saved[0] >= 0
