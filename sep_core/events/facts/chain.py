"""Facts of a chain; stream `chain:<chain id>`."""

from sep_hooks.types import BlockRef, ChainRef

from sep_core.events.registry import Fact, fact


@fact("ChainConnected")
class ChainConnected(Fact):
    """An endpoint proved its chain id; heads follow from `head` on.

    `genesis_hash` is block 0's, empty where no endpoint has that block; `finalized` is final by the chain's rule.
    """

    chain: ChainRef
    name: str
    head: BlockRef
    genesis_hash: str = ""
    finalized: BlockRef | None = None


@fact("ChainReorged")
class ChainReorged(Fact):
    """Blocks left the canonical chain (newest first)."""

    chain: ChainRef
    removed: tuple[BlockRef, ...]
    head: BlockRef
