"""Reads of a log that another process may be writing: open read-only, fold, answer, close."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from sep_core.cli.output import Waiting

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

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
    from uuid import uuid4

    from sep_core.adapters.store_sqlite import open_store
    from sep_core.runtime.clock import SystemClock
    from sep_core.runtime.desk import fold
    from sep_core.runtime.queries import Queries

    store = open_store(settings.store.path, writable=False, clock=SystemClock(), ids=uuid4)
    try:
        when = None if as_of is None else _place(as_of)
        world = await fold(store, as_of=when)
        return await ask(Queries(world, store, settings, as_of=when), world)
    finally:
        await store.close()


def _place(as_of: str) -> "int | datetime":
    # The kernel brings chains and venues along: only those who look back pay for them.
    from sep_core.runtime.kernel import moment_or_position

    return moment_or_position(as_of)


async def fold_of(settings: "Settings") -> "World | None":
    """The folded log, or None where there is none."""
    from uuid import uuid4

    from sep_hooks.store import StoreUnavailable

    from sep_core.adapters.store_sqlite import open_store
    from sep_core.runtime.clock import SystemClock
    from sep_core.runtime.desk import fold

    try:
        store = open_store(settings.store.path, writable=False, clock=SystemClock(), ids=uuid4)
    except StoreUnavailable:
        return None
    try:
        return await fold(store)
    finally:
        await store.close()
