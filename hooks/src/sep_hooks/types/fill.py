"""Fills: what really happened, and by which evidence."""

from dataclasses import dataclass

from sep_hooks.types.amount import Amount, Quantity
from sep_hooks.types.asset import AssetId
from sep_hooks.types.chain import BlockRef
from sep_hooks.types.intent import IntentId
from sep_hooks.types.market import MarketId


@dataclass(frozen=True, slots=True)
class SwapFill:
    """One pass through one market as a venue reads it out of a log; `ordinal` is the log's place."""

    market: MarketId
    asset_in: AssetId
    amount_in: Amount
    asset_out: AssetId
    amount_out: Amount
    ordinal: int


@dataclass(frozen=True, slots=True)
class Fill:
    """What one step of an intent exchanged in all. `transaction_hash` is empty where it was simulated.

    `others` is what moved besides, where a step spends or receives several assets: received positive, spent negative.
    """

    intent_id: IntentId
    step_id: str
    venue: str
    asset_in: AssetId
    amount_in: Amount
    asset_out: AssetId
    amount_out: Amount
    passes: tuple[SwapFill, ...]
    gas_cost: Amount
    block: BlockRef
    transaction_hash: str
    others: tuple[tuple[AssetId, Quantity], ...] = ()

    @property
    def moved(self) -> tuple[tuple[AssetId, Quantity], ...]:
        """Every asset that it exchanged: received positive, spent negative."""
        return (
            (self.asset_in, Quantity(-self.amount_in)),
            (self.asset_out, Quantity(self.amount_out)),
            *self.others,
        )
