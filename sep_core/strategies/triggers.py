"""What an instance is called with, each with a name that repeats when it repeats."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sep_hooks.strategy import BlockTick, IntentUpdate, QuoteTick, Strategy, StrategyContext
from sep_hooks.types import Fill

from sep_core.events import codec
from sep_core.events.values import value_codec

_encode_fill, _ = value_codec(Fill)
_encode_update, _ = value_codec(IntentUpdate)


@dataclass(frozen=True, slots=True)
class Started:
    """The instance begins its `life`-th life."""

    life: int
    resumed: bool

    @property
    def name(self) -> str:
        """Its identity."""
        return f"start:{self.life}"

    @property
    def content(self) -> str:
        """What the inputs' digest covers."""
        return "resumed" if self.resumed else ""

    async def call(self, strategy: Strategy[Any, Any], ctx: StrategyContext) -> None:
        """Hands it over."""
        await strategy.on_start(ctx, self.resumed)


@dataclass(frozen=True, slots=True)
class Stopping:
    """The instance ends its `life`-th life."""

    life: int

    @property
    def name(self) -> str:
        """Its identity."""
        return f"stop:{self.life}"

    @property
    def content(self) -> str:
        """What the inputs' digest covers."""
        return ""

    async def call(self, strategy: Strategy[Any, Any], ctx: StrategyContext) -> None:
        """Hands it over."""
        await strategy.on_stop(ctx)


@dataclass(frozen=True, slots=True)
class BlockArrived:
    """A head of a subscribed chain."""

    tick: BlockTick

    @property
    def name(self) -> str:
        """Its identity."""
        return f"block:{self.tick.chain}:{self.tick.block.hash}"

    @property
    def content(self) -> str:
        """What the inputs' digest covers."""
        return f"{self.tick.block.number}|{self.tick.timestamp}"

    async def call(self, strategy: Strategy[Any, Any], ctx: StrategyContext) -> None:
        """Hands it over."""
        await strategy.on_block(ctx, self.tick)


@dataclass(frozen=True, slots=True)
class QuoteArrived:
    """A price of a subscribed pair."""

    tick: QuoteTick

    @property
    def name(self) -> str:
        """Its identity."""
        return f"quote:{self.tick.base.id}:{self.tick.quote.id}:{self.tick.block.hash}"

    @property
    def content(self) -> str:
        """What the inputs' digest covers."""
        return f"{self.tick.numerator}|{self.tick.denominator}|{self.tick.timestamp}"

    async def call(self, strategy: Strategy[Any, Any], ctx: StrategyContext) -> None:
        """Hands it over."""
        await strategy.on_quote(ctx, self.tick)


@dataclass(frozen=True, slots=True)
class TimerDue:
    """A timer ran out; one that was due while nothing ran comes once."""

    timer: str
    due: datetime

    @property
    def name(self) -> str:
        """Its identity."""
        return f"timer:{self.timer}:{self.due.isoformat()}"

    @property
    def content(self) -> str:
        """What the inputs' digest covers."""
        return ""

    async def call(self, strategy: Strategy[Any, Any], ctx: StrategyContext) -> None:
        """Hands it over."""
        await strategy.on_timer(ctx, self.timer)


@dataclass(frozen=True, slots=True)
class Filled:
    """A final fill of an own intent, at its place in the log."""

    position: int
    fill: Fill

    @property
    def name(self) -> str:
        """Its identity."""
        return f"fact:{self.position}"

    @property
    def content(self) -> str:
        """What the inputs' digest covers."""
        return codec.encode(_encode_fill(self.fill)).decode()

    async def call(self, strategy: Strategy[Any, Any], ctx: StrategyContext) -> None:
        """Hands it over."""
        await strategy.on_fill(ctx, self.fill)


@dataclass(frozen=True, slots=True)
class IntentMoved:
    """An own intent changed its status, at the change's place in the log."""

    position: int
    update: IntentUpdate

    @property
    def name(self) -> str:
        """Its identity."""
        return f"fact:{self.position}"

    @property
    def content(self) -> str:
        """What the inputs' digest covers."""
        return codec.encode(_encode_update(self.update)).decode()

    async def call(self, strategy: Strategy[Any, Any], ctx: StrategyContext) -> None:
        """Hands it over."""
        await strategy.on_intent(ctx, self.update)


type FactTrigger = Filled | IntentMoved
type DataTrigger = BlockArrived | QuoteArrived
type Trigger = Started | Stopping | TimerDue | FactTrigger | DataTrigger
