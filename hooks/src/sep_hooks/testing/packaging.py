"""Checks of a plugin's distribution: manifest, entry points and classes say the same, and importing is harmless."""

import importlib
import importlib.util
import inspect
import re
from collections.abc import Sequence
from importlib.metadata import Distribution, EntryPoint, distribution
from pathlib import Path
from typing import ClassVar

from sep_hooks import API_VERSION
from sep_hooks.api_range import api_range
from sep_hooks.bus import EventBus
from sep_hooks.cache import ReadModelCache
from sep_hooks.capabilities import GROUPS, PluginKind
from sep_hooks.chain import ChainAdapter
from sep_hooks.config import PluginConfig
from sep_hooks.manifest import MANIFEST_NAME, Manifest, parse_manifest
from sep_hooks.order_venue import OrderVenue
from sep_hooks.relay import PrivateRelay
from sep_hooks.risk import RiskRule
from sep_hooks.signer import Signer
from sep_hooks.store import EventStore
from sep_hooks.strategy import Strategy
from sep_hooks.testing.import_purity import measure_import
from sep_hooks.venue import VenueAdapter

CLASS_OF: dict[PluginKind, type] = {
    PluginKind.CHAIN: ChainAdapter,
    PluginKind.VENUE: VenueAdapter,
    PluginKind.ORDER_VENUE: OrderVenue,
    PluginKind.RISK: RiskRule,
    PluginKind.STRATEGY: Strategy,
    PluginKind.SIGNER: Signer,
    PluginKind.RELAY: PrivateRelay,
    PluginKind.STORE: EventStore,
    PluginKind.BUS: EventBus,
    PluginKind.CACHE: ReadModelCache,
}
_KIND_OF = {group: kind for kind, group in GROUPS.items()}


class PackagingSuite:
    """Subclass it as `class TestPackaging(PackagingSuite): dist = "sep-venue-foo"`."""

    dist: ClassVar[str]

    def test_p01_has_entry_points(self) -> None:
        """SEP-P01: the distribution registers at least one plugin."""
        assert plugin_entries(distribution(self.dist)), f"{self.dist} has no entry point in a group of SEP"

    def test_p02_manifest_names_each_entry_point(self) -> None:
        """SEP-P02: manifest and entry points name the same plugins, no more and no less."""
        found = distribution(self.dist)
        entries = {(_KIND_OF[entry.group], entry.name) for entry in plugin_entries(found)}
        tables = {(one.kind, one.name) for one in manifest_of(found).plugin}
        assert tables == entries, f"manifest {sorted(tables)}, entry points {sorted(entries)}"

    def test_p03_works_with_this_contract(self) -> None:
        """SEP-P03: every range of versions admits the contract that is installed."""
        for one in manifest_of(distribution(self.dist)).plugin:
            assert api_range(one.api).admits(API_VERSION), f"{one.name}: {one.api} leaves out {API_VERSION}"

    def test_p04_entry_points_are_of_their_kind(self) -> None:
        """SEP-P04: each target is a concrete class of its kind with a `Config`, or a module of hooks."""
        for entry in plugin_entries(distribution(self.dist)):
            wrong = wrong_target(entry)
            assert not wrong, f"{entry.value} {wrong}"

    def test_p05_is_typed_and_licensed(self) -> None:
        """SEP-P05: the package holds `py.typed`, the metadata names a licence."""
        found = distribution(self.dist)
        assert (package_folder(found) / "py.typed").is_file(), "py.typed is missing"
        licence = found.metadata.get("License-Expression") or found.metadata.get("License")
        assert licence, "the metadata name no licence"

    def test_p06_names_agree(self) -> None:
        """SEP-P06: the package is called as the distribution, with underscores."""
        found = distribution(self.dist)
        assert package_folder(found).name == re.sub(r"[-_.]+", "_", found.name).lower()

    def test_p07_import_is_pure(self) -> None:
        """SEP-P07: importing opens no socket, starts no process or thread, writes no file, and is quick."""
        for entry in plugin_entries(distribution(self.dist)):
            report = measure_import(entry.module)
            assert report.ok, f"{entry.module}: {report.error or '; '.join(report.breaches)}"


def plugin_entries(dist: Distribution) -> Sequence[EntryPoint]:
    """The entry points of a distribution that stand in groups of SEP."""
    return [entry for entry in dist.entry_points if entry.group in _KIND_OF]


def package_folder(dist: Distribution) -> Path:
    """The folder of the package that the entry points lead to, found without importing it."""
    packages = {entry.module.partition(".")[0] for entry in plugin_entries(dist)}
    assert len(packages) == 1, f"the entry points lead to several packages: {sorted(packages)}"
    spec = importlib.util.find_spec(packages.pop())
    assert spec is not None, "the package is not installed"
    assert spec.origin is not None, "the package has no __init__.py"
    return Path(spec.origin).parent


def manifest_of(dist: Distribution) -> Manifest:
    """The manifest beside the code. Raises `ManifestInvalid`, or `FileNotFoundError`."""
    return parse_manifest((package_folder(dist) / MANIFEST_NAME).read_text(encoding="utf-8"))


def wrong_target(entry: EntryPoint) -> str:
    """Why an entry point's target is not of its kind; empty where it is."""
    kind = _KIND_OF[entry.group]
    target: object = importlib.import_module(entry.module)
    for name in filter(None, entry.attr.split(".")):
        target = getattr(target, name)
    if kind is PluginKind.HOOKS:
        return "" if inspect.ismodule(target) else "is not a module"
    expected = CLASS_OF[kind]
    if not isinstance(target, type) or not issubclass(target, expected):
        return f"is not a subclass of {expected.__name__}"
    if inspect.isabstract(target):
        return f"leaves abstract: {', '.join(sorted(getattr(target, '__abstractmethods__', ())))}"
    if "Config" in expected.__annotations__:
        config = getattr(target, "Config", None)
        if not (isinstance(config, type) and issubclass(config, PluginConfig)):
            return "has no class `Config` derived from PluginConfig"
    return ""
