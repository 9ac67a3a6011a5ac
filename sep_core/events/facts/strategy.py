"""Facts of a strategy's life; stream `strategy:<instance>`."""

from datetime import datetime
from typing import Literal

from sep_core.events.registry import Fact, fact


@fact("StrategyStarted")
class StrategyStarted(Fact):
    """The instance runs; `seed` fixes its randomness."""

    implementation: str
    config_digest: str
    seed: int
    resumed: bool


@fact("StrategyAdvanced")
class StrategyAdvanced(Fact):
    """One callback's outcome, in one append with its intents: state (canonical JSON), trigger, inputs' digest.

    `position` is that of the last fact of the log that the instance has been called with.
    """

    trigger: str
    ordinal: int
    state: str
    inputs_digest: str
    timers: tuple[tuple[str, datetime], ...]
    position: int = 0


@fact("StrategyStopped")
class StrategyStopped(Fact):
    """The instance stopped; `outcome` says whether on purpose."""

    outcome: Literal["stopped", "faulted", "quarantined"]
    reason: str
