"""What is reported about orders: what is about to be sent, and what the venue says."""

from dataclasses import dataclass
from datetime import datetime

from sep_hooks.types import (
    Amount,
    AssetId,
    ChainRef,
    IntentId,
    OrderReport,
    OrderTrade,
    PriceBook,
    Step,
)

from sep_core.execution.orders.ports import Units


@dataclass(frozen=True, slots=True)
class OrderLaneKey:
    """One account at one order venue."""

    venue: str
    account: str


@dataclass(frozen=True, slots=True)
class OpenOrderAccount:
    """The venue's view of an account, or of assets of it, that the log does not know yet."""

    lane: OrderLaneKey
    chain: ChainRef
    balances: tuple[tuple[AssetId, Amount], ...]
    at: datetime
    prices: PriceBook | None = None


@dataclass(frozen=True, slots=True)
class ReserveOrder:
    """An approved plan's order will be sent under this id, once that is durable."""

    lane: OrderLaneKey
    intent_id: IntentId
    client_order_id: str
    step: Step
    units: Units
    plan_digest: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RecordOrder:
    """The venue's own word about an order, with the trades that it lists."""

    lane: OrderLaneKey
    report: OrderReport
    trades: tuple[OrderTrade, ...]


@dataclass(frozen=True, slots=True)
class RecordOrderDoubt:
    """No answer came, or none that says anything for good: a rejection too only says what the venue believes."""

    lane: OrderLaneKey
    client_order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordOrderAbsent:
    """The venue knows no such order and no trade of it, asked when it could take the request in no longer."""

    lane: OrderLaneKey
    client_order_id: str
    asked_at: datetime
    evidence: str


@dataclass(frozen=True, slots=True)
class RecordOrderCancel:
    """The venue will be asked to end the order."""

    lane: OrderLaneKey
    client_order_id: str
    reason: str


type OrderCommand = (
    OpenOrderAccount | ReserveOrder | RecordOrder | RecordOrderDoubt | RecordOrderAbsent | RecordOrderCancel
)
