"""What states were before each of the last blocks, so that a reorganisation can be undone."""

from collections.abc import Iterable

from sep_hooks.types import Block, MarketId, MarketState

KEPT_BLOCKS = 256


class UndoJournal:
    """For each block, the states before it of the markets it touched; None where the state is not known."""

    def __init__(self) -> None:
        self._before: dict[str, dict[MarketId, MarketState | None]] = {}

    def open(self, block: Block) -> None:
        """Begins a block."""
        self._before[block.hash] = {}
        while len(self._before) > KEPT_BLOCKS:
            del self._before[next(iter(self._before))]

    def remember(self, block: Block, market: MarketId, before: MarketState) -> None:
        """Notes a state before its first change in this block."""
        self._before[block.hash].setdefault(market, before)

    def read_afresh(self, block: Block, markets: Iterable[MarketId]) -> None:
        """Notes that these markets were read at this block: what they were before it is not known."""
        entry = self._before.setdefault(block.hash, {})
        entry.update(dict.fromkeys(markets))

    def take(self, block: Block) -> dict[MarketId, MarketState | None] | None:
        """The states before a block that left the chain; None where the block is not in the journal."""
        return self._before.pop(block.hash, None)

    def clear(self) -> None:
        """Forgets everything."""
        self._before.clear()
