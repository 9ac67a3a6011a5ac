"""The market states that one plan is computed from."""

from collections.abc import Mapping
from dataclasses import dataclass

from sep_hooks.types import Block, LeftOut, Market, MarketId, MarketState, SnapshotRef

from .native import Network


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All usable markets of one chain at one block, frozen.

    `network` holds all of them, `networks` those of each venue instance alone.
    """

    ref: SnapshotRef
    block: Block
    network: Network
    networks: Mapping[str, Network]
    markets: Mapping[MarketId, Market]
    states: Mapping[MarketId, MarketState]
    left_out: tuple[LeftOut, ...]
