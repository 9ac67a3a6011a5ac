"""The best route over all markets together, with the proof that comes with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sep_hooks.types import Amount, AssetId, Certificate, DualPrice, Leg, MarketId, SinglePath, TargetWeight

from sep_core.planning.native import Limits, Network, Problem, Solution
from sep_core.planning.paths import MOST_HOPS, legs_of
from sep_core.planning.rebalance import Rebalance
from sep_core.planning.size import Size

MOST_LEGS: Final = 8
"""How many legs a plan has at most: each costs gas, and one more seldom brings more than that."""

TIME_MS: Final = 250
"""After this the best answer so far is taken."""

type Fraction = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Split:
    """Legs in executable order with their certificate. `objective` is what was measured, `gas_worth` in its measure."""

    legs: tuple[Leg, ...]
    gas: int
    method: str
    certificate: Certificate
    objective: float
    bound: float
    net_gap: float
    gas_worth: int
    exact_in: bool
    left_out: tuple[tuple[str, str], ...]

    def judged(self, method: str, objective: int, gas_worth: int) -> Certificate:
        """The same proof for another route through the same markets: its own gaps against the same bound."""
        if self.exact_in:
            net_bound = (self.objective - self.gas_worth) / (1 - self.net_gap)
            gap = (self.bound - objective) / self.bound
            net = (net_bound - (objective - gas_worth)) / net_bound if net_bound > 0 else 1.0
        else:
            net_bound = (self.objective + self.gas_worth) / (1 + self.net_gap)
            gap = (objective - self.bound) / self.bound
            net = (objective + gas_worth - net_bound) / net_bound
        return replace(
            self.certificate,
            method=method,
            objective=float(objective).hex(),
            gap_before_gas=max(0.0, gap).hex(),
            net_gap=max(0.0, net).hex(),
        )


def split(
    network: Network,
    size: Size,
    worths: Sequence[Fraction],
    gas_price: Fraction,
    exclude: Iterable[MarketId],
) -> Split:
    """The best split of the size. `worths` are what a base unit of each asset that may pay is worth in a common
    measure, `gas_price` what a unit of gas is worth in what is measured. Raises `SepError` where there is no route.
    """
    return _split(network.solve(_problem(size, worths, _limits(gas_price, exclude))), size.exact_in)


def rebalanced(
    network: Network, wanted: Rebalance, gas_price: Fraction, exclude: Iterable[MarketId]
) -> Split:
    """The trades that turn holdings into shares of the whole with the least loss of worth. Raises `SepError`."""
    weights = tuple(
        TargetWeight(
            one.asset,
            one.held,
            Amount(weight),
            (Amount(one.price.numerator), Amount(one.price.denominator)),
        )
        for one, weight in zip(wanted.parts, wanted.weight_parts, strict=True)
    )
    solution = network.solve(rebalance_problem(weights, _limits(gas_price, exclude)))
    found = _split(solution, exact_in=True)
    return replace(found, certificate=replace(found.certificate, weights=weights))


def rebalance_problem(weights: Sequence[TargetWeight], limits: Limits) -> Problem:
    """What the solver is asked for these weights."""
    holdings = [(one.asset, int(one.held)) for one in weights if one.held]
    targets = [(one.asset, int(one.weight), (int(one.price[0]), int(one.price[1]))) for one in weights]
    return Problem.rebalance(holdings, targets, limits)


def _limits(gas_price: Fraction, exclude: Iterable[MarketId]) -> Limits:
    return Limits(
        max_legs=MOST_LEGS,
        max_hops=MOST_HOPS,
        time_ms=TIME_MS,
        arbitrage=False,
        exclude=sorted(exclude),
        gas_price=gas_price,
    )


def _problem(size: Size, worths: Sequence[Fraction], limits: Limits) -> Problem:
    if size.exact_in:
        return Problem.exact_in(list(size.spends), size.others[0], limits)
    funding = list(zip(size.others, worths, strict=True))
    return Problem.exact_out(size.asset, size.amount, funding, limits)


def _split(solution: Solution, exact_in: bool) -> Split:
    path = solution.best_path
    single = None
    if path is not None:
        gas = sum(leg.gas for leg in path.legs)
        single = SinglePath(legs_of(path.legs), Amount(path.amount_in), Amount(path.amount_out), gas)
    certificate = Certificate(
        solution.method,
        tuple(DualPrice(AssetId(asset), price.hex()) for asset, price in solution.prices),
        solution.bound.hex(),
        solution.gap.hex(),
        solution.net_gap.hex(),
        False,
        single,
        solution.iterations,
        solution.objective.hex(),
        tuple(AssetId(one) for one in solution.order),
    )
    return Split(
        legs_of(solution.legs),
        solution.gas,
        solution.method,
        certificate,
        solution.objective,
        solution.bound,
        solution.net_gap,
        solution.gas_worth,
        exact_in,
        tuple(solution.left_out),
    )
