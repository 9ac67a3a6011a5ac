"""NATS JetStream and Redis pass the suites of all buses and caches, on real servers."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from pydantic import SecretStr
from sep_hooks.bus import EventBus
from sep_hooks.cache import ReadModelCache, ReadModelChange
from sep_hooks.context import PluginContext
from sep_hooks.mirror import MirrorUnavailable
from sep_hooks.store import Recorded
from sep_hooks.testing.mirror import STORE, BusSuite, CacheSuite, followed, records

from sep_core.adapters.bus_nats import NatsBus, NatsConfig
from sep_core.adapters.cache_redis import RedisCache, RedisConfig
from sep_core.runtime.clock import SystemClock
from sep_core.telemetry.log import NamedLog

from ..harness.servers import NatsServer, RedisServer

pytestmark = pytest.mark.anyio


def _context(name: str) -> PluginContext:
    return PluginContext(name, SystemClock(), NamedLog(name, lambda text: text))


def _bus(server: NatsServer) -> NatsBus:
    return NatsBus(NatsConfig(servers=(SecretStr(server.url),)), _context("main"))


def _cache(server: RedisServer, **more: int) -> RedisCache:
    return RedisCache(RedisConfig(url=SecretStr(server.url), **more), _context("main"))


class TestNats(BusSuite[NatsConfig]):
    """Everything in the suite, and what JetStream adds."""

    @pytest.fixture
    async def opened(
        self, nats_server: NatsServer
    ) -> AsyncIterator[Callable[[], Awaitable[EventBus[NatsConfig]]]]:
        """Clients of one server."""
        made: list[EventBus[NatsConfig]] = []

        async def opened() -> EventBus[NatsConfig]:
            bus = _bus(nats_server)
            made.append(bus)
            await bus.open()
            return bus

        yield opened
        for one in made:
            await one.close()

    async def test_a_stream_cannot_be_purged_and_no_message_deleted(self, nats_server: NatsServer) -> None:
        import nats
        from nats.js.errors import APIError

        bus = _bus(nats_server)
        await bus.last(STORE)
        await bus.publish(STORE, records(1, 3))
        client = await nats.connect(nats_server.url)
        manager, name = client.jsm(), f"SEP_{STORE}"
        with pytest.raises(APIError, match="not permitted"):
            await manager.purge_stream(name)
        with pytest.raises(APIError, match="not permitted"):
            await manager.delete_msg(name, 2)
        assert (await manager.stream_info(name)).state.messages == 3
        await client.close()
        await bus.close()

    async def test_a_server_that_is_gone_is_unavailable_and_then_goes_on(
        self, nats_server: NatsServer
    ) -> None:
        bus = _bus(nats_server)
        await bus.last(STORE)
        await bus.publish(STORE, records(1, 3))
        nats_server.kill()
        with pytest.raises(MirrorUnavailable):
            await bus.publish(STORE, records(4, 5))
        with pytest.raises(MirrorUnavailable):
            await bus.last(STORE)
        nats_server.start()
        stands = await bus.last(STORE)
        # What the server has not synced yet may be gone; what it says is what counts.
        pos = 0 if stands is None else stands.pos
        assert 0 <= pos <= 5
        await bus.publish(STORE, records(pos + 1, 6))
        assert [event.pos for event in await _all(bus)] == list(range(1, 7))
        await bus.close()


class TestRedis(CacheSuite[RedisConfig]):
    """Everything in the suite, and what Redis adds."""

    @pytest.fixture
    async def opened(
        self, redis_server: RedisServer
    ) -> AsyncIterator[Callable[[], Awaitable[ReadModelCache[RedisConfig]]]]:
        """Clients of one server."""
        made: list[ReadModelCache[RedisConfig]] = []

        async def opened() -> ReadModelCache[RedisConfig]:
            cache = _cache(redis_server)
            made.append(cache)
            await cache.open()
            return cache

        yield opened
        for one in made:
            await one.close()

    async def test_old_events_are_left_to_the_log(self, redis_server: RedisServer) -> None:
        cache = _cache(redis_server, kept_events=100)
        for first in range(1, 2001, 500):
            await cache.apply(STORE, ReadModelChange(records(first, first + 499), []))
        assert await cache.events(STORE, after=0, limit=10) is None
        assert await cache.events(STORE, after=1990, limit=50) == records(1991, 2000)
        await cache.close()

    async def test_a_server_that_is_gone_is_unavailable(self, redis_server: RedisServer) -> None:
        cache = _cache(redis_server)
        await cache.apply(STORE, ReadModelChange(records(1, 3), []))
        redis_server.kill()
        with pytest.raises(MirrorUnavailable, match="main"):
            await cache.apply(STORE, ReadModelChange(records(4, 4), []))
        redis_server.start()
        assert await cache.last(STORE) is None
        await cache.apply(STORE, ReadModelChange(records(1, 1), []))
        await cache.close()


async def _all(bus: NatsBus) -> list[Recorded]:
    return await followed(bus, 0)
