"""Venues: where assets are exchanged on a chain."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from sep_hooks.config import PluginConfig
from sep_hooks.context import VenueContext
from sep_hooks.types import (
    Address,
    Amount,
    BlockRef,
    Call,
    DecodedLog,
    Market,
    MarketId,
    MarketState,
    SwapFill,
    SwapOrder,
)


class VenueAdapter[ConfigT: PluginConfig](ABC):
    """One deployment of one protocol. A venue reads and describes; it never signs and never sends.

    Everything but `markets`, `states` and `health` is pure. Raise `VenueError` where the venue cannot answer.
    """

    Config: ClassVar[type[PluginConfig]]
    event_signatures: ClassVar[tuple[str, ...]]
    """Full declarations with `indexed`, e.g. `event Sync(uint112 reserve0, uint112 reserve1)`."""

    def __init__(self, config: ConfigT, context: VenueContext) -> None:
        self.config = config
        self.context = context

    @abstractmethod
    async def markets(self) -> Sequence[Market]:
        """The markets that can be traded, from configuration or from the chain."""

    @abstractmethod
    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        """The states of these markets at exactly this block; one that cannot be read is absent."""

    @abstractmethod
    def apply(self, state: MarketState, log: DecodedLog, block: BlockRef) -> MarketState | None:
        """The state after one of the market's own logs; None where the market must be read again instead."""

    def market_of(self, log: DecodedLog) -> MarketId | None:
        """Which market a log of a shared contract (`Market.emitters`) tells of; None where of none. Pure."""
        del log
        return None

    @abstractmethod
    def spender(self, order: SwapOrder) -> Address:
        """Who takes the input and therefore needs an allowance."""

    @abstractmethod
    def swap_call(self, order: SwapOrder) -> Call:
        """The unsigned call, with the order's limit, recipient and deadline inside.

        A venue whose contracts know no deadline or pay nobody but their caller says so in its manifest
        (`call_deadline`, `call_recipient`); it is then called by the recipient alone. One without exact output
        sells the legs' exact input for at least `amount_out`.
        """

    @abstractmethod
    def quote_call(self, order: SwapOrder) -> Call:
        """A read-only call by which the chain itself quotes the order."""

    @abstractmethod
    def quoted_amount(self, order: SwapOrder, output: bytes) -> Amount:
        """The amount out (exact in) or in (exact out) in the answer to `quote_call`."""

    @abstractmethod
    def fills(self, order: SwapOrder, logs: Sequence[DecodedLog]) -> Sequence[SwapFill]:
        """Which of the transaction's logs are passes of this order, in the order of its legs."""

    async def health(self) -> None:
        """Returns where the venue answers. Raises `VenueError` with the reason where it does not."""
        await self.markets()
