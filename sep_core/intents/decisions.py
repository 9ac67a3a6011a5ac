"""What may be said of an intent next. Each decision is pure and checked against the intent's own rules."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from sep_hooks.types import Amount, AssetId, Charge, Fill, Intent, Plan, PriceBook, Verdict

from sep_core.events.decided import Decided
from sep_core.events.facts import (
    CancelRequested,
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
    RiskApproved,
    SlicingClosed,
    StepsReverted,
)
from sep_core.events.registry import Fact
from sep_core.events.streams import intent_stream
from sep_core.intents.evolve import evolve, fold
from sep_core.intents.priority import priority
from sep_core.intents.rules import IntentRules
from sep_core.intents.state import BEFORE_EXECUTION, IntentState, Source
from sep_core.intents.validation import Problem

type Decisions = tuple[Decided, ...]

_NO_GAS = Amount(0)


def receive(
    intent: Intent, source: Source, request: str, now: datetime, rules: IntentRules, *, value: int = 0
) -> Decisions:
    """Takes an intent that `validate` found nothing wrong with.

    `value` is what it is about in a numéraire's base units, 0 where that is not known yet.
    """
    bounds = rules.bounds(intent.type)
    window_ms = min(intent.constraints.time_window_ms, bounds.max_window_ms)
    deadline = now + timedelta(milliseconds=window_ms)
    if intent.deadline is not None:
        deadline = min(deadline, intent.deadline)
    received = IntentReceived(intent, source, request, now)
    return from_state(
        evolve(None, received), IntentAccepted(now, deadline, priority(deadline, now, value)), first=received
    )


def refuse(
    intent: Intent, source: Source, request: str, now: datetime, problems: Sequence[Problem]
) -> Decisions:
    """Records an intent that was received and will not be taken, with all that is wrong with it."""
    received = IntentReceived(intent, source, request, now)
    reason = "; ".join(f"{problem.pointer}: {problem.message}" for problem in problems)
    return from_state(
        evolve(None, received), IntentRejected("validation", problems[0].code, reason), first=received
    )


def plan_chosen(state: IntentState, plan: Plan, prices: PriceBook | None) -> Decisions:
    """A plan was found."""
    return from_state(state, IntentPlanned(plan, prices, state.attempt + 1))


def plan_failed(state: IntentState, code: str, reason: str) -> Decisions:
    """No plan meets the intent; where part of it is filled already, that part stays and the rest has failed."""
    if state.fills:
        return failed(state, code, reason)
    return from_state(state, IntentRejected("planning", code, reason))


def withdraw_plan(state: IntentState, reason: str) -> Decisions:
    """The plan no longer holds; nothing of it was sent. A hold must be released with it."""
    return from_state(state, PlanWithdrawn(reason))


def risk_approved(
    state: IntentState,
    money: tuple[tuple[AssetId, Amount], ...],
    charges: tuple[Charge, ...],
    verdicts: tuple[Verdict, ...],
    limits_version: int,
) -> Decisions:
    """All hard rules agree; the hold on the risk book goes into the same append."""
    digest = state.prices.digest if state.prices is not None else ""
    return from_state(state, RiskApproved(money, charges, verdicts, digest, limits_version))


def risk_rejected(
    state: IntentState,
    code: str,
    reason: str,
    verdicts: tuple[Verdict, ...],
    stage: Literal["risk", "pre_sign"] = "risk",
) -> Decisions:
    """A hard rule refuses, at approval or again before signing."""
    if state.fills:
        return failed(state, code, reason)
    return from_state(state, IntentRejected(stage, code, reason, verdicts))


def execution_started(
    state: IntentState,
    mode: Literal["paper", "testnet"],
    steps: tuple[str, ...],
    transaction_hashes: tuple[str, ...],
) -> Decisions:
    """The steps are signed, in the same append."""
    return from_state(state, ExecutionStarted(mode, steps, transaction_hashes))


def doubted(state: IntentState, step_id: str, transaction_hash: str, reason: str) -> Decisions:
    """The outcome of a step is not known."""
    return from_state(state, IntentDoubted(step_id, transaction_hash, reason))


def resumed(state: IntentState, step_id: str, evidence: str) -> Decisions:
    """Evidence ended the doubt about a step; nothing where it was not in doubt."""
    if step_id not in state.doubted_steps:
        return ()
    return from_state(state, IntentResumed(step_id, evidence))


def fill_recorded(state: IntentState, fill: Fill, *, simulated: bool) -> Decisions:
    """A fill is final."""
    return from_state(state, FillRecorded(fill, simulated))


def settled(state: IntentState, *, gas_cost: Amount | None = None) -> Decisions:
    """The wanted outcome is final; `gas_cost` of all steps where it is more than that of the fills."""
    gas = state.gas_cost if gas_cost is None else gas_cost
    return from_state(state, IntentSettled(state.spent, state.received, gas))


def failed(state: IntentState, code: str, reason: str, gas_cost: Amount = _NO_GAS) -> Decisions:
    """A step failed for good, by evidence; `gas_cost` is what this attempt cost all the same."""
    return from_state(state, IntentFailed(code, reason, gas_cost))


def retry(state: IntentState, reason: str, gas_cost: Amount) -> Decisions:
    """What was sent had no effect, by evidence, and another plan may do. A hold must be released with it."""
    return from_state(state, StepsReverted(reason, gas_cost))


def expire(state: IntentState, reason: str, gas_cost: Amount = _NO_GAS) -> Decisions:
    """The deadline passed before anything was sent, or what was sent has had no effect, by evidence.

    A cancel that was asked for has then won; a part that was filled stays, and the rest has failed.
    """
    if state.fills:
        return failed(state, "expired_partially_filled", reason, gas_cost)
    if state.cancel_requested:
        return from_state(state, IntentCancelled(reason, gas_cost))
    return from_state(state, IntentExpired(reason, gas_cost))


def request_cancel(state: IntentState, by: str, *, signing: bool = False) -> Decisions:
    """Somebody wants the intent ended. Before anything was signed it ends at once; what was sent runs to its
    evidence; of an ended one nothing changes. `signing`: the signer is at work on it, so it counts as sent.
    Of one in slices no further slice is released; its open children are asked for theirs.
    """
    if not state.open:
        return ()
    asked: tuple[Fact, ...] = () if state.cancel_requested else (CancelRequested(by),)
    if state.slices is not None:
        closes = () if state.slices.closed else (SlicingClosed("cancelled", f"cancelled by {by}"),)
        return from_state(state, *asked, *closes)
    if signing or not (state.status in BEFORE_EXECUTION or state.between):
        return from_state(state, *asked)
    if state.fills:
        return from_state(state, *asked, IntentFailed("cancelled_partially_filled", f"cancelled by {by}"))
    return from_state(state, *asked, IntentCancelled(f"cancelled by {by} before anything was sent"))


def from_state(state: IntentState, *facts: Fact, first: Fact | None = None) -> Decisions:
    """The facts for the intent's stream. Raises `IllegalTransition` where one may not follow."""
    fold(facts, state)  # raises where one may not follow
    stream = intent_stream(state.id)
    said = facts if first is None else (first, *facts)
    return tuple(Decided(stream, fact) for fact in said)
