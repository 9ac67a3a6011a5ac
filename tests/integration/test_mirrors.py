"""Mirrors beside a real log: the same bytes and answers elsewhere, whatever is killed, wiped, late or forked."""

import asyncio
import itertools
import json
import random
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import anyio
import pytest
from pydantic import SecretStr
from sep_hooks.cache import ReadModelChange
from sep_hooks.context import PluginContext
from sep_hooks.mirror import MirrorForked
from sep_hooks.store import Exact, NewEvent, Recorded, StreamWrite
from sep_hooks.types import IntentStatus

from sep_core.adapters.bus_nats import NatsBus, NatsConfig
from sep_core.adapters.cache_redis import RedisCache, RedisConfig
from sep_core.adapters.store_sqlite import SqliteStore, open_store
from sep_core.events.projection import project
from sep_core.runtime.cached_queries import CachedQueries
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.desk import fold
from sep_core.runtime.mirrors import BusModel, CacheModel, Fed, Feed
from sep_core.runtime.queries import NotFound, Queries
from sep_core.runtime.settings import Settings, load_settings
from sep_core.telemetry.log import NamedLog

from ..harness.servers import NatsServer, RedisServer
from .command import refused, running, sep

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a log with a little of everything."""
    folder = tmp_path_factory.mktemp("demo")
    assert sep("demo", "--quiet", cwd=folder).out == "ok\n"
    return folder / "sep-demo" / "sep.toml"


@pytest.fixture
def settings(demonstrated: Path) -> Settings:
    """What that configuration says."""
    return load_settings(demonstrated, {})


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[SqliteStore]:
    """That log, read-only."""
    opened = _open(settings, writable=False)
    yield opened
    await opened.close()


def _open(settings: Settings, *, writable: bool) -> SqliteStore:
    return open_store(
        settings.store.path,
        writable=writable,
        clock=SystemClock(),
        ids=lambda: UUID(int=random.getrandbits(128)),
    )


def _context() -> PluginContext:
    return PluginContext("main", SystemClock(), NamedLog("main", lambda text: text))


def _bus(server: NatsServer) -> NatsBus:
    return NatsBus(NatsConfig(servers=(SecretStr(server.url),)), _context())


def _cache(server: RedisServer) -> RedisCache:
    return RedisCache(RedisConfig(url=SecretStr(server.url)), _context())


def _with_mirrors(config: Path, folder: Path, *, nats: str = "", redis: str = "") -> Path:
    """The configuration with mirrors, beside its own."""
    text = config.read_text()
    if nats:
        text += f'\n[buses.main]\nuse = "nats"\nservers = ["{nats}"]\n'
    if redis:
        text += f'\n[caches.main]\nuse = "redis"\nurl = "{redis}"\n'
    # Relative paths of a configuration start from its folder.
    path = config.parent / f"mirrors-{folder.name}.toml"
    path.write_text(text)
    return path


async def test_a_cache_answers_as_the_engine_would_at_every_position(
    store: SqliteStore, settings: Settings, redis_server: RedisServer
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    drawn = random.Random(seed)
    cache, head = _cache(redis_server), (await store.head()).pos
    model, pos, compared = CacheModel(store, cache, settings), 0, 0
    while pos < head:
        pos = min(head, pos + drawn.randint(1, 8))
        await project(store, model, until=pos)
        compared += await _compare(store, settings, cache, pos, drawn)
        if drawn.random() < 0.2:  # a process that was killed begins anew from what the cache holds
            model = CacheModel(store, cache, settings)
    assert compared > 50
    await cache.close()


async def _compare(
    store: SqliteStore, settings: Settings, cache: RedisCache, pos: int, drawn: random.Random
) -> int:
    world = await fold(store, as_of=pos)
    live, cached = Queries(world, store, settings, as_of=pos), CachedQueries(cache, store, settings)
    assert await cached.portfolio() == await live.portfolio()
    for intent_id, state in world.intents.items():
        assert await cached.intent(intent_id) == await live.intent(intent_id)
        assert await _or_none(cached.plan(intent_id)) == await _or_none(live.plan(intent_id))
        if state.intent.parent is None:
            strategy, client_id = state.intent.strategy, state.intent.client_id
            assert await cached.by_client_id(strategy, client_id) == await live.by_client_id(
                strategy, client_id
            )
    strategies = [None, *{one.intent.strategy for one in world.intents.values()}, "nobody"]
    for status in (None, drawn.choice(list(IntentStatus)), "SETTLED"):
        for strategy in strategies:
            for limit in (1, 2, 500):
                cursor = None
                while True:
                    asked: dict[str, Any] = {
                        "status": status,
                        "strategy": strategy,
                        "cursor": cursor,
                        "limit": limit,
                    }
                    page = await cached.intents(**asked)
                    assert page.items == (await live.intents(**asked)).items
                    cursor = page.next_cursor
                    if cursor is None:
                        break
    after, limit = drawn.randint(0, pos), drawn.randint(1, 30)
    page = await cached.events(after=after, limit=limit)
    assert page.items == (await live.events(after=after, limit=limit)).items
    assert page.head == pos
    filtered = await cached.events(after=0, limit=5, stream="intent:", types=["IntentReceived"])
    assert (
        filtered.items
        == (await live.events(after=0, limit=5, stream="intent:", types=["IntentReceived"])).items
    )
    return len(world.intents)


async def _or_none[T](asked: Any) -> T | None:
    try:
        return await asked
    except NotFound:
        return None


async def test_a_bus_holds_the_very_bytes_and_a_wiped_one_gets_them_again(
    store: SqliteStore, nats_server: NatsServer
) -> None:
    head = (await store.head()).pos
    wanted = [event async for event in store.read_all(after=0)]
    for _ in range(2):
        bus = _bus(nats_server)
        await project(store, BusModel(store, bus), until=head)
        assert await _followed(bus, store.store_id, head) == wanted
        # Sent again from the beginning, as after a crash that forgot everything: nothing is added.
        await project(store, BusModel(store, bus), until=head)
        assert (await bus.last(store.store_id)) is not None
        await bus.close()
        nats_server.wipe()


async def _followed(bus: NatsBus, store_id: UUID, until: int) -> list[Recorded]:
    found: list[Recorded] = []
    items = bus.follow(store_id, after=0)
    async for item in items:
        if isinstance(item, Recorded):
            found.append(item)
            if item.pos == until:
                break
    await items.aclose()
    return found


async def test_what_holds_more_or_something_else_than_the_log_is_a_fork(
    tmp_path: Path, nats_server: NatsServer
) -> None:
    log, bus = _plain_log(tmp_path / "data"), _bus(nats_server)
    await _append(log, 3)
    await project(log, BusModel(log, bus), until=3)
    (last,) = [event async for event in log.read_all(after=2)]
    alien = {**last.envelope, "pos": 4}
    await bus.publish(log.store_id, [Recorded(json.dumps(alien).encode())])
    with pytest.raises(MirrorForked, match=r"holds position 4 .* ends at 3"):
        await project(log, BusModel(log, bus))
    await _append(log, 1)
    with pytest.raises(MirrorForked, match="at position 4 the mirror holds another event"):
        await project(log, BusModel(log, bus))
    await bus.close()
    await log.close()


async def test_a_cache_that_has_seen_more_than_the_log_is_a_fork(
    store: SqliteStore, settings: Settings, redis_server: RedisServer
) -> None:
    head, cache = (await store.head()).pos, _cache(redis_server)
    await project(store, CacheModel(store, cache, settings), until=head)
    (last,) = [event async for event in store.read_all(after=head - 1)]
    alien = {**last.envelope, "pos": head + 1}
    beyond = ReadModelChange([Recorded(json.dumps(alien).encode())], [])
    await cache.apply(store.store_id, beyond)
    with pytest.raises(MirrorForked, match=f"holds position {head + 1}"):
        await project(store, CacheModel(store, cache, settings))
    await cache.close()


async def test_servers_are_killed_under_load_and_nothing_is_lost_or_doubled(
    tmp_path: Path, nats_server: NatsServer
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    drawn = random.Random(seed)
    log, bus = _plain_log(tmp_path / "data"), _bus(nats_server)
    told = _Telling()
    async with anyio.create_task_group() as group:
        group.start_soon(Feed("bus main", log, BusModel(log, bus)).run, told)
        for _ in range(4):
            await _append(log, drawn.randint(1, 700))
            nats_server.kill()
            await _append(log, drawn.randint(1, 300))
            troubled = await told.until(lambda fed: bool(fed.trouble))
            assert "does not" in troubled.trouble
            nats_server.start()
            head = (await log.head()).pos
            await told.until(lambda fed, at=head: fed.pos == at and not fed.trouble)  # type: ignore[misc]
        group.cancel_scope.cancel()
    wanted = [event async for event in log.read_all(after=0)]
    reader = _bus(nats_server)
    assert await _followed(reader, log.store_id, len(wanted)) == wanted
    await reader.close()
    await bus.close()
    await log.close()


class _Telling:
    """What a feed says last."""

    def __init__(self) -> None:
        self._last: Fed | None = None
        self._changed = anyio.Event()

    def __call__(self, fed: Fed) -> None:
        self._last = fed
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, holds: Callable[[Fed], bool]) -> Fed:
        with anyio.fail_after(30):
            while self._last is None or not holds(self._last):
                await self._changed.wait()
        return self._last


def _plain_log(folder: Path) -> SqliteStore:
    ids = itertools.count(1)
    return open_store(folder, writable=True, clock=SystemClock(), ids=lambda: UUID(int=next(ids)))


async def _append(log: SqliteStore, count: int) -> None:
    first = (await log.head()).pos
    events = [
        NewEvent(uuid5(log.store_id, f"{first + n}"), "Noted", 1, {"n": first + n}) for n in range(count)
    ]
    await log.append([StreamWrite("s:1", Exact(first), events)])


def test_the_verbs_feed_follow_and_resume(
    demonstrated: Path, tmp_path: Path, nats_server: NatsServer, redis_server: RedisServer
) -> None:
    config = _with_mirrors(demonstrated, tmp_path, nats=nats_server.url, redis=redis_server.url)
    said = sep("mirror", "--config", config, "--once", cwd=tmp_path)
    assert said.code == 0, said
    assert "bus main  at position" in said.out
    assert "cache main  at position" in said.out
    log = [
        json.loads(line)
        for line in sep(
            "events", "--config", config, "--json", "--after", "0", "--limit", "500", cwd=tmp_path
        ).out.splitlines()
    ]
    # Elsewhere: no log, only the bus.
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text(f'[buses.main]\nuse = "nats"\nservers = ["{nats_server.url}"]\n')
    followed = sep("follow", "main", "--config", elsewhere, "--json", "--once", cwd=tmp_path)
    assert followed.code == 0, followed
    assert [json.loads(line) for line in followed.out.splitlines()][: len(log)] == log
    resumed = sep("follow", "main", "--config", elsewhere, "--json", "--once", "--after", "30", cwd=tmp_path)
    assert resumed.out == "".join(followed.out.splitlines(keepends=True)[30:])
    with running(["mirror", "--config", config, "--metrics-port", "0"], tmp_path, "cache main  at") as mirror:
        url = next(line for line in mirror.lines if "metrics at" in line).split()[-1]
        text = urllib.request.urlopen(url, timeout=10).read().decode()
        assert 'sep_mirror_lag_events{mirror="bus main"} 0.0' in text
        assert 'sep_mirror_lag_events{mirror="cache main"} 0.0' in text
        assert mirror.stop() in (0, 130)


def test_the_verbs_say_what_is_wrong(demonstrated: Path, tmp_path: Path, nats_server: NatsServer) -> None:
    refused(sep("mirror", "--config", demonstrated, cwd=tmp_path), 3, "neither [buses] nor [caches]")
    config = _with_mirrors(demonstrated, tmp_path, nats=nats_server.url)
    refused(sep("follow", "other", "--config", config, cwd=tmp_path), 3, "[buses.other]", "known are main")
    refused(
        sep("follow", "main", "--config", config, "--once", cwd=tmp_path),
        1,
        "carries no log yet",
        "sep mirror",
    )
    assert "ok  bus main answers" in sep("check", "--config", config, cwd=tmp_path).out
    nats_server.stop()
    answer = sep("check", "--config", config, cwd=tmp_path)
    assert answer.code == 4
    assert "NO  bus main does not connect" in answer.out
    refused(sep("follow", "main", "--config", config, "--once", cwd=tmp_path), 4, "bus main does not")
    wrong = config.read_text().replace("servers", "server")
    config.write_text(wrong)
    for verb in ("mirror", "check"):
        refused(sep(verb, "--config", config, cwd=tmp_path), 3, "buses.main.server", "did you mean 'servers'")


def test_a_fork_ends_the_verb(demonstrated: Path, tmp_path: Path, nats_server: NatsServer) -> None:
    config = _with_mirrors(demonstrated, tmp_path, nats=nats_server.url)
    assert sep("mirror", "--config", config, "--once", cwd=tmp_path).code == 0

    async def forge() -> None:
        bus = _bus(nats_server)
        (store_id,) = await bus.logs()
        last = await bus.last(store_id)
        assert last is not None
        alien = {**json.loads(last.record), "pos": last.pos + 1}
        await bus.publish(store_id, [Recorded(json.dumps(alien).encode())])
        await bus.close()

    asyncio.run(forge())
    refused(sep("mirror", "--config", config, cwd=tmp_path), 1, "the log ends at", "restored to the past")
    # A follower notices as well: that event does not follow on its stream.
    answer = sep("follow", "main", "--config", config, "--once", "--json", cwd=tmp_path)
    assert answer.code == 6
    assert "does not follow" in answer.err
