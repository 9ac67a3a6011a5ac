"""What a snapshot file holds, as values."""

from collections.abc import Mapping
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
