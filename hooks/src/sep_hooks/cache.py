"""Caches of read models: answers to questions, folded from the log elsewhere, thrown away at will."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from sep_hooks.config import PluginConfig
from sep_hooks.context import PluginContext
from sep_hooks.mirror import MirrorHead
from sep_hooks.store import Recorded


@dataclass(frozen=True, slots=True)
class Document:
    """An answer as JSON under `kind` and `key`; it replaces the one before it.

    One with an `order` can be listed, under each of its `labels`; the labels of the one before it are taken away.
    """

    kind: str
    key: str
    body: bytes
    order: int | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadModelChange:
    """What some events, dense and in order, make of the answers."""

    events: Sequence[Recorded]
    documents: Sequence[Document]


class ReadModelCache[ConfigT: PluginConfig](ABC):
    """Answers of one log at one position, and the latest events up to it. Whoever reads sees one position or the next.

    Every call raises `MirrorUnavailable` where the cache does not answer within its own bound; then it may be repeated.
    """

    Config: ClassVar[type[PluginConfig]]

    def __init__(self, config: ConfigT, context: PluginContext) -> None:
        self.config = config
        self.context = context

    @abstractmethod
    async def open(self) -> None:
        """Connects."""

    @abstractmethod
    async def last(self, store_id: UUID) -> MirrorHead | None:
        """The last event that its answers have seen, None where it has no answers for this log."""

    @abstractmethod
    async def apply(self, store_id: UUID, change: ReadModelChange) -> None:
        """Takes a change in, all of it or nothing. Raises `MirrorOutOfPlace` where it stands at another position."""

    @abstractmethod
    async def clear(self, store_id: UUID) -> None:
        """Forgets everything about a log."""

    @abstractmethod
    async def document(self, store_id: UUID, kind: str, key: str) -> bytes | None:
        """One answer, None where there is none."""

    @abstractmethod
    async def listed(
        self, store_id: UUID, kind: str, label: str, *, before: int | None, limit: int
    ) -> Sequence[tuple[int, bytes]]:
        """Answers under a label with their order, the greatest first, below `before` where it is given."""

    @abstractmethod
    async def events(self, store_id: UUID, *, after: int, limit: int) -> Sequence[Recorded] | None:
        """Events in order behind a position, at most `limit`; None where they are not kept any more."""

    async def close(self) -> None:
        """Lets go of the connection."""
        return
