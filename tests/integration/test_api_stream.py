"""The live stream over a real server and a real log: no gap, no repetition, no memory for those who do not read."""

import json
import socket
import tracemalloc
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import anyio
import httpx
import pytest
from sep_hooks.store import AnyVersion, EventFilter, NewEvent, StreamWrite

from sep_core.adapters.store_sqlite import SqliteStore, open_store
from sep_core.api.port import KernelPort
from sep_core.api.stream import EventStream, StreamLimits, StreamPlaces
from sep_core.runtime.clock import SystemClock

from .api_engine import Engine, engine, intent, serving

pytestmark = pytest.mark.anyio


class StoreOnly:
    """The part of an engine that streams need: its log."""

    version = "test"

    def __init__(self, store: SqliteStore) -> None:
        self.store = store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An open log."""
    opened = open_store(tmp_path / "data", writable=True, clock=SystemClock(), ids=uuid4)
    async with opened:
        yield opened


@asynccontextmanager
async def streaming(store: SqliteStore) -> AsyncIterator[str]:
    """The address of a server over a log."""
    async with serving(cast(Any, StoreOnly(store)), "t" * 40) as url:
        yield url


async def record(
    store: SqliteStore, numbers: Sequence[int], *, stream: str = "test:a", size: int = 0
) -> None:
    """Appends an event for each number."""
    events = [
        NewEvent(uuid4(), "Even" if n % 2 == 0 else "Odd", 1, {"number": n, "filling": "x" * size})
        for n in numbers
    ]
    await store.append([StreamWrite(stream, AnyVersion(), events)])


type Frame = dict[str, Any]


async def frames(url: str, *, last: int | None = None, **query: str) -> AsyncGenerator[Frame]:
    """The frames of one connection."""
    headers = {} if last is None else {"last-event-id": str(last)}
    async with (
        httpx.AsyncClient(base_url=url, timeout=30, verify=False) as client,
        client.stream("GET", "/v1/stream", params=query, headers=headers) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        frame: Frame = {}
        async for line in answer.aiter_lines():
            if line:
                key, _, value = line.partition(": ")
                frame[key] = json.loads(value) if key == "data" else value
            elif frame:
                yield frame
                frame = {}


async def test_a_stream_tells_what_it_is_and_follows_the_log(store: SqliteStore) -> None:
    """Hello, history, the first arrival at the head, then live."""
    await record(store, range(3))
    async with streaming(store) as url, aclosing(frames(url, after="1")) as got:
        with anyio.fail_after(20):
            hello = await anext(got)
            assert hello["event"] == "hello"
            assert hello["data"] == {"store_id": str(store.store_id), "after": 1, "head": 3}
            assert [(await anext(got))["id"] for _ in range(2)] == ["2", "3"]
            arrived = await anext(got)
            assert (arrived["event"], arrived["data"], arrived["id"]) == ("heartbeat", {"position": 3}, "3")
            await record(store, [7])
            event = await anext(got)
            assert "event" not in event
            assert event["data"]["position"] == 4
            assert event["data"]["body"]["number"] == 7


@pytest.mark.says
async def test_a_hundred_reconnections_leave_no_gap(store: SqliteStore) -> None:
    """While the log grows, a reader that is cut off again and again sees every position once, in order."""
    total = 1500

    async def grow() -> None:
        for start in range(0, total, 5):
            await record(store, range(start, start + 5))

    seen: list[int] = []
    last, connections = 0, 0
    async with streaming(store) as url, anyio.create_task_group() as group:
        group.start_soon(grow)
        with anyio.fail_after(120):
            while len(seen) < total:
                connections += 1
                taken = 0
                async with aclosing(frames(url, last=last)) as got:
                    async for frame in got:
                        if frame.get("event") == "heartbeat":
                            last = int(frame["id"])
                        if "event" in frame:
                            continue
                        seen.append(frame["data"]["position"])
                        last = int(frame["id"])
                        taken += 1
                        if taken == total // 100 - connections % 3 or len(seen) == total:
                            break
    assert seen == list(range(1, total + 1))
    assert connections >= 100
    print(f"{connections} connections, {len(seen)} events, 0 gaps")


async def test_a_filtered_reader_resumes_behind_what_it_scanned(store: SqliteStore) -> None:
    """Heartbeats move its id, so that it does not scan the same again; types and beginnings of streams filter."""
    await record(store, range(10))
    await record(store, range(10), stream="other:b")
    limits = StreamLimits(heartbeat_seconds=0.05)
    sent: list[bytes] = []
    ready = anyio.Event()
    stop = anyio.Event()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            sent.append(message["body"])
            if b'heartbeat\ndata: {"position":21}' in message["body"]:
                ready.set()

    async def receive() -> Any:
        await anyio.sleep_forever()

    wanted = EventFilter(("Even",), ("test:",))
    stream = EventStream(store, 0, wanted, limits, StreamPlaces(), stop)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(partial(stream, cast(Any, {}), receive, cast(Any, send)))
            async with anyio.create_task_group():
                while not any(b'"position":20' in one for one in sent):
                    await anyio.lowlevel.checkpoint()
            await record(store, [1])
            await ready.wait()
            stop.set()
    text = b"".join(sent).decode()
    got = [dict(line.split(": ", 1) for line in one.splitlines()) for one in text.split("\n\n") if one]
    assert [one["id"] for one in got if "event" not in one] == ["1", "3", "5", "7", "9"]
    scanned = [int(one["id"]) for one in got if "id" in one]
    assert scanned == sorted(scanned)
    assert scanned[-1] == 21
    assert '"resume_after":21' in text


async def test_a_reader_that_never_reads_costs_bounded_memory_and_is_closed(store: SqliteStore) -> None:
    """The log waits on the disk, not in the engine: twice the log costs no more; the silent reader is let go."""
    peaks = []
    for _ in range(2):
        for _ in range(8):
            await record(store, range(50), size=40_000)
        peaks.append(await peak_of_stalled_reader(store))
    print("peak of a stalled reader over 16 and 32 MB of log: {:.1f} and {:.1f} MB".format(*peaks))
    assert peaks[1] < 1.2 * peaks[0]
    assert max(peaks) < 12


async def peak_of_stalled_reader(store: SqliteStore) -> float:
    """The most memory, in megabytes, that a stream held while its reader took nothing, until it was closed."""
    places = StreamPlaces()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and b"event: hello" not in message["body"]:
            assert places.open == 1
            await anyio.sleep_forever()

    async def receive() -> Any:
        await anyio.sleep_forever()

    stream = EventStream(store, 0, EventFilter(), StreamLimits(write_seconds=1.0), places, anyio.Event())
    tracemalloc.start()
    try:
        with anyio.fail_after(60):
            await stream(cast(Any, {}), receive, cast(Any, send))
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
        assert places.open == 0


async def test_a_stalled_socket_does_not_hold_up_others_or_the_stop(store: SqliteStore) -> None:
    """A client that connects and never reads: others are served, the server stops in time."""
    for _ in range(10):
        await record(store, range(100), size=10_000)
    with anyio.fail_after(60):
        async with streaming(store) as url:
            host, port = url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port))) as silent:
                silent.sendall(f"GET /v1/stream?after=0 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                async with aclosing(frames(url, after="0")) as got:
                    count = 0
                    async for frame in got:
                        count += "event" not in frame
                        if count == 1000:
                            break
                began = datetime.now(UTC)
        assert (datetime.now(UTC) - began).total_seconds() < 10


async def test_a_reader_that_lags_is_told_where_to_resume(store: SqliteStore) -> None:
    """Closed with the position, never skipped over."""
    limits = StreamLimits(most_lag=5, buffered=1)
    sent: list[bytes] = []
    blocked = anyio.Event()
    go_on = anyio.Event()

    async def send(message: Any) -> None:
        if message["type"] != "http.response.body":
            return
        sent.append(message["body"])
        if b'"number":100' in message["body"]:
            blocked.set()
            await go_on.wait()

    async def receive() -> Any:
        await anyio.sleep_forever()

    stream = EventStream(store, 0, EventFilter(), limits, StreamPlaces(), anyio.Event())
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(partial(stream, cast(Any, {}), receive, cast(Any, send)))
            while not any(b"heartbeat" in one for one in sent):
                await anyio.lowlevel.checkpoint()
            await record(store, [100])
            await blocked.wait()
            for number in range(101, 130):
                await record(store, [number])
            go_on.set()
    text = b"".join(sent).decode()
    got = [int(line.removeprefix("id: ")) for line in text.splitlines() if line.startswith("id: ")]
    closing = json.loads(text.rsplit("data: ", 1)[1])
    assert closing["code"] == "slow_consumer"
    assert closing["resume_after"] == got[-1]
    events = [one for one in got if one > 0]
    assert events == list(range(1, events[-1] + 1))


async def test_a_stop_is_said_and_quick(tmp_path: Path) -> None:
    """Open streams end with a frame that says where to go on, and waits end with the receipt."""
    answers: list[httpx.Response] = []
    async with engine(tmp_path) as one, anyio.create_task_group() as group:
        got = frames(one.url, after="0")
        with anyio.fail_after(20):
            assert (await anext(got))["event"] == "hello"
        last = await _drain_after_stop(one, got, group, answers)
        assert last["event"] == "closing"
        assert last["data"]["code"] == "stopping"
        assert last["data"]["resume_after"] > 0


async def _drain_after_stop(
    one: Engine, got: AsyncGenerator[Frame], group: Any, answers: list[httpx.Response]
) -> Frame:
    last: Frame = {}
    async with serving(one.kernel, one.token) as url:
        mine = frames(url, after="0")
        with anyio.fail_after(20):
            await anext(mine)
        await one.send(intent())
        await got.aclose()

        async def drain() -> None:
            nonlocal last
            async for frame in mine:
                last = frame

        group.start_soon(drain)
    with anyio.fail_after(10):
        while last.get("event") != "closing":
            await anyio.lowlevel.checkpoint()
    return last


def test_the_port_of_a_kernel_is_the_kernel(tmp_path: Path) -> None:
    """What the interface asks for is what the engine has."""
    from sep_core.runtime.kernel import Kernel

    asked = {name for name in dir(KernelPort) if not name.startswith("_")}
    assert asked <= set(dir(Kernel)) | set(Kernel.__slots__)
