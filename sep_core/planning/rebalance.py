"""From target weights to amounts: what is held, what it is worth at reference prices, and what is to be held."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from sep_hooks.types import Amount, AssetId, Quantity

from sep_core.intents.schedule import apportion
from sep_core.planning.ports import Holdings
from sep_core.planning.request import NoPlan, PlanRequest

WEIGHT_PARTS = 10**18
"""Into how many parts the whole is divided where weights must be integers."""

type Price = Callable[[AssetId], Fraction | None]
"""What one base unit is worth in a measure that all assets share, None where nothing leads there."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One asset of a rebalance: its share of the whole, what is held of it, and what a base unit is worth."""

    asset: AssetId
    weight: Fraction
    held: Amount
    price: Fraction

    @property
    def worth(self) -> Fraction:
        """What is held of it, in the measure."""
        return self.held * self.price


@dataclass(frozen=True, slots=True)
class Rebalance:
    """All assets that the weights name, with what is held. `measure` is the asset that prices are told in."""

    measure: AssetId
    parts: tuple[Holding, ...]

    @property
    def whole(self) -> Fraction:
        """What all of it is worth, in the measure."""
        return sum((one.worth for one in self.parts), Fraction(0))

    @property
    def targets(self) -> Mapping[AssetId, Amount]:
        """What is to be held of each asset in base units, without any cost of getting there; rounded down."""
        whole = self.whole
        return {one.asset: Amount(int(whole * one.weight / one.price)) for one in self.parts}

    @property
    def changes(self) -> Mapping[AssetId, Quantity]:
        """By how much each holding is off its target: what is to be bought positive, what is to be sold negative."""
        targets = self.targets
        return {one.asset: Quantity(targets[one.asset] - one.held) for one in self.parts}

    @property
    def weight_parts(self) -> tuple[int, ...]:
        """The weights as integers that add up to `WEIGHT_PARTS`."""
        return apportion(WEIGHT_PARTS, [one.weight for one in self.parts])

    def among(self, traded: Container[AssetId]) -> "Rebalance | None":
        """The same of the assets that can be traded, in the proportion of their weights; None where there is nothing
        to exchange. What no market takes stays as it is.
        """
        parts = tuple(one for one in self.parts if one.asset in traded)
        weights = sum((one.weight for one in parts), Fraction(0))
        if len(parts) < 2 or not weights or not any(one.held for one in parts):
            return None
        return Rebalance(self.measure, tuple(replace(one, weight=one.weight / weights) for one in parts))

    @property
    def drift(self) -> Fraction:
        """The largest distance of a share from its weight."""
        whole = self.whole
        return max((abs(one.worth / whole - one.weight) for one in self.parts), default=Fraction(0))


def rebalance_of(request: PlanRequest, holdings: Holdings, price: Price, measure: AssetId) -> Rebalance:
    """What is held now of the assets that an intent weighs, at reference prices. Raises `NoPlan`."""
    intent = request.intent
    parts: list[Holding] = []
    for part in intent.assets:
        worth = price(part.asset.id)
        if worth is None or worth <= 0:
            raise NoPlan(
                "no_reference_price",
                f"no path prices {part.asset.symbol} in {measure}, so its share of the whole is not known;"
                " nothing was sent",
                retryable=True,
            )
        held = holdings.holding(intent.account, intent.strategy, part.asset.id)
        weight = Fraction(part.percentage) if part.percentage is not None else Fraction(0)
        parts.append(Holding(part.asset.id, weight, held, worth))
    found = Rebalance(measure, tuple(parts))
    if found.whole <= 0:
        symbols = ", ".join(part.asset.symbol for part in intent.assets)
        raise NoPlan(
            "insufficient_funds",
            f"account {request.account_name} may spend none of {symbols}; nothing was sent",
        )
    return found
