"""Relays: a way into a block past the public pool, for what may not be seen before it is included."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from sep_hooks.config import PluginConfig
from sep_hooks.context import PluginContext
from sep_hooks.types import BroadcastAnswer


@dataclass(frozen=True, slots=True)
class PrivateTransaction:
    """Signed bytes and their hash, for the blocks from `next_block` to `last_block`."""

    raw: bytes
    hash: str
    next_block: int
    last_block: int


class PrivateRelay[ConfigT: PluginConfig](ABC):
    """Hands transactions to builders of blocks and shows them to nobody else. What it says of their fate is no
    evidence: only the chain is.
    """

    Config: ClassVar[type[PluginConfig]]

    def __init__(self, config: ConfigT, context: PluginContext) -> None:
        self.config = config
        self.context = context

    @property
    @abstractmethod
    def most_blocks(self) -> int:
        """How many blocks ahead it takes a transaction for, at least 1."""

    async def open(self) -> None:
        """Connects. Raises a `SepError` where that is not possible."""
        return

    @abstractmethod
    async def send(self, transaction: PrivateTransaction) -> BroadcastAnswer:
        """What the relay answers. The same bytes for later blocks are the same transaction, not a second one.

        An answer that is lost, late or unclear is `AMBIGUOUS`: the relay may hold the bytes. Never raises for it.
        """

    @abstractmethod
    async def withdraw(self, transaction_hash: str) -> None:
        """Asks not to include a transaction any more. It may be included all the same. Never raises for an answer."""

    async def close(self) -> None:
        """Lets go of the connection."""
        return
