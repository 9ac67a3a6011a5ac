"""Certificates: what a plan says of itself so that anyone can check it against its snapshot."""

from dataclasses import dataclass

from sep_hooks.types.amount import Amount
from sep_hooks.types.asset import AssetId
from sep_hooks.types.leg import Leg


@dataclass(frozen=True, slots=True)
class DualPrice:
    """The price of one base unit in the solver's measure, as the exact text of a double (`float.hex`)."""

    asset: AssetId
    price: str


@dataclass(frozen=True, slots=True)
class SinglePath:
    """The best path that is not split, on exact amounts of the same snapshot: what a plan is compared with."""

    legs: tuple[Leg, ...]
    amount_in: Amount
    amount_out: Amount
    gas: int


@dataclass(frozen=True, slots=True)
class TargetWeight:
    """One asset of a rebalance as the solver was asked: what is `held` of it in base units, its `weight` in parts that
    all together are the whole, and what a base unit is worth (numerator, denominator) in the measure of `bound`.
    """

    asset: AssetId
    held: Amount
    weight: Amount
    price: tuple[Amount, Amount]


@dataclass(frozen=True, slots=True)
class SandwichBound:
    """The most that whoever sees the step before it is included can take from it, in base units of `asset`.

    It is what lies between the expectation and the limit on chain, at the price after the trade. `attack_gas` is
    the least gas that an attack needs; where that costs more than `amount` is worth, public sending is safe.
    """

    asset: AssetId
    amount: Amount
    attack_gas: int


@dataclass(frozen=True, slots=True)
class Certificate:
    """How far from the best possible the whole route can be at most, over the markets of the snapshot.

    `bound` and the gaps are exact texts of doubles (`float.hex`): the bound in base units of the measured asset,
    the gaps as fractions. Measured is what comes out (exact in) or what is spent (exact out). Empty texts: the
    method proves nothing of its kind. `arbitrage` says whether loops were allowed; where they were not and could be,
    the claim holds for the `order` of the assets. `objective` is what the measured side came to. A rebalance names its
    `weights`, in the order of the solver's problem.
    """

    method: str
    prices: tuple[DualPrice, ...]
    bound: str
    gap_before_gas: str
    net_gap: str
    arbitrage: bool
    single_path: SinglePath | None
    iterations: int = 0
    objective: str = ""
    order: tuple[AssetId, ...] = ()
    weights: tuple[TargetWeight, ...] = ()
