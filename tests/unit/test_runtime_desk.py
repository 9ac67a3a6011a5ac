"""The desk: memory and log never part, whatever fails between them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import anyio
import anyio.lowlevel
import pytest
from sep_hooks.store import AnyVersion, NewEvent, StoreBusy, StreamWrite
from sep_hooks.testing.fakes import FakeClock

from sep_core.adapters.store_sqlite import SqliteStore, open_store, verify_store
from sep_core.adapters.store_sqlite import store as sqlite_store
from sep_core.events.decided import Decided
from sep_core.events.facts import HoldConverted, KernelStopped
from sep_core.events.streams import KERNEL, RISK_BOOK
from sep_core.runtime.commands import KernelCommand, RecordFacts
from sep_core.runtime.desk import Desk, fold
from sep_core.runtime.world import World

pytestmark = pytest.mark.anyio


def facts_of(_: World, command: KernelCommand) -> Sequence[Decided]:
    assert isinstance(command, RecordFacts)
    return [Decided(stream, fact) for stream, fact in command.facts]


def note(text: str) -> RecordFacts:
    return RecordFacts(((KERNEL, KernelStopped(text)),))


@asynccontextmanager
async def desk_on(folder: Path) -> AsyncIterator[tuple[Desk, SqliteStore]]:
    store = open_store(folder, writable=True, clock=FakeClock(), ids=uuid4)
    try:
        desk = Desk(store, await fold(store), facts_of, FakeClock())
        async with anyio.create_task_group() as group:
            group.start_soon(desk.run)
            yield desk, store
            group.cancel_scope.cancel()
    finally:
        await store.close()


async def kernel_facts(store: SqliteStore) -> list[str]:
    return [str(one.body["reason"]) async for one in store.read_stream(KERNEL)]


async def test_what_memory_cannot_take_in_never_stands_in_the_log(tmp_path: Path) -> None:
    async with desk_on(tmp_path) as (desk, store):
        await desk.record(note("before"))
        impossible = RecordFacts(
            ((KERNEL, KernelStopped("half")), (RISK_BOOK, HoldConverted(uuid4())))  # type: ignore[arg-type]
        )
        with pytest.raises(Exception, match="hold"):
            desk.decide(impossible)
        await desk.record(note("after"))
        assert await kernel_facts(store) == ["before", "after"]
        assert desk.world.version(KERNEL) == 2
    assert verify_store(tmp_path).ok


async def test_a_full_queue_is_waited_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk_on(tmp_path) as (desk, store):
        monkeypatch.setattr(sqlite_store, "MOST_QUEUED", 0)
        with pytest.raises(StoreBusy):
            desk.decide(note("refused"))
        async with anyio.create_task_group() as group:
            group.start_soon(desk.record, note("patient"))
            await anyio.lowlevel.checkpoint()
            monkeypatch.undo()
        assert await kernel_facts(store) == ["patient"]


async def test_a_decision_that_the_log_refuses_is_made_again_on_what_the_log_says(tmp_path: Path) -> None:
    async with desk_on(tmp_path) as (desk, store):
        foreign = NewEvent(uuid4(), "KernelStopped", 1, {"reason": "foreign"}, occurred_at=datetime.now(UTC))
        await store.append([StreamWrite(KERNEL, AnyVersion(), [foreign])])
        seen: list[int] = []
        desk.on_commit(lambda _: seen.append(desk.world.version(KERNEL)))
        await desk.record(note("ours"))
        assert await kernel_facts(store) == ["foreign", "ours"]
        assert desk.world.version(KERNEL) == 2
        assert seen[-1] == 2


async def test_decisions_share_commits_and_keep_their_order(tmp_path: Path) -> None:
    async with desk_on(tmp_path) as (desk, store):
        commits = [desk.decide(note(str(number))) for number in range(200)]
        results = [await commit.durable() for commit in commits]
        assert [one.first_pos for one in results if one is not None] == list(range(1, 201))
        assert await kernel_facts(store) == [str(number) for number in range(200)]
        checkpoints = verify_store(tmp_path).checkpoints
    assert checkpoints < 100
