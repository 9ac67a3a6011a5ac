"""Strategies: actors that see facts and data and submit intents."""

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import ClassVar, Protocol

from sep_hooks.config import PluginConfig
from sep_hooks.context import Log
from sep_hooks.types import (
    Amount,
    Asset,
    AssetId,
    BlockRef,
    ChainRef,
    Fill,
    IntentDraft,
    IntentId,
    IntentStatus,
)


@dataclass(frozen=True, slots=True)
class Blocks:
    """Subscribes to the heads of a chain."""

    chain: str


@dataclass(frozen=True, slots=True)
class Quotes:
    """Subscribes to the marginal price of `base` in `quote` along the best path, once a block.

    Both are symbols of the configuration file.
    """

    base: str
    quote: str


type Subscription = Blocks | Quotes


@dataclass(frozen=True, slots=True)
class BlockTick:
    """A new head; `timestamp` in chain seconds."""

    chain: ChainRef
    block: BlockRef
    timestamp: int


@dataclass(frozen=True, slots=True)
class QuoteTick:
    """A marginal price before fees: `numerator / denominator` base units of `quote` for one of `base`."""

    base: Asset
    quote: Asset
    numerator: int
    denominator: int
    block: BlockRef
    timestamp: int


@dataclass(frozen=True, slots=True)
class IntentUpdate:
    """An outcome of one of the strategy's own intents."""

    intent_id: IntentId
    status: IntentStatus
    reason: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The intent is on its way; it is durable before anything follows from it."""

    intent_id: IntentId


@dataclass(frozen=True, slots=True)
class Refused:
    """The intent was not taken, and why."""

    code: str
    reason: str


class PortfolioView(Protocol):
    """The strategy's own ledger."""

    def free(self, asset: AssetId) -> Amount:
        """What may be spent now: final, less holds and doubt."""
        ...

    def total(self, asset: AssetId) -> Amount:
        """All that is owned."""
        ...


class StrategyContext(Protocol):
    """What a callback may use. Everything is answered from memory; effects wait for the commit."""

    @property
    def now(self) -> datetime:
        """The arrival time of what triggered this callback."""
        ...

    @property
    def random(self) -> Random:
        """Seeded by run, instance and trigger; the same on a repeat."""
        ...

    @property
    def log(self) -> Log:
        """Messages for people."""
        ...

    @property
    def portfolio(self) -> PortfolioView:
        """The instance's own holdings."""
        ...

    @property
    def open_intents(self) -> Mapping[IntentId, IntentStatus]:
        """Own intents that have not ended."""
        ...

    def asset(self, symbol: str) -> Asset:
        """The asset that the configuration file calls so. Raises `ConfigurationError`."""
        ...

    def submit(self, draft: IntentDraft) -> Accepted | Refused:
        """Submits an intent under an id made of instance, trigger and ordinal: a repeat meets its own intent."""
        ...

    def cancel(self, intent_id: IntentId) -> None:
        """Asks for cancellation; what was sent runs to its evidence."""
        ...

    def timer(self, name: str, after: timedelta) -> None:
        """Calls `on_timer(name)` once, after a delay; a timer of the same name is replaced."""
        ...


class Strategy[ConfigT: PluginConfig, StateT](ABC):
    """One callback at a time. `state` is a frozen dataclass, saved with the callback's intents in one append.

    No clock, randomness, socket, file, task or thread but through the context.
    """

    Config: ClassVar[type[PluginConfig]]
    State: ClassVar[type]

    def __init__(self, config: ConfigT, state: StateT) -> None:
        self.config = config
        self.state = state

    def subscriptions(self) -> Sequence[Subscription]:
        """What data to be called with."""
        return ()

    async def on_start(self, ctx: StrategyContext, resumed: bool) -> None:
        """The instance starts; `resumed` after an earlier life, with its state folded from the log."""

    async def on_stop(self, ctx: StrategyContext) -> None:
        """The instance stops."""

    async def on_block(self, ctx: StrategyContext, block: BlockTick) -> None:
        """A subscribed chain has a new head."""

    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        """A subscribed price was computed for a new block."""

    async def on_timer(self, ctx: StrategyContext, name: str) -> None:
        """A timer ran out."""

    async def on_fill(self, ctx: StrategyContext, fill: Fill) -> None:
        """One of the own intents has a final fill."""

    async def on_intent(self, ctx: StrategyContext, update: IntentUpdate) -> None:
        """One of the own intents changed its status."""
