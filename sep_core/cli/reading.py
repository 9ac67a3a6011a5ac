"""Reads of a log that another process may be writing: open read-only, fold, answer, close."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from sep_core.cli.output import Waiting

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sep_core.events.log_store import LogStore
    from sep_core.runtime.queries import Queries
    from sep_core.runtime.settings import Settings
    from sep_core.runtime.world import World


def read[T](
    settings: "Settings", ask: "Callable[[Queries, World], Awaitable[T]]", *, as_of: str | None = None
) -> T:
    """The answer of `ask` over the folded log. Raises `StoreUnavailable` where there is none."""
    with Waiting("reading the log"):
        return asyncio.run(_read(settings, ask, as_of))


def intent_id(settings: "Settings", text: str) -> "UUID":
    """The intent that is meant. Raises `NotFound`."""

    async def ask(queries: "Queries", _: "World") -> "UUID":
        return queries.named(text)

    return read(settings, ask)


async def _read[T](
    settings: "Settings", ask: "Callable[[Queries, World], Awaitable[T]]", as_of: str | None
) -> T:
    from sep_core.runtime.queries import Queries
    from sep_core.runtime.state_cache import StateCache

    store = await log_of(settings)
    try:
        when = None if as_of is None else place(as_of)
        world = await StateCache(settings.store.path, store).fold(when)
        return await ask(Queries(world, store, settings, as_of=when), world)
    finally:
        await store.close()


async def log_of(settings: "Settings") -> "LogStore":
    """The log of a configuration, open for reading. Raises `StoreUnavailable`."""
    from sep_core.runtime.clock import SystemClock
    from sep_core.runtime.settings_secrets import Secrets
    from sep_core.runtime.stores import open_log

    return await open_log(settings, Secrets(os.environ, settings.folder), SystemClock(), writable=False)


def place(as_of: str) -> "int | datetime":
    """The position or moment that `--as-of` names. Raises `BadMoment`."""
    # The kernel brings chains and venues along: only those who look back pay for them.
    from sep_core.runtime.queries import moment_or_position

    return moment_or_position(as_of)


async def fold_of(settings: "Settings") -> "World | None":
    """The folded log, or None where there is none."""
    from sep_hooks.store import StoreUnavailable

    from sep_core.runtime.state_cache import StateCache

    try:
        store = await log_of(settings)
    except StoreUnavailable:
        return None
    try:
        return await StateCache(settings.store.path, store).fold()
    finally:
        await store.close()
