"""Prices that a decision used, pinned by a digest."""

from dataclasses import dataclass

from sep_hooks.types.amount import Amount
from sep_hooks.types.asset import AssetId


@dataclass(frozen=True, slots=True)
class Price:
    """What `amount` of an asset is worth in base units of the numéraire, along the snapshot's best path."""

    asset: AssetId
    amount: Amount
    value: Amount


@dataclass(frozen=True, slots=True)
class PriceBook:
    """The prices of one snapshot in one numéraire. An asset without a price is absent, never zero."""

    numeraire: AssetId
    prices: tuple[Price, ...]
    digest: str

    def value(self, asset: AssetId, amount: int) -> Amount | None:
        """The value of an amount, rounded up (exposure is never understated); None without a price."""
        if asset == self.numeraire:
            return Amount(amount)
        for price in self.prices:
            if price.asset == asset and price.amount > 0:
                return Amount(-(-amount * price.value // price.amount))
        return None
