"""One callback of a strategy: its state and its intents, together."""

from collections.abc import Mapping

from sep_hooks.types import Intent, IntentId

from sep_core import intents
from sep_core.events.decided import Decided
from sep_core.events.streams import strategy_stream
from sep_core.intents import IntentState
from sep_core.runtime.commands import CancelIntent, StopStrategy
from sep_core.runtime.flow import life
from sep_core.runtime.flow.composition import Composition
from sep_core.runtime.world import World
from sep_core.strategies import Advance, strategy_advanced

type Facts = tuple[Decided, ...]


def advanced(world: World, command: Advance, composition: Composition) -> Facts:
    """The outcome, the facts of its intents, then of its cancels, which may be of these very intents.

    An intent that the log holds already stands as it is.
    """
    decided: Facts = (strategy_advanced(world.strategies.get(command.instance), command),)
    now = composition.clock.now()
    fresh: dict[IntentId, IntentState] = {}
    for intent in intents_of(command, composition):
        if intent.id not in world.intents:
            value = composition.value(intent)
            received = intents.receive(intent, "strategy", "", now, composition.rules, value=value)
            decided += received
            state = intents.fold(one.fact for one in received)
            if state is not None:
                fresh[intent.id] = state
    return decided + _cancelled(world, command.instance, command.cancels, composition, fresh)


def stopped(world: World, command: StopStrategy, composition: Composition) -> Facts:
    """An end, and the end of those intents that nothing was signed for."""
    ended = Decided(strategy_stream(command.instance), command.fact)
    return (ended, *_cancelled(world, command.instance, command.cancels, composition, {}))


def _cancelled(
    world: World,
    instance: str,
    cancels: tuple[IntentId, ...],
    composition: Composition,
    fresh: Mapping[IntentId, IntentState],
) -> Facts:
    decided: Facts = ()
    for intent_id in dict.fromkeys(cancels):
        if intent_id in fresh:
            decided += intents.request_cancel(fresh[intent_id], f"strategy {instance}")
        elif intent_id in world.intents:
            decided += life.cancelled(world, CancelIntent(intent_id, f"strategy {instance}"), composition)
    return decided


def intents_of(command: Advance, composition: Composition) -> tuple[Intent, ...]:
    """The intents that a callback submitted, with identity, account and the evidence of what it had seen."""
    strategy_id = composition.strategy_ids[command.instance]
    return tuple(
        Intent(
            id=intents.intent_id(strategy_id, client_id, composition.rules.namespace),
            client_id=client_id,
            strategy=command.instance,
            account=composition.roster.strategies[command.instance],
            type=draft.type,
            assets=draft.assets,
            constraints=draft.constraints,
            deadline=draft.deadline,
            inputs=command.inputs,
        )
        for draft, client_id in command.submissions
    )
