"""Order venues: books that orders are sent to, under ids of our own."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import ClassVar, Final

from sep_hooks.config import PluginConfig
from sep_hooks.context import PluginContext
from sep_hooks.errors import Permanent
from sep_hooks.types.order import (
    BookUpdate,
    OrderMarket,
    OrderReport,
    OrderRequest,
    OrderTrade,
    VenueBalance,
)

QUIET_SECONDS: Final = 30.0
"""The longest that the stream of a book may say nothing."""


class OrderRejected(Permanent):
    """The venue says that it did not and will not take this request in: nothing of it trades, now or later.

    The kernel still asks `lookup` and `trades` before it plans anew: a rejected order that is shown there as
    `REJECTED` ends at once, one that is not shown ends when its request has expired.
    """

    code = "order_rejected"


class OrderVenue[ConfigT: PluginConfig](ABC):
    """One account at one order venue; its keys come with the configuration.

    What is sent carries our client order id, which the kernel has made durable before. Whatever `submit` raises is
    no evidence of what the venue did: the kernel then asks `lookup` and `trades`, and never sends the order again,
    nor another in its place, before it has evidence. Reads raise `VenueError`.
    """

    Config: ClassVar[type[PluginConfig]]
    absence_seconds: ClassVar[float] = 5.0
    """How long after a request's expiry the venue's reads may still not show what it took in before that."""

    def __init__(self, config: ConfigT, context: PluginContext) -> None:
        self.config = config
        self.context = context

    @property
    @abstractmethod
    def test(self) -> bool:
        """Whether nothing that is traded here is worth anything."""

    @abstractmethod
    async def markets(self) -> Sequence[OrderMarket]:
        """The books that can be traded."""

    @abstractmethod
    def book(self, market: str) -> AsyncGenerator[BookUpdate]:
        """A snapshot, then every change in order, without end; where nothing changes for a while, a snapshot again.

        Raises `VenueError` where the stream breaks, also where the venue left something out; who still wants the book
        subscribes again.
        """

    @abstractmethod
    async def submit(self, request: OrderRequest) -> OrderReport:
        """Sends an order once. Raises `OrderRejected`, or anything else where the outcome is not known."""

    @abstractmethod
    async def cancel(self, market: str, client_order_id: str) -> None:
        """Asks for the end of an order. A trade may win; only `lookup` tells."""

    @abstractmethod
    async def lookup(self, market: str, client_order_id: str) -> OrderReport | None:
        """The order, open or closed; None where the venue knows none of this id now, which is no evidence yet."""

    @abstractmethod
    async def trades(self, market: str, client_order_id: str) -> Sequence[OrderTrade]:
        """All trades of the order. The same trade always has the same id; it may be listed twice."""

    @abstractmethod
    async def balances(self) -> Sequence[VenueBalance]:
        """What the account holds, all at one moment."""

    async def now(self) -> datetime | None:
        """The venue's own clock, by which requests expire; None where it does not tell.

        That an order was never placed is concluded by this clock, and without it only after a long while.
        """
        return None

    async def health(self) -> None:
        """Returns where the venue answers. Raises `VenueError` with the reason where it does not."""
        await self.markets()

    async def close(self) -> None:
        """Ends what it holds open towards the venue; nothing is asked of it afterwards."""
        return
