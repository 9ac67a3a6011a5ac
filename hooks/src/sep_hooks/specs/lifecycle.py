"""Hooks around the life of the kernel and of plugins."""

from sep_hooks.markers import hookspec
from sep_hooks.specs.observer import ObserverContext


@hookspec
async def sep_kernel_started(ctx: ObserverContext) -> None:
    """The kernel accepts work."""


@hookspec
async def sep_kernel_stopping(ctx: ObserverContext) -> None:
    """The kernel accepts no more work and drains."""


@hookspec
async def sep_plugin_faulted(plugin: str, error: str, ctx: ObserverContext) -> None:
    """A plugin raised, timed out or answered nonsense."""


@hookspec
async def sep_plugin_quarantined(plugin: str, reason: str, ctx: ObserverContext) -> None:
    """A plugin is no longer asked."""
