"""What follows when a plugin fails, fixed per kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from sep_hooks.capabilities import PluginKind
from sep_hooks.errors import PluginError

from sep_core.plugins.reference import PluginRef

type FaultKind = Literal["raised", "timed_out", "wrong_result", "held_the_loop", "ended_the_process"]
type Consequence = Literal["muted", "no_new_intents", "circuit_open", "read_only", "quarantined", "stopped"]

STRIKES: Final = 3
"""Faults in a row after which the consequence follows."""

HELD_STRIKE_SECONDS: Final = 0.1
"""A strategy or hook that keeps the event loop for as long in one go gets a strike."""

CIRCUIT_PAUSE_SECONDS: Final = 5.0
"""How long an open circuit refuses before one call is let through as a probe."""


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """What a kind's faults lead to. `held_seconds` bounds one uninterrupted stretch on the loop, where it counts."""

    strikes: int
    consequence: Consequence
    held_seconds: float | None = None


POLICIES: Final[Mapping[PluginKind, FailurePolicy]] = {
    PluginKind.HOOKS: FailurePolicy(STRIKES, "muted", HELD_STRIKE_SECONDS),
    PluginKind.RISK: FailurePolicy(STRIKES, "no_new_intents"),
    PluginKind.VENUE: FailurePolicy(STRIKES, "circuit_open"),
    PluginKind.ORDER_VENUE: FailurePolicy(STRIKES, "circuit_open"),
    PluginKind.CHAIN: FailurePolicy(STRIKES, "circuit_open"),
    PluginKind.STRATEGY: FailurePolicy(STRIKES, "quarantined", HELD_STRIKE_SECONDS),
    PluginKind.SIGNER: FailurePolicy(1, "stopped"),
    PluginKind.RELAY: FailurePolicy(STRIKES, "circuit_open"),
    PluginKind.STORE: FailurePolicy(1, "stopped"),
    PluginKind.BUS: FailurePolicy(STRIKES, "circuit_open"),
    PluginKind.CACHE: FailurePolicy(STRIKES, "circuit_open"),
}

LASTING: Final = frozenset({"quarantined"})
"""Consequences that outlive the run, until the plugin's version or configuration changes or it is released."""


class PluginFault(PluginError):
    """A call into a plugin gave no usable answer: a value for the room that asked, and already reported.

    `consequence` is set where the plugin is not asked any more; `fault` is None where this call did not reach it.
    """

    code = "plugin_fault"

    def __init__(
        self,
        plugin: PluginRef,
        call: str,
        fault: FaultKind | None,
        error: str,
        *,
        strike: int = 0,
        consequence: Consequence | None = None,
    ) -> None:
        super().__init__(
            f"{plugin.label} in {call}: {error}",
            plugin=plugin.name,
            stage="active",
            next_step=f"run `sep plugin info {plugin.name}`",
        )
        self.ref = plugin
        self.call = call
        self.fault = fault
        self.error = error
        self.strike = strike
        self.consequence = consequence

    @property
    def fatal(self) -> bool:
        """Whether the engine cannot go on without this plugin."""
        return self.consequence == "stopped"


def described(error: BaseException) -> str:
    """An exception in one line of at most 500 characters; survives exceptions that cannot print themselves."""
    try:
        text = str(error)
    except BaseException:
        text = "(its text cannot be read)"
    name = type(error).__name__
    line = " ".join(f"{name}: {text}".split()) if text else name
    return line.encode("utf-8", "replace").decode()[:500]
