"""Where a strategy instance stands, folded from its stream."""

from datetime import datetime
from enum import StrEnum

from msgspec.structs import replace
from sep_hooks.errors import Permanent

from sep_core.events.facts import StrategyAdvanced, StrategyStarted, StrategyStopped
from sep_core.events.registry import Fact
from sep_core.events.state import State

DATA_TRIGGERS = ("block:", "quote:")


class StrategyStatus(StrEnum):
    """Whether the instance runs, and how it ended."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    FAULTED = "FAULTED"
    QUARANTINED = "QUARANTINED"


_STOPPED = {
    "stopped": StrategyStatus.STOPPED,
    "faulted": StrategyStatus.FAULTED,
    "quarantined": StrategyStatus.QUARANTINED,
}


class IllegalStrategyFact(Permanent):
    """A stream of a strategy does not begin with its start, or goes on out of order."""

    code = "illegal_strategy_fact"


class StrategyLife(State, frozen=True):
    """What a restart needs. `state` is canonical JSON, None before the first outcome.

    `ordinal` counts outcomes, `starts` lives, `position` is that of the last fact it was called with; `seen` names
    for each source of data the last trigger that the state took in.
    """

    status: StrategyStatus
    implementation: str
    config_digest: str
    seed: int
    starts: int = 1
    state: str | None = None
    trigger: str = ""
    ordinal: int = 0
    inputs_digest: str = ""
    timers: tuple[tuple[str, datetime], ...] = ()
    position: int = 0
    seen: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    version: int = 1


def evolve_strategy(life: StrategyLife | None, fact: Fact) -> StrategyLife:
    """The instance after one more fact of its stream. Raises `IllegalStrategyFact`."""
    if life is None:
        if not isinstance(fact, StrategyStarted):
            raise IllegalStrategyFact(
                f"a stream of a strategy begins with its start, was {type(fact).__name__}"
            )
        return StrategyLife(StrategyStatus.RUNNING, fact.implementation, fact.config_digest, fact.seed)
    after = _after(life, fact)
    return replace(after, version=life.version + 1)


def _after(life: StrategyLife, fact: Fact) -> StrategyLife:
    match fact:
        case StrategyStarted():
            return replace(
                life,
                status=StrategyStatus.RUNNING,
                implementation=fact.implementation,
                config_digest=fact.config_digest,
                seed=fact.seed,
                starts=life.starts + 1,
                reason="",
            )
        case StrategyAdvanced():
            if fact.ordinal != life.ordinal + 1:
                raise IllegalStrategyFact(
                    f"outcome {fact.ordinal} follows outcome {life.ordinal}; nothing was changed"
                )
            return replace(
                life,
                state=fact.state,
                trigger=fact.trigger,
                ordinal=fact.ordinal,
                inputs_digest=fact.inputs_digest,
                timers=fact.timers,
                position=max(life.position, fact.position),
                seen=_seen_after(life.seen, fact.trigger),
            )
        case StrategyStopped():
            return replace(life, status=_STOPPED[fact.outcome], reason=fact.reason)
        case _:
            raise IllegalStrategyFact(f"{type(fact).__name__} is no fact of a strategy")


def _seen_after(seen: tuple[tuple[str, str], ...], trigger: str) -> tuple[tuple[str, str], ...]:
    if not trigger.startswith(DATA_TRIGGERS):
        return seen
    source, _, _ = trigger.rpartition(":")
    return (*(one for one in seen if one[0] != source), (source, trigger))
