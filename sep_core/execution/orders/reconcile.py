"""What is known and what is not of an intent's orders: the report behind `sep reconcile`."""

from collections.abc import Sequence
from dataclasses import dataclass

from sep_hooks.types import IntentId

from sep_core.execution.orders.lane import OrderEntry, OrderLane, OrderStatus


@dataclass(frozen=True, slots=True)
class OrderEvidence:
    """One order: the evidence held, the evidence missing, where the money is, and what can be done."""

    account: str
    venue: str
    client_order_id: str
    step_id: str
    status: OrderStatus
    held: tuple[str, ...]
    missing: tuple[str, ...]
    money: str
    next_step: str


def reconcile_orders(lane: OrderLane, intent_id: IntentId) -> Sequence[OrderEvidence]:
    """One entry for each order that is remembered of the intent."""
    return [_evidence(lane, entry) for entry in lane.of_intent(intent_id)]


def doubtful_orders(lane: OrderLane) -> Sequence[OrderEvidence]:
    """Every order of which nobody knows whether the venue has it."""
    return [_evidence(lane, entry) for entry in lane.in_doubt]


def _evidence(lane: OrderLane, entry: OrderEntry) -> OrderEvidence:
    return OrderEvidence(
        lane.key.account,
        lane.key.venue,
        entry.client_order_id,
        entry.step_id,
        entry.status,
        tuple(_held(lane, entry)),
        tuple(_missing(lane, entry)),
        _money(entry),
        _next_step(entry),
    )


def _held(lane: OrderLane, entry: OrderEntry) -> Sequence[str]:
    side = entry.side.lower()
    held = [
        f"{entry.client_order_id} is reserved for step {entry.step_id}: {side} {entry.size} lots of {entry.market}"
        f" at {entry.price} ticks"
    ]
    held += [f"doubt: {reason}" for reason in entry.reasons]
    if entry.venue_order_id:
        held.append(f"{lane.key.venue} has it as order {entry.venue_order_id}")
    if entry.trades:
        held.append(f"{len(entry.trades)} trades over {entry.filled} lots")
    if entry.cancel_reason:
        held.append(f"its cancel was asked for: {entry.cancel_reason}")
    if entry.evidence:
        held.append(f"closed as {entry.outcome}: {entry.evidence}")
    return held


def _missing(lane: OrderLane, entry: OrderEntry) -> Sequence[str]:
    if not entry.open:
        return []
    if entry.status is OrderStatus.SUBMITTED:
        return [f"the word of {lane.key.venue} that it is closed, and all its trades"]
    return [
        f"the word of {lane.key.venue} on order {entry.client_order_id}",
        f"or, asked after {entry.expires_at.isoformat()}, that it has no such order and no trade of it",
    ]


def _money(entry: OrderEntry) -> str:
    if not entry.open:
        if not entry.trades:
            return "not moved, for good"
        return "moved by its trades, for good; they stand in the ledger"
    if entry.status is OrderStatus.IN_DOUBT:
        return "in doubt: it may trade, once; it counts as exposure"
    return "bound at the venue; it may trade, once"


def _next_step(entry: OrderEntry) -> str:
    if not entry.open:
        return "nothing"
    if entry.status is OrderStatus.IN_DOUBT:
        return "leave the engine running: it asks the venue by this id, and sends nothing in its place before it knows"
    return "wait for the venue, or cancel the intent"
