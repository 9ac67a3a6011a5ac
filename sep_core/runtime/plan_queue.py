"""Which intents want a plan, in which order, and who makes it."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

import anyio
from sep_hooks.context import Clock, Log
from sep_hooks.errors import Permanent, SepError
from sep_hooks.store import IdConflict, StoreBusy, WrongExpectedVersion
from sep_hooks.types import Amount, ExecutionStyle, Intent, IntentId, IntentType, MarketId

from sep_core.execution.errors import is_refusal
from sep_core.intents import IntentState
from sep_core.planning import (
    UNFORESEEN,
    Planned,
    PlanRefused,
    PlanRequest,
    Progress,
    Reference,
    Sliced,
    unforeseen,
)
from sep_core.planning.venues import told
from sep_core.runtime.commands import RecordPlan, RecordPlanFailure, RecordSlicing
from sep_core.runtime.desk import Desk
from sep_core.runtime.flow.composition import Composition
from sep_core.runtime.flow.slices import rest_is_due
from sep_core.runtime.turns import Turns
from sep_core.runtime.world import Touched
from sep_core.telemetry.crashpoints import crossing

PLANNERS = 4
"""How many intents are planned at once; each waits mostly for the chain."""

PLAN_SECONDS = 30.0
"""The longest that one attempt may take before it counts as unanswered."""

MOST_HALVINGS = 5
"""How often an ADAPTIVE amount that has no plan is halved in search of one."""

_TOO_LARGE = frozenset({"no_route", "slippage_exceeded"})
"""What is said of an amount that the markets do not take at once."""

type MakePlan = Callable[[PlanRequest], Awaitable[Planned | Sliced | PlanRefused]]


class PlanQueue:
    """Plans what wants a plan, most urgent first. An attempt that a later block may better is made again then."""

    def __init__(self, desk: Desk, plan: MakePlan, composition: Composition, clock: Clock, log: Log) -> None:
        self._desk = desk
        self._plan = plan
        self._composition = composition
        self._clock = clock
        self._log = log
        self._wanting = Turns(composition.rules.starvation_bound)
        self._at_work: set[IntentId] = set()
        self._waiting: dict[IntentId, PlanRefused] = {}
        self._blocks = 0
        self._news = anyio.Event()

    def touched(self, touched: Touched) -> None:
        """Looks at intents that changed."""
        for intent_id in touched.intents:
            state = self._desk.world.intents[intent_id]
            if state.plannable or rest_is_due(state, self._clock.now()):
                if intent_id not in self._at_work and intent_id not in self._waiting:
                    self._wanting.add(state)
            else:
                self._wanting.discard(intent_id)
                self._waiting.pop(intent_id, None)
        if self._wanting:
            self._news.set()

    def rest_due(self, intent_id: IntentId) -> None:
        """The next slice of an ADAPTIVE intent is due: its rest is looked at with the markets of the moment."""
        self.touched(Touched(frozenset({intent_id}), frozenset()))

    def new_block(self) -> None:
        """Markets moved: what found no plan is tried again."""
        self._blocks += 1
        for intent_id in self._waiting:
            self._wanting.add(self._desk.world.intents[intent_id])
        self._waiting.clear()
        if self._wanting:
            self._news.set()

    def markets_moved(self, accounts: Collection[str]) -> None:
        """The books of these accounts' venues moved: what found no plan there is tried again."""
        moved = [one for one in self._waiting if self._desk.world.intents[one].intent.account in accounts]
        for intent_id in moved:
            del self._waiting[intent_id]
            self._wanting.add(self._desk.world.intents[intent_id])
        if self._wanting:
            self._news.set()

    def why_waiting(self, intent_id: IntentId) -> PlanRefused | None:
        """Why an intent has no plan yet."""
        return self._waiting.get(intent_id)

    async def run(self) -> None:
        """Plans until cancelled."""
        async with anyio.create_task_group() as group:
            for _ in range(PLANNERS):
                group.start_soon(self._work)

    async def _work(self) -> None:
        while True:
            state = self._next()
            if state is None:
                self._news = anyio.Event() if self._news.is_set() else self._news
                await self._news.wait()
                continue
            self._at_work.add(state.id)
            try:
                await self._attempt(state)
            finally:
                self._at_work.discard(state.id)
            self._look_again(state.id)

    def _next(self) -> IntentState | None:
        intent_id = self._wanting.first(self._clock.now())
        if intent_id is None:
            return None
        self._wanting.discard(intent_id)
        return self._desk.world.intents[intent_id]

    async def _attempt(self, state: IntentState) -> None:
        if state.deadline is None:
            return
        gone = self._composition.gone(state.intent)
        if gone is not None:
            await self._fail(state.id, *gone)
            return
        account = self._composition.account(state.intent.account)
        request = PlanRequest(
            _wanted(state),
            account.address,
            account.name,
            account.funding,
            state.deadline,
            state.attempt + 1,
            self._references(state),
            account.executor,
            _progress(state),
            _used(state),
            tuple(one for fill in state.fills for one in fill.moved),
        )
        seen = self._blocks
        answer: Planned | Sliced | PlanRefused = PlanRefused(
            "planning_timed_out", f"no plan within {PLAN_SECONDS:g} s; nothing was sent", retryable=True
        )
        try:
            with anyio.move_on_after(PLAN_SECONDS):
                answer = await crossing("planning.plan", self._plan(request))
                if isinstance(answer, PlanRefused):
                    answer = await self._in_parts(request, answer)  # sep-ok: it crosses itself
        except Exception as error:  # one intent's trouble ends neither the others' planning nor the engine
            answer = unforeseen(error)
        if isinstance(answer, Sliced):
            await self._cut(state.id, answer)
        elif isinstance(answer, Planned) and state.slices is not None:
            await self._cut(state.id, Sliced(state.slices.rest, 1, answer.plan.slices_reason))
        elif isinstance(answer, Planned):
            await self._record(state.id, answer)
        elif answer.retryable and self._blocks != seen:
            return  # a block came meanwhile: there may be no other one to wait for
        elif answer.retryable:
            self._wait(state.id, answer)
        else:
            await self._fail(state.id, answer.code, answer.reason)

    async def _record(self, intent_id: IntentId, planned: Planned) -> None:
        """Records a plan; one that the log or a room cannot take is given up, with its intent."""
        try:
            await self._desk.record(RecordPlan(intent_id, planned.plan, planned.prices))
        except StoreBusy as error:
            self._wait(intent_id, PlanRefused(error.code, error.message, retryable=True))
        except (WrongExpectedVersion, IdConflict):
            return  # the log is read again; whoever still wants a plan then is planned afresh
        except Exception as error:
            if isinstance(error, SepError) and not (isinstance(error, Permanent) and is_refusal(error)):
                raise
            why = f"{type(error).__name__}: {told(str(error))}"
            self._log.warning("plan.not_recorded", intent=str(intent_id), reason=why)
            await self._fail(
                intent_id, "plan_not_recorded", f"the plan could not be recorded ({why}); nothing was sent"
            )

    async def _in_parts(self, request: PlanRequest, refused: PlanRefused) -> Planned | Sliced | PlanRefused:
        """What finds no way whole may find one in parts: an ADAPTIVE amount is looked at in halves, quarters, eighths,
        until a part can be planned.
        """
        intent = request.intent
        adaptive = intent.constraints.execution_style is ExecutionStyle.ADAPTIVE
        amount = intent.assets[0].amount
        if not adaptive or amount is None or refused.retryable or refused.code not in _TOO_LARGE:
            return refused
        for halvings in range(1, MOST_HALVINGS + 1):
            part = amount >> halvings
            if part == 0:
                return refused
            smaller = replace(request, intent=_at(intent, Amount(part)))
            answer = await crossing("planning.part", self._plan(smaller))
            if isinstance(answer, PlanRefused):
                if answer.retryable or answer.code not in _TOO_LARGE:
                    return answer
                continue
            of_part = answer.count if isinstance(answer, Sliced) else 1
            why = answer.reason if isinstance(answer, Sliced) else answer.plan.slices_reason
            reason = f"whole it has no plan ({refused.code}), a part of {part} has: {why}"
            return Sliced(amount, of_part << halvings, reason)
        return refused

    async def _cut(self, intent_id: IntentId, sliced: Sliced) -> None:
        """Records into how many slices an intent, or what is left of it, is best cut; the first one is released."""
        try:
            await self._desk.record(RecordSlicing(intent_id, sliced.amount, sliced.count, sliced.reason))
        except StoreBusy as error:
            self._wait(intent_id, PlanRefused(error.code, error.message, retryable=True))
        except (WrongExpectedVersion, IdConflict):
            return  # as with a plan: who still wants one is looked at afresh

    def _references(self, state: IntentState) -> tuple[Reference, ...]:
        """The prices that the slippage of the whole is measured from, where the intent is a part of one or its order
        was filled in part; of a rebalance of which a part is exchanged, the prices that its weights are measured at.
        """
        if state.intent.type is IntentType.REBALANCE:
            return _reference_prices(state)
        first = _first_price(state)
        link = state.intent.parent
        parent = None if link is None else self._desk.world.intents.get(link.intent_id)
        if parent is None or parent.slices is None:
            return first
        return first + tuple(
            Reference(one.asset_in, one.asset_out, one.amount_in, one.amount_out)
            for one in parent.slices.references
        )

    async def _fail(self, intent_id: IntentId, code: str, reason: str) -> None:
        try:
            await self._desk.record(RecordPlanFailure(intent_id, code, reason))
        except StoreBusy as error:
            self._wait(intent_id, PlanRefused(error.code, error.message, retryable=True))

    def _wait(self, intent_id: IntentId, answer: PlanRefused) -> None:
        self._waiting[intent_id] = answer
        tell = self._log.warning if answer.code == UNFORESEEN else self._log.info
        tell("plan.waits", intent=str(intent_id), code=answer.code, reason=answer.reason)

    def _look_again(self, intent_id: IntentId) -> None:
        state = self._desk.world.intents[intent_id]
        if not (state.plannable or rest_is_due(state, self._clock.now())):
            self._waiting.pop(intent_id, None)
        elif intent_id not in self._waiting:
            self._wanting.add(state)
            self._news.set()


def _first_price(state: IntentState) -> tuple[Reference, ...]:
    """The price that the first order found, where an order was filled in part: those that follow lose no more than it
    might. Where a plan set out to do the whole, its limits bind what follows already.
    """
    if not state.fills or state.whole is not None or state.ends is None or state.first_marginal is None:
        return ()
    received, spent = state.first_marginal
    return (Reference(*state.ends, spent, received),)


def _reference_prices(state: IntentState) -> tuple[Reference, ...]:
    """What moved in between, our own trades among it, does not move the targets."""
    book = state.first_prices
    if not state.fills or book is None:
        return ()
    return tuple(Reference(one.asset, book.numeraire, one.amount, one.value) for one in book.prices)


def _used(state: IntentState) -> frozenset[MarketId]:
    """The markets that fills of the intent have passed."""
    return frozenset(one.market for fill in state.fills for one in fill.passes)


def _progress(state: IntentState) -> Progress | None:
    """What earlier transactions have done of an intent whose plan left legs to later ones."""
    if not state.fills or state.whole is None:
        return None
    spends, receives = state.whole
    moved = tuple(one for fill in state.fills for one in fill.moved)
    return Progress(
        spends, receives, moved, frozenset(one.market for fill in state.fills for one in fill.passes)
    )


def _wanted(state: IntentState) -> Intent:
    """The intent, at the amount that is left where it is in slices, and what gas has cost already off its fee."""
    intent, most = state.intent, state.intent.constraints.max_fee
    if most is not None and state.gas_cost:
        left = Amount(max(0, most - state.gas_cost))
        intent = replace(intent, constraints=replace(intent.constraints, max_fee=left))
    return intent if state.slices is None else _at(intent, state.slices.rest)


def _at(intent: Intent, amount: Amount) -> Intent:
    """The intent at another amount."""
    (part,) = intent.assets
    return replace(intent, assets=(replace(part, amount=amount, percentage=None),))
