"""What may be loaded: the distributions that the configuration lists, and what is built in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sep_core.plugins.discovery import Discovery, FoundPlugin
from sep_core.plugins.names import nearest, normalised
from sep_core.plugins.reference import Rejection, Stage

BUILT_IN: Final = "sep-core"


@dataclass(frozen=True, slots=True)
class Policy:
    """The allow-list; its order is the order of hooks."""

    enabled: tuple[str, ...] = ()

    @classmethod
    def of(cls, enabled: Sequence[str]) -> "Policy":
        """From names as people write them."""
        return cls(tuple(dict.fromkeys(normalised(name) for name in enabled)))

    def judge(self, plugin: FoundPlugin) -> Rejection | None:
        """Why a plugin may not be loaded, or None where it may."""
        if plugin.rejection is not None:
            return plugin.rejection
        if plugin.dist.name != BUILT_IN and plugin.dist.name not in self.enabled:
            return Rejection(
                Stage.ALLOWED,
                f"{plugin.dist.name} is installed but not enabled",
                f'add "{plugin.dist.name}" to [plugins] enabled in sep.toml',
            )
        return None

    def order(self, plugin: FoundPlugin) -> tuple[int, str, str]:
        """The key that sorts plugins: built in, then as configured, then by name."""
        place = self.enabled.index(plugin.dist.name) if plugin.dist.name in self.enabled else -1
        return place, plugin.name, plugin.dist.name

    def missing(self, discovery: Discovery) -> tuple[Rejection, ...]:
        """One rejection for each enabled distribution that brings no plugin or is not installed."""
        known = discovery.dists
        return tuple(
            Rejection(
                Stage.DISCOVERED,
                f"plugins.enabled lists {name!r}, no installed distribution of this name has plugins",
                nearest(name, known) or f"run `uv add {name}`, or take it out of the list",
            )
            for name in self.enabled
            if name not in known
        )

    def conflicts(self, discovery: Discovery) -> tuple[FoundPlugin, ...]:
        """Plugins that two distributions register, where at least one of the two is enabled or built in."""
        clashing = [
            one
            for one in discovery.plugins
            if one.rejection is not None
            and one.rejection.stage is Stage.DISCOVERED
            and sum(other.kind is one.kind and other.name == one.name for other in discovery.plugins) > 1
        ]
        concerned = {
            (one.kind, one.name)
            for one in clashing
            if one.dist.name == BUILT_IN or one.dist.name in self.enabled
        }
        return tuple(one for one in clashing if (one.kind, one.name) in concerned)
