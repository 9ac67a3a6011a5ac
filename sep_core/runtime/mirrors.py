"""Mirrors of the log: each fed from where it stands, for as long as it takes; none can hold up the engine.

They are fed beside the engine, from the log that it has made durable. The log is the outbox: nothing is remembered
of what was sent but what the mirror itself says that it holds.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, Protocol
from uuid import UUID

import anyio
from sep_hooks.bus import EventBus
from sep_hooks.cache import ReadModelCache
from sep_hooks.context import Clock, PluginContext
from sep_hooks.errors import ConfigurationError
from sep_hooks.mirror import MirrorForked, MirrorHead, MirrorOutOfPlace, MirrorUnavailable
from sep_hooks.store import EventStore, Recorded

from sep_core.events.projection import Progress, ReadModel, project
from sep_core.plugins.discovery import discover
from sep_core.plugins.policy import Policy
from sep_core.plugins.registry import Registry
from sep_core.runtime.read_model import ReadModelFold
from sep_core.runtime.settings import MirrorSettings, Settings
from sep_core.runtime.settings_secrets import Secrets, load_section
from sep_core.telemetry.log import NamedLog

_PAUSES: Final = (0.1, 0.5, 2.0, 5.0)
"""How long to wait before a mirror that did not answer is asked again, the last one for ever."""


@dataclass(frozen=True, slots=True)
class Fed:
    """What became of a mirror just now. `trouble` is why it does not go on, empty while it does."""

    mirror: str
    pos: int
    lag: int
    trouble: str = ""


class Mirrors:
    """The configured buses and caches by name, made but not connected."""

    def __init__(self, buses: Mapping[str, EventBus[Any]], caches: Mapping[str, ReadModelCache[Any]]) -> None:
        self.buses = buses
        self.caches = caches

    @classmethod
    def of(cls, settings: Settings, environ: Mapping[str, str], clock: Clock) -> "Mirrors":
        """What the configuration names. Raises `ConfigurationError` or `PluginError`."""
        registry = Registry(discover(), Policy.of(settings.plugins_enabled))
        secrets = Secrets(environ, settings.folder)

        def made(kind: Callable[..., Any], section: str, said: MirrorSettings) -> Any:
            loaded = registry.load(kind, said.use)
            config = load_section(
                f"{section}.{said.instance}",
                said.rest,
                loaded.config_class,
                secrets,
                source=settings.source,
                folder=settings.folder,
            ).config
            context = PluginContext(said.instance, clock, NamedLog(said.instance, secrets.redact))
            return loaded.cls(config, context)

        return cls(
            {name: made(EventBus, "buses", said) for name, said in settings.buses.items()},
            {name: made(ReadModelCache, "caches", said) for name, said in settings.caches.items()},
        )

    def bus(self, name: str) -> EventBus[Any]:
        """A bus by its name. Raises `ConfigurationError`."""
        found = self.buses.get(name)
        if found is None:
            known = ", ".join(sorted(self.buses)) or "none"
            raise ConfigurationError(
                f"there is no [buses.{name}]; known are {known}",
                pointer="buses",
                next_step="name one of them, or add the table",
            )
        return found

    def feeds(self, store: EventStore, settings: Settings) -> Sequence["Feed"]:
        """What feeds each of them from a log."""
        buses = [Feed(f"bus {name}", store, BusModel(store, bus)) for name, bus in self.buses.items()]
        caches = [
            Feed(f"cache {name}", store, CacheModel(store, cache, settings))
            for name, cache in self.caches.items()
        ]
        return [*buses, *caches]

    def doors(self) -> Sequence[tuple[str, Callable[[], Awaitable[None]]]]:
        """How each is opened, by its name."""
        buses = [(f"bus {name}", bus.open) for name, bus in self.buses.items()]
        return [*buses, *((f"cache {name}", cache.open) for name, cache in self.caches.items())]

    async def close(self) -> None:
        """Lets go of all connections."""
        async with AsyncExitStack() as stack:
            for bus in self.buses.values():
                stack.push_async_callback(bus.close)
            for cache in self.caches.values():
                stack.push_async_callback(cache.close)


class BusModel:
    """A bus as a read model: the log's own records."""

    def __init__(self, store: EventStore, bus: EventBus[Any]) -> None:
        self._store = store
        self._bus = bus

    async def progress(self) -> Progress | None:
        """Where the bus stands. Raises `MirrorForked`."""
        return await _progress(self._store, self._bus)

    async def apply(self, events: Sequence[Recorded], progress: Progress) -> None:
        """Publishes events."""
        if events:
            await self._bus.publish(progress.store_id, events)


class CacheModel:
    """A cache as a read model: answers, folded here."""

    def __init__(self, store: EventStore, cache: ReadModelCache[Any], settings: Settings) -> None:
        self._store = store
        self._cache = cache
        self._settings = settings
        self._fold = ReadModelFold(store, settings)

    async def progress(self) -> Progress | None:
        """Where the cache stands; the fold is brought there. Raises `MirrorForked`."""
        progress = await _progress(self._store, self._cache)
        pos = 0 if progress is None else progress.pos
        if progress is None:
            await self._cache.clear(self._store.store_id)
        if self._fold.pos > pos:
            self._fold = ReadModelFold(self._store, self._settings)
        async for event in self._store.read_all(after=self._fold.pos, as_of=pos):
            self._fold.fold([event])
        return progress

    async def apply(self, events: Sequence[Recorded], progress: Progress) -> None:
        """Tells the cache what events make of the answers."""
        if events:
            await self._cache.apply(progress.store_id, await self._fold.take(events))


class Feed:
    """Keeps one mirror up to date."""

    def __init__(self, name: str, store: EventStore, model: ReadModel) -> None:
        self.name = name
        self._store = store
        self._model = model

    async def run(self, told: Callable[[Fed], None], *, until: int | None = None) -> None:
        """Feeds until cancelled, or until the mirror has reached position `until`.

        A mirror that does not answer is asked again, for ever. Raises `MirrorForked`, `LogReplaced` or `LogBroken`.
        """
        failures = 0
        while True:
            follower = _Told(self.name, self._store, self._model, told)
            try:
                await project(self._store, follower, until=until)
                return
            except (MirrorUnavailable, MirrorOutOfPlace) as error:
                failures = 0 if follower.has_moved else failures + 1
                pause = _PAUSES[min(failures, len(_PAUSES) - 1)]
                told(await follower.standing(error.message))
            await anyio.sleep(pause)


class _Told:
    """A read model that says how far it is."""

    def __init__(self, name: str, store: EventStore, model: ReadModel, told: Callable[[Fed], None]) -> None:
        self._name = name
        self._store = store
        self._model = model
        self._told = told
        self._pos = 0
        self.has_moved = False

    async def progress(self) -> Progress | None:
        progress = await self._model.progress()
        self._pos = 0 if progress is None else progress.pos
        self._told(await self.standing())
        return progress

    async def apply(self, events: Sequence[Recorded], progress: Progress) -> None:
        await self._model.apply(events, progress)
        self._pos, self.has_moved = progress.pos, True
        self._told(await self.standing())

    async def standing(self, trouble: str = "") -> Fed:
        head = await self._store.head()
        return Fed(self._name, self._pos, head.pos - self._pos, trouble)


class _Mirror(Protocol):
    async def last(self, store_id: UUID) -> MirrorHead | None: ...


async def _progress(store: EventStore, mirror: _Mirror) -> Progress | None:
    """Where a mirror stands, once its last event is the log's own at that place."""
    last = await mirror.last(store.store_id)
    if last is None:
        return None
    head = await store.head()
    step = (
        "find out which of the two is right before anything is sent: was the log restored to the past? Then delete the"
        " mirror's copy; it is made again from the log"
    )
    if last.pos > head.pos:
        raise MirrorForked(
            f"the mirror holds position {last.pos} of log {store.store_id}, the log ends at {head.pos}",
            next_step=step,
        )
    async for event in store.read_all(after=last.pos - 1, limit=1):
        if event.record != last.record:
            raise MirrorForked(
                f"at position {last.pos} the mirror holds another event than log {store.store_id}",
                next_step=step,
            )
    return Progress(store.store_id, last.pos)
