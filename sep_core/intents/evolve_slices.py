"""What each fact of its schedule and its children makes of an intent in slices."""

from msgspec.structs import replace
from sep_hooks.types import Amount, IntentStatus

from sep_core.events.facts import (
    Amounts,
    ChildEnded,
    ReferenceFixed,
    SliceReleased,
    SlicesScheduled,
    SlicingClosed,
)
from sep_core.events.registry import Fact
from sep_core.intents.errors import IllegalTransition
from sep_core.intents.slices import Child, Slices, child_id
from sep_core.intents.state import IntentState


def scheduled(state: IntentState, fact: SlicesScheduled) -> IntentState:
    """The rest is spread anew."""
    known = state.slices
    if known is None:
        if state.attempt or state.plan is not None:
            raise _refused(state, fact, "it is planned as a whole")
        known = Slices(fact.style, fact.total, fact.seed, 0, "", ())
    if fact.revision != known.revision + 1 or fact.total != known.total or fact.style is not known.style:
        raise _refused(state, fact, f"revision {fact.revision} of {fact.total} follows {known.revision}")
    _check_not_closed(state, known, fact)
    used = {one.ordinal for one in known.children}
    ordinals = [one.ordinal for one in fact.slices]
    if len({*ordinals}) < len(ordinals) or used & {*ordinals} or any(one.amount <= 0 for one in fact.slices):
        raise _refused(state, fact, "a slice is empty, or of an ordinal that another one has")
    after = replace(
        known, revision=fact.revision, seed=fact.seed or known.seed, reason=fact.reason, pending=fact.slices
    )
    if after.missing < 0:
        raise _refused(
            state, fact, f"slices of {sum(one.amount for one in fact.slices)}, the rest is {known.rest}"
        )
    return replace(state, slices=after)


def released(state: IntentState, fact: SliceReleased) -> IntentState:
    """A slice became a child."""
    known = _slices(state, fact)
    _check_not_closed(state, known, fact)
    slice_ = next((one for one in known.pending if one.ordinal == fact.ordinal), None)
    if slice_ is None or slice_.amount != fact.amount or fact.child != child_id(state.id, fact.ordinal):
        raise _refused(state, fact, f"slice {fact.ordinal} is not scheduled so")
    after = replace(
        known,
        pending=tuple(one for one in known.pending if one.ordinal != fact.ordinal),
        children=(*known.children, Child(fact.child, fact.ordinal, fact.amount, fact.max_fee)),
    )
    return _with(state, after)


def reference_fixed(state: IntentState, fact: ReferenceFixed) -> IntentState:
    """The whole has a price to be measured from, for one pair."""
    known = _slices(state, fact)
    if any((one.asset_in, one.asset_out) == (fact.asset_in, fact.asset_out) for one in known.references):
        raise _refused(state, fact, "the pair has a reference")
    return replace(state, slices=replace(known, references=(*known.references, fact)))


def child_ended(state: IntentState, fact: ChildEnded) -> IntentState:
    """A child has ended, with what it did."""
    known = _slices(state, fact)
    child = known.child(fact.ordinal)
    if child is None or child.id != fact.child or not child.open or fact.done > child.amount:
        raise _refused(
            state, fact, f"slice {fact.ordinal} is not open, or smaller than what is said to be done"
        )
    ended = replace(
        child,
        status=fact.status,
        done=fact.done,
        spent=fact.spent,
        received=fact.received,
        gas_cost=fact.gas_cost,
        code=fact.code,
        reason=fact.reason,
    )
    children = tuple(ended if one.ordinal == fact.ordinal else one for one in known.children)
    return _with(state, replace(known, children=children))


def slicing_closed(state: IntentState, fact: SlicingClosed) -> IntentState:
    """What is scheduled will not be released."""
    known = _slices(state, fact)
    _check_not_closed(state, known, fact)
    return replace(
        state,
        slices=replace(known, pending=(), closed=fact.code, closed_reason=fact.reason),
        reason=fact.reason,
    )


def amount_of(amounts: Amounts) -> Amount:
    """The amount where one asset is concerned; 0 where there are several, which no single number tells."""
    return amounts[0][1] if len(amounts) == 1 else Amount(0)


def _with(state: IntentState, slices: Slices) -> IntentState:
    partly = slices.done > 0 and not slices.complete
    return replace(
        state,
        slices=slices,
        status=IntentStatus.PARTIALLY_FILLED if partly else IntentStatus.EXECUTING,
        spent=amount_of(slices.spent),
        received=amount_of(slices.received),
        gas_cost=slices.gas_cost,
    )


def _slices(state: IntentState, fact: Fact) -> Slices:
    if state.slices is None:
        raise _refused(state, fact, "it is not in slices")
    return state.slices


def _check_not_closed(state: IntentState, slices: Slices, fact: Fact) -> None:
    if slices.closed:
        raise _refused(state, fact, f"its slicing is closed: {slices.closed}")


def _refused(state: IntentState, fact: Fact, why: str) -> IllegalTransition:
    return IllegalTransition(state.id, state.status, type(fact).__name__, why)
