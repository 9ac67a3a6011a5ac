"""An intent under every order of decisions: no illegal state, nothing lost, nothing twice."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sep_hooks.testing.risk import BASE, QUOTE, swap_plan
from sep_hooks.types import (
    Amount,
    Asset,
    BlockRef,
    Constraints,
    ExecutionStyle,
    Fill,
    Intent,
    IntentAsset,
    IntentStatus,
    IntentType,
    StepKind,
)

from sep_core.events.decided import Decided
from sep_core.events.registry import Fact
from sep_core.intents import (
    IllegalTransition,
    IntentRules,
    IntentState,
    doubted,
    evolve,
    execution_started,
    expire,
    failed,
    fill_recorded,
    fold,
    intent_id,
    plan_chosen,
    plan_failed,
    receive,
    request_cancel,
    resumed,
    risk_approved,
    risk_rejected,
    settled,
    withdraw_plan,
)
from tests.harness.facts import as_read

S = IntentStatus
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ID = intent_id(UUID(int=1), UUID(int=2))
INTENT = Intent(
    ID,
    UUID(int=2),
    "quickstart",
    "main",
    IntentType.ACQUIRE,
    (IntentAsset(Asset(BASE, "WETH", 18), Amount(9)),),
    Constraints(Decimal("0.005"), 60_000, ExecutionStyle.IMMEDIATE),
)


def two_swaps(attempt: int) -> object:
    plan = swap_plan(intent_id=ID)
    swap = plan.steps[1]
    steps = (plan.steps[0], replace(swap, id=f"{attempt}-a"), replace(swap, id=f"{attempt}-b"))
    return replace(plan, steps=steps)


class LifeOfAnIntent(RuleBasedStateMachine):
    """Drives decisions at random; those that are refused must change nothing."""

    state: IntentState
    facts: list[Fact]

    @initialize()
    def received(self) -> None:
        self.facts = []
        self.doubt: set[str] = set()
        self.gas = 0
        self._take(receive(INTENT, "api", "", NOW, IntentRules()), None)

    def _take(self, decided: tuple[Decided, ...], start: IntentState | None) -> None:
        state = start
        for one in decided:
            state = evolve(state, one.fact)
            self.facts.append(one.fact)
        assert state is not None
        self.state = state

    def _try(self, decide: object, *arguments: object, **named: object) -> bool:
        before = self.state
        try:
            decided = decide(before, *arguments, **named)  # type: ignore[operator]
        except IllegalTransition:
            assert self.state is before
            return False
        self._take(decided, before)
        return True

    @rule()
    def plan(self) -> None:
        self._try(plan_chosen, two_swaps(self.state.attempt + 1), None)

    @rule()
    def no_plan(self) -> None:
        self._try(plan_failed, "no_route", "no path")

    @rule()
    def withdraw(self) -> None:
        self._try(withdraw_plan, "moved")

    @rule(ok=st.booleans())
    def risk(self, ok: bool) -> None:
        if ok:
            self._try(risk_approved, ((QUOTE, Amount(1)),), (), (), 1)
        else:
            self._try(risk_rejected, "limit", "too large", ())

    @rule()
    def refuse_before_signing(self) -> None:
        self._try(risk_rejected, "band", "moved", (), "pre_sign")

    @rule()
    def start(self) -> None:
        self._try(execution_started, "testnet", ("a", "b"), ("0x1", "0x2"))

    @rule(step=st.sampled_from("ab"))
    def doubt_step(self, step: str) -> None:
        name = f"{self.state.attempt}-{step}"
        if self._try(doubted, name, "0x1", "no answer"):
            self.doubt.add(name)

    @rule(step=st.sampled_from("ab"))
    def evidence(self, step: str) -> None:
        name = f"{self.state.attempt}-{step}"
        self._try(resumed, name, "receipt")
        if name not in self.state.doubted_steps:
            self.doubt.discard(name)

    @rule(step=st.sampled_from("ab"), gas=st.integers(0, 9))
    def filled(self, step: str, gas: int) -> None:
        fill = Fill(
            ID,
            f"{self.state.attempt}-{step}",
            "uni",
            QUOTE,
            Amount(10),
            BASE,
            Amount(5),
            (),
            Amount(gas),
            BlockRef(1, "0x1"),
            "0x1",
        )
        if self._try(fill_recorded, fill, simulated=False):
            self.gas += gas

    @rule()
    def settle(self) -> None:
        self._try(settled)

    @precondition(lambda self: self.state.status is not S.EXECUTING or self.state.attempt > 1)
    @rule()
    def fail(self) -> None:
        self._try(failed, "reverted", "final receipt")

    @rule()
    def late(self) -> None:
        self._try(expire, "late")

    @rule(signing=st.booleans())
    def cancel(self, signing: bool) -> None:
        ended = self.state.status.terminal
        before = len(self.facts)
        assert self._try(request_cancel, "owner", signing=signing)
        assert not (ended and len(self.facts) != before)

    @invariant()
    def the_log_folds_to_the_same(self) -> None:
        stored = [as_read(one) for one in self.facts]
        assert fold(stored) == self.state
        assert self.state.version == len(self.facts)

    @invariant()
    def nothing_exchanged_means_nothing(self) -> None:
        state = self.state
        if state.status in {S.REJECTED, S.EXPIRED, S.CANCELLED}:
            assert not state.fills
        assert len({fill.step_id for fill in state.fills}) == len(state.fills)
        assert state.spent == 10 * len(state.fills)
        assert state.gas_cost == self.gas

    @invariant()
    def doubt_is_known(self) -> None:
        state = self.state
        if state.status is S.IN_DOUBT:
            assert state.doubted_steps
        elif not state.status.terminal:
            assert not state.doubted_steps
        if state.status is S.PARTIALLY_FILLED:
            assert state.fills
            assert state.plan is not None
            swaps = {step.id for step in state.plan.steps if step.kind is StepKind.SWAP}
            assert not swaps <= {fill.step_id for fill in state.fills}


TestLifeOfAnIntent = LifeOfAnIntent.TestCase
TestLifeOfAnIntent.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
