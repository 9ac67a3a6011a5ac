"""The markets of all chains."""

from collections.abc import Mapping, Sequence

from sep_hooks.errors import ConfigurationError
from sep_hooks.types import Block, ChainRef, ChainUpdate, Market, MarketId

from .board_venue import BoardVenue
from .chain_board import ChainBoard
from .guard import DirectGuard, PluginGuard
from .snapshot import Snapshot

STALE_AFTER_SECONDS = 60.0


class MarketBoard:
    """Discovers markets, keeps their states by the chain's logs, and hands out frozen snapshots."""

    def __init__(
        self,
        venues: Sequence[BoardVenue],
        *,
        guard: PluginGuard | None = None,
        stale_after_seconds: float = STALE_AFTER_SECONDS,
    ) -> None:
        by_chain: dict[ChainRef, list[BoardVenue]] = {}
        for venue in venues:
            by_chain.setdefault(venue.chain, []).append(venue)
        self._boards = {
            chain: ChainBoard(chain, own, guard or DirectGuard(), stale_after_seconds)
            for chain, own in by_chain.items()
        }

    @property
    def chains(self) -> Sequence[ChainRef]:
        """The chains that have a venue."""
        return tuple(self._boards)

    @property
    def markets(self) -> Mapping[MarketId, Market]:
        """The markets of all chains, as discovered last."""
        return {market.id: market for board in self._boards.values() for market in board.markets.values()}

    async def discover(self, chain: ChainRef) -> None:
        """Asks a chain's venues for their markets; `load` follows."""
        await self._board(chain).discover()

    async def load(self, chain: ChainRef, block: Block, sequence: int) -> None:
        """Reads everything afresh at a block: the first time, and after each gap of the head tracker."""
        await self._board(chain).load(block, sequence)

    async def apply(self, chain: ChainRef, update: ChainUpdate) -> None:
        """Moves a chain's states on."""
        await self._board(chain).apply(update)

    async def widen(self, chain: ChainRef, markets: Sequence[MarketId]) -> None:
        """Loads more of markets that answered `NeedTicks`."""
        await self._board(chain).widen(markets)

    def set_aside(self, chain: ChainRef, venue: str, reason: str) -> None:
        """Leaves a venue out of snapshots, or takes it in again where the reason is empty."""
        self._board(chain).set_aside(venue, reason)

    def snapshot(self, chain: ChainRef, head_timestamp: int | None = None) -> Snapshot:
        """What is usable of a chain now; `head_timestamp` is the chain's own time."""
        return self._board(chain).snapshot(head_timestamp)

    def block(self, chain: ChainRef) -> Block | None:
        """The block that a chain's states belong to."""
        return self._board(chain).block

    def _board(self, chain: ChainRef) -> ChainBoard:
        board = self._boards.get(chain)
        if board is None:
            raise ConfigurationError(f"no venue stands on {chain}", next_step="add one under [venues]")
        return board
