"""What mirrors take in a second, beside bare publishing of the same bytes to the same servers in the same run.

The log holds one real intent, filled on paper, many times over. NATS gets records, Redis also gets the answers that
they change. One JSON line for each figure. `python tests/bench/bench_mirrors.py [intents]`; needs nats-server and
redis-server.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from itertools import batched
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[2]))

import bench_replay
import nats
import redis.asyncio
from _engine import folder
from _report import show
from pydantic import SecretStr
from sep_hooks.context import PluginContext
from sep_hooks.store import Recorded

from sep_core.adapters.bus_nats import NatsBus, NatsConfig
from sep_core.adapters.cache_redis import RedisCache, RedisConfig
from sep_core.adapters.store_sqlite import SqliteStore, open_store
from sep_core.events.projection import ReadModel, project
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.mirrors import BusModel, CacheModel
from sep_core.runtime.settings import settings_of
from sep_core.telemetry.log import NamedLog
from tests.harness.servers import NatsServer, RedisServer

INTENTS = 500
DEPTH = 500
"""Messages in flight of the bare publishers: as many as a mirror sends at once."""


async def main() -> None:
    bench_replay.INTENTS = int(sys.argv[1]) if len(sys.argv) > 1 else INTENTS
    with folder() as path:
        before, own, intent_id = await bench_replay.one_intent(path)
        store = open_store(path / "log", writable=True, clock=SystemClock(), ids=uuid4)
        await bench_replay.write(store, before, own, intent_id)
        log = [one async for one in store.read_all(after=0)]
        await to_nats(store, log)
        await to_redis(store, log, path)
        await store.close()


async def to_nats(store: SqliteStore, log: Sequence[Recorded]) -> None:
    with NatsServer() as server:
        bus = NatsBus(NatsConfig(servers=(SecretStr(server.url),)), context())
        mine = await fed(store, BusModel(store, bus), len(log))
        await bus.close()
        bare = await publish(server.url, log)
    show("mirror to NATS", len(log) / mine, "events/s", ratio=bare / mine, control="nats-py, 500 in flight")


async def publish(url: str, log: Sequence[Recorded]) -> float:
    """Seconds of the client's own pipelined publishing."""
    client = await nats.connect(url)
    stream = client.jetstream()
    await stream.add_stream(name="BARE", subjects=["bare"])
    began = time.perf_counter()
    for part in batched(log, DEPTH, strict=False):
        await asyncio.gather(*[await stream.publish_async("bare", one.record) for one in part])
    took = time.perf_counter() - began
    await client.close()
    return took


async def to_redis(store: SqliteStore, log: Sequence[Recorded], path: Path) -> None:
    settings = settings_of({}, source="bench", folder=path)
    with RedisServer() as server:
        cache = RedisCache(RedisConfig(url=SecretStr(server.url)), context())
        mine = await fed(store, CacheModel(store, cache, settings), len(log))
        await cache.close()
        bare = await add(server.url, log)
    show("mirror to Redis", len(log) / mine, "events/s", ratio=bare / mine, control="XADD, 500 in a pipeline")


async def add(url: str, log: Sequence[Recorded]) -> float:
    """Seconds of bare pipelines of XADD."""
    client = redis.asyncio.Redis.from_url(url)
    began = time.perf_counter()
    for part in batched(log, DEPTH, strict=False):
        async with client.pipeline(transaction=False) as pipe:
            for one in part:
                pipe.xadd("bare", {"r": one.record}, id=f"{one.pos}-0")
            await pipe.execute()
    took = time.perf_counter() - began
    await client.aclose()
    return took


async def fed(store: SqliteStore, model: ReadModel, until: int) -> float:
    """Seconds until a mirror that begins with nothing has everything."""
    began = time.perf_counter()
    await project(store, model, until=until)
    return time.perf_counter() - began


def context() -> PluginContext:
    return PluginContext("bench", SystemClock(), NamedLog("bench", lambda text: text))


if __name__ == "__main__":
    asyncio.run(main())
