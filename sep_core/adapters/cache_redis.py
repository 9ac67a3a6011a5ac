"""Read models in Redis: each change is one script, which applies it only where the one before it was applied.

Keys of one log share the slot of a cluster: `sep:{<store id>}:…`. What a Redis forgets is folded again from the log.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, ClassVar, Final
from uuid import UUID

from pydantic import Field, SecretStr
from sep_hooks.cache import ReadModelCache, ReadModelChange
from sep_hooks.config import PluginConfig
from sep_hooks.mirror import MirrorHead, MirrorOutOfPlace, MirrorUnavailable
from sep_hooks.store import Recorded

from sep_core.events.envelope import page_of

ANSWER_SECONDS: Final = 5.0
_APPLIED: Final = -1
_SCANNED: Final = 1000


class RedisConfig(PluginConfig):
    """`[caches.NAME]`: `url` may hold a password; `kept_events` is about how many of the latest events are kept."""

    url: SecretStr
    kept_events: int = Field(default=100_000, ge=1, le=10_000_000)


class RedisCache(ReadModelCache[RedisConfig]):
    """Redis as a cache of read models."""

    Config: ClassVar[type[PluginConfig]] = RedisConfig

    _client: Any = None
    _apply: Any = None
    _listed: Any = None

    async def open(self) -> None:
        """Connects."""
        async with self._answering("answer") as client:
            await client.ping()

    async def last(self, store_id: UUID) -> MirrorHead | None:
        """Where the answers stand."""
        async with self._answering("tell where it stands") as client:
            pos, record = await client.hmget(_key(store_id, "head"), "pos", "record")
        return None if pos is None or record is None else MirrorHead(int(pos), record)

    async def apply(self, store_id: UUID, change: ReadModelChange) -> None:
        """Takes a change in by one script."""
        first = change.events[0].pos
        words: list[bytes | str | int] = [first - 1, self.config.kept_events, len(change.events)]
        for event in change.events:
            words += [event.pos, event.record]
        for one in change.documents:
            order = "" if one.order is None else one.order
            words += [one.kind, one.key, one.body, order, "\n".join(one.labels)]
        keys = [_key(store_id, "head"), _key(store_id, "events"), _key(store_id, "")]
        async with self._answering("take changes"):
            stands = await self._apply(keys=keys, args=words)
        if stands != _APPLIED:
            raise MirrorOutOfPlace(
                f"cache {self.context.instance} stands at position {stands}, {first} does not follow"
            )

    async def clear(self, store_id: UUID) -> None:
        """Deletes the keys of a log; the head goes first, so that a clearing that is cut off is begun again."""
        async with self._answering("forget") as client:
            await client.unlink(_key(store_id, "head"))
            async for key in client.scan_iter(match=_key(store_id, "*"), count=_SCANNED):
                await client.unlink(key)

    async def document(self, store_id: UUID, kind: str, key: str) -> bytes | None:
        """One answer."""
        async with self._answering("answer") as client:
            found: bytes | None = await client.hget(_key(store_id, f"documents:{kind}"), key)
        return found

    async def listed(
        self, store_id: UUID, kind: str, label: str, *, before: int | None, limit: int
    ) -> Sequence[tuple[int, bytes]]:
        """Answers under a label by their order."""
        keys = [_key(store_id, f"list:{kind}:{label}"), _key(store_id, f"documents:{kind}")]
        most = "+inf" if before is None else f"({before}"
        async with self._answering("answer"):
            found = await self._listed(keys=keys, args=[most, limit])
        return [(int(found[at]), found[at + 1]) for at in range(0, len(found), 2)]

    async def events(self, store_id: UUID, *, after: int, limit: int) -> Sequence[Recorded] | None:
        """Events of the stream, whose ids are positions."""
        async with self._answering("answer") as client:
            found = await client.xrange(_key(store_id, "events"), min=f"{after + 1}-0", count=limit)
            stands = int(await client.hget(_key(store_id, "head"), "pos") or 0)
        page = page_of([fields[b"r"] for _, fields in found])
        if page and page[0].pos != after + 1:
            return None
        return page if page or after >= stands else None

    async def close(self) -> None:
        """Closes the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @asynccontextmanager
    async def _answering(self, what: str) -> AsyncIterator[Any]:
        from redis.exceptions import RedisError

        try:
            yield self._connected()
        except (RedisError, OSError, TimeoutError) as error:
            raise MirrorUnavailable(
                f"cache {self.context.instance} does not {what}: {str(error) or type(error).__name__}",
                next_step="see to the Redis server",
            ) from error

    def _connected(self) -> Any:
        if self._client is None:
            from redis.asyncio import Redis

            self._client = Redis.from_url(
                self.config.url.get_secret_value(),
                socket_timeout=ANSWER_SECONDS,
                socket_connect_timeout=ANSWER_SECONDS,
                client_name="sep",
            )
            self._apply = self._client.register_script(_script("cache_redis.lua"))
            self._listed = self._client.register_script(_script("cache_redis_listed.lua"))
        return self._client


def _script(name: str) -> str:
    return (files("sep_core.adapters") / name).read_text()


def _key(store_id: UUID, name: str) -> str:
    return f"sep:{{{store_id}}}:{name}"
