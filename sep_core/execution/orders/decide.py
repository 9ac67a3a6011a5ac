"""What an account's orders make of a command: facts for its stream, or a refusal that guards an invariant."""

from dataclasses import dataclass

from sep_hooks.types import OrderReport, OrderState, OrderTrade

from sep_core.events.decided import Decided
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
from sep_core.events.streams import order_stream
from sep_core.execution.errors import LaneUnknown
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
from sep_core.execution.orders.errors import (
    ForeignReport,
    OrderBound,
    TooEarlyToTell,
    TradesContradict,
)
from sep_core.execution.orders.identity import trade_fact_id
from sep_core.execution.orders.lane import OrderEntry, OrderLane, OrderStatus
from sep_core.execution.orders.sound import trade_trouble

_OUTCOMES: dict[OrderState, OrderOutcome] = {
    OrderState.FILLED: "filled",
    OrderState.CANCELLED: "cancelled",
    OrderState.EXPIRED: "expired",
    OrderState.REJECTED: "rejected",
}


@dataclass(frozen=True, slots=True)
class _Told:
    """What a report and a list of trades add to an entry."""

    entry: OrderEntry
    report: OrderReport
    fresh: tuple[OrderTrade, ...]


def decide_order(lane: OrderLane | None, command: OrderCommand) -> tuple[Decided, ...]:
    """The facts that a command adds to the account's stream; none where it says nothing new.

    Raises a `LaneError` where taking it in would break an invariant.
    """
    if isinstance(command, OpenOrderAccount):
        return _opened(lane, command)
    if lane is None:
        raise LaneUnknown(
            f"account {command.lane.account} at {command.lane.venue} was never opened; nothing was recorded",
            next_step="let the engine read the account's balances first",
        )
    match command:
        case ReserveOrder():
            return _reserved(lane, command)
        case RecordOrder():
            return _reported(lane, command)
        case RecordOrderDoubt():
            return _doubted(lane, command)
        case RecordOrderAbsent():
            return _absent(lane, command)
        case RecordOrderCancel():
            return _cancelled(lane, command)


def _in(key: OrderLaneKey, *facts: Fact) -> tuple[Decided, ...]:
    stream = order_stream(key.venue, key.account)
    return tuple(Decided(stream, fact) for fact in facts)


def _opened(lane: OrderLane | None, command: OpenOrderAccount) -> tuple[Decided, ...]:
    key = command.lane
    if lane is None:
        return _in(
            key, OrderAccountOpened(key.account, key.venue, command.chain, command.balances, command.at)
        )
    fresh = tuple((asset, held) for asset, held in command.balances if asset not in lane.assets)
    return _in(key, OrderAssetsAdopted(key.account, key.venue, fresh, command.at)) if fresh else ()


def _reserved(lane: OrderLane, command: ReserveOrder) -> tuple[Decided, ...]:
    book = command.step.book
    if command.client_order_id in lane.entries:
        return ()
    if book is None:
        raise OrderBound(f"step {command.step.id} asks nothing of a book; nothing was recorded or sent")
    for entry in lane.of_intent(command.intent_id):
        if entry.open or entry.step_id == command.step.id:
            raise OrderBound(
                f"intent {command.intent_id} has order {entry.client_order_id} ({entry.status}) of step"
                f" {entry.step_id} at {lane.key.venue}; a second one could execute it twice",
                next_step=f"see `sep reconcile {command.intent_id}`",
            )
    units = command.units
    return _in(
        lane.key,
        OrderReserved(
            command.client_order_id,
            command.intent_id,
            command.step.id,
            book.market,
            book.side,
            book.price,
            book.size,
            book.time_in_force,
            units.base,
            units.quote,
            units.lot,
            units.tick,
            command.plan_digest,
            command.expires_at,
        ),
    )


def _reported(lane: OrderLane, command: RecordOrder) -> tuple[Decided, ...]:
    report = command.report
    entry = lane.entries.get(report.client_order_id)
    if entry is None:
        return ()
    _check_same(entry, report)
    told = _Told(entry, report, _fresh(lane, entry, command.trades))
    if not entry.open:
        return _after_the_end(lane, told)
    facts: tuple[Decided, ...] = ()
    if entry.status is not OrderStatus.SUBMITTED and report.state is not OrderState.REJECTED:
        facts += _in(lane.key, OrderSubmitted(entry.client_order_id, report.venue_order_id))
    facts += _filled(lane, told)
    filled = entry.filled + sum(one.size for one in told.fresh)
    # Of an open order the list may be newer than the report.
    if filled > entry.size or (report.state.closed and filled > report.filled):
        raise TradesContradict(
            f"order {entry.client_order_id}: its trades come to {filled} lots, the venue says that {report.filled} of"
            f" {entry.size} are filled; nothing was recorded",
            next_step="compare with the venue's own record of the order",
        )
    if report.state.closed and filled == report.filled:
        evidence = f"{lane.key.venue} has order {report.venue_order_id} as {report.state}"
        evidence += f": {report.reason}" if report.reason else ""
        outcome = _OUTCOMES[report.state]
        facts += _in(lane.key, OrderClosed(entry.client_order_id, outcome, filled, evidence))
    return facts


def _after_the_end(lane: OrderLane, told: _Told) -> tuple[Decided, ...]:
    if told.fresh or told.report.filled != told.entry.filled:
        raise TradesContradict(
            f"order {told.entry.client_order_id} is closed with {told.entry.filled} lots filled, now the venue tells of"
            f" {told.report.filled}; nothing was recorded, the account's books differ from the venue",
            next_step="compare with the venue's own record of the order",
        )
    return ()


def _check_same(entry: OrderEntry, report: OrderReport) -> None:
    """A report is matched by its id, and must then be of the order that was sent."""
    same = (report.market, report.side, report.price, report.size) == (
        entry.market,
        entry.side,
        entry.price,
        entry.size,
    )
    if not same:
        raise ForeignReport(
            f"the venue's order {report.venue_order_id} is called {entry.client_order_id} as ours is, but it is"
            f" {report.side} {report.size} at {report.price} of {report.market}; nothing was recorded",
            next_step="look at the orders of the account at the venue",
        )


def _fresh(lane: OrderLane, entry: OrderEntry, trades: tuple[OrderTrade, ...]) -> tuple[OrderTrade, ...]:
    """Trades that are not known yet, each once, in the order in which they came."""
    known = {one.trade_id: (one.price, one.size) for one in entry.trades}
    fresh: list[OrderTrade] = []
    for one in trades:
        wrong = trade_trouble(entry, one)
        if wrong:
            raise TradesContradict(
                f"{lane.key.venue} lists a trade of order {entry.client_order_id} that cannot be: {wrong};"
                " nothing was recorded",
                next_step="compare with the venue's own record of the order",
            )
        if one.client_order_id != entry.client_order_id or one.side is not entry.side:
            raise ForeignReport(
                f"trade {one.trade_id} is listed under order {entry.client_order_id} and is of"
                f" {one.client_order_id}; nothing was recorded",
                next_step="look at the orders of the account at the venue",
            )
        if one.trade_id not in known:
            known[one.trade_id] = (one.price, one.size)
            fresh.append(one)
        elif known[one.trade_id] != (one.price, one.size):
            raise TradesContradict(
                f"trade {one.trade_id} of order {entry.client_order_id} was told with other numbers before;"
                " nothing was recorded",
                next_step="compare with the venue's own record of the order",
            )
    return tuple(fresh)


def _filled(lane: OrderLane, told: _Told) -> tuple[Decided, ...]:
    entry, key = told.entry, lane.key
    stream = order_stream(key.venue, key.account)
    return tuple(
        Decided(
            stream,
            OrderFilled(
                entry.client_order_id,
                one.trade_id,
                one.price,
                one.size,
                entry.units.quote,
                one.fee,
                one.maker,
                one.at,
            ),
            trade_fact_id(key.venue, key.account, entry.client_order_id, one.trade_id),
        )
        for one in told.fresh
    )


def _doubted(lane: OrderLane, command: RecordOrderDoubt) -> tuple[Decided, ...]:
    entry = lane.entries.get(command.client_order_id)
    if entry is None or entry.status not in (OrderStatus.RESERVED, OrderStatus.IN_DOUBT):
        return ()
    if command.reason in entry.reasons:
        return ()
    return _in(lane.key, OrderDoubted(entry.client_order_id, command.reason))


def _absent(lane: OrderLane, command: RecordOrderAbsent) -> tuple[Decided, ...]:
    entry = lane.entries.get(command.client_order_id)
    if entry is None or not entry.open:
        return ()
    if entry.status is OrderStatus.SUBMITTED or entry.trades:
        raise TradesContradict(
            f"the venue does not know order {entry.client_order_id}, which it has told of before;"
            " nothing was recorded",
            next_step="compare with the venue's own record of the order",
        )
    if command.asked_at <= entry.expires_at:
        raise TooEarlyToTell(
            f"order {entry.client_order_id} may still arrive until {entry.expires_at.isoformat()}; that it is not"
            " there yet says nothing",
            next_step="ask again afterwards",
        )
    # Why it was in doubt is why it was not placed, where the venue said so.
    evidence = "; ".join((*entry.reasons[:1], command.evidence))
    return _in(lane.key, OrderClosed(entry.client_order_id, "not_placed", 0, evidence))


def _cancelled(lane: OrderLane, command: RecordOrderCancel) -> tuple[Decided, ...]:
    entry = lane.entries.get(command.client_order_id)
    if entry is None or not entry.open or entry.cancel_reason:
        return ()
    return _in(lane.key, OrderCancelRequested(entry.client_order_id, command.reason))
