"""What a route is asked for, without an intent: exact amounts in or out, and limits."""

from dataclasses import dataclass

from sep_hooks.types import Amount, AssetId, MarketId

from sep_core.planning.native import Limits, Problem


@dataclass(frozen=True, slots=True)
class Spend:
    """An asset that may be spent. Exact in: just this `amount`. Exact out: no amount, and the `worth` of a base unit
    in a measure that all share (numerator, denominator).
    """

    asset: AssetId
    amount: Amount | None = None
    worth: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Spend exactly what is named for the most of `want`, or get exactly `amount` of it for the least.

    `gas_price` is the worth of one unit of gas (numerator, denominator) in what is measured: base units of `want`
    (exact in), or the measure of the worths (exact out).
    """

    spends: tuple[Spend, ...]
    want: AssetId
    amount: Amount | None
    max_legs: int | None
    max_hops: int | None
    time_ms: int | None
    arbitrage: bool
    exclude: tuple[MarketId, ...]
    gas_price: tuple[int, int]

    @property
    def exact_in(self) -> bool:
        """Whether what is spent is exact."""
        return self.amount is None

    def problem(self) -> Problem:
        """The same for the solver. Raises `ValueError` where it contradicts itself."""
        limits = Limits(
            max_legs=self.max_legs,
            max_hops=self.max_hops,
            time_ms=self.time_ms,
            arbitrage=self.arbitrage,
            exclude=self.exclude,
            gas_price=self.gas_price,
        )
        if self.amount is None:
            spend = [(one.asset, one.amount or 0) for one in self.spends]
            return Problem.exact_in(spend, self.want, limits)
        funding = [(one.asset, one.worth or (0, 1)) for one in self.spends]
        return Problem.exact_out(self.want, self.amount, funding, limits)
