"""What each fact makes of an intent; the one place that knows which may follow which."""

from collections.abc import Callable, Iterable
from typing import Any, Literal, cast

from msgspec.structs import replace
from sep_hooks.types import Amount, Fill, IntentStatus

from sep_core.events.facts import (
    CancelRequested,
    ChildEnded,
    ExecutionStarted,
    FillRecorded,
    IntentAccepted,
    IntentCancelled,
    IntentDoubted,
    IntentExpired,
    IntentFailed,
    IntentPlanned,
    IntentReceived,
    IntentRejected,
    IntentResumed,
    IntentSettled,
    PlanWithdrawn,
    ReferenceFixed,
    RiskApproved,
    SliceReleased,
    SlicesScheduled,
    SlicingClosed,
    StepsReverted,
)
from sep_core.events.registry import Fact
from sep_core.intents import evolve_slices
from sep_core.intents.errors import IllegalTransition
from sep_core.intents.state import IntentState

_S = IntentStatus
_SENT = frozenset({_S.EXECUTING, _S.PARTIALLY_FILLED, _S.IN_DOUBT})
_SLICED = frozenset({_S.ACCEPTED, _S.EXECUTING, _S.PARTIALLY_FILLED})
_OPEN = frozenset(status for status in IntentStatus if not status.terminal)

MAY_FOLLOW: dict[type[Fact], frozenset[IntentStatus]] = {
    IntentAccepted: frozenset({_S.RECEIVED}),
    IntentRejected: frozenset({_S.RECEIVED, _S.ACCEPTED, _S.PLANNED, _S.RISK_APPROVED}),
    IntentPlanned: frozenset({_S.ACCEPTED, _S.PARTIALLY_FILLED}),
    PlanWithdrawn: frozenset({_S.PLANNED, _S.RISK_APPROVED}),
    RiskApproved: frozenset({_S.PLANNED}),
    ExecutionStarted: frozenset({_S.RISK_APPROVED}),
    FillRecorded: _SENT,
    IntentDoubted: _SENT,
    IntentResumed: frozenset({_S.IN_DOUBT}),
    IntentSettled: _SENT,
    IntentFailed: _SENT | {_S.ACCEPTED, _S.PLANNED, _S.RISK_APPROVED},
    IntentExpired: _SLICED | {_S.PLANNED, _S.RISK_APPROVED},
    IntentCancelled: _SLICED | {_S.PLANNED, _S.RISK_APPROVED},
    CancelRequested: _OPEN,
    StepsReverted: _SENT,
    SlicesScheduled: _SLICED,
    SliceReleased: _SLICED,
    ReferenceFixed: _SLICED,
    ChildEnded: _SLICED,
    SlicingClosed: _SLICED,
}
"""From which statuses each fact may follow; facts of other streams are not in it."""

_STAGE_STATUS: dict[Literal["validation", "planning", "risk", "pre_sign"], IntentStatus] = {
    "validation": _S.RECEIVED,
    "planning": _S.ACCEPTED,
    "risk": _S.PLANNED,
    "pre_sign": _S.RISK_APPROVED,
}


def evolve(state: IntentState | None, fact: Fact) -> IntentState:
    """The intent after one more fact of its stream. Raises `IllegalTransition`."""
    if isinstance(fact, IntentReceived):
        if state is not None:
            raise IllegalTransition(state.id, state.status, "IntentReceived")
        return IntentState(intent=fact.intent, source=fact.source, received_at=fact.received_at)
    if state is None:
        raise ValueError(f"a stream of an intent begins with IntentReceived, was {type(fact).__name__}")
    allowed = MAY_FOLLOW.get(type(fact), frozenset())
    if state.status not in allowed:
        raise IllegalTransition(state.id, state.status, type(fact).__name__)
    return replace(_STEPS[type(fact)](state, fact), version=state.version + 1)


def fold(facts: Iterable[Fact], state: IntentState | None = None) -> IntentState | None:
    """The intent after all these facts."""
    for fact in facts:
        state = evolve(state, fact)
    return state


def _accepted(state: IntentState, fact: IntentAccepted) -> IntentState:
    return replace(
        state,
        status=_S.ACCEPTED,
        accepted_at=fact.accepted_at,
        deadline=fact.deadline,
        priority=fact.priority,
    )


def _rejected(state: IntentState, fact: IntentRejected) -> IntentState:
    if _STAGE_STATUS[fact.stage] is not state.status:
        raise IllegalTransition(state.id, state.status, "IntentRejected", f"the stage is {fact.stage}")
    _nothing_exchanged(state, fact)
    return replace(
        state,
        status=_S.REJECTED,
        code=fact.code,
        reason=fact.reason,
        verdicts=fact.verdicts or state.verdicts,
    )


def _planned(state: IntentState, fact: IntentPlanned) -> IntentState:
    if fact.attempt != state.attempt + 1:
        raise IllegalTransition(
            state.id, state.status, "IntentPlanned", f"attempt {fact.attempt} follows {state.attempt}"
        )
    if state.slices is not None:
        raise IllegalTransition(state.id, state.status, "IntentPlanned", "it is executed in slices")
    if fact.plan.intent_id != state.id:
        raise IllegalTransition(
            state.id, state.status, "IntentPlanned", f"the plan is of {fact.plan.intent_id}"
        )
    plan = fact.plan
    # A part that was exchanged says what it is about; plans of the rest may start from what it brought.
    ends = state.ends if state.fills else (plan.asset_in, plan.asset_out)
    return replace(
        state,
        status=_S.PLANNED,
        plan=plan,
        prices=fact.prices,
        attempt=fact.attempt,
        ends=ends,
        whole=state.whole if state.fills else plan.whole,
        first_prices=state.first_prices if state.fills else fact.prices,
        first_marginal=state.first_marginal if state.fills else plan.marginal,
        verdicts=(),
    )


def _withdrawn(state: IntentState, fact: PlanWithdrawn) -> IntentState:
    return replace(
        state,
        status=_S.PARTIALLY_FILLED if state.fills else _S.ACCEPTED,
        plan=None,
        prices=None,
        verdicts=(),
        money=(),
        charges=(),
        reason=fact.reason,
    )


def _steps_reverted(state: IntentState, fact: StepsReverted) -> IntentState:
    if state.slices is not None or state.doubted_steps:
        raise IllegalTransition(
            state.id, state.status, "StepsReverted", "its outcome is not known, or not its own"
        )
    after = _withdrawn(state, PlanWithdrawn(fact.reason))
    return replace(
        after,
        steps=(),
        gas_cost=Amount(state.gas_cost + fact.gas_cost),
    )


def _risk_approved(state: IntentState, fact: RiskApproved) -> IntentState:
    return replace(
        state,
        status=_S.RISK_APPROVED,
        money=fact.money,
        charges=fact.charges,
        verdicts=fact.verdicts,
    )


def _execution_started(state: IntentState, fact: ExecutionStarted) -> IntentState:
    return replace(
        state,
        status=_S.EXECUTING,
        mode=fact.mode,
        steps=fact.steps,
        transaction_hashes=fact.transaction_hashes,
    )


def _fill_recorded(state: IntentState, fact: FillRecorded) -> IntentState:
    fill = fact.fill
    if state.slices is not None:
        raise IllegalTransition(state.id, state.status, "FillRecorded", "its children have the fills")
    if fill.intent_id != state.id or any(known.step_id == fill.step_id for known in state.fills):
        raise IllegalTransition(
            state.id, state.status, "FillRecorded", f"step {fill.step_id} is another's or already filled"
        )
    fills = (*state.fills, fill)
    spent, received = _exchanged(state, fills)
    after = replace(
        state,
        fills=fills,
        attempts_before=state.attempt,
        spent=spent,
        received=received,
        gas_cost=Amount(state.gas_cost + fill.gas_cost),
    )
    return replace(after, status=_while_sent(after))


def _doubted(state: IntentState, fact: IntentDoubted) -> IntentState:
    return replace(
        state,
        status=_S.IN_DOUBT,
        doubted_steps=state.doubted_steps | {fact.step_id},
        reason=fact.reason,
    )


def _resumed(state: IntentState, fact: IntentResumed) -> IntentState:
    if fact.step_id not in state.doubted_steps:
        raise IllegalTransition(
            state.id, state.status, "IntentResumed", f"step {fact.step_id} was not in doubt"
        )
    after = replace(state, doubted_steps=state.doubted_steps - {fact.step_id}, reason=fact.evidence)
    return replace(after, status=_while_sent(after))


def _settled(state: IntentState, fact: IntentSettled) -> IntentState:
    return replace(
        state,
        status=_S.SETTLED,
        doubted_steps=frozenset(),
        spent=fact.spent,
        received=fact.received,
        gas_cost=fact.gas_cost,
        code="",
        reason="",
    )


def _failed(state: IntentState, fact: IntentFailed) -> IntentState:
    if state.status not in _SENT and not state.fills:
        raise IllegalTransition(state.id, state.status, "IntentFailed", "nothing of it was sent")
    ended = replace(state, status=_S.FAILED, doubted_steps=frozenset(), code=fact.code, reason=fact.reason)
    return _costing(ended, fact)


def _expired(state: IntentState, fact: IntentExpired) -> IntentState:
    _nothing_exchanged(state, fact)
    return _costing(replace(state, status=_S.EXPIRED, code="expired", reason=fact.reason), fact)


def _cancel_requested(state: IntentState, fact: CancelRequested) -> IntentState:
    return replace(state, cancel_requested=True)


def _cancelled(state: IntentState, fact: IntentCancelled) -> IntentState:
    if not state.cancel_requested:
        raise IllegalTransition(state.id, state.status, "IntentCancelled", "nobody asked for it")
    _nothing_exchanged(state, fact)
    return _costing(replace(state, status=_S.CANCELLED, code="cancelled", reason=fact.reason), fact)


def _costing(state: IntentState, fact: IntentFailed | IntentExpired | IntentCancelled) -> IntentState:
    return replace(state, gas_cost=Amount(state.gas_cost + fact.gas_cost))


def _nothing_exchanged(state: IntentState, fact: Fact) -> None:
    if state.fills:
        raise IllegalTransition(
            state.id, state.status, type(fact).__name__, f"{len(state.fills)} fills are final"
        )


def _while_sent(state: IntentState) -> IntentStatus:
    if state.doubted_steps:
        return _S.IN_DOUBT
    # What is left waits for a plan; an earlier plan's fills say nothing of what is under way now.
    if state.fills and state.tries == 0 and not state.filled:
        return _S.PARTIALLY_FILLED
    return _S.EXECUTING


def _exchanged(state: IntentState, fills: tuple[Fill, ...]) -> tuple[Amount, Amount]:
    # A path over several venues passes through assets between; only its ends count.
    if state.ends is None:
        return state.spent, state.received
    given, got = state.ends
    moved = [one for fill in fills for one in fill.moved]
    spent = -sum(change for asset, change in moved if asset == given)
    received = sum(change for asset, change in moved if asset == got)
    return Amount(max(0, spent)), Amount(max(0, received))


_STEPS = cast(
    dict[type[Fact], Callable[[IntentState, Any], IntentState]],
    {
        IntentAccepted: _accepted,
        IntentRejected: _rejected,
        IntentPlanned: _planned,
        PlanWithdrawn: _withdrawn,
        RiskApproved: _risk_approved,
        ExecutionStarted: _execution_started,
        FillRecorded: _fill_recorded,
        IntentDoubted: _doubted,
        IntentResumed: _resumed,
        IntentSettled: _settled,
        IntentFailed: _failed,
        IntentExpired: _expired,
        IntentCancelled: _cancelled,
        CancelRequested: _cancel_requested,
        StepsReverted: _steps_reverted,
        SlicesScheduled: evolve_slices.scheduled,
        SliceReleased: evolve_slices.released,
        ReferenceFixed: evolve_slices.reference_fixed,
        ChildEnded: evolve_slices.child_ended,
        SlicingClosed: evolve_slices.slicing_closed,
    },
)
