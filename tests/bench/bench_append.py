"""What the log costs beside bare SQLite: the same tables, indexes and row widths, without hashes and signatures.

Probe and store take turns on the same disk, because absolute rates move with its load; the ratio is the figure.
One JSON line for each figure. `python tests/bench/bench_append.py [seconds per cell] [rounds]`
"""

import asyncio
import hashlib
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec
import uvloop
from sep_hooks.store import AnyVersion, CaughtUp, EventStore, Exact, NewEvent, Recorded, StreamWrite

from sep_core.adapters.store_sqlite import SqliteOptions, open_store
from sep_core.adapters.store_sqlite.connection import open_writer, use_wal
from sep_core.adapters.store_sqlite.schema import TABLES, TRIGGERS
from sep_core.events.appender import LogHead, Sequencer, StreamHead, draft_append
from sep_core.events.native import DraftedAppend
from sep_core.events.signing import LogKey

STREAMS = 128
RECORD_BYTES = 530
WARM_EVENTS = 8000
"""Written before the clock starts: until the write-ahead log is used again, each commit also makes its file longer."""
RECORD, LEAF, CORRELATION, NOTE = b"x" * RECORD_BYTES, b"h" * 32, b"c" * 16, "n" * 280


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC)


def new_event(stream: int, version: int) -> NewEvent:
    """An event whose record takes about 530 bytes."""
    return NewEvent(
        uuid.UUID(bytes=os.urandom(16)),
        "step.filled",
        1,
        {"amount_in": "1000000000000000000", "amount_out": "3051234567890", "venue": "v3", "n": version},
        WORKER,
        correlation_id=CORRELATIONS[stream],
    )


def stream_name(stream: int) -> str:
    """A name as wide as those of intents."""
    return f"intent:{uuid.UUID(int=stream)}"


NAMES = [stream_name(stream) for stream in range(STREAMS)]
CORRELATIONS = [uuid.UUID(int=stream << 64) for stream in range(500)]
WORKER = {"by": "worker_003"}


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder on the disk under test."""
    with tempfile.TemporaryDirectory(prefix="sep-bench-", dir=os.environ.get("SEP_BENCH_DIR")) as path:
        yield Path(path)


class Probe:
    """Bare SQLite with the tables, indexes and row widths of a log."""

    def __init__(self, path: Path) -> None:
        self._connection = open_writer(path / "probe.sqlite3", SqliteOptions())
        use_wal(self._connection)
        self._connection.execute(TABLES + TRIGGERS).fetchall()
        self._store = uuid.uuid4().bytes
        self._connection.execute("INSERT INTO log_head VALUES (1, ?, 1, 0, ?, 0)", (self._store, b""))
        self._versions = [0] * STREAMS
        self.pos = 0

    def commit(self, batch: int) -> None:
        """Writes as many events as a batch holds."""
        before, events, ids, streams = self.pos, [], [], {}
        versions = self._versions
        for pos in range(before + 1, before + batch + 1):
            turn = pos % STREAMS
            versions[turn] += 1
            event_id = os.urandom(16)
            events.append(
                (
                    pos,
                    NAMES[turn],
                    versions[turn],
                    event_id,
                    "step.filled",
                    1,
                    pos,
                    CORRELATION,
                    None,
                    RECORD,
                    LEAF,
                )
            )
            ids.append((event_id, pos))
            streams[turn] = (NAMES[turn], versions[turn], LEAF)
        self.pos = before + batch
        execute, executemany = self._connection.execute, self._connection.executemany
        execute("BEGIN IMMEDIATE")
        execute(
            "UPDATE log_head SET pos = ?, peaks = ?, last_rec = ?"
            " WHERE one = 1 AND store_id = ? AND epoch = 1 AND pos = ?",
            (self.pos, LEAF * 8, self.pos, self._store, before),
        )
        executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", events)
        executemany("INSERT INTO event_ids VALUES (?, ?)", ids)
        executemany(
            "INSERT INTO streams (stream, version, last_hash) VALUES (?, ?, ?) ON CONFLICT (stream) DO UPDATE"
            " SET version = excluded.version, last_hash = excluded.last_hash",
            list(streams.values()),
        )
        execute("INSERT INTO log_checkpoints VALUES (?, ?, ?, ?)", (self.pos, LEAF, NOTE, "k" * 8))
        execute("COMMIT")

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()


def probe(batch: int, seconds: float) -> float:
    """Events per second of bare SQLite, `batch` events per commit."""
    with folder() as path:
        bare = Probe(path)
        while bare.pos < WARM_EVENTS:
            bare.commit(500)
        start, first = time.perf_counter(), bare.pos
        while time.perf_counter() - start < seconds:
            bare.commit(batch)
        rate = (bare.pos - first) / (time.perf_counter() - start)
        bare.close()
        return rate


async def ours(producers: int, seconds: float) -> float:
    """Events per second of the store, each producer waiting for each of its events."""
    with folder() as path:
        async with open_store(path, writable=True, clock=SystemClock(), ids=uuid.uuid4) as store:
            await fill(store, WARM_EVENTS)
            done = 0
            start = time.perf_counter()

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


async def ours_batch(batch: int, seconds: float) -> float:
    """Events per second of the store with one producer that appends `batch` events to as many streams at once."""
    with folder() as path:
        async with open_store(path, writable=True, clock=SystemClock(), ids=uuid.uuid4) as store:
            await fill(store, WARM_EVENTS)
            done = turn = 0
            start = time.perf_counter()
            while time.perf_counter() - start < seconds:
                writes = [
                    StreamWrite(NAMES[(turn + place) % STREAMS], AnyVersion(), [new_event(place, turn)])
                    for place in range(batch)
                ]
                turn += batch
                await store.append(writes)
                done += batch
            return done / (time.perf_counter() - start)


def peer(batch: int, seconds: float) -> float:
    """Events per second of `eventsourcing` with its SQLite recorder, `batch` events per insert."""
    from eventsourcing.persistence import StoredEvent
    from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

    with folder() as path:
        recorder = SQLiteApplicationRecorder(SQLiteDatastore(str(path / "peer.sqlite3")))
        recorder.create_table()
        versions = [0] * STREAMS
        done = 0

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
        recorder.datastore.close()
        return rate


async def read_rates(events: int) -> tuple[float, float]:
    """Events per second of `read_all`, and of decoding the same records with msgspec."""
    with folder() as path:
        async with open_store(path, writable=True, clock=SystemClock(), ids=uuid.uuid4) as store:
            await fill(store, events)
            rates = []
            for _ in range(3):
                total = 0
                start = time.perf_counter()
                async for event in store.read_all(after=0):
                    total += event.version
                rates.append(events / (time.perf_counter() - start))
            assert total > 0
            records = [event.record async for event in store.read_all(after=0)]
            assert len(records) == events
            decode: Callable[[bytes], object] = msgspec.json.Decoder().decode
            start = time.perf_counter()
            for record in records:
                decode(record)
            return median(rates), events / (time.perf_counter() - start)


async def fill(store: EventStore, events: int) -> None:
    """Puts events into a store, many at a time."""
    for start in range(0, events, 500):
        count = min(500, events - start)
        await store.append(
            [
                StreamWrite(
                    f"warm:{stream:038d}",
                    AnyVersion(),
                    [new_event(stream, n) for n in range(stream, count, STREAMS)],
                )
                for stream in range(min(count, STREAMS))
            ]
        )


async def subscriber_delay(events: int) -> float:
    """Median milliseconds from the acknowledgement of an append to its arrival at a subscriber."""
    with folder() as path:
        async with open_store(path, writable=True, clock=SystemClock(), ids=uuid.uuid4) as store:
            arrived: asyncio.Queue[float] = asyncio.Queue()

            async def subscribe() -> None:
                async for item in store.subscribe(after=0):
                    if isinstance(item, Recorded):
                        arrived.put_nowait(time.perf_counter())
                        if item.pos == events:
                            return
                    elif item == CaughtUp(0):
                        arrived.put_nowait(0.0)

            delays = []
            async with asyncio.TaskGroup() as group:
                group.create_task(subscribe())
                await arrived.get()
                for number in range(events):
                    await store.append([StreamWrite(stream_name(0), AnyVersion(), [new_event(0, number)])])
                    acknowledged = time.perf_counter()
                    delays.append(await arrived.get() - acknowledged)
            return median(delays) * 1000


def integrity_cost(batch: int, rounds: int) -> tuple[float, float]:
    """CPU microseconds per event to encode, chain, hash and sign, and to hash 530 bytes once."""
    store_id = uuid.uuid4()
    sequencer = Sequencer(LogHead(store_id, 1, 0, b"", 0), b"", LogKey(store_id, bytes(32)))
    store = str(store_id).encode()
    sequencer.learn({stream_name(stream): StreamHead(0, None) for stream in range(STREAMS)})
    cost = 0.0
    for turn in range(rounds):
        writes = [
            [StreamWrite(NAMES[stream], AnyVersion(), [new_event(stream, turn)])] for stream in range(batch)
        ]
        start = time.process_time()
        appends: list[DraftedAppend] = [draft_append(write, (), store=store, epoch=1) for write in writes]
        planned = sequencer.plan(appends, now=1, known=None)
        assert planned is not None
        sequencer.adopt(planned)
        cost += time.process_time() - start
    cost /= batch * rounds
    data = b"x" * RECORD_BYTES
    start = time.process_time()
    for _ in range(batch * rounds):
        hashlib.sha256(data).digest()
    return cost * 1e6, (time.process_time() - start) / (batch * rounds) * 1e6


def show(name: str, **figures: float) -> None:
    """One JSON line."""
    print(json.dumps({"bench": name} | {key: round(value, 3) for key, value in figures.items()}), flush=True)


def main() -> None:
    """Runs every cell."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    cells: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, measure in (
            ("s1", lambda: probe(1, seconds)),
            ("one", lambda: uvloop.run(ours(1, seconds))),
            ("peer1", lambda: peer(1, seconds)),
            ("s100", lambda: probe(100, seconds)),
            ("many", lambda: uvloop.run(ours(128, seconds))),
            ("batch100", lambda: uvloop.run(ours_batch(100, seconds))),
            ("peer100", lambda: peer(100, seconds)),
        ):
            cells.setdefault(name, []).append(measure())
    middle = {name: median(values) for name, values in cells.items()}
    show("machine", cores=os.cpu_count() or 0, load=os.getloadavg()[0])

    def ratio(name: str, base: str) -> float:
        return median([ours / bare for ours, bare in zip(cells[name], cells[base], strict=True)])

    show(
        "append_1_producer",
        events_per_s=middle["one"],
        probe_s1=middle["s1"],
        ratio=ratio("one", "s1"),
        floor=0.6,
    )
    show(
        "append_128_producers",
        events_per_s=middle["many"],
        probe_s100=middle["s100"],
        ratio=ratio("many", "s100"),
        floor=0.7,
    )
    show(
        "append_batch_100",
        events_per_s=middle["batch100"],
        probe_s100=middle["s100"],
        ratio=ratio("batch100", "s100"),
    )
    show("eventsourcing_batch_1", events_per_s=middle["peer1"], ours_over_peer=ratio("one", "peer1"))
    show(
        "eventsourcing_batch_100", events_per_s=middle["peer100"], ours_over_peer=ratio("batch100", "peer100")
    )
    read, decode = uvloop.run(read_rates(20_000))
    show("read_all", events_per_s=read, msgspec_decode=decode, ratio=read / decode, floor=0.15)
    show("commit_to_subscriber", p50_ms=uvloop.run(subscriber_delay(300)), floor=2.0)
    cost, hashing = integrity_cost(128, 40)
    show("integrity", cpu_us_per_event=cost, sha256_us=hashing, ratio=cost / hashing, floor=13.0)


if __name__ == "__main__":
    main()
