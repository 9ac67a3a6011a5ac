"""The state of one account's orders, folded from its stream."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

import msgspec
from msgspec.structs import replace
from sep_hooks.types import AssetId, ChainRef, IntentId, OrderSide, TimeInForce

from sep_core.events.facts.order import (
    OrderAccountOpened,
    OrderAssetsAdopted,
    OrderCancelRequested,
    OrderClosed,
    OrderDoubted,
    OrderFilled,
    OrderOutcome,
    OrderReserved,
    OrderSubmitted,
)
from sep_core.events.registry import Fact
from sep_core.events.state import State
from sep_core.execution.errors import LaneUnknown, UnknownEffect
from sep_core.execution.orders.commands import OrderLaneKey
from sep_core.execution.orders.ports import Units

CLOSED_KEPT = 256
"""How many closed orders are remembered; what a later look says of older ones is nothing new by their trades' ids."""


class OrderStatus(StrEnum):
    """Where an order is, as far as is known."""

    RESERVED = "RESERVED"
    SUBMITTED = "SUBMITTED"
    IN_DOUBT = "IN_DOUBT"
    CLOSED = "CLOSED"

    @property
    def in_doubt(self) -> bool:
        """Whether it is not known if the venue has it."""
        return self is OrderStatus.IN_DOUBT


class OrderEntry(State, frozen=True):
    """One order: what was asked, and what is known to have come of it."""

    client_order_id: str
    intent_id: IntentId
    step_id: str
    market: str
    side: OrderSide
    price: int
    size: int
    time_in_force: TimeInForce
    units: Units
    plan_digest: str
    expires_at: datetime
    status: OrderStatus = OrderStatus.RESERVED
    venue_order_id: str = ""
    reasons: tuple[str, ...] = ()
    trades: tuple[OrderFilled, ...] = ()
    cancel_reason: str = ""
    outcome: OrderOutcome | None = None
    evidence: str = ""

    @property
    def open(self) -> bool:
        """Whether anything can still come of it."""
        return self.status is not OrderStatus.CLOSED

    @property
    def filled(self) -> int:
        """Lots whose trades are known."""
        return sum(one.size for one in self.trades)

    @property
    def worth(self) -> int:
        """What its trades came to, in base units of the quote asset, before fees."""
        return sum(one.price * one.size for one in self.trades) * self.units.tick

    @property
    def fee(self) -> int:
        """What its trades cost besides, in base units of the quote asset; negative: a rebate."""
        return sum(one.fee for one in self.trades if one.fee_asset == self.units.quote)


class OrderLane(State, frozen=True):
    """All orders of the account that are open, and the last closed ones; `assets` are those whose books are kept."""

    key: OrderLaneKey
    chain: ChainRef
    assets: frozenset[AssetId] = frozenset()
    entries: Mapping[str, OrderEntry] = msgspec.field(default_factory=lambda: MappingProxyType({}))

    @property
    def open(self) -> tuple[OrderEntry, ...]:
        """Orders that can still come to something, in the order they were reserved."""
        return tuple(entry for entry in self.entries.values() if entry.open)

    @property
    def in_doubt(self) -> tuple[OrderEntry, ...]:
        """Orders of which it is not known whether the venue has them."""
        return tuple(entry for entry in self.entries.values() if entry.status is OrderStatus.IN_DOUBT)

    def of_intent(self, intent_id: IntentId) -> tuple[OrderEntry, ...]:
        """The intent's orders."""
        return tuple(entry for entry in self.entries.values() if entry.intent_id == intent_id)


def evolve_orders(lane: OrderLane | None, fact: Fact) -> OrderLane:
    """The account's orders after one more fact of its stream."""
    if isinstance(fact, OrderAccountOpened):
        assets = frozenset(asset for asset, _ in fact.balances)
        return OrderLane(OrderLaneKey(fact.venue, fact.name), fact.chain, assets)
    if lane is None:
        raise LaneUnknown(
            f"{type(fact).__name__} stands in the stream of an account that was never opened",
            next_step="run `sep verify`",
        )
    match fact:
        case OrderAssetsAdopted():
            return replace(lane, assets=lane.assets | {asset for asset, _ in fact.balances})
        case OrderReserved():
            return _with(lane, _reserved(fact))
        case OrderSubmitted():
            entry = _entry(lane, fact.client_order_id)
            return _with(
                lane, replace(entry, status=OrderStatus.SUBMITTED, venue_order_id=fact.venue_order_id)
            )
        case OrderDoubted():
            entry = _entry(lane, fact.client_order_id)
            return _with(
                lane, replace(entry, status=OrderStatus.IN_DOUBT, reasons=(*entry.reasons, fact.reason))
            )
        case OrderFilled():
            entry = _entry(lane, fact.client_order_id)
            return _with(lane, replace(entry, trades=(*entry.trades, fact)))
        case OrderCancelRequested():
            return _with(lane, replace(_entry(lane, fact.client_order_id), cancel_reason=fact.reason))
        case OrderClosed():
            return _closed(lane, fact)
        case _:
            return lane


def _reserved(fact: OrderReserved) -> OrderEntry:
    return OrderEntry(
        fact.client_order_id,
        fact.intent_id,
        fact.step_id,
        fact.market,
        fact.side,
        fact.price,
        fact.size,
        fact.time_in_force,
        Units(fact.base, fact.quote, fact.lot, fact.tick),
        fact.plan_digest,
        fact.expires_at,
    )


def _closed(lane: OrderLane, fact: OrderClosed) -> OrderLane:
    entry = replace(
        _entry(lane, fact.client_order_id),
        status=OrderStatus.CLOSED,
        outcome=fact.outcome,
        evidence=fact.evidence,
    )
    entries = {**lane.entries, entry.client_order_id: entry}
    closed = [name for name, one in entries.items() if not one.open]
    for name in closed[:-CLOSED_KEPT]:
        del entries[name]
    return replace(lane, entries=MappingProxyType(entries))


def _entry(lane: OrderLane, name: str) -> OrderEntry:
    entry = lane.entries.get(name)
    if entry is None:
        raise UnknownEffect(
            f"the stream of {lane.key.account} tells of order {name}, which was never reserved",
            next_step="run `sep verify`",
        )
    return entry


def _with(lane: OrderLane, entry: OrderEntry) -> OrderLane:
    return replace(lane, entries=MappingProxyType({**lane.entries, entry.client_order_id: entry}))
