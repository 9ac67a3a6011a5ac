"""Between parents and children: what facts of the one mean for the other, in the same append."""

from collections.abc import Iterator

from sep_hooks.types import IntentId

from sep_core import intents
from sep_core.events.decided import Decided
from sep_core.events.facts import CancelRequested, IntentAccepted, IntentPlanned, SlicingClosed
from sep_core.events.registry import Fact
from sep_core.events.streams import intent_stream
from sep_core.intents import IntentState, Slices
from sep_core.intents.slice_decisions import EXPIRED
from sep_core.runtime.commands import CancelIntent, ExpireIntent
from sep_core.runtime.flow import life, slices
from sep_core.runtime.flow.composition import Composition
from sep_core.runtime.world import World, intent_of

type Facts = tuple[Decided, ...]

_PREFIX = "intent:"


def followed(world: World, decided: Facts, composition: Composition) -> Facts:
    """The facts, and all that follows from them for schedules, children and parents."""
    said, seen = decided, 0
    while seen < len(said):
        fresh, seen = said[seen:], len(said)
        for intent_id in _intents_of(fresh):
            said += _follows(world, said, intent_id, fresh, composition)
    return said


def _follows(world: World, said: Facts, intent_id: IntentId, fresh: Facts, composition: Composition) -> Facts:
    state = _now(world, said, intent_id)
    own = tuple(_facts(fresh, intent_id))
    if state.plannable and any(isinstance(fact, IntentAccepted) for fact in own):
        return slices.begun(world, state, composition)
    more: Facts = ()
    cancelled = any(isinstance(fact, CancelRequested) for fact in own)
    closed = any(isinstance(fact, SlicingClosed) for fact in own)
    if state.slices is not None and (cancelled or closed):
        more += _to_children(world, said, state, state.slices, composition)
        more += _ended_or_again(_now(world, said + more, intent_id), composition)
    link = state.intent.parent
    if link is None:
        return more
    if any(isinstance(fact, IntentPlanned) for fact in own):
        more += intents.fix_references(_now(world, said + more, link.intent_id), state)
    if not state.open:
        more += intents.child_ended(_now(world, said + more, link.intent_id), state)
        more += _ended_or_again(_now(world, said + more, link.intent_id), composition)
    return more


def _to_children(
    world: World, said: Facts, parent: IntentState, of: Slices, composition: Composition
) -> Facts:
    """The end of the whole, told to the open children; what was signed runs to its evidence."""
    more: Facts = ()
    for child in of.open_children:
        if child.id not in world.intents or any(_facts(said, child.id)):
            continue
        if parent.cancel_requested:
            more += life.cancelled(world, CancelIntent(child.id, f"intent {parent.id}"), composition)
        elif of.closed == EXPIRED:
            more += life.expired(world, ExpireIntent(child.id, of.closed_reason), composition)
    return more


def _ended_or_again(parent: IntentState, composition: Composition) -> Facts:
    if not parent.open or parent.slices is None:
        return ()
    more = slices.again(parent, composition)
    after = intents.fold((one.fact for one in more), parent)
    return more + intents.conclude(parent if after is None else after)


def _now(world: World, said: Facts, intent_id: IntentId) -> IntentState:
    state = intents.fold(_facts(said, intent_id), world.intents.get(intent_id))
    if state is None:
        raise KeyError(f"intent {intent_id} is not in the log")
    return state


def _facts(said: Facts, intent_id: IntentId) -> Iterator[Fact]:
    stream = intent_stream(intent_id)
    return (one.fact for one in said if one.stream == stream)


def _intents_of(fresh: Facts) -> tuple[IntentId, ...]:
    return tuple(
        dict.fromkeys(
            intent_of(one.stream.removeprefix(_PREFIX)) for one in fresh if one.stream.startswith(_PREFIX)
        )
    )
