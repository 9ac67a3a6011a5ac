"""What an intent would begin with, without a record: itself, or the first of its slices."""

from dataclasses import replace
from datetime import datetime

from sep_hooks.types import Amount, ExecutionStyle, Intent

from sep_core import intents
from sep_core.events.facts import SlicesScheduled
from sep_core.intents import IntentState
from sep_core.planning import Sliced
from sep_core.runtime.flow import Composition
from sep_core.runtime.flow.slices import begun
from sep_core.runtime.world import World


def accepted(intent: Intent, now: datetime, composition: Composition) -> IntentState:
    """The intent as it would stand once it were accepted."""
    state = intents.fold(one.fact for one in intents.receive(intent, "api", "", now, composition.rules))
    assert state is not None  # a reception makes a state
    return state


def first_slice(world: World, state: IntentState, composition: Composition) -> tuple[Intent, str] | None:
    """The first child of an intent that is cut by the clock, and how it is cut; None for any other."""
    for one in begun(world, state, composition):
        if isinstance(one.fact, SlicesScheduled):
            after = intents.evolve(state, one.fact)
            return intents.child_intent(after, one.fact.slices[0], None), one.fact.reason
    return None


def first_of(intent: Intent, sliced: Sliced) -> Intent:
    """The first of the slices that planning found."""
    (part,) = intent.assets
    amount = Amount(max(1, sliced.amount // sliced.count))
    return replace(
        intent,
        assets=(replace(part, amount=amount, percentage=None),),
        constraints=replace(intent.constraints, execution_style=ExecutionStyle.IMMEDIATE, slicing=None),
    )
