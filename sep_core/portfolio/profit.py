"""Profit of one strategy in one account, at pinned prices."""

from collections.abc import Iterable
from dataclasses import dataclass

from sep_hooks.types import AssetId, PriceBook

from sep_core.portfolio.ledger import Holding


@dataclass(frozen=True, slots=True)
class Profit:
    """Profit in base units of the numéraire; `unpriced` names assets of which a cost or a price is missing,
    so that they are no part of it.
    """

    numeraire: AssetId
    realised: int
    unrealised: int
    expenses: int
    value: int
    unpriced: tuple[AssetId, ...]

    @property
    def total(self) -> int:
        """What it all came to."""
        return self.realised + self.unrealised - self.expenses


def profit(holdings: Iterable[Holding], prices: PriceBook) -> Profit:
    """The profit of these holdings at these prices; values are rounded down, equity is never overstated."""
    realised = unrealised = expenses = value = 0
    unpriced: list[AssetId] = []
    for holding in holdings:
        position = holding.position
        foreign = position.numeraire not in (None, prices.numeraire)
        if not foreign:
            realised += position.realised
            expenses += position.expenses
        worth = floor_value(prices, holding.asset, holding.final)
        of_priced = floor_value(prices, holding.asset, position.priced)
        if worth is not None:
            value += worth
        if of_priced is not None and not foreign:
            unrealised += of_priced - position.cost
        missing = position.unpriced or position.unknown_out or foreign
        if missing or (worth is None and holding.final):
            unpriced.append(holding.asset)
    return Profit(prices.numeraire, realised, unrealised, expenses, value, tuple(dict.fromkeys(unpriced)))


def floor_value(prices: PriceBook, asset: AssetId, amount: int) -> int | None:
    """The value of an amount, rounded down; None without a price, zero for nothing."""
    if amount == 0:
        return 0
    if asset == prices.numeraire:
        return amount
    for price in prices.prices:
        if price.asset == asset and price.amount > 0:
            return amount * price.value // price.amount
    return None
