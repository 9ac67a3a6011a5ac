"""A venue as the board sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sep_hooks.context import VenueContext
from sep_hooks.types import BlockRef, ChainLog, ChainRef, DecodedLog, Market, MarketId, MarketState, evm_chain


class LogDecoder(Protocol):
    """Decodes a venue's logs by its declared signatures; logs of other events are left out."""

    def decode(self, logs: Sequence[ChainLog]) -> Sequence[DecodedLog]:
        """The decoded logs, in order."""
        ...


class ReadsMarkets(Protocol):
    """What the board asks of a `VenueAdapter`, whatever its configuration."""

    context: VenueContext

    async def markets(self) -> Sequence[Market]:
        """See `VenueAdapter.markets`."""
        ...

    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        """See `VenueAdapter.states`."""
        ...

    def apply(self, state: MarketState, log: DecodedLog, block: BlockRef) -> MarketState | None:
        """See `VenueAdapter.apply`."""
        ...

    def market_of(self, log: DecodedLog) -> MarketId | None:
        """See `VenueAdapter.market_of`."""
        ...


@runtime_checkable
class WidensStates(Protocol):
    """A venue that loads its states in part and can load more of them."""

    async def widen(self, states: Sequence[MarketState], at: BlockRef) -> Sequence[MarketState]:
        """The same markets at this block, loaded further."""
        ...


@runtime_checkable
class RefreshesStates(Protocol):
    """A venue whose states no log keeps: they are read again after so many blocks."""

    @property
    def refresh_blocks(self) -> int:
        """See `SampledVenue.refresh_blocks`."""
        ...


@dataclass(frozen=True, slots=True)
class BoardVenue:
    """One instance of a venue and the decoder of its signatures."""

    instance: str
    adapter: ReadsMarkets
    decoder: LogDecoder

    @property
    def refresh_blocks(self) -> int | None:
        """After how many blocks its states are read again; None where logs keep them."""
        adapter: object = self.adapter
        if not isinstance(adapter, RefreshesStates):
            return None
        told: object = adapter.refresh_blocks
        return max(1, told) if type(told) is int else 1

    @property
    def chain(self) -> ChainRef:
        """The chain that it stands on."""
        return evm_chain(self.adapter.context.chain_id)
