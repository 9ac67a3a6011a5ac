"""Buses: carry the log to other processes, every position in order."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar
from uuid import UUID

from sep_hooks.config import PluginConfig
from sep_hooks.context import PluginContext
from sep_hooks.mirror import MirrorHead
from sep_hooks.store import CaughtUp, Recorded


class EventBus[ConfigT: PluginConfig](ABC):
    """Holds a copy of a log under the log's own positions, and refuses an event at any other.

    Every call raises `MirrorUnavailable` where the bus does not answer within its own bound; then it may be repeated.
    """

    Config: ClassVar[type[PluginConfig]]

    def __init__(self, config: ConfigT, context: PluginContext) -> None:
        self.config = config
        self.context = context

    @abstractmethod
    async def open(self) -> None:
        """Connects."""

    @abstractmethod
    async def logs(self) -> Sequence[UUID]:
        """The logs that it holds copies of."""

    @abstractmethod
    async def last(self, store_id: UUID) -> MirrorHead | None:
        """The last event that it holds of a log, None where it holds none; makes room for the log."""

    @abstractmethod
    async def publish(self, store_id: UUID, events: Sequence[Recorded]) -> None:
        """Adds events in order behind the last one; each that was added is durable as far as the bus is.

        Raises `MirrorOutOfPlace` at the first that does not follow; those before it were added.
        """

    @abstractmethod
    def follow(self, store_id: UUID, *, after: int) -> AsyncGenerator[Recorded | CaughtUp]:
        """The copy of a log in order behind `after`, without end; `CaughtUp` marks each arrival at its end.

        Raises `LogBroken` for a position out of order, `NotInLog` where the copy ends before `after`.
        """

    async def close(self) -> None:
        """Lets go of the connection."""
        return
