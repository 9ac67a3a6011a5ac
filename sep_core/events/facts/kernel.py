"""Facts about runs of the kernel; stream `kernel`."""

from dataclasses import dataclass

from sep_hooks.types import IntentType, Ratio

from sep_core.events.facts.old_starts import start_without_bounds
from sep_core.events.registry import Fact, fact


@dataclass(frozen=True, slots=True)
class BoundsInForce:
    """What intents of one type might ask for in a run; `source` is the table that said so."""

    type: IntentType
    min_slippage: Ratio
    max_slippage: Ratio
    min_window_ms: int
    max_window_ms: int
    source: str


@fact("KernelStarted", version=2, older={1: start_without_bounds})
class KernelStarted(Fact):
    """An engine opened the log for writing under a new epoch; `bounds` are its own for intents."""

    epoch: int
    version: str
    mode: str
    config_digest: str
    bounds: tuple[BoundsInForce, ...] = ()


@fact("KernelStopped")
class KernelStopped(Fact):
    """The engine stopped on purpose."""

    reason: str
