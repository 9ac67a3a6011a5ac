"""The desk as one nonce lane sees it: its state, the plan whose turn it is, and a way to report."""

from collections.abc import Callable

from sep_hooks.context import Clock
from sep_hooks.types import IntentId, IntentStatus, RiskStage, Step

from sep_core.execution import ExecutionCommand, LaneKey, LaneState, NonceEntry
from sep_core.execution.ports import PrepareRequest, StalePlan
from sep_core.intents import IntentState
from sep_core.runtime.commands import WithdrawPlan
from sep_core.runtime.desk import Desk
from sep_core.runtime.flow.composition import Composition
from sep_core.runtime.flow.life import assess, why_unfit
from sep_core.runtime.turns import Turns
from sep_core.runtime.world import Touched


class LaneWork:
    """Implements execution's `LaneDesk` over the kernel's desk. `in_hand` is the plan handed out last."""

    def __init__(
        self, desk: Desk, key: LaneKey, account: str, composition: Composition, clock: Clock
    ) -> None:
        self._desk = desk
        self._key = key
        self._account = account
        self._composition = composition
        self._clock = clock
        self._approved = Turns(composition.rules.starvation_bound)
        self.in_hand: IntentId | None = None
        self.wake: Callable[[], None] = lambda: None

    def touched(self, touched: Touched) -> None:
        """Takes note of plans that were approved or ended, and wakes the worker for what concerns it."""
        concerned = self._key in touched.lanes
        for intent_id in touched.intents:
            state = self._desk.world.intents[intent_id]
            if state.intent.account != self._account:
                continue
            if state.status is IntentStatus.RISK_APPROVED:
                self._approved.add(state)
                concerned = True
            else:
                self._approved.discard(intent_id)
                concerned = concerned or state.cancel_requested
        if concerned:
            self.wake()

    def lane(self) -> LaneState | None:
        """The lane as memory has it."""
        return self._desk.world.lanes.get(self._key)

    def next_work(self) -> PrepareRequest | None:
        """The approved plan whose turn it is, after the rules have had a last look at it."""
        self.in_hand = None
        if self._composition.is_unseen(self._account):
            return None
        while (intent_id := self._approved.first(self._clock.now())) is not None:
            state = self._desk.world.intents[intent_id]
            if state.status is IntentStatus.RISK_APPROVED and state.plan is not None and self._stands(state):
                self.in_hand = state.id
                return PrepareRequest(state.id, state.plan)
            self._approved.discard(state.id)
        return None

    def approved(self, intent_id: IntentId) -> PrepareRequest | None:
        """The intent's plan where it is approved and nothing of it is recorded as started."""
        state = self._desk.world.intents.get(intent_id)
        if state is None or state.status is not IntentStatus.RISK_APPROVED or state.plan is None:
            return None
        return PrepareRequest(state.id, state.plan)

    @property
    def breaker_epoch(self) -> int:
        """How often a breaker has opened or closed."""
        return self._desk.world.breaker_epoch

    def objection(self, request: PrepareRequest) -> StalePlan | None:
        """Why nothing of the plan may be signed now, whatever the chain says; another plan may do."""
        unfit = why_unfit(self._desk.world, request.plan, self._composition)
        if unfit is None:
            return None
        code, reason = unfit
        return StalePlan(request.intent_id, request.plan.digest, code, f"{reason}; nothing was signed")

    def waits(self, intent_id: IntentId) -> bool:
        """Whether the intent has an approved plan of this account of which no signature is recorded."""
        return intent_id in self._approved

    def knows(self, intent_id: IntentId) -> bool:
        """Whether the log holds such an intent."""
        return intent_id in self._desk.world.intents

    def step(self, intent_id: IntentId, step_id: str) -> Step | None:
        """A step of the intent's plan."""
        state = self._desk.world.intents.get(intent_id)
        if state is None or state.plan is None:
            return None
        return next((step for step in state.plan.steps if step.id == step_id), None)

    def end_wanted(self, intent_id: IntentId, step_id: str) -> bool:
        """Whether the step, where it is stuck, should end without effect."""
        state, step = self._desk.world.intents.get(intent_id), self.step(intent_id, step_id)
        return state is not None and state.cancel_requested and step is not None and step.exchanges

    def may_be_public(self, intent_id: IntentId) -> bool:
        """Whether the intent allows that what its relay leaves is sent to all."""
        state = self._desk.world.intents.get(intent_id)
        return state is not None and state.intent.constraints.public_fallback

    def most_fee(self, intent_id: IntentId, step_id: str) -> int | None:
        """What the intent's own limit leaves for the step: others may cost all that they were signed for."""
        state, lane = self._desk.world.intents.get(intent_id), self.lane()
        if state is None or lane is None or state.intent.constraints.max_fee is None:
            return None
        others = [
            one for one in lane.of_intent(intent_id) if one.step_id in state.steps and one.step_id != step_id
        ]
        left = state.intent.constraints.max_fee - state.gas_cost - sum(map(_costs_at_most, others))
        return max(0, left)

    async def record(self, command: ExecutionCommand) -> None:
        """Decides the command; returns when its facts are durable."""
        await self._desk.record(command)
        self.in_hand = None

    async def withdraw(self, stale: StalePlan) -> None:
        """Gives an approved plan up; returns when that is durable."""
        await self._desk.record(WithdrawPlan(stale.intent_id, stale.code, stale.reason, stale.retryable))
        self.in_hand = None

    def _stands(self, state: IntentState) -> bool:
        if state.plan is None:
            return False
        if state.cancel_requested:
            # Asked for while a signature was possible; by now it is known that there is none.
            self._desk.decide(WithdrawPlan(state.id, "cancelled", "its end was asked for", retryable=False))
            return False
        gone = self._composition.gone(state.intent)
        if gone is not None:
            self._desk.decide(WithdrawPlan(state.id, *gone, retryable=False))
            return False
        unfit = self.objection(PrepareRequest(state.id, state.plan))
        if unfit is not None:
            self._desk.decide(WithdrawPlan(state.id, unfit.code, unfit.reason))
            return False
        decision = assess(
            self._desk.world, state, state.plan, state.prices, self._composition, RiskStage.PRE_SIGN
        )
        if not decision.approved:
            # The refusal is decided now; its commit is followed like any other.
            self._desk.decide(WithdrawPlan(state.id, decision.code, decision.reason, retryable=False))
        return decision.approved


def _costs_at_most(entry: NonceEntry) -> int:
    if entry.status.finished:
        return entry.gas_used * entry.effective_gas_price
    return max((one.gas_limit * one.max_fee_per_gas for one in entry.payloads), default=0)
