"""How the board calls plugins, so that one of them can neither hang nor break it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol


class PluginGuard(Protocol):
    """Runs one call of one plugin instance, within a budget and a failure policy."""

    async def call[T](
        self, ref: str, name: str, factory: Callable[[], Awaitable[T]], timeout_seconds: float
    ) -> T:
        """The call's answer. Raises what the policy makes of a failure."""
        ...


class DirectGuard:
    """Bounds a call's time and nothing else."""

    async def call[T](
        self, ref: str, name: str, factory: Callable[[], Awaitable[T]], timeout_seconds: float
    ) -> T:
        """The call's answer. Raises what the plugin raises, or `TimeoutError` naming it."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await factory()
        except TimeoutError:
            raise TimeoutError(f"{ref}.{name} took longer than {timeout_seconds:g} s") from None
