"""Orders against a venue that answers late, doubled, in part or not at all: what the lane believes is always true."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sep_hooks.types import (
    Address,
    Amount,
    BookOrder,
    Call,
    ChainRef,
    IntentId,
    OrderReport,
    OrderSide,
    OrderState,
    OrderTrade,
    Quantity,
    Step,
    StepKind,
    TimeInForce,
    erc20,
)

from sep_core.events.decided import Decided
from sep_core.execution.errors import LaneError
from sep_core.execution.orders import (
    OpenOrderAccount,
    OrderCommand,
    OrderLane,
    OrderLaneKey,
    OrderStatus,
    RecordOrder,
    RecordOrderAbsent,
    RecordOrderCancel,
    RecordOrderDoubt,
    ReserveOrder,
    Units,
    client_order_id,
    decide_order,
    evolve_orders,
    fill_of_order,
)
from sep_core.execution.orders.errors import TradesContradict
from tests.harness.facts import as_read

START = datetime(2026, 1, 1, tzinfo=UTC)
STORE = UUID("0b9d3a52-6f1e-4c55-9c0e-3d5a1f6b7c80")
KEY = OrderLaneKey("book", "cex")
BASE, QUOTE = erc20(1, "0x" + "11" * 20), erc20(1, "0x" + "22" * 20)
UNITS = Units(BASE, QUOTE, Amount(10), Amount(3))


@dataclass
class AtVenue:
    """An order as it really is."""

    name: str
    size: int
    trades: list[OrderTrade] = field(default_factory=list)
    state: OrderState = OrderState.OPEN

    @property
    def filled(self) -> int:
        return sum(one.size for one in self.trades)


class OrderMachine(RuleBasedStateMachine):
    """A few intents, each with one order at a time; the venue does as it likes and tells what it likes of it."""

    @initialize()
    def opened(self) -> None:
        self.lane: OrderLane | None = None
        self.venue: dict[str, AtVenue] = {}
        self.on_its_way: dict[str, datetime] = {}
        self.reserved: list[str] = []
        self.attempts: dict[IntentId, int] = {}
        self.ids: set[UUID] = set()
        self.now = START
        self.trade_count = 0
        self.say(OpenOrderAccount(KEY, ChainRef("eip155:1"), ((BASE, Amount(5)),), START))

    def say(self, command: OrderCommand) -> tuple[Decided, ...]:
        decided = decide_order(self.lane, command)
        for one in decided:
            stored = as_read(one.fact)
            assert stored == one.fact
            self.lane = evolve_orders(self.lane, stored)
            if one.id is not None:
                assert one.id not in self.ids, "one fact twice"
                self.ids.add(one.id)
        return decided

    def entry_name(self, place: int) -> str | None:
        return self.reserved[place % len(self.reserved)] if self.reserved else None

    @rule(number=st.integers(0, 3), size=st.integers(1, 6), arrives=st.booleans())
    def reserve_and_send(self, number: int, size: int, arrives: bool) -> None:
        intent = IntentId(uuid5(STORE, str(number)))
        assert self.lane is not None
        bound = any(one.open for one in self.lane.of_intent(intent))
        attempt = self.attempts.get(intent, 0) + (0 if bound else 1)
        book = BookOrder("m", OrderSide.BUY, 7, size, TimeInForce.GOOD_TILL_CANCELLED)
        call = Call(Address("0x" + "00" * 20), b"")
        step = Step(f"{attempt}.1-order", StepKind.ORDER, ChainRef("eip155:1"), call, 0, "book", book=book)
        name = client_order_id(STORE, intent, step.id)
        expires = self.now + timedelta(seconds=10)
        command = ReserveOrder(KEY, intent, name, step, UNITS, "0x", expires)
        if bound:
            # Under whatever other name: while one is open there is no second.
            other = replace(step, id=f"{attempt + 1}.1-order")
            with pytest.raises(LaneError):
                self.say(replace(command, client_order_id="other", step=other))
            assert self.say(command) == ()
            return
        self.attempts[intent] = attempt
        assert self.say(command)
        assert self.say(command) == ()
        self.reserved.append(name)
        if arrives:
            self.on_its_way[name] = expires

    @rule(place=st.integers(0, 50))
    def arrives(self, place: int) -> None:
        name = self.entry_name(place)
        if name in self.on_its_way:
            expires = self.on_its_way.pop(name)
            if self.now <= expires:
                assert self.lane is not None
                self.venue[name] = AtVenue(name, self.lane.entries[name].size)

    @rule(place=st.integers(0, 50), size=st.integers(1, 4), price=st.integers(1, 7))
    def trades(self, place: int, size: int, price: int) -> None:
        order = self.venue.get(self.entry_name(place) or "")
        if order is None or order.state.closed:
            return
        size = min(size, order.size - order.filled)
        self.trade_count += 1
        fee = Quantity(size % 3 - 1)
        order.trades.append(
            OrderTrade(
                f"t{self.trade_count}", order.name, "m", OrderSide.BUY, price, size, "Q", fee, False, self.now
            )
        )
        if order.filled == order.size:
            order.state = OrderState.FILLED

    @rule(place=st.integers(0, 50))
    def ends(self, place: int) -> None:
        order = self.venue.get(self.entry_name(place) or "")
        if order is not None and not order.state.closed:
            order.state = OrderState.CANCELLED

    @rule(place=st.integers(0, 50), doubled=st.booleans(), hidden=st.integers(0, 3), shuffled=st.randoms())
    def report(self, place: int, doubled: bool, hidden: int, shuffled: object) -> None:
        order = self.venue.get(self.entry_name(place) or "")
        if order is None:
            return
        trades = list(order.trades)
        if doubled:
            trades *= 2
        shuffled.shuffle(trades)  # type: ignore[attr-defined]
        trades = trades[: max(0, len(trades) - hidden)]
        told = OrderReport(
            order.name, "v" + order.name, "m", OrderSide.BUY, order.state, 7, order.size, order.filled
        )
        self.say(RecordOrder(KEY, told, tuple(trades)))
        self.say(RecordOrder(KEY, told, tuple(trades)))

    @rule(place=st.integers(0, 50))
    def report_of_another_order(self, place: int) -> None:
        name = self.entry_name(place)
        if name is None:
            return
        told = OrderReport(name, "v", "m", OrderSide.SELL, OrderState.FILLED, 7, 1, 1)
        with pytest.raises(LaneError):
            self.say(RecordOrder(KEY, told, ()))

    @rule(place=st.integers(0, 50), reason=st.sampled_from(["silent", "broken"]))
    def doubt(self, place: int, reason: str) -> None:
        name = self.entry_name(place)
        if name is not None:
            self.say(RecordOrderDoubt(KEY, name, reason))

    @rule(place=st.integers(0, 50))
    def rejected(self, place: int) -> None:
        """Whatever became of it: a rejection closes nothing."""
        name = self.entry_name(place)
        if name is not None:
            assert self.lane is not None
            was_open = self.lane.entries[name].open
            self.say(RecordOrderDoubt(KEY, name, "the venue rejected it"))
            assert self.lane.entries[name].open == was_open

    @rule(
        place=st.integers(0, 50),
        lie=st.sampled_from(["price", "no price", "size", "market", "fee", "id", "surrogate", "time"]),
    )
    def a_trade_that_cannot_be(self, place: int, lie: str) -> None:
        name = self.entry_name(place)
        if name is None:
            return
        trade = OrderTrade("lie", name, "m", OrderSide.BUY, 7, 1, "Q", Quantity(0), False, self.now)
        trade = {
            "price": replace(trade, price=8),
            "no price": replace(trade, price=0),
            "size": replace(trade, size=-1),
            "market": replace(trade, market="n"),
            "fee": replace(trade, fee=Quantity(-22)),
            "id": replace(trade, trade_id="x" * 201),
            "surrogate": replace(trade, trade_id="\ud800"),
            "time": replace(trade, at=self.now.replace(tzinfo=None)),
        }[lie]
        assert self.lane is not None
        size = self.lane.entries[name].size
        told = OrderReport(name, "v", "m", OrderSide.BUY, OrderState.OPEN, 7, size, 1)
        with pytest.raises(TradesContradict):
            self.say(RecordOrder(KEY, told, (trade,)))

    @rule(place=st.integers(0, 50))
    def cancel_wanted(self, place: int) -> None:
        name = self.entry_name(place)
        if name is not None:
            self.say(RecordOrderCancel(KEY, name, "the test"))

    @rule(place=st.integers(0, 50))
    def absent(self, place: int) -> None:
        """The venue shows nothing: believed only when nothing can come any more."""
        name = self.entry_name(place)
        if name is None or name in self.venue:
            return
        assert self.lane is not None
        entry = self.lane.entries[name]
        command = RecordOrderAbsent(KEY, name, self.now, "not there")
        if entry.open and self.now <= entry.expires_at:
            with pytest.raises(LaneError):
                self.say(command)
            return
        self.say(command)
        assert not self.lane.entries[name].open

    @rule(seconds=st.integers(1, 8))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @invariant()
    def what_is_believed_is_true(self) -> None:
        if getattr(self, "lane", None) is None:
            return
        assert self.lane is not None
        for name, entry in self.lane.entries.items():
            real = self.venue.get(name)
            known = {one.trade_id for one in entry.trades}
            assert len(known) == len(entry.trades)
            assert entry.filled <= entry.size
            assert known <= {one.trade_id for one in real.trades} if real else not known
            if entry.status is not OrderStatus.CLOSED:
                continue
            if entry.outcome in ("rejected", "not_placed"):
                assert real is None
                assert name not in self.on_its_way or self.now > self.on_its_way[name]
                assert fill_of_order(entry, "book") is None
                continue
            assert real is not None
            assert real.state.closed
            assert entry.filled == real.filled
            fill = fill_of_order(entry, "book")
            if fill is not None:
                worth = sum(one.price * one.size for one in real.trades) * UNITS.tick
                assert fill.amount_in == worth + sum(one.fee for one in real.trades)
                assert fill.amount_out == real.filled * UNITS.lot
        by_intent: dict[IntentId, int] = {}
        for entry in self.lane.entries.values():
            by_intent[entry.intent_id] = by_intent.get(entry.intent_id, 0) + entry.open
        assert all(count <= 1 for count in by_intent.values()), "two orders of one intent are open"


TestOrderMachine = OrderMachine.TestCase
TestOrderMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
