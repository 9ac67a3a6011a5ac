"""Imports plugins that were vetted, and nothing else.

stevedore's own discovery loses the distribution, believes a cache that any program of the user can write, and lets some
exceptions of a plugin end the host; so its only public seam, `list_entry_points`, is given our entry points instead.
"""

import time
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from typing import Any

from sep_hooks.errors import PluginError
from stevedore.named import NamedExtensionManager

from sep_core.plugins.discovery import FoundPlugin
from sep_core.plugins.failure import described
from sep_core.plugins.reference import Stage


class PluginImportFailed(PluginError):
    """A plugin's code could not be imported; `cause` is what it raised."""

    code = "plugin_import_failed"

    def __init__(self, plugin: FoundPlugin, cause: BaseException) -> None:
        super().__init__(
            f"importing {plugin.entry_point.value} of {plugin.dist.name} {plugin.dist.version} failed: "
            f"{described(cause)}",
            plugin=plugin.name,
            stage=Stage.IMPORTED.label,
            next_step=f"run `sep plugin check {plugin.dist.name}`",
        )
        self.dist = plugin.dist.name
        self.version = plugin.dist.version
        self.cause = cause


class VettedEntryPoint(EntryPoint):
    """An entry point that passed the policy. Whatever its import raises becomes `PluginImportFailed`."""

    found: FoundPlugin
    seconds: float

    def __init__(self, found: FoundPlugin, around: Callable[[FoundPlugin, Callable[[], Any]], Any]) -> None:
        entry = found.entry_point
        super().__init__(entry.name, entry.value, entry.group)
        vars(self).update(found=found, dist=entry.dist, seconds=0.0, _around=around)

    def load(self) -> Any:
        """Imports the module and takes the attribute. Raises `PluginImportFailed`."""
        started = time.perf_counter()
        try:
            return vars(self)["_around"](self.found, super().load)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise PluginImportFailed(self.found, error) from error
        finally:
            vars(self)["seconds"] = time.perf_counter() - started


class VettedManager(NamedExtensionManager[Any]):
    """stevedore's manager over vetted entry points of one group."""

    def __init__(self, group: str, entries: Sequence[VettedEntryPoint]) -> None:
        self._vetted = entries
        self.failures: list[PluginImportFailed] = []
        super().__init__(
            group,
            names=[entry.name for entry in entries],
            name_order=True,
            on_load_failure_callback=self._failed,
            on_missing_entrypoints_callback=None,
        )

    def list_entry_points(self) -> list[EntryPoint]:
        """The vetted ones; no cache is read, no path searched."""
        return list(self._vetted)

    def _failed(self, _manager: object, _entry: EntryPoint, error: BaseException) -> None:
        assert isinstance(error, PluginImportFailed)
        self.failures.append(error)
