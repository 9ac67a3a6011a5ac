"""Facts about plugins, made from what the kernel knows of them."""

from sep_hooks.errors import PluginError
from sep_hooks.manifest import PluginManifest

from sep_core.events.facts.plugin import (
    PluginActivated,
    PluginFaulted,
    PluginQuarantined,
    PluginRejected,
    PluginReleased,
)
from sep_core.plugins.discovery import FoundPlugin
from sep_core.plugins.distribution import Installed
from sep_core.plugins.failure import Consequence, FaultKind
from sep_core.plugins.reference import PluginRef, Rejection

type PluginFact = PluginActivated | PluginRejected | PluginFaulted | PluginQuarantined | PluginReleased


def activated(plugin: PluginRef, dist: Installed, manifest: PluginManifest) -> PluginActivated:
    """The plugin works in this run."""
    asked = manifest.permissions
    permissions = [
        *(f"net:{one}" for one in asked.net),
        *(f"sign:{one}" for one in asked.sign),
        *(f"secret:{one}" for one in asked.secrets),
    ]
    return PluginActivated(
        plugin.kind.value,
        plugin.name,
        plugin.instance,
        plugin.dist,
        plugin.version,
        dist.record_sha256,
        dist.editable,
        manifest.api,
        tuple(sorted((one.value, support.value) for one, support in manifest.capabilities.items())),
        tuple(permissions),
        plugin.config_digest,
    )


def rejected(plugin: PluginRef, stage: str, reason: str) -> PluginRejected:
    """The plugin takes no part in this run."""
    return PluginRejected(
        plugin.kind.value, plugin.name, plugin.instance, plugin.dist, plugin.version, stage, reason
    )


def rejected_by(plugin: PluginRef, error: PluginError) -> PluginRejected:
    """The plugin takes no part in this run, because of what loading it raised."""
    return rejected(plugin, error.stage, error.message)


def rejected_at_load(found: FoundPlugin, rejection: Rejection) -> tuple[PluginRef, PluginRejected]:
    """The same for a plugin that has no instance yet."""
    ref = PluginRef(found.kind, found.name, found.name, found.dist.name, found.dist.version)
    return ref, rejected(ref, rejection.stage.label, rejection.reason)


def faulted(plugin: PluginRef, call: str, fault: FaultKind, error: str, strike: int) -> PluginFaulted:
    """A call gave no usable answer."""
    return PluginFaulted(
        plugin.kind.value, plugin.name, plugin.instance, plugin.dist, call, fault, error, strike
    )


def quarantined(plugin: PluginRef, consequence: Consequence, reason: str) -> PluginQuarantined:
    """The plugin is asked no more."""
    return PluginQuarantined(
        plugin.kind.value,
        plugin.name,
        plugin.instance,
        plugin.dist,
        plugin.version,
        plugin.config_digest,
        consequence,
        reason,
    )


def released(plugin: PluginRef, reason: str) -> PluginReleased:
    """The plugin is asked again."""
    return PluginReleased(plugin.kind.value, plugin.name, plugin.instance, reason)
