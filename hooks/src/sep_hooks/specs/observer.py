"""What an observer is handed."""

from dataclasses import dataclass

from sep_hooks.context import Clock, Log


@dataclass(frozen=True, slots=True)
class ObserverContext:
    """The log position of the fact, and ports. Delivery is at most once and silent on replay."""

    position: int
    clock: Clock
    log: Log
