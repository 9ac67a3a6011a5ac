"""Average cost of one asset of one strategy, in integer parts of a numéraire."""

from msgspec.structs import replace
from sep_hooks.types import AssetId

from sep_core.events.state import State


class Position(State, frozen=True):
    """What is held by what is known of its cost, and what came of it. All in base units.

    `priced` cost `cost` in all; of `unpriced` no cost is known. `realised` is proceeds less cost of what was
    sold, `expenses` what gas and fees were worth. `unknown_out` left without a cost or without a price.
    """

    numeraire: AssetId | None = None
    priced: int = 0
    unpriced: int = 0
    cost: int = 0
    realised: int = 0
    expenses: int = 0
    unknown_out: int = 0

    @property
    def quantity(self) -> int:
        """All that is held."""
        return self.priced + self.unpriced

    def acquire(self, quantity: int, value: int | None, numeraire: AssetId | None) -> "Position":
        """After an inflow that cost `value`, None where that is not known."""
        if value is None or numeraire is None or self.numeraire not in (None, numeraire):
            return replace(self, unpriced=self.unpriced + quantity)
        return replace(self, numeraire=numeraire, priced=self.priced + quantity, cost=self.cost + value)

    def sell(self, quantity: int, value: int | None, numeraire: AssetId | None) -> "Position":
        """After an outflow in exchange for something worth `value`."""
        rest, from_priced, cost = self._take(quantity)
        if not self._known(value, numeraire):
            return replace(rest, unknown_out=rest.unknown_out + quantity)
        assert value is not None
        return replace(
            rest,
            realised=rest.realised + value * from_priced // quantity - cost,
            unknown_out=rest.unknown_out + quantity - from_priced,
        )

    def spend(self, quantity: int, value: int | None, numeraire: AssetId | None) -> "Position":
        """After an outflow for nothing but a service, such as gas: expensed at its worth, else at its cost."""
        rest, from_priced, cost = self._take(quantity)
        unknown = rest.unknown_out + quantity - from_priced
        if not self._known(value, numeraire):
            return replace(rest, expenses=rest.expenses + cost, unknown_out=unknown)
        assert value is not None
        return replace(
            rest,
            numeraire=rest.numeraire or numeraire,
            expenses=rest.expenses + value,
            realised=rest.realised + value * from_priced // quantity - cost,
            unknown_out=unknown,
        )

    def withdraw(self, quantity: int) -> "Position":
        """After an outflow to the outside: neither profit nor loss, its cost leaves with it."""
        return self._take(quantity)[0]

    def _known(self, value: int | None, numeraire: AssetId | None) -> bool:
        return value is not None and numeraire is not None and self.numeraire in (None, numeraire)

    def _take(self, quantity: int) -> tuple["Position", int, int]:
        # Partial disposals floor, the last takes the rest: so nothing of the cost is lost or invented.
        total = self.quantity
        share = self.priced if quantity >= total else quantity * self.priced // total
        from_priced = min(quantity, share)
        cost = self.cost if from_priced == self.priced else self.cost * from_priced // self.priced
        rest = replace(
            self,
            priced=self.priced - from_priced,
            unpriced=self.unpriced - (quantity - from_priced),
            cost=self.cost - cost,
        )
        return rest, from_priced, cost
