"""What the log in PostgreSQL costs beside bare asyncpg: the same tables, indexes and row widths, without the rest.

Probe, store and peer take turns on one server of their own, on the disk of the machine's temporary folder; the ratio is
the figure. One JSON line for each. `python tests/bench/bench_append_postgres.py [seconds per cell] [rounds]`
"""

import asyncio
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[2]))

import asyncpg
import uvloop
from _report import show
from bench_append import (
    CORRELATION,
    CORRELATIONS,
    LEAF,
    NAMES,
    NOTE,
    RECORD,
    STREAMS,
    SystemClock,
    fill,
    folder,
    new_event,
)
from pydantic import SecretStr
from sep_hooks.store import AnyVersion, CaughtUp, Exact, StreamWrite

from sep_core.adapters.store_postgres import PostgresConfig, PostgresStore, migrate_database, open_store
from sep_core.adapters.store_postgres.session import connect
from tests.harness.servers import PostgresServer, ServerAbsent

WARM_EVENTS = 4000
BARE = """
CREATE FUNCTION sep.bare_append(before bigint, names text[], versions bigint[], ids uuid[], records bytea[],
    leaves bytea[], corrs uuid[], heads text[], head_versions bigint[], head_hashes bytea[], note text)
RETURNS void LANGUAGE plpgsql SET search_path = sep AS $$
BEGIN
    UPDATE log_head SET pos = before + cardinality(ids), peaks = leaves[1] WHERE one AND pos = before;
    INSERT INTO event_ids SELECT t.id, before + t.n FROM unnest(ids) WITH ORDINALITY AS t (id, n);
    INSERT INTO events
    SELECT before + t.n, t.name, t.version, t.id, 'step.filled', 1, now(), t.corr, NULL, t.record, t.leaf
    FROM unnest(names, versions, ids, records, leaves, corrs)
        WITH ORDINALITY AS t (name, version, id, record, leaf, corr, n);
    INSERT INTO event_keys SELECT t.name, t.version, before + t.n
    FROM unnest(names, versions) WITH ORDINALITY AS t (name, version, n);
    INSERT INTO streams (stream, version, last_hash) SELECT * FROM unnest(heads, head_versions, head_hashes)
    ON CONFLICT (stream) DO UPDATE SET version = excluded.version, last_hash = excluded.last_hash;
    INSERT INTO log_checkpoints VALUES (before + cardinality(ids), leaves[1], note, 'k');
END $$
"""


async def database(server: PostgresServer) -> PostgresConfig:
    """An empty database."""
    name = f"bench_{uuid.uuid4().hex}"
    admin = await asyncpg.connect(server.url())
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    return PostgresConfig(dsn=SecretStr(server.url(name)))


async def probe(server: PostgresServer, batch: int, seconds: float) -> float:
    """Events per second of bare asyncpg on one connection, `batch` events per call."""
    config = await database(server)
    await asyncio.to_thread(migrate_database, config)
    connection = await connect(config)
    await connection.execute(BARE)
    await connection.execute("INSERT INTO sep.log_head VALUES (true, $1, 1, 0, '', now())", os.urandom(16))
    call = "SELECT sep.bare_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    versions, pos = [0] * STREAMS, 0

    async def commit(count: int) -> None:
        nonlocal pos
        turns = [place % STREAMS for place in range(pos, pos + count)]
        numbers = []
        for turn in turns:
            versions[turn] += 1
            numbers.append(versions[turn])
        heads = dict.fromkeys(turns)
        await connection.fetchval(
            call,
            pos,
            [NAMES[turn] for turn in turns],
            numbers,
            [os.urandom(16) for _ in turns],
            [RECORD] * count,
            [LEAF] * count,
            [CORRELATION] * count,
            [NAMES[turn] for turn in heads],
            [versions[turn] for turn in heads],
            [LEAF] * len(heads),
            NOTE,
        )
        pos += count

    while pos < WARM_EVENTS:
        await commit(500)
    start, first = time.perf_counter(), pos
    while time.perf_counter() - start < seconds:
        await commit(batch)
    rate = (pos - first) / (time.perf_counter() - start)
    await connection.close()
    return rate


@asynccontextmanager
async def opened(server: PostgresServer) -> AsyncIterator[PostgresStore]:
    """A log in a database of its own, with some events."""
    with folder() as path:
        config = await database(server)
        store = await open_store(config, path, writable=True, clock=SystemClock(), ids=uuid.uuid4)
        await fill(store, WARM_EVENTS)
        yield store
        await store.close()


async def ours(server: PostgresServer, producers: int, seconds: float) -> float:
    """Events per second of the store, each producer waiting for each of its events."""
    async with opened(server) as store:
        done, start = 0, time.perf_counter()

        async def produce(number: int) -> None:
            nonlocal done
            turn = 0
            while time.perf_counter() - start < seconds:
                if producers == 1:
                    write = StreamWrite(NAMES[turn % STREAMS], AnyVersion(), [new_event(number, turn)])
                else:
                    write = StreamWrite(NAMES[number], Exact(turn), [new_event(number, turn)])
                turn += 1
                await store.append([write])
                done += 1

        async with asyncio.TaskGroup() as group:
            for number in range(producers):
                group.create_task(produce(number))
        return done / (time.perf_counter() - start)


async def subscriber_delay(server: PostgresServer, events: int) -> float:
    """Median milliseconds from the acknowledgement of an append to its arrival at a reader of its own opening."""
    async with opened(server) as store:
        reader = await open_store(
            store.config, store.folder.path, writable=False, clock=SystemClock(), ids=uuid.uuid4
        )
        arrived: asyncio.Queue[float] = asyncio.Queue()
        start = (await store.head()).pos

        async def subscribe() -> None:
            async for item in reader.subscribe(after=start):
                if not isinstance(item, CaughtUp):
                    arrived.put_nowait(time.perf_counter())
                    if item.pos == start + events:
                        return
                elif item.pos == start:
                    arrived.put_nowait(0.0)

        delays = []
        async with asyncio.TaskGroup() as group:
            group.create_task(subscribe())
            await arrived.get()
            for number in range(events):
                await store.append([StreamWrite(NAMES[0], AnyVersion(), [new_event(0, number)])])
                acknowledged = time.perf_counter()
                delays.append(await arrived.get() - acknowledged)
        await reader.close()
        return median(delays) * 1000


def peer(server: PostgresServer, batch: int, seconds: float) -> float:
    """Events per second of `eventsourcing` with its PostgreSQL recorder, `batch` events per insert."""
    from eventsourcing.persistence import StoredEvent
    from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

    name = asyncio.run(database(server)).dsn.get_secret_value().rsplit("/", 1)[1]
    store = PostgresDatastore(name, "127.0.0.1", server.port, "postgres", "")
    recorder = PostgresApplicationRecorder(store)
    recorder.create_table()
    versions, done = [0] * STREAMS, 0

    def insert(count: int) -> None:
        nonlocal done
        stored = []
        for number in range(done, done + count):
            stream = number % STREAMS
            versions[stream] += 1
            stored.append(StoredEvent(CORRELATIONS[stream], versions[stream], "step.filled", RECORD))
        recorder.insert_events(stored)
        done += count

    while done < WARM_EVENTS:
        insert(500)
    start, first = time.perf_counter(), done
    while time.perf_counter() - start < seconds:
        insert(batch)
    rate = (done - first) / (time.perf_counter() - start)
    store.close()
    return rate


def main() -> None:
    """Runs every cell."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5

    def run(work: Callable[..., Awaitable[float]], *values: float) -> Callable[[], float]:
        return lambda: uvloop.run(work(server, *values))  # type: ignore[arg-type]

    cells: dict[str, list[float]] = {}
    with PostgresServer() as server:
        for _ in range(rounds):
            for name, measure in (
                ("p1", run(probe, 1, seconds)),
                ("one", run(ours, 1, seconds)),
                ("peer1", lambda: peer(server, 1, seconds)),
                ("p100", run(probe, 100, seconds)),
                ("many", run(ours, 128, seconds)),
                ("peer1000", lambda: peer(server, 1000, seconds)),
            ):
                cells.setdefault(name, []).append(measure())
        delay = uvloop.run(subscriber_delay(server, 200))

    def ratio(name: str, base: str) -> float:
        return median([mine / other for mine, other in zip(cells[name], cells[base], strict=True)])

    for name, cell, control, floor, rival, rival_floor in (
        ("append to PostgreSQL, 1 producer", "one", "p1", 0.5, "peer1", 2.5),
        ("append to PostgreSQL, 128 producers", "many", "p100", 0.4, "peer1000", 3.0),
    ):
        show(
            name,
            median(cells[cell]),
            "events/s",
            ratio=ratio(cell, control),
            control="asyncpg, same tables",
            control_value=median(cells[control]),
            floor=floor,
            eventsourcing=median(cells[rival]),
            over_eventsourcing=ratio(cell, rival),
            over_eventsourcing_floor=rival_floor,
        )
    show("commit to subscriber by NOTIFY", delay, "ms", floor=5.0)


if __name__ == "__main__":
    try:
        main()
    except ServerAbsent as absent:
        print(f"left out: {absent}", file=sys.stderr)
