"""What the execution of orders needs from beside it; the composition root plugs it together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from sep_hooks.types import (
    Amount,
    AssetId,
    Fill,
    IntentId,
    OrderReport,
    OrderRequest,
    OrderTrade,
    Plan,
    Step,
)

from sep_core.execution.ports import StalePlan

if TYPE_CHECKING:
    from sep_core.execution.orders.commands import OrderCommand
    from sep_core.execution.orders.lane import OrderLane


@dataclass(frozen=True, slots=True)
class Units:
    """What the steps of one book are in base units of its two assets."""

    base: AssetId
    quote: AssetId
    lot: Amount
    tick: Amount


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """An approved plan of one order that may be sent now."""

    intent_id: IntentId
    plan: Plan
    step: Step
    client_order_id: str
    units: Units


class OrderPort(Protocol):
    """The order venue under the kernel's guard; every call is bounded. Reads raise where there is no answer."""

    @property
    def absence_seconds(self) -> float:
        """How long after a request's expiry reads may not show what was taken in before."""
        ...

    async def now(self) -> datetime | None:
        """The venue's own clock; None where it does not tell."""
        ...

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Sends an order once. Raises `OrderRejected`, or anything where the outcome is not known."""
        ...

    async def cancel(self, market: str, client_order_id: str) -> None:
        """Asks for the end of an order."""
        ...

    async def lookup(self, market: str, client_order_id: str) -> OrderReport | None:
        """The order as the venue has it."""
        ...

    async def trades(self, market: str, client_order_id: str) -> Sequence[OrderTrade]:
        """The order's trades as the venue has them."""
        ...


class OrderDesk(Protocol):
    """The kernel's desk, as the orders of one account see it."""

    def lane(self) -> "OrderLane | None":
        """The orders as memory has them; None before the account was opened."""
        ...

    def next_work(self) -> PlannedOrder | None:
        """The approved plan whose turn it is."""
        ...

    def why_end(self, intent_id: IntentId) -> str:
        """Why an order of the intent shall not rest any longer; empty where it may."""
        ...

    async def record(self, command: "OrderCommand") -> None:
        """Decides the command; returns when its facts are durable."""
        ...

    async def record_paper(self, intent_id: IntentId, fills: tuple[Fill, ...]) -> None:
        """Records what a plan would have exchanged; returns when that is durable."""
        ...

    async def withdraw(self, stale: StalePlan) -> None:
        """Gives an approved plan up; returns when that is durable."""
        ...
