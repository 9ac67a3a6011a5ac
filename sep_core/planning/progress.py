"""What earlier transactions of the same intent have done, so that the rest is planned and nothing else."""

from dataclasses import dataclass

from sep_hooks.types import Amount, AssetId, Flow, MarketId, Quantity


@dataclass(frozen=True, slots=True)
class Progress:
    """The whole as its first plan had it, and what has changed hands since, received positive.

    `markets` are those that were traded through. The limits of `spends` and `receives` bind the whole: what comes
    later may not fall short of them together with what came before.
    """

    spends: Flow
    receives: Flow
    moved: tuple[tuple[AssetId, Quantity], ...]
    markets: frozenset[MarketId] = frozenset()

    @property
    def spent(self) -> Amount:
        """How much of what is sold is gone."""
        return Amount(max(0, -self._net(self.spends.asset)))

    @property
    def received(self) -> Amount:
        """How much of what is wanted has come."""
        return Amount(max(0, self._net(self.receives.asset)))

    @property
    def carried(self) -> tuple[tuple[AssetId, Amount], ...]:
        """Assets on the way that the account holds because of the intent, to be spent on."""
        ends = {self.spends.asset, self.receives.asset}
        on_the_way = dict.fromkeys(asset for asset, _ in self.moved if asset not in ends)
        held = [(asset, self._net(asset)) for asset in on_the_way]
        return tuple((asset, Amount(amount)) for asset, amount in held if amount > 0)

    def _net(self, asset: AssetId) -> int:
        return sum(change for one, change in self.moved if one == asset)
