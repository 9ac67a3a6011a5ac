"""The last steps of a plugin into a run: constructed, probed, active, each by way of the guard."""

from collections.abc import Awaitable, Callable
from typing import Final

from sep_hooks.errors import PluginError

from sep_core.plugins.facts import PluginFact, activated, rejected
from sep_core.plugins.failure import PluginFault
from sep_core.plugins.guard import Guard
from sep_core.plugins.quarantine import Quarantine
from sep_core.plugins.reference import PluginRef, Stage
from sep_core.plugins.registry import Loaded

PROBE_SECONDS: Final = 10.0


async def activate[T](
    loaded: Loaded[T],
    plugin: PluginRef,
    build: Callable[[type[T]], T],
    *,
    guard: Guard,
    quarantine: Quarantine,
    report: Callable[[PluginRef, PluginFact], None],
    probe: Callable[[T], Awaitable[None]] | None = None,
    probe_seconds: float = PROBE_SECONDS,
) -> T:
    """Builds an instance, probes it where `probe` is given, and reports `PluginActivated`.

    Raises `PluginError` with the stage that failed, after `PluginRejected` was reported; a plugin in quarantine
    is not even built.
    """

    def reject(stage: Stage, reason: str) -> PluginError:
        report(plugin, rejected(plugin, stage.label, reason))
        return PluginError(
            f"{plugin.label} takes no part: {reason}",
            plugin=plugin.name,
            stage=stage.label,
            next_step=f"run `sep plugin info {plugin.name}`",
        )

    kept_out = quarantine.reason(plugin)
    if kept_out:
        raise reject(Stage.ALLOWED, f"in quarantine since it {kept_out}")
    try:
        instance = guard.call_sync(plugin, "construct", lambda: build(loaded.cls), returns=loaded.cls)
    except PluginFault as fault:
        raise reject(Stage.CONSTRUCTED, fault.error) from fault
    if probe is not None:
        try:
            await guard.call(plugin, "health", lambda: probe(instance), timeout_seconds=probe_seconds)
        except PluginFault as fault:
            raise reject(Stage.PROBED, fault.error) from fault
    report(plugin, activated(plugin, loaded.dist, loaded.manifest))
    return instance
