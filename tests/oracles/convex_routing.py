"""The routing problem as a cone programme for a general solver: real amounts, no integers, no gas.

A market trades inputs for outputs along its invariant: with reserves R, weights w and fee f, (R + (1 - f) x - y)^w
keeps its weighted geometric mean (Angeris et al., Optimal Routing for Constant Function Market Makers, section 3). A
book takes whole levels, each at its price; a lane takes up to its capacity at its rate.
"""

import importlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

# Its own types are wrong about its operators.
cp: Any = importlib.import_module("cvxpy")

# Balancer V2, WeightedMath: MAX_IN_RATIO.
WEIGHTED_IN_MAX = 0.3
SURE, VIOLATION_MAX = 1e-11, 1e-9


@dataclass(frozen=True, slots=True)
class ProductMarket:
    """Constant product, or weighted where weights say so. Amounts in whole coins; weights sum to one.

    A weighted pool takes at most `WEIGHTED_IN_MAX` of what it holds in a swap of an exact input, after its fee.
    """

    assets: tuple[str, ...]
    reserves: tuple[float, ...]
    fee: float
    weights: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class LevelMarket:
    """One direction of a book or lane: levels of (most that goes in, what comes out for each)."""

    sold: str
    bought: str
    levels: tuple[tuple[float, float], ...]


def best_output(
    markets: Sequence[ProductMarket | LevelMarket], spend: Mapping[str, float], want: str
) -> float | None:
    """The most of `want` for `spend`, loops included. Amounts should be near one for the solver's sake.

    None where its answer is not optimal or violates a constraint by more than `VIOLATION_MAX`.
    """
    net: dict[str, list[Any]] = {}
    constraints: list[Any] = []
    for market in markets:
        if isinstance(market, ProductMarket):
            count = len(market.assets)
            given, taken = cp.Variable(count, nonneg=True), cp.Variable(count, nonneg=True)
            scale = np.array(market.reserves)
            kept = 1 + cp.multiply(1 / scale, (1 - market.fee) * given - taken)
            weights = market.weights or (1 / count,) * count
            constraints.append(cp.geo_mean(kept, np.array(weights)) >= 1)
            if market.weights:
                constraints.append((1 - market.fee) * given <= WEIGHTED_IN_MAX * scale)
            for at, asset in enumerate(market.assets):
                net.setdefault(asset, []).append(taken[at] - given[at])
        else:
            sizes = np.array([size for size, _ in market.levels])
            given = cp.Variable(len(market.levels), nonneg=True)
            constraints.append(given <= sizes)
            rates = np.array([rate for _, rate in market.levels])
            net.setdefault(market.sold, []).append(-cp.sum(given))
            net.setdefault(market.bought, []).append(rates @ given)
    for asset, flows in net.items():
        if asset != want:
            constraints.append(spend.get(asset, 0.0) + sum(flows) >= 0)
    problem = cp.Problem(cp.Maximize(sum(net[want])), constraints)
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        problem.solve(solver=cp.CLARABEL, tol_gap_abs=SURE, tol_gap_rel=SURE, tol_feas=SURE)
    if problem.status != cp.OPTIMAL:
        return None
    # A violated invariant buys output: a violation of 1.4e-7 was seen to be worth 2.6e-5 of an order.
    violation = max(float(np.max(one.violation())) for one in constraints)
    return float(problem.value) if violation <= VIOLATION_MAX else None
