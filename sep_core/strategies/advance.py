"""One callback's outcome, and the fact that it becomes."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sep_hooks.types import InputsDigest, IntentDraft, IntentId

from sep_core.events.decided import Decided
from sep_core.events.facts import StrategyAdvanced
from sep_core.events.streams import strategy_stream
from sep_core.strategies.life import StrategyLife


@dataclass(frozen=True, slots=True)
class Advance:
    """All that one callback changed: recorded in one append with the facts of its intents.

    `submissions` were all accepted from memory. A client id that is already known keeps its first body.
    """

    instance: str
    trigger: str
    state: str
    inputs_digest: str
    position: int
    timers: tuple[tuple[str, datetime], ...] = ()
    submissions: tuple[tuple[IntentDraft, UUID], ...] = ()
    cancels: tuple[IntentId, ...] = ()

    @property
    def inputs(self) -> InputsDigest:
        """What the callback's intents carry as the evidence of what it had seen."""
        return InputsDigest(self.inputs_digest, self.position)


def strategy_advanced(life: StrategyLife | None, advance: Advance) -> Decided:
    """The outcome as a fact. Raises `ValueError` for an instance that never started."""
    if life is None:
        raise ValueError(f"strategy {advance.instance} advances without having started")
    fact = StrategyAdvanced(
        advance.trigger,
        life.ordinal + 1,
        advance.state,
        advance.inputs_digest,
        advance.timers,
        max(advance.position, life.position),
    )
    return Decided(strategy_stream(advance.instance), fact)
