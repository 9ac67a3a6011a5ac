"""An intent's story in words: what was wanted, what was decided and why, where the money is, what comes next."""

from collections.abc import Callable, Sequence

from sep_hooks.store import Recorded
from sep_hooks.types import IntentStatus, Verdict

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
    StepsReverted,
)
from sep_core.events.registry import Fact, fact_of
from sep_core.execution import LaneState
from sep_core.intents import IntentState
from sep_core.risk import BREAKER_OPEN
from sep_core.runtime import explain_slices
from sep_core.runtime.asset_book import AssetBook, decimal_text
from sep_core.runtime.views import ExplanationView, IntentView, MomentView, PlanView, VerdictView

type Teller = Callable[[Fact], str]


def explanation(
    view: IntentView,
    state: IntentState,
    plan: PlanView | None,
    verdicts: list[VerdictView],
    history: Sequence[Recorded],
    lane: LaneState | None,
    assets: AssetBook,
) -> ExplanationView:
    """The whole story of one intent."""
    return ExplanationView(
        intent=view,
        summary=_summary(state, assets),
        money=_money(state, lane, assets),
        next_step=_next_step(state),
        plan=plan,
        verdicts=verdicts,
        timeline=[
            MomentView(position=one.pos, at=one.recorded_at, what=_what(state, _fact(one), assets))
            for one in history
        ],
    )


def _fact(recorded: Recorded) -> Fact:
    return fact_of(recorded)


def _what(state: IntentState, fact: Fact, assets: AssetBook) -> str:
    return explain_slices.told(fact, assets, state.intent.assets[0].asset.id) or _told(fact, assets)


def _summary(state: IntentState, assets: AssetBook) -> str:
    wanted = explain_slices.wanted(state, assets)
    ends = state.ends
    if state.slices is not None:
        return f"Wanted: {wanted}. {explain_slices.summary(state, state.slices, assets)}"
    match state.status:
        case IntentStatus.SETTLED if ends is not None:
            exchanged = explain_slices.exchanged(state, ends, assets)
            return f"Wanted: {wanted}. Settled: {exchanged}."
        case IntentStatus.REJECTED | IntentStatus.FAILED | IntentStatus.EXPIRED | IntentStatus.CANCELLED:
            why = _refusal(state.code, state.reason, state.verdicts, assets)
            return f"Wanted: {wanted}. {state.status.capitalize()}: {why}."
        case IntentStatus.IN_DOUBT:
            return f"Wanted: {wanted}. The outcome of {', '.join(sorted(state.doubted_steps))} is not known."
        case _:
            return f"Wanted: {wanted}. It is {state.status}."


def _refusal(code: str, reason: str, verdicts: Sequence[Verdict], assets: AssetBook) -> str:
    """Why something was refused: the numbers of the verdict that says so, else the words that were recorded."""
    refused = next((one for one in verdicts if not one.ok and one.code == code), None)
    if refused is None:
        return f"{code}: {assets.words(reason).rstrip('.')}"
    if code == BREAKER_OPEN:
        return f"{code}: {refused.detail}"
    held = f", {assets.quantity(refused.unit, refused.held)} are held for others" if refused.held else ""
    asked, limit = assets.quantity(refused.unit, refused.asked), assets.quantity(refused.unit, refused.limit)
    return f"{code} by {refused.rule}: {asked} asked{held}, the limit is {limit}"


def _money(state: IntentState, lane: LaneState | None, assets: AssetBook) -> str:
    if state.slices is not None:
        return explain_slices.money(state, state.slices)
    match state.status:
        case IntentStatus.SETTLED if state.mode == "paper":
            return "On paper only: the books say so, nothing was signed or sent."
        case IntentStatus.SETTLED if _ordered(state):
            return "In the books, final, from the venue's own trades."
        case IntentStatus.SETTLED:
            return "In the books, final, from amounts decoded out of the receipts."
        case IntentStatus.REJECTED | IntentStatus.CANCELLED:
            return "Nothing was sent; nothing moved."
        case IntentStatus.FAILED if state.fills:
            moved = assets.texts((asset, change) for fill in state.fills for asset, change in fill.moved)
            return f"A part was exchanged and stands in the books, final: {moved}. The rest was not sent."
        case IntentStatus.PARTIALLY_FILLED if state.plan is None or state.plan.later:
            moved = assets.texts((asset, change) for fill in state.fills for asset, change in fill.moved)
            return (
                f"Exchanged so far, final: {moved}. Nothing else is under way; the rest waits for its plan."
            )
        case IntentStatus.EXPIRED | IntentStatus.FAILED:
            spent = f"; gas of {decimal_text(state.gas_cost, 18)} was spent" if state.gas_cost else ""
            sent = (
                "What was sent has had no effect, by evidence"
                if state.transaction_hashes
                else "Nothing was sent"
            )
            return f"{sent}{spent}."
        case IntentStatus.EXECUTING | IntentStatus.IN_DOUBT if _ordered(state):
            held = ", ".join(assets.text(asset, amount) for asset, amount in state.money)
            return f"An order may move up to {held}; that is held until the venue says what became of it."
        case IntentStatus.EXECUTING | IntentStatus.IN_DOUBT | IntentStatus.PARTIALLY_FILLED:
            held = ", ".join(assets.text(asset, amount) for asset, amount in state.money)
            nonces = "" if lane is None else ", ".join(str(one.nonce) for one in lane.of_intent(state.id))
            at = f" at nonce {nonces}" if nonces else ""
            return f"Signed transactions may move up to {held}{at}; that is held until evidence decides."
        case IntentStatus.RISK_APPROVED:
            held = ", ".join(assets.text(asset, amount) for asset, amount in state.money)
            return f"Held for it: {held}. Nothing was sent yet."
        case _:
            return "Nothing was sent yet."


def _ordered(state: IntentState) -> bool:
    """Whether the intent's plan is an order in a book."""
    return state.plan is not None and any(step.book is not None for step in state.plan.steps)


def _next_step(state: IntentState) -> str:
    match state.status:
        case IntentStatus.IN_DOUBT:
            return f"sep reconcile {state.id}: nothing is sent anew until evidence decides"
        case IntentStatus.SETTLED:
            return "sep verify"
        case IntentStatus.REJECTED if state.code == BREAKER_OPEN:
            return "sep breaker list"
        case IntentStatus.REJECTED | IntentStatus.EXPIRED | IntentStatus.FAILED | IntentStatus.CANCELLED:
            return "correct what the reason names and submit it under a new id"
        case _:
            return f"sep status {state.id}"


def _told(fact: Fact, assets: AssetBook) -> str:
    match fact:
        case IntentReceived():
            return f"received from {fact.intent.strategy} by {fact.source.replace('_', ' ')}"
        case IntentAccepted():
            return f"accepted, valid until {fact.deadline:%H:%M:%S} UTC"
        case IntentRejected():
            why = _refusal(fact.code, fact.reason, fact.verdicts, assets)
            return f"rejected in {fact.stage.replace('_', ' ')}: {why}"
        case IntentPlanned():
            plan = fact.plan
            return (
                f"plan {fact.attempt} on block {plan.snapshot.block.number} over {plan.snapshot.markets} markets:"
                f" {assets.texts((flow.asset, flow.expected) for flow in plan.spends)} for"
                f" {assets.texts((flow.asset, flow.expected) for flow in plan.receives)} through"
                f" {', '.join(leg.market for leg in plan.legs)} ({plan.method})"
                + (f"; {len(plan.later)} legs are left to later transactions" if plan.later else "")
            )
        case PlanWithdrawn():
            return f"plan withdrawn before anything was sent: {fact.reason}"
        case StepsReverted():
            spent = f"; gas of {decimal_text(fact.gas_cost, 18)} was spent" if fact.gas_cost else ""
            return f"planned again: {fact.reason}{spent}"
        case RiskApproved():
            held = ", ".join(assets.text(asset, amount) for asset, amount in fact.money)
            return f"approved by {sum(one.ok for one in fact.verdicts)} checks; held: {held}"
        case ExecutionStarted():
            if fact.mode == "paper":
                return "filled on paper: simulated, not signed, not sent"
            if not fact.transaction_hashes:
                return "its order has a name of its own, durable before sending"
            return f"signed and durable before sending: {', '.join(fact.transaction_hashes)}"
        case IntentDoubted():
            return f"step {fact.step_id} came into doubt: {fact.reason}"
        case IntentResumed():
            return f"doubt about step {fact.step_id} ended by evidence: {fact.evidence}"
        case FillRecorded():
            fill = fact.fill
            spent = assets.texts((asset, -change) for asset, change in fill.moved if change <= 0)
            got = assets.texts((asset, change) for asset, change in fill.moved if change > 0)
            where = (
                f"in block {fill.block.number}" if fill.block.number else f"by order {fill.transaction_hash}"
            )
            return f"filled: {spent} for {got} {where}"
        case IntentSettled():
            return f"settled; gas cost {decimal_text(fact.gas_cost, 18)}"
        case IntentFailed():
            return f"failed: {fact.code}: {fact.reason}"
        case IntentExpired() | IntentCancelled():
            return f"{type(fact).__name__.removeprefix('Intent').lower()}: {fact.reason}"
        case CancelRequested():
            return f"cancel requested by {fact.by}"
        case _:
            return type(fact).__name__
