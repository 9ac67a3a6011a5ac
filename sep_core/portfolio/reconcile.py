"""Whether the books and the chain agree."""

from collections.abc import Mapping
from dataclasses import dataclass

from sep_hooks.types import Amount, AssetId

from sep_core.portfolio.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An asset of which the books and the chain say different amounts. Nothing is corrected by itself."""

    account: str
    asset: AssetId
    ledger: int
    chain: int

    def __str__(self) -> str:
        return (
            f"{self.account} holds {self.chain} of {self.asset} on chain, the ledger says {self.ledger} "
            f"(difference {self.chain - self.ledger})"
        )


def check_books(
    ledger: Ledger,
    chain_balances: Mapping[tuple[str, AssetId], Amount],
    *,
    include_provisional: bool = False,
) -> tuple[Mismatch, ...]:
    """Every asset, by account, whose strategies' wallets do not sum to its balance on the chain (I7).

    Balances are of the finalised block; of the head with `include_provisional`. The tolerance is zero.
    """
    sums: dict[tuple[str, AssetId], int] = {}
    for holding in ledger.holdings():
        key = holding.account, holding.asset
        sums[key] = sums.get(key, 0) + holding.final
        if include_provisional:
            sums[key] += holding.provisional
    return tuple(
        Mismatch(account, asset, sums.get((account, asset), 0), balance)
        for (account, asset), balance in sorted(chain_balances.items())
        if sums.get((account, asset), 0) != balance
    )
