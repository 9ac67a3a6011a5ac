"""What is installed: entry points and their manifests, found without importing any plugin."""

import importlib.util
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from sep_hooks import API_VERSION
from sep_hooks.api_range import api_range
from sep_hooks.capabilities import GROUPS, PluginKind
from sep_hooks.manifest import MANIFEST_NAME, Manifest, ManifestInvalid, PluginManifest, parse_manifest

from sep_core.plugins.distribution import Installed, installed, shadowed
from sep_core.plugins.reference import Rejection, Stage

_KIND_OF_GROUP = {group: kind for kind, group in GROUPS.items()}


@dataclass(frozen=True, slots=True)
class FoundPlugin:
    """One entry point of a plugin group. `rejection` says why it can never be loaded, if so."""

    kind: PluginKind
    name: str
    entry_point: EntryPoint
    dist: Installed
    manifest: PluginManifest | None = None
    rejection: Rejection | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """All plugins that are installed, by kind and name."""

    plugins: tuple[FoundPlugin, ...]

    def find(self, kind: PluginKind, name: str) -> FoundPlugin | None:
        """The plugin of this kind and name; of two with the same, either (both are rejected)."""
        return next((one for one in self.plugins if one.kind is kind and one.name == name), None)

    def names(self, kind: PluginKind) -> tuple[str, ...]:
        """All names of a kind."""
        return tuple(sorted({one.name for one in self.plugins if one.kind is kind}))

    @property
    def dists(self) -> Mapping[str, Installed]:
        """The distributions that bring plugins, by normalised name."""
        return {one.dist.name: one.dist for one in self.plugins}


def discover(entries: Iterable[EntryPoint] | None = None) -> Discovery:
    """Reads the metadata of everything installed, once, and each plugin's manifest. Imports no plugin."""
    found = []
    dists: dict[str, Installed] = {}
    manifests: dict[str, Manifest | Rejection] = {}
    for entry in entry_points() if entries is None else entries:
        kind = _KIND_OF_GROUP.get(entry.group)
        if kind is None or entry.dist is None:
            continue
        if entry.dist.name not in dists:
            dists[entry.dist.name] = installed(entry.dist)
        dist = dists[entry.dist.name]
        package = entry.module.partition(".")[0]
        key = f"{dist.name}/{package}"
        if key not in manifests:
            manifests[key] = _read_manifest(entry, package)
        found.append(_judged(FoundPlugin(kind, entry.name, entry, dist), manifests[key]))
    ordered = sorted(found, key=lambda one: (one.kind, one.name, one.dist.name, one.entry_point.value))
    return Discovery(tuple(_without_duplicates(ordered)))


def _judged(plugin: FoundPlugin, manifest: Manifest | Rejection) -> FoundPlugin:
    if isinstance(manifest, Rejection):
        return replace(plugin, rejection=manifest)
    entry = manifest.entry(plugin.kind, plugin.name)
    if entry is None:
        return replace(
            plugin,
            rejection=Rejection(
                Stage.MANIFEST,
                f"the manifest of {plugin.dist.name} has no table for the {plugin.kind} {plugin.name!r}",
                f"add a [[plugin]] with this name and kind to its {MANIFEST_NAME}",
            ),
        )
    if not api_range(entry.api).admits(API_VERSION):
        return replace(
            plugin,
            manifest=entry,
            rejection=Rejection(
                Stage.API,
                f"{plugin.dist.name} {plugin.dist.version} works with versions {entry.api} of the contract, "
                f"this kernel has {API_VERSION}",
                f"run `uv add --upgrade-package {plugin.dist.name} {plugin.dist.name}`",
            ),
        )
    return replace(plugin, manifest=entry)


def _without_duplicates(plugins: list[FoundPlugin]) -> list[FoundPlugin]:
    groups: dict[tuple[PluginKind, str], list[FoundPlugin]] = defaultdict(list)
    for plugin in plugins:
        groups[(plugin.kind, plugin.name)].append(plugin)
    result = []
    for (kind, name), group in groups.items():
        if len(group) == 1:
            result.extend(group)
            continue
        owners = " and ".join(f"{one.dist.name} {one.dist.version}" for one in group)
        rejection = Rejection(
            Stage.DISCOVERED,
            f"the {kind} {name!r} is registered by {owners}; none of them was imported",
            f"uninstall all but one: `uv remove {group[-1].dist.name}`",
        )
        result.extend(replace(one, rejection=rejection) for one in group)
    return result


def _read_manifest(entry: EntryPoint, package: str) -> Manifest | Rejection:
    folder = _package_folder(package)
    if isinstance(folder, Rejection):
        return folder
    assert entry.dist is not None
    elsewhere = shadowed(entry.dist, package, folder)
    if elsewhere:
        return Rejection(
            Stage.DISCOVERED,
            f"{entry.dist.name} installed {package} in {elsewhere}, Python finds another one in {folder}",
            "remove the shadowing folder from the search path, start with `python -P`",
        )
    path = folder / MANIFEST_NAME
    try:
        return parse_manifest(path.read_text(encoding="utf-8"), source=f"{package}/{MANIFEST_NAME}")
    except FileNotFoundError:
        return Rejection(
            Stage.MANIFEST,
            f"{entry.dist.name} has no {MANIFEST_NAME} in its package {package}",
            "ask its author for a release with a manifest",
        )
    except (OSError, UnicodeDecodeError) as error:
        return Rejection(Stage.MANIFEST, f"{package}/{MANIFEST_NAME} cannot be read: {error}")
    except ManifestInvalid as error:
        return Rejection(Stage.MANIFEST, error.message)


def _package_folder(package: str) -> Path | Rejection:
    """The folder of a top-level package. Asking for anything deeper would import the package."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError, AttributeError) as error:
        return Rejection(Stage.DISCOVERED, f"the package {package!r} cannot be located: {error}")
    if spec is None:
        return Rejection(Stage.DISCOVERED, f"the package {package!r} is not installed where Python looks")
    locations = list(spec.submodule_search_locations or ())
    if spec.origin is None or not locations:
        what = "a namespace package, which several distributions can fill" if locations else "a single module"
        return Rejection(
            Stage.DISCOVERED,
            f"{package!r} is {what}; a plugin is a regular package with a manifest beside its code",
        )
    return Path(locations[0])
