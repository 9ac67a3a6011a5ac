"""What may be said of an intent in slices next, and of its children. Pure, checked against the intent's own rules."""

from dataclasses import replace
from datetime import datetime

from sep_hooks.types import (
    Amount,
    AssetId,
    ExecutionStyle,
    Intent,
    IntentAsset,
    IntentStatus,
    IntentType,
    ParentLink,
)

from sep_core.events.facts import (
    Amounts,
    ChildEnded,
    IntentCancelled,
    IntentExpired,
    IntentFailed,
    IntentSettled,
    ReferenceFixed,
    Slice,
    SliceReleased,
    SlicesScheduled,
    SlicingClosed,
)
from sep_core.intents.decisions import Decisions, from_state, receive
from sep_core.intents.evolve_slices import amount_of
from sep_core.intents.rules import IntentRules
from sep_core.intents.slices import Slices, child_id
from sep_core.intents.state import IntentState

EXPIRED = "expired"


def schedule(
    state: IntentState, total: Amount, slices: tuple[Slice, ...], reason: str, *, seed: str = ""
) -> Decisions:
    """The next revision of the schedule; the first one makes the intent one in slices."""
    revision = 1 if state.slices is None else state.slices.revision + 1
    style = state.intent.constraints.execution_style
    return from_state(state, SlicesScheduled(revision, style, total, seed, slices, reason))


def release(
    state: IntentState, slice_: Slice, now: datetime, rules: IntentRules, *, value: int = 0
) -> Decisions:
    """A slice as a child intent, accepted at once: what was promised of the whole was promised of its parts."""
    slices = slices_of(state)
    share = slices.fee_share(state.intent.constraints.max_fee)
    child = child_intent(state, slice_, share)
    said = from_state(state, SliceReleased(slice_.ordinal, child.id, slice_.amount, slice_.at, share))
    return said + receive(child, state.source, "", now, rules, value=value)


def child_intent(state: IntentState, slice_: Slice, max_fee: Amount | None) -> Intent:
    """What a slice wants: the parent's wish at its own amount, at once, within the parent's own time."""
    intent = state.intent
    (wanted,) = intent.assets
    id_ = child_id(intent.id, slice_.ordinal)
    return Intent(
        id=id_,
        client_id=id_,
        strategy=intent.strategy,
        account=intent.account,
        type=intent.type,
        assets=(IntentAsset(wanted.asset, slice_.amount),),
        constraints=replace(
            intent.constraints, execution_style=ExecutionStyle.IMMEDIATE, slicing=None, max_fee=max_fee
        ),
        deadline=state.deadline,
        parent=ParentLink(intent.id, slice_.ordinal),
    )


def fix_references(state: IntentState, child: IntentState) -> Decisions:
    """What the first plan of a pair among the children found as the price is what the whole is measured from."""
    slices, plan = slices_of(state), child.plan
    if plan is None or slices.closed:
        return ()
    fixed = {(one.asset_in, one.asset_out) for one in slices.references}
    prices = zip(plan.spends, (plan.marginal, *plan.more_marginals), strict=True)
    return from_state(
        state,
        *(
            ReferenceFixed(flow.asset, plan.asset_out, spent, received, child.id)
            for flow, (received, spent) in prices
            if (flow.asset, plan.asset_out) not in fixed
        ),
    )


def child_ended(state: IntentState, child: IntentState) -> Decisions:
    """What an ended child has done of its slice; nothing where that is known."""
    link = child.intent.parent
    known = None if link is None else slices_of(state).child(link.ordinal)
    if known is None or not known.open:
        return ()
    spent, received = flows(child)
    exact = received if child.intent.type is IntentType.ACQUIRE else spent
    asset = child.intent.assets[0].asset.id
    moved = sum(amount for one, amount in exact if one == asset)
    done = known.amount if child.status is IntentStatus.SETTLED else min(known.amount, moved)
    fact = ChildEnded(
        known.ordinal,
        child.id,
        child.status,
        Amount(done),
        spent,
        received,
        child.gas_cost,
        child.code,
        child.reason,
    )
    return from_state(state, fact)


def close_slicing(state: IntentState, code: str, reason: str) -> Decisions:
    """No further slice; nothing where that was said before."""
    return () if slices_of(state).closed else from_state(state, SlicingClosed(code, reason))


def conclude(state: IntentState) -> Decisions:
    """The end of an intent of which no slice is open and none is to come; nothing before."""
    slices = slices_of(state)
    if not state.open or slices.open_children or slices.pending:
        return ()
    if slices.complete:
        spent, received = amount_of(slices.spent), amount_of(slices.received)
        return from_state(state, IntentSettled(spent, received, slices.gas_cost))
    reason = f"{slices.closed_reason or _last_trouble(slices)}; {progress(slices)}"
    if state.cancel_requested:
        return from_state(state, IntentCancelled(reason))
    if slices.closed == EXPIRED:
        return from_state(state, IntentExpired(reason))
    if not slices.closed:
        return ()
    return from_state(state, IntentFailed(slices.closed, reason))


def progress(slices: Slices) -> str:
    """How far it came, for people; amounts in base units of the intent's asset."""
    settled = sum(one.status is IntentStatus.SETTLED for one in slices.children)
    return f"{settled} slices settled, {slices.done} of {slices.total} done"


def flows(child: IntentState) -> tuple[Amounts, Amounts]:
    """What a child spent and what it received in the end, by asset."""
    net: dict[AssetId, int] = {}
    for fill in child.fills:
        for asset, change in fill.moved:
            net[asset] = net.get(asset, 0) + change
    spent = tuple((asset, Amount(-change)) for asset, change in net.items() if change < 0)
    return spent, tuple((asset, Amount(change)) for asset, change in net.items() if change > 0)


def slices_of(state: IntentState) -> Slices:
    """The slices of an intent that is known to have some."""
    assert state.slices is not None
    return state.slices


def _last_trouble(slices: Slices) -> str:
    short = [one for one in slices.children if one.fell_short]
    return (
        f"slice {short[-1].ordinal} {short[-1].status}: {short[-1].reason}"
        if short
        else "nothing is left to do"
    )
