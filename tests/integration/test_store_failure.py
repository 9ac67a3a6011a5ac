"""A disk that fails: nothing is retried, nothing is claimed, everything queued is told."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import apsw
import pytest
from sep_hooks.store import (
    AnyVersion,
    AppendResult,
    CommitUnknown,
    Exact,
    NoStream,
    StoreFailed,
)
from sep_hooks.testing.store import SteppedClock, event, everything, write

from sep_core.adapters.store_sqlite import SqliteOptions, open_store, verify_store
from sep_core.telemetry.crashpoints import armed

pytestmark = pytest.mark.anyio


class FailingDisk(apsw.VFS):
    """Passes everything through until `broken` says which call fails."""

    def __init__(self, name: str) -> None:
        self.broken: Callable[[str, str], bool] = lambda _call, _file: False
        self.vfs_name = name
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "_File":
        return _File(self, name, flags)


class _File(apsw.VFSFile):
    def __init__(self, disk: FailingDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        self._name = str(name.filename() if isinstance(name, apsw.URIFilename) else name)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.broken("write", self._name):
            raise apsw.FullError("no space left on device")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        if self._disk.broken("sync", self._name):
            raise apsw.IOError("fsync failed")
        super().xSync(flags)


async def test_a_failing_sync_is_fatal_and_leaves_the_outcome_open(tmp_path: Path) -> None:
    disk = FailingDisk("failing-sync")
    store = open_store(
        tmp_path, writable=True, clock=SteppedClock(), ids=uuid4, options=SqliteOptions(vfs=disk.vfs_name)
    )
    await store.append([write("a", NoStream(), event("1"))])
    disk.broken = lambda call, file: call == "sync" and file.endswith("-wal")
    first = store.enqueue([write("a", Exact(1), event("2"))])
    with pytest.raises(CommitUnknown) as caught:
        await first
    assert caught.value.ambiguous
    disk.broken = lambda _call, _file: False
    with pytest.raises(StoreFailed, match="nothing more is recorded"):
        await store.append([write("a", AnyVersion(), event("3"))])
    assert isinstance(store.failure, StoreFailed)
    await store.close()
    store = open_store(tmp_path, writable=True, clock=SteppedClock(), ids=uuid4)
    assert [item.pos for item in await everything(store)] in ([1], [1, 2])
    again = await store.append([write("a", Exact(1), event("2"))])
    assert (again.first_pos, again.last_pos) == (2, 2)
    await store.close()
    assert verify_store(tmp_path).ok


async def test_a_full_disk_fails_the_batch_and_everything_behind_it(tmp_path: Path) -> None:
    disk = FailingDisk("failing-write")
    store = open_store(
        tmp_path, writable=True, clock=SteppedClock(), ids=uuid4, options=SqliteOptions(vfs=disk.vfs_name)
    )
    await store.append([write("a", NoStream(), event("1"))])
    disk.broken = lambda call, file: call == "write" and file.endswith("-wal")
    queue = [store.enqueue([write("a", AnyVersion(), event(f"full {n}"))]) for n in range(700)]
    outcomes = await asyncio.gather(*queue, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} <= {CommitUnknown, StoreFailed}
    assert isinstance(outcomes[-1], StoreFailed)
    disk.broken = lambda _call, _file: False
    await store.close()
    async with open_store(tmp_path, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        assert len(await everything(store)) == 1


class _Died(BaseException):
    pass


@pytest.mark.parametrize(
    ("point", "survives"),
    [("store.before_commit", False), ("store.after_commit", True), ("store.before_resolve", True)],
)
async def test_dying_around_the_commit(tmp_path: Path, point: str, survives: bool) -> None:
    store = open_store(tmp_path, writable=True, clock=SteppedClock(), ids=uuid4)
    await store.append([write("a", NoStream(), event("1"))])

    def die(name: str) -> None:
        if name == point:
            raise _Died

    with armed(die):
        pending = store.enqueue([write("a", Exact(1), event("2"))])
        with pytest.raises((CommitUnknown, StoreFailed)):
            await pending
    await store.close()
    async with open_store(tmp_path, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        assert len(await everything(store)) == (2 if survives else 1)
        result = await store.append([write("a", Exact(1), event("2"))])
        assert result == AppendResult(2, 2, duplicate=survives)


async def test_answers_come_only_after_the_commit(tmp_path: Path) -> None:
    crossed: list[str] = []
    async with open_store(tmp_path, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        with armed(crossed.append):
            pending = store.enqueue([write("a", NoStream(), event("1"))])
            assert not pending.done
            await pending
        assert crossed == ["store.before_commit", "store.after_commit", "store.before_resolve"]


async def test_a_cancelled_append_may_still_be_committed_and_harms_nobody(tmp_path: Path) -> None:
    async with open_store(tmp_path, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        task = asyncio.ensure_future(store.append([write("a", NoStream(), event("1"))]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        result = await store.append([write("a", AnyVersion(), event("2"))])
        assert result.first_pos == 2
