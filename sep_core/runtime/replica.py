"""A reader of the log that answers questions as the engine would, in a process of its own. It writes nothing."""

from contextlib import aclosing
from typing import Final

import anyio
from sep_hooks.errors import Retryable
from sep_hooks.store import CaughtUp, StoreUnavailable

from sep_core.events.log_store import LogStore
from sep_core.events.registry import fact_of
from sep_core.runtime.queries import Queries, moment_or_position
from sep_core.runtime.settings import Settings
from sep_core.runtime.state_cache import StateCache
from sep_core.runtime.world import World
from sep_core.telemetry.log import NamedLog

BEHIND_SECONDS: Final = 10.0
"""How long a question waits for the log's head to be taken in."""

_PAUSE_SECONDS: Final = 1.0


class ReplicaBehind(Retryable):
    """The replica has not taken in yet what the log held when the question came."""

    code = "replica_behind"


class Replica:
    """The world as the log tells it, kept up while `follow` runs."""

    def __init__(self, store: LogStore, settings: Settings, version: str) -> None:
        self.store = store
        self._cache = StateCache(settings.store.path, store)
        self.version = version
        self._settings = settings
        self._world = World()
        self._awaited: int | None = None
        self._came = anyio.Event()
        self._log = NamedLog("replica")

    @property
    def position(self) -> int:
        """How far it has come."""
        return self._world.position

    async def catch_up(self) -> None:
        """Takes in all that the log holds now, at once."""
        self._world = await self._cache.fold()

    async def follow(self) -> None:
        """Takes in what is appended, for as long as it runs; a store that is away for a while is waited for."""
        silent = False
        while True:
            try:
                async with aclosing(self.store.subscribe(after=self.position)) as events:
                    async for item in events:
                        silent = False
                        if isinstance(item, CaughtUp):
                            continue
                        self._world.apply(item.stream, fact_of(item))
                        if self._awaited is not None and item.pos >= self._awaited:
                            self._came.set()
                            self._came, self._awaited = anyio.Event(), None
            except StoreUnavailable as error:
                if not silent:
                    self._log.warning("store.silent", reason=error.message, position=self.position)
                silent = True
                await anyio.sleep(_PAUSE_SECONDS)

    async def queries(self, as_of: str | None = None) -> Queries:
        """Reads of the present, at least as the log stands now, or of the world as of a position or RFC 3339 moment.

        Raises `ReplicaBehind`.
        """
        if as_of is not None:
            when = moment_or_position(as_of)
            return Queries(await self._cache.fold(when), self.store, self._settings, as_of=when)
        wanted = (await self.store.head()).pos
        with anyio.move_on_after(BEHIND_SECONDS):
            while self.position < wanted:
                self._awaited = wanted if self._awaited is None else min(self._awaited, wanted)
                await self._came.wait()
        if self.position < wanted:
            raise ReplicaBehind(
                f"this replica stands at position {self.position}, the log at {wanted}",
                next_step="ask again, or ask the engine that leads",
            )
        return Queries(self._world, self.store, self._settings)
