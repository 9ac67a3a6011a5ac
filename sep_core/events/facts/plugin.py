"""Facts about plugins; stream `plugin:<kind>:<name>:<instance>`."""

from typing import Literal

from sep_core.events.registry import Fact, fact


@fact("PluginActivated")
class PluginActivated(Fact):
    """The plugin works in this run: which code decides, with which rights and which configuration.

    `config_digest` covers references to secrets, never their values. An editable install has no hash.
    """

    kind: str
    name: str
    instance: str
    dist: str
    version: str
    record_sha256: str | None
    editable: bool
    api: str
    capabilities: tuple[tuple[str, str], ...]
    permissions: tuple[str, ...]
    config_digest: str


@fact("PluginRejected")
class PluginRejected(Fact):
    """The plugin does not work in this run; `stage` says how far it came."""

    kind: str
    name: str
    instance: str
    dist: str
    version: str
    stage: str
    reason: str


@fact("PluginFaulted")
class PluginFaulted(Fact):
    """A call raised, took too long, or answered what it must not. `strike` counts faults in a row, from 1."""

    kind: str
    name: str
    instance: str
    dist: str
    call: str
    fault: Literal["raised", "timed_out", "wrong_result", "held_the_loop", "ended_the_process"]
    error: str
    strike: int


@fact("PluginQuarantined")
class PluginQuarantined(Fact):
    """The plugin is no longer asked; `consequence` is what that means for its kind.

    `version` and `config_digest` are what was at fault: another version or configuration starts afresh.
    """

    kind: str
    name: str
    instance: str
    dist: str
    version: str
    config_digest: str
    consequence: Literal["muted", "no_new_intents", "circuit_open", "read_only", "quarantined", "stopped"]
    reason: str


@fact("PluginReleased")
class PluginReleased(Fact):
    """The plugin is asked again: a probe succeeded, or an operator said so."""

    kind: str
    name: str
    instance: str
    reason: str
