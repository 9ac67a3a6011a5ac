"""The desk as the orders of one account see it: their state, the plan whose turn it is, and a way to report."""

from collections.abc import Callable
from uuid import UUID

from sep_hooks.context import Clock
from sep_hooks.types import Fill, IntentId, IntentStatus, RiskStage

from sep_core.execution.commands import RecordPaperFill
from sep_core.execution.orders import (
    OrderCommand,
    OrderLane,
    OrderLaneKey,
    PlannedOrder,
    client_order_id,
)
from sep_core.execution.ports import StalePlan
from sep_core.intents import IntentState
from sep_core.runtime.commands import WithdrawPlan
from sep_core.runtime.desk import Desk
from sep_core.runtime.flow.composition import Composition
from sep_core.runtime.flow.life import assess, why_unfit
from sep_core.runtime.order_venues import KnownBooks
from sep_core.runtime.turns import Turns
from sep_core.runtime.world import Touched


class OrderWork:
    """Implements execution's `OrderDesk` over the kernel's desk."""

    def __init__(
        self,
        desk: Desk,
        key: OrderLaneKey,
        books: KnownBooks,
        composition: Composition,
        clock: Clock,
        store_id: UUID,
    ) -> None:
        self._desk = desk
        self._key = key
        self._books = books
        self._composition = composition
        self._clock = clock
        self._store_id = store_id
        self._approved = Turns(composition.rules.starvation_bound)
        self.wake: Callable[[], None] = lambda: None

    def touched(self, touched: Touched) -> None:
        """Takes note of plans that were approved or ended, and wakes the worker for what concerns it."""
        concerned = self._key in touched.orders
        for intent_id in touched.intents:
            state = self._desk.world.intents[intent_id]
            if state.intent.account != self._key.account:
                continue
            concerned = True
            if state.status is IntentStatus.RISK_APPROVED:
                self._approved.add(state)
            else:
                self._approved.discard(intent_id)
        if concerned:
            self.wake()

    def lane(self) -> OrderLane | None:
        """The orders as memory has them."""
        return self._desk.world.orders.get(self._key)

    def next_work(self) -> PlannedOrder | None:
        """The approved plan whose turn it is, after the rules have had a last look at it."""
        if self._composition.is_unseen(self._key.account):
            return None
        while (intent_id := self._approved.first(self._clock.now())) is not None:
            state = self._desk.world.intents[intent_id]
            work = self._stands(state)
            if work is not None:
                return work
            self._approved.discard(intent_id)
        return None

    def why_end(self, intent_id: IntentId) -> str:
        """Why an order of the intent shall not rest any longer."""
        state = self._desk.world.intents.get(intent_id)
        if state is None or not state.open:
            return "its intent has ended"
        if state.cancel_requested:
            return "its end was asked for"
        if state.deadline is not None and self._clock.now() >= state.deadline:
            return "the intent's deadline has passed"
        return ""

    async def record(self, command: OrderCommand) -> None:
        """Decides the command; returns when its facts are durable."""
        await self._desk.record(command)

    async def record_paper(self, intent_id: IntentId, fills: tuple[Fill, ...]) -> None:
        """Records what a plan would have exchanged."""
        await self._desk.record(RecordPaperFill(intent_id, fills, "prediction"))

    async def withdraw(self, stale: StalePlan) -> None:
        """Gives an approved plan up; returns when that is durable."""
        await self._desk.record(WithdrawPlan(stale.intent_id, stale.code, stale.reason, stale.retryable))

    def _stands(self, state: IntentState) -> PlannedOrder | None:
        """The plan's order where it may be sent; else the plan is given up."""
        if state.status is not IntentStatus.RISK_APPROVED or state.plan is None:
            return None
        if state.deadline is not None and self._clock.now() >= state.deadline:
            return None  # the deadline's own timer ends it
        why = self._why_not(state)
        unfit = None if why is not None else why_unfit(self._desk.world, state.plan, self._composition)
        if unfit is not None:
            code, reason = unfit
            why = WithdrawPlan(state.id, code, f"{reason}; nothing was sent")
        if why is not None:
            # The refusal is decided now; its commit is followed like any other.
            self._desk.decide(why)
            return None
        (step,) = state.plan.steps
        assert step.book is not None
        units = self._books.units(step.venue, step.book.market)
        if units is None:
            reason = f"{step.venue}/{step.book.market} is not known now"
            self._desk.decide(WithdrawPlan(state.id, "market_not_known", reason))
            return None
        name = client_order_id(self._store_id, state.id, step.id)
        return PlannedOrder(state.id, state.plan, step, name, units)

    def _why_not(self, state: IntentState) -> WithdrawPlan | None:
        """Why the plan's order may not be sent, whatever the venue says."""
        if state.plan is None:
            return None
        if state.cancel_requested:
            return WithdrawPlan(state.id, "cancelled", "its end was asked for", retryable=False)
        gone = self._composition.gone(state.intent)
        if gone is not None:
            return WithdrawPlan(state.id, *gone, retryable=False)
        steps = state.plan.steps
        if len(steps) != 1 or steps[0].book is None or steps[0].venue != self._key.venue:
            reason = f"its plan is no single order at {self._key.venue}"
            return WithdrawPlan(state.id, "not_an_order", reason, retryable=False)
        decision = assess(
            self._desk.world, state, state.plan, state.prices, self._composition, RiskStage.PRE_SIGN
        )
        if not decision.approved:
            return WithdrawPlan(state.id, decision.code, decision.reason, retryable=False)
        return None
