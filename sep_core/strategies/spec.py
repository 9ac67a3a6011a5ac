"""What the host is given for each instance."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sep_hooks.config import PluginConfig
from sep_hooks.context import Log
from sep_hooks.strategy import Strategy


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """A configured strategy. `strategy_id` is the namespace of its client ids; `seed` the run's own.

    `on_fault`: whether open intents are cancelled or held when it faults or stops.
    """

    instance: str
    strategy_id: UUID
    implementation: type[Strategy[Any, Any]]
    config: PluginConfig
    config_digest: str
    seed: int
    log: Log
    on_fault: Literal["cancel", "hold"] = "cancel"
    on_stop: Literal["cancel", "hold"] = "hold"

    @property
    def implementation_name(self) -> str:
        """How the log names the code."""
        cls = self.implementation
        return f"{cls.__module__}:{cls.__qualname__}"
