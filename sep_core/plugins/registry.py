"""The registry: hands out one named implementation of a kind, vetted, imported and checked."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sep_hooks.capabilities import PluginKind
from sep_hooks.config import PluginConfig
from sep_hooks.errors import PluginError
from sep_hooks.manifest import PluginManifest

from sep_core.plugins.discovery import Discovery, FoundPlugin
from sep_core.plugins.distribution import Installed
from sep_core.plugins.holding import Holding
from sep_core.plugins.kinds import class_of, kind_of
from sep_core.plugins.loader import VettedEntryPoint, VettedManager
from sep_core.plugins.names import nearest
from sep_core.plugins.policy import Policy
from sep_core.plugins.reference import PluginRef, Rejection, Stage

IMPORT_LIMIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Loaded[T]:
    """An implementation that is imported and type-checked, and where it came from."""

    kind: PluginKind
    name: str
    cls: type[T]
    dist: Installed
    manifest: PluginManifest
    import_seconds: float

    @property
    def version(self) -> str:
        """The version of its distribution."""
        return self.dist.version

    @property
    def config_class(self) -> type[PluginConfig]:
        """The class that its section of the configuration is validated against."""
        return cast(type[PluginConfig], getattr(self.cls, "Config", PluginConfig))

    def ref(self, instance: str, config_digest: str = "") -> PluginRef:
        """How the kernel speaks of one instance of it."""
        return PluginRef(self.kind, self.name, instance, self.dist.name, self.dist.version, config_digest)


@dataclass(frozen=True, slots=True)
class LoadedHooks:
    """An imported module of hook implementations."""

    name: str
    module: object
    dist: Installed
    manifest: PluginManifest

    @property
    def ref(self) -> PluginRef:
        """How the kernel speaks of it."""
        return PluginRef(PluginKind.HOOKS, self.name, self.name, self.dist.name, self.dist.version)


class Registry:
    """Implementations by kind and name, imported when first asked for; one that failed is remembered."""

    def __init__(self, discovery: Discovery, policy: Policy, *, holding: Holding | None = None) -> None:
        self.discovery = discovery
        self.policy = policy
        self._holding = holding or Holding()
        self._loaded: dict[tuple[PluginKind, str], Loaded[Any]] = {}
        self._rejected: dict[tuple[PluginKind, str], tuple[FoundPlugin, Rejection]] = {}

    @property
    def rejected(self) -> Sequence[tuple[FoundPlugin, Rejection]]:
        """What was asked for and could not be loaded, and why."""
        return tuple(self._rejected.values())

    def require(self) -> None:
        """Checks the allow-list against what is installed.

        Raises `PluginError` where two distributions register the same name, or an enabled one is absent.
        """
        conflicts = self.policy.conflicts(self.discovery)
        if conflicts:
            rejection = conflicts[0].rejection
            assert rejection is not None
            raise self._error(conflicts[0].name, rejection)
        missing = self.policy.missing(self.discovery)
        if missing:
            raise PluginError(
                "; ".join(one.reason for one in missing),
                plugin="plugins.enabled",
                stage=Stage.DISCOVERED.label,
                next_step=missing[0].next_step,
            )

    def load[T](self, kind: Callable[..., T], name: str) -> Loaded[T]:
        """The implementation that `use = "<name>"` means; `kind` is the class that it derives from.

        Raises `PluginError` with the stage that it failed to pass.
        """
        key = (kind_of(kind), name)
        known = self._loaded.get(key)
        if known is None:
            known = self._loaded[key] = self._load(*key)
        return known

    def load_hooks(self) -> Sequence[LoadedHooks]:
        """All enabled modules of hooks, in configured order; those that fail are in `rejected`."""
        plugins = [one for one in self.discovery.plugins if one.kind is PluginKind.HOOKS]
        result = []
        for plugin in sorted(plugins, key=self.policy.order):
            rejection = self.policy.judge(plugin)
            if rejection is None:
                try:
                    result.append(self.load_module(plugin))
                    continue
                except PluginError as error:
                    rejection = Rejection(Stage.IMPORTED, error.message, error.next_step)
            if rejection.stage is not Stage.ALLOWED:
                self.reject(plugin, rejection)
        return result

    def load_module(self, plugin: FoundPlugin) -> LoadedHooks:
        """One module of hooks, without asking the policy. Raises `PluginError`."""
        assert plugin.manifest is not None
        module, _ = self._import(plugin)
        return LoadedHooks(plugin.name, module, plugin.dist, plugin.manifest)

    def reject(self, plugin: FoundPlugin, rejection: Rejection) -> None:
        """Remembers that a plugin takes no part in this run."""
        self._rejected[(plugin.kind, plugin.name)] = (plugin, rejection)

    def _load(self, kind: PluginKind, name: str) -> Loaded[Any]:
        plugin = self.discovery.find(kind, name)
        if plugin is None:
            raise self._unknown(kind, name)
        rejection = self.policy.judge(plugin)
        if rejection is not None:
            self.reject(plugin, rejection)
            raise self._error(name, rejection)
        try:
            target, seconds = self._import(plugin)
        except PluginError as error:
            self.reject(plugin, Rejection(Stage.IMPORTED, error.message, error.next_step))
            raise
        wrong = _wrong_class(plugin, target)
        if wrong:
            rejection = Rejection(Stage.CHECKED, wrong, f"run `sep plugin check {plugin.dist.name}`")
            self.reject(plugin, rejection)
            raise self._error(name, rejection)
        assert plugin.manifest is not None
        return Loaded(kind, name, cast(type[Any], target), plugin.dist, plugin.manifest, seconds)

    def _import(self, plugin: FoundPlugin) -> tuple[object, float]:
        entry = VettedEntryPoint(plugin, self._held)
        manager = VettedManager(plugin.kind.group, [entry])
        if manager.failures:
            raise manager.failures[0]
        return manager[plugin.name].plugin, entry.seconds

    def _held(self, plugin: FoundPlugin, load: Callable[[], Any]) -> Any:
        ref = PluginRef(plugin.kind, plugin.name, plugin.name, plugin.dist.name, plugin.dist.version)
        with self._holding.by(ref, "import", limit_seconds=IMPORT_LIMIT_SECONDS):
            return load()

    def _unknown(self, kind: PluginKind, name: str) -> PluginError:
        names = self.discovery.names(kind)
        return PluginError(
            f"no installed plugin is a {kind} called {name!r}",
            plugin=name,
            stage=Stage.DISCOVERED.label,
            next_step=nearest(name, names) or f"installed are: {', '.join(names) or 'none'}",
        )

    @staticmethod
    def _error(name: str, rejection: Rejection) -> PluginError:
        return PluginError(
            rejection.reason, plugin=name, stage=rejection.stage.label, next_step=rejection.next_step
        )


def _wrong_class(plugin: FoundPlugin, target: object) -> str:
    """Why what was imported cannot be used as its kind; empty where it can."""
    expected = class_of(plugin.kind)
    value = plugin.entry_point.value
    if not isinstance(target, type) or not issubclass(target, expected):
        return f"{value} is not a subclass of {expected.__module__}.{expected.__qualname__}"
    if inspect.isabstract(target):
        missing = ", ".join(sorted(getattr(target, "__abstractmethods__", ())))
        return f"{value} leaves abstract: {missing}"
    config = getattr(target, "Config", None)
    if "Config" in getattr(expected, "__annotations__", {}) and not (
        isinstance(config, type) and issubclass(config, PluginConfig)
    ):
        return f"{value} has no class `Config` derived from sep_hooks.config.PluginConfig"
    return ""
