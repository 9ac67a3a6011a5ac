"""What `sep plugin list`, `info` and `check` say, as values; `list` and `info` import no plugin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sep_hooks.errors import PluginError

from sep_core.plugins.discovery import Discovery, FoundPlugin
from sep_core.plugins.names import nearest, normalised
from sep_core.plugins.policy import BUILT_IN, Policy
from sep_core.plugins.reference import Stage

type PluginStatus = Literal["built in", "enabled", "disabled", "rejected"]


@dataclass(frozen=True, slots=True)
class PluginRow:
    """One line of `sep plugin list`."""

    kind: str
    name: str
    dist: str
    version: str
    status: PluginStatus
    summary: str
    stage: str
    reason: str
    next_step: str


@dataclass(frozen=True, slots=True)
class PluginList:
    """All installed plugins, and what `plugins.enabled` lists in vain."""

    rows: tuple[PluginRow, ...]
    missing: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing that is enabled is rejected or missing."""
        return not self.missing and all(row.status != "rejected" for row in self.rows)


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """Everything that is known of one plugin without importing it."""

    row: PluginRow
    target: str
    api: str
    record_sha256: str | None
    editable: bool
    capabilities: Mapping[str, str]
    permissions: Mapping[str, tuple[str, ...]]
    chains: tuple[int, ...]
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One thing that `sep plugin check` looked at."""

    plugin: str
    check: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class PluginCheck:
    """The outcome of `sep plugin check`."""

    dist: str
    lines: tuple[CheckLine, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is in order."""
        return all(line.ok for line in self.lines)


def list_plugins(discovery: Discovery, policy: Policy) -> PluginList:
    """Every installed plugin and whether this configuration lets it work. Imports none."""
    rows = [_row(plugin, policy) for plugin in discovery.plugins]
    return PluginList(tuple(rows), tuple(one.reason for one in policy.missing(discovery)))


def plugin_info(discovery: Discovery, policy: Policy, name: str) -> Sequence[PluginInfo]:
    """The plugins that a name means: of an implementation or of a distribution. Imports none.

    Raises `PluginError` for a name that nothing has.
    """
    found = _named(discovery, name)
    return [_info(plugin, policy) for plugin in found]


def check_plugins(discovery: Discovery, name: str) -> PluginCheck:
    """Checks a distribution as its author would: manifest, versions, import, class, purity. Imports it, elsewhere.

    Raises `PluginError` for a name that nothing has.
    """
    from sep_core.plugins.checking import check_found

    found = _named(discovery, name)
    return PluginCheck(found[0].dist.name, tuple(line for plugin in found for line in check_found(plugin)))


def _named(discovery: Discovery, name: str) -> list[FoundPlugin]:
    found = [one for one in discovery.plugins if one.name == name or one.dist.name == normalised(name)]
    if not found:
        known = {one.name for one in discovery.plugins} | set(discovery.dists)
        raise PluginError(
            f"no installed plugin or distribution is called {name!r}",
            plugin=name,
            stage=Stage.DISCOVERED.label,
            next_step=nearest(name, known) or "run `sep plugin list`",
        )
    return found


def _row(plugin: FoundPlugin, policy: Policy) -> PluginRow:
    rejection = policy.judge(plugin)
    status: PluginStatus
    if rejection is None:
        status = "built in" if plugin.dist.name == BUILT_IN else "enabled"
    elif rejection.stage is Stage.ALLOWED:
        status = "disabled"
    else:
        status = "rejected"
    return PluginRow(
        plugin.kind.value,
        plugin.name,
        plugin.dist.name,
        plugin.dist.version,
        status,
        "" if plugin.manifest is None else plugin.manifest.summary,
        "" if rejection is None else rejection.stage.label,
        "" if rejection is None else rejection.reason,
        "" if rejection is None else rejection.next_step,
    )


def _info(plugin: FoundPlugin, policy: Policy) -> PluginInfo:
    manifest = plugin.manifest
    row = _row(plugin, policy)
    target = plugin.entry_point.value
    if manifest is None:
        return PluginInfo(row, target, "", plugin.dist.record_sha256, plugin.dist.editable, {}, {}, (), ())
    asked = manifest.permissions
    return PluginInfo(
        row,
        target,
        manifest.api,
        plugin.dist.record_sha256,
        plugin.dist.editable,
        {one.value: support.value for one, support in manifest.capabilities.items()},
        {"net": asked.net, "sign": asked.sign, "secrets": asked.secrets},
        () if manifest.venue is None else manifest.venue.chains,
        manifest.verbs,
    )
