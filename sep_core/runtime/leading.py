"""Who leads a log: the engine that holds it, and standbys that take over once it is gone or silent."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import anyio
from sep_hooks.context import Clock
from sep_hooks.store import Fenced, StoreLocked, StoreUnavailable

from sep_core.events.log_store import LogStore
from sep_core.runtime.settings import Settings
from sep_core.runtime.settings_secrets import Secrets
from sep_core.runtime.stores import leader_silence, open_log

RENEW_SECONDS: Final = 2.0
"""How often a leader says that it lives."""

LEASE_SECONDS: Final = 10.0
"""A leader that is silent for so long is taken for dead or paused. The epoch, not this time, keeps it from writing."""

LOOK_SECONDS: Final = 0.5
"""How often a standby looks."""


async def open_leading(
    settings: Settings, secrets: Secrets, clock: Clock, standby: Callable[[str], None] | None
) -> LogStore:
    """The log, open for writing under a new epoch. With `standby`, which hears why it waits, waits for its turn.

    A leader that is gone has left its lock. One that holds it and is silent for the lease is displaced where the store
    can do that (PostgreSQL); a lock of the operating system goes with its process alone (SQLite). Raises as `open_log`.
    """
    if standby is None:
        return await open_log(settings, secrets, clock, writable=True)
    seen: tuple[str, int] | None = None
    since, told, waits = anyio.current_time(), "", False
    while True:
        now = anyio.current_time()
        try:
            last = await leader_silence(settings, secrets) if waits else None
            if last is not None and last[:2] != seen:
                seen, since = last[:2], now
            # Only silence that was watched counts: one who has just taken over may not have said so yet.
            silent = last is not None and last[2] >= LEASE_SECONDS and now - since >= LEASE_SECONDS
            epoch = last[1] if last is not None and silent else None
            store = await open_log(settings, secrets, clock, writable=True, take_over=epoch)
            try:
                await store.renew()  # at once, or another standby takes the silence before for this one's
            except BaseException:
                await store.close()
                raise
            return store
        except (StoreLocked, Fenced) as error:  # fenced: another standby was faster
            waits, why = True, error.message
        except StoreUnavailable as error:
            if not waits:
                raise
            why = error.message
        if why != told:
            standby(why)
            told = why
        await anyio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def leading(store: LogStore) -> AsyncIterator[None]:
    """While it lasts, this leader says again and again that it lives. Raises `Fenced` once another has taken over."""
    if not store.leased:
        yield
        return
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_renew, store)
            yield
            group.cancel_scope.cancel()
    except BaseExceptionGroup as raised:
        if len(raised.exceptions) > 1:
            raise
        raise raised.exceptions[0] from None


async def _renew(store: LogStore) -> None:
    while True:
        with suppress(StoreUnavailable):  # the server is away: who appends waits for it, and says so
            await store.renew()
        await anyio.sleep(RENEW_SECONDS)
