"""An intent in slices: what is due, and how the rest of it is spread over what is left of its window."""

from datetime import datetime
from fractions import Fraction

from sep_hooks.types import Amount, ExecutionStyle, floor_fraction, ratio_parts

from sep_core import intents
from sep_core.events.decided import Decided
from sep_core.events.facts import Slice
from sep_core.intents import IntentState
from sep_core.intents.schedule import first_and_rest, halfway, retimed, spread, twap_count
from sep_core.intents.slice_decisions import EXPIRED, slices_of
from sep_core.runtime.commands import RecordSlicing, ReleaseSlices
from sep_core.runtime.flow.composition import Composition
from sep_core.runtime.world import World

type Facts = tuple[Decided, ...]

BY_CLOCK = frozenset({ExecutionStyle.TWAP, ExecutionStyle.VWAP})


def begun(world: World, state: IntentState, composition: Composition) -> Facts:
    """The schedule of an intent that was just accepted, where its style has one from the start."""
    constraints, deadline = state.intent.constraints, state.deadline
    style, slicing = constraints.execution_style, constraints.slicing
    if style not in BY_CLOCK or state.intent.parent is not None or deadline is None:
        return ()
    total = _total(world, state, composition)
    if total <= 0:
        return intents.plan_failed(
            state, "nothing_to_do", "the intent comes to 0 base units; nothing was sent"
        )
    profile = slicing.profile if slicing is not None else ()
    by_profile = style is ExecutionStyle.VWAP
    weights = [Fraction(one) for one in profile] if by_profile else [Fraction(1)] * twap_count(constraints)
    size_jitter = Fraction(slicing.size_jitter) if slicing is not None else Fraction(0)
    time_jitter = Fraction(slicing.time_jitter) if slicing is not None else Fraction(0)
    seed = composition.seed() if size_jitter or time_jitter else ""
    cut = spread(
        total,
        weights,
        composition.clock.now(),
        deadline,
        seed=seed,
        size_jitter=size_jitter,
        time_jitter=time_jitter,
    )
    how = "as the given volume profile" if by_profile else "equally"
    reason = f"{style}: {len(cut)} slices spread {how} over the window"
    return intents.schedule(state, total, cut, reason, seed=seed)


def due(world: World, command: ReleaseSlices, composition: Composition) -> Facts:
    """Releases the slice that is due.

    Where more than one is due, time was missed: the rest is spread evenly over what is left of the window, in its
    sizes, so that a pause is caught up without a burst.
    """
    state = world.intents[command.intent_id]
    slices, now, deadline = state.slices, composition.clock.now(), state.deadline
    if slices is None or slices.style not in BY_CLOCK or slices.closed or not state.open:
        return ()
    ready = [one for one in slices.pending if one.at <= now]
    if not ready or deadline is None or now >= deadline:
        return ()
    said: Facts = ()
    if len(ready) > 1:
        reason = f"{len(ready)} slices were due at once: the rest is spread over what is left of the window"
        said = intents.schedule(state, slices.total, retimed(_in_turn(slices.pending), now, deadline), reason)
    return said + _released_first(_after(state, said), now, composition)


def counted(world: World, command: RecordSlicing, composition: Composition) -> Facts:
    """Of as many equal slices as planning found best for what is left of an ADAPTIVE intent, the first goes now; the
    rest is counted anew when the second is due.
    """
    state = world.intents[command.intent_id]
    now, deadline, slices = composition.clock.now(), state.deadline, state.slices
    if state.intent.constraints.execution_style is not ExecutionStyle.ADAPTIVE or deadline is None:
        return ()
    if now >= deadline or not (state.plannable or rest_is_due(state, now)):
        return ()
    if slices is None:
        total, rest, first = command.amount, command.amount, 0
    else:
        total, rest, first = slices.total, slices.rest, min(one.ordinal for one in slices.pending)
    said = intents.schedule(
        state, total, first_and_rest(rest, command.count, now, deadline, first), command.reason
    )
    return said + _released_first(_after(state, said), now, composition)


def rest_is_due(state: IntentState, now: datetime) -> bool:
    """Whether the next slice of an ADAPTIVE intent is due, so that its rest is to be cut anew."""
    slices = state.slices
    if slices is None or slices.style is not ExecutionStyle.ADAPTIVE or slices.closed or not state.open:
        return False
    return any(one.at <= now for one in slices.pending)


def again(state: IntentState, composition: Composition) -> Facts:
    """Schedules once more what slices fell short of, a bounded number of times; then no further slice comes."""
    slices = slices_of(state)
    if slices.closed or not state.open or slices.missing <= 0:
        return ()
    now, deadline = composition.clock.now(), state.deadline
    short = [one for one in slices.children if one.fell_short]
    last = max([now, *(one.at for one in slices.pending)])
    if deadline is not None and last < deadline and 0 < len(short) <= composition.rules.most_attempts:
        extra = Slice(slices.next_ordinal, halfway(last, deadline), slices.missing)
        reason = (
            f"slice {short[-1].ordinal} ended {short[-1].status}: what it fell short of is scheduled again"
        )
        return intents.schedule(state, slices.total, (*slices.pending, extra), reason)
    if slices.pending or slices.open_children:
        return ()
    if deadline is not None and now >= deadline:
        return intents.close_slicing(state, EXPIRED, "the deadline passed")
    if not short:
        return intents.close_slicing(state, "slices_cancelled", "slices were cancelled one by one")
    reason = f"{len(short)} slices fell short, the last because: {short[-1].reason}"
    return intents.close_slicing(state, short[-1].code or "slices_fell_short", reason)


def _released_first(state: IntentState, now: datetime, composition: Composition) -> Facts:
    gone = composition.gone(state.intent)
    if gone is not None:
        return intents.close_slicing(state, *gone)
    first = _in_turn(slices_of(state).pending)[0]
    value = composition.value(intents.child_intent(state, first, None))
    return intents.release(state, first, now, composition.rules, value=value)


def _in_turn(pending: tuple[Slice, ...]) -> tuple[Slice, ...]:
    return tuple(sorted(pending, key=lambda one: (one.at, one.ordinal)))


def _total(world: World, state: IntentState, composition: Composition) -> Amount:
    """The whole amount: as it was said, or a share of what is free now."""
    (wanted,) = state.intent.assets
    amount = wanted.amount
    if amount is None:
        owner = composition.owner(state.intent.account)
        held = world.book.held(owner.account, owner.strategy, wanted.asset.id)
        amount = Amount(world.ledger.free(owner.account, owner.strategy, wanted.asset.id, held))
    if wanted.percentage is not None:
        amount = floor_fraction(amount, *ratio_parts(wanted.percentage))
    return amount


def _after(state: IntentState, decided: Facts) -> IntentState:
    """The intent after those facts, all its own."""
    after = intents.fold((one.fact for one in decided), state)
    return state if after is None else after
