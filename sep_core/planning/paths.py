"""The best path that is not split, on exact amounts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sep_hooks.types import Amount, AssetId, Leg, MarketId

from sep_core.planning.native import NativeLeg, Network, PathProblem

MOST_HOPS: Final = 4


@dataclass(frozen=True, slots=True)
class Path:
    """One path. Marginal prices are output per input at size zero: before fees, and after them."""

    legs: tuple[Leg, ...]
    gas: int
    marginal: tuple[int, int]
    marginal_after_fees: tuple[int, int]
    method: str
    left_out: tuple[tuple[str, str], ...]

    @property
    def amount_in(self) -> Amount:
        """What is spent."""
        return self.legs[0].amount_in

    @property
    def amount_out(self) -> Amount:
        """What comes."""
        return self.legs[-1].amount_out


def best_path(
    network: Network,
    spent: AssetId,
    wanted: AssetId,
    amount: int,
    *,
    exact_in: bool,
    exclude: Iterable[MarketId] = (),
    hops: int = MOST_HOPS,
) -> Path:
    """The best path between two assets. Raises `SepError` where there is none."""
    problem = PathProblem(wanted, amount, exact_in, [spent], max_hops=hops, exclude=sorted(exclude))
    solution = network.best_path(problem)
    return Path(
        legs_of(solution.legs),
        solution.gas,
        solution.marginal,
        solution.marginal_after_fees,
        solution.method,
        tuple(solution.left_out),
    )


def legs_of(legs: Sequence[NativeLeg]) -> tuple[Leg, ...]:
    """Legs as the contract writes them."""
    return tuple(
        Leg(
            MarketId(leg.market),
            AssetId(leg.asset_in),
            AssetId(leg.asset_out),
            Amount(leg.amount_in),
            Amount(leg.amount_out),
        )
        for leg in legs
    )
