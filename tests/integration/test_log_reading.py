"""Readers under odd conditions: wide records, holes, two event loops."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import apsw
import pytest
from sep_hooks.store import AnyVersion, CaughtUp, LogBroken, NoStream, Recorded, StoreClosed, StoreFailed
from sep_hooks.testing.store import SteppedClock, event, everything, stream_of, write

from sep_core.adapters.store_sqlite import SqliteStore, open_store


def opened(path: Path) -> SqliteStore:
    """A store at a path."""
    return open_store(path, writable=True, clock=SteppedClock(), ids=uuid4)


@pytest.mark.anyio
async def test_wide_and_narrow_records_come_in_order(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        widths = [10, 200_000, 3, 250_000, 100_000] * 14
        for number, width in enumerate(widths):
            await store.append([write(f"s:{number % 2}", AnyVersion(), event(f"{number}", text="x" * width))])
        await store.append([write("many", NoStream(), *[event(f"many {n}") for n in range(3000)])])
        log = await everything(store)
        assert [item.pos for item in log] == list(range(1, len(widths) + 3001))
        assert [len(str(item.body["text"])) for item in log[: len(widths)]] == widths
        assert len(await stream_of(store, "s:1")) == len(widths) // 2
        assert [item.version for item in await stream_of(store, "many")] == list(range(1, 3001))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM events WHERE pos = 5",
        "UPDATE events SET pos = 99 WHERE pos = 5",
        "UPDATE events SET record = (SELECT record FROM events WHERE pos = 6) WHERE pos = 5",
    ],
)
async def test_a_hole_stops_every_reader(tmp_path: Path, damage: str) -> None:
    async with opened(tmp_path) as store:
        await store.append([write("a", NoStream(), *[event(f"{n}") for n in range(8)])])
        other = apsw.Connection(str(tmp_path / "log.sqlite3"))
        for (name,) in other.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            other.execute(f"DROP TRIGGER {name}")
        other.execute(damage)
        other.close()
        seen: list[int] = []
        for read in (store.read_all(after=0), store.subscribe(after=0)):
            seen.clear()
            with pytest.raises(LogBroken) as caught:
                await collect(read, seen)
            assert (seen, caught.value.pos) == ([1, 2, 3, 4], 5)
        if "pos = 99" not in damage:  # the stream itself is whole then
            with pytest.raises(LogBroken):
                await stream_of(store, "a")


async def collect(items: AsyncGenerator[Recorded | CaughtUp], seen: list[int]) -> None:
    """Notes positions as they come."""
    async for item in items:
        seen.append(item.pos)  # noqa: PERF401


@pytest.mark.anyio
async def test_many_subscribers_at_their_own_pace(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        seen: dict[int, list[int]] = {number: [] for number in range(12)}

        async def subscribe(number: int) -> None:
            async for item in store.subscribe(after=number):
                if isinstance(item, CaughtUp):
                    if item.pos == 200:
                        return
                    continue
                seen[number].append(item.pos)
                for _ in range(number):
                    await asyncio.sleep(0)

        await store.append([write("a", NoStream(), *[event(f"start {n}") for n in range(20)])])
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            for number in seen:
                group.create_task(subscribe(number))
            for number in range(180):
                await store.append([write(f"b:{number % 5}", AnyVersion(), event(f"{number}"))])
        assert seen == {number: list(range(number + 1, 201)) for number in seen}


def test_one_event_loop_writes(tmp_path: Path) -> None:
    store = opened(tmp_path)

    async def append(name: str) -> int:
        return (await store.append([write("a", AnyVersion(), event(name))])).first_pos

    with asyncio.Runner() as runner:
        assert runner.run(append("1")) == 1
        with asyncio.Runner() as other, pytest.raises(StoreFailed, match="one event loop"):
            other.run(append("2"))
        runner.run(store.close())
    with asyncio.Runner() as runner, pytest.raises(StoreClosed):
        runner.run(append("3"))
