"""How a plan's orders take effect at an order venue, each at most once."""

from sep_core.execution.orders.commands import (
    OpenOrderAccount,
    OrderCommand,
    OrderLaneKey,
    RecordOrder,
    RecordOrderAbsent,
    RecordOrderCancel,
    RecordOrderDoubt,
    ReserveOrder,
)
from sep_core.execution.orders.decide import decide_order
from sep_core.execution.orders.fill import fill_of_order
from sep_core.execution.orders.identity import client_order_id
from sep_core.execution.orders.lane import OrderEntry, OrderLane, OrderStatus, evolve_orders
from sep_core.execution.orders.ports import OrderDesk, OrderPort, PlannedOrder, Units
from sep_core.execution.orders.worker import OrderWorker

__all__ = [
    "OpenOrderAccount",
    "OrderCommand",
    "OrderDesk",
    "OrderEntry",
    "OrderLane",
    "OrderLaneKey",
    "OrderPort",
    "OrderStatus",
    "OrderWorker",
    "PlannedOrder",
    "RecordOrder",
    "RecordOrderAbsent",
    "RecordOrderCancel",
    "RecordOrderDoubt",
    "ReserveOrder",
    "Units",
    "client_order_id",
    "decide_order",
    "evolve_orders",
    "fill_of_order",
]
