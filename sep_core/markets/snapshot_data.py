"""What a snapshot file holds, as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sep_hooks.types import Amount, Asset, AssetId, BlockRef, ChainRef, LeftOut, Market, MarketId, MarketState

from .native import Network


@dataclass(frozen=True, slots=True)
class ChainAt:
    """A chain at a block; with a fee per gas (wei) and the asset that pays for gas, gas has a price."""

    chain: ChainRef
    block: BlockRef
    timestamp: int
    fee_per_gas: Amount | None = None
    gas_asset: AssetId | None = None


@dataclass(frozen=True, slots=True)
class SnapshotData:
    """Markets with their states, at one block for each chain. `network` holds all that the mathematics takes."""

    chains: tuple[ChainAt, ...]
    assets: tuple[Asset, ...]
    markets: Mapping[MarketId, Market]
    states: Mapping[MarketId, MarketState]
    left_out: tuple[LeftOut, ...]
    network: Network = field(repr=False)

    @property
    def digest(self) -> str:
        """The digest of all states."""
        return self.network.digest().hex()

    def asset(self, asset_id: str) -> Asset | None:
        """The asset of an id."""
        return next((one for one in self.assets if one.id == asset_id), None)

    def named(self, word: str) -> Sequence[Asset]:
        """The assets that a word may mean: an id, or a symbol in whatever case."""
        exact = [one for one in self.assets if one.id == word.lower() or one.symbol == word]
        return exact or [one for one in self.assets if one.symbol.lower() == word.lower()]
