"""Opening a data folder says clearly what is wrong with it."""

import asyncio
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import apsw
import pytest
from sep_hooks.store import (
    Fenced,
    NoStream,
    StoreFailed,
    StoreLocked,
    StoreUnavailable,
)
from sep_hooks.testing.store import SteppedClock, event, everything, write

from sep_core.adapters.store_sqlite import SqliteStore, open_store, verify_store
from sep_core.adapters.store_sqlite.schema import APPLICATION_ID

pytestmark = pytest.mark.anyio
NOBODY = 65534
CHILD_SECONDS = 60.0


def opened(path: Path, *, writable: bool = True) -> SqliteStore:
    """A store at a path."""
    return open_store(path, writable=writable, clock=SteppedClock(), ids=uuid4)


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A data folder with two events."""
    path = tmp_path / "data"
    async with opened(path) as store:
        await store.append([write("a", NoStream(), event("1"), event("2"))])
    return path


async def test_everything_is_private_to_its_owner(folder: Path) -> None:
    for name in ("keys/log.key", "keys/vault.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    connection = apsw.Connection(str(folder / "log.sqlite3"))
    assert connection.pragma("application_id") == APPLICATION_ID
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("page_size") == 4096


@pytest.mark.parametrize(
    "verb", ["UPDATE events SET type = 'x'", "DELETE FROM events", "DELETE FROM event_ids"]
)
async def test_tables_refuse_to_forget(folder: Path, verb: str) -> None:
    connection = apsw.Connection(str(folder / "log.sqlite3"))
    with pytest.raises(apsw.ConstraintError, match="append-only"):
        connection.execute(verb)


async def test_one_engine_at_a_time(folder: Path) -> None:
    async with opened(folder):
        with pytest.raises(StoreLocked, match=f"process {os.getpid()}") as caught:
            opened(folder)
        assert caught.value.process_id == os.getpid()
    async with opened(folder) as store:
        assert store.epoch == 3


async def test_the_lock_of_another_process_names_it(folder: Path) -> None:
    code = (
        "import fcntl, os, sys\n"
        f"lock = os.open({str(folder / 'lock')!r}, os.O_RDWR)\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "os.pwrite(lock, f'{os.getpid()}\\n'.encode().ljust(32), 0)\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(StoreLocked) as caught:
            opened(folder)
        assert caught.value.process_id == other.pid
        reader = opened(folder, writable=False)
        assert len(await everything(reader)) == 2
        await reader.close()


async def test_an_engine_that_lost_its_lock_is_fenced(folder: Path) -> None:
    old = opened(folder)
    await old.append([write("b", NoStream(), event("3"))])
    (folder / "lock").unlink()
    new = opened(folder)
    queue = [old.enqueue([write(f"c:{n}", NoStream(), event(f"lost {n}"))]) for n in range(3)]
    for pending in queue:
        with pytest.raises(Fenced, match="nothing was written"):
            await pending
    with pytest.raises(Fenced):
        await old.append([write("d", NoStream(), event("5"))])
    assert isinstance(old.failure, Fenced)
    assert (await new.append([write("c", NoStream(), event("4"))])).first_pos == 4
    assert [item.epoch for item in await everything(old)] == [1, 1, 2, 3]  # readers of the old one still read
    await old.close()
    await new.close()
    assert verify_store(folder).ok


async def test_an_engine_fenced_while_idle_writes_nothing_even_with_equal_positions(folder: Path) -> None:
    old = opened(folder)
    (folder / "lock").unlink()
    new = opened(folder)
    with pytest.raises(Fenced):
        await old.append([write("a", NoStream(), event("3"))])
    await old.close()
    await new.close()


async def test_a_log_that_moved_under_its_engine_stops_it(folder: Path) -> None:
    async with opened(folder) as store:
        other = apsw.Connection(str(folder / "log.sqlite3"))
        other.execute("UPDATE log_head SET pos = pos + 1")
        other.close()
        with pytest.raises(StoreFailed, match="the log stands at position 3"):
            await store.append([write("b", NoStream(), event("3"))])


async def test_no_log_here(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="holds no log"):
        opened(tmp_path, writable=False)
    with pytest.raises(StoreUnavailable, match="holds no log"):
        verify_store(tmp_path)


async def test_a_file_that_is_no_database(folder: Path) -> None:
    (folder / "log.sqlite3").write_bytes(b"this is not a database, however long it may be" * 100)
    for writable in (True, False):
        with pytest.raises(StoreUnavailable, match="not a SQLite file"):
            opened(folder, writable=writable)


async def test_a_database_that_is_no_log(folder: Path) -> None:
    (folder / "log.sqlite3").unlink()
    connection = apsw.Connection(str(folder / "log.sqlite3"))
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    for writable in (True, False):
        with pytest.raises(StoreUnavailable, match="not a SEP log"):
            opened(folder, writable=writable)


async def test_a_log_of_a_newer_release(folder: Path) -> None:
    connection = apsw.Connection(str(folder / "log.sqlite3"))
    connection.execute("PRAGMA user_version = 99").fetchall()
    connection.close()
    for writable in (True, False):
        with pytest.raises(StoreUnavailable, match="newer release"):
            opened(folder, writable=writable)


async def test_a_damaged_log(folder: Path) -> None:
    log = folder / "log.sqlite3"
    content = bytearray(log.read_bytes())
    content[100:4096] = b"\xff" * (4096 - 100)
    log.write_bytes(content)
    for writable in (True, False):
        with pytest.raises(StoreUnavailable, match="damaged"):
            opened(folder, writable=writable)


@pytest.mark.parametrize("name", ["log.key"])
async def test_a_missing_or_open_key(folder: Path, name: str) -> None:
    key = folder / "keys" / name
    key.chmod(0o644)
    with pytest.raises(StoreUnavailable, match="open to other users"):
        opened(folder)
    key.chmod(0o600)
    key.write_text("zz")
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        opened(folder)
    key.unlink()
    with pytest.raises(StoreUnavailable, match="missing"):
        opened(folder)
    reader = opened(folder, writable=False)
    assert len(await everything(reader)) == 2
    await reader.close()


async def test_another_key_is_refused_for_writing(folder: Path) -> None:
    (folder / "keys" / "log.key").write_text("00" * 32)
    with pytest.raises(Exception, match="does not fit the key"):
        opened(folder)


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be made or written"):
        opened(tmp_path / "file" / "data")


@pytest.fixture
def shut() -> Iterator[Path]:
    """A data folder with two events, of a user to whom permissions apply, who may read in it but not write."""

    async def fill(path: Path) -> None:
        async with opened(path) as store:
            await store.append([write("a", NoStream(), event("1"), event("2"))])
        reader = opened(
            path, writable=False
        )  # so that nothing is left to import when the interpreter is out of reach
        assert len(await everything(reader)) == 2
        await reader.close()

    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        path = Path(place) / "data"
        asyncio.run(fill(path))
        for name in ("log.sqlite3-wal", "log.sqlite3-shm"):  # a reader leaves them, empty, where it may
            (path / name).unlink(missing_ok=True)
        for item in (path, *path.rglob("*")):
            if os.geteuid() == 0:
                os.chown(item, NOBODY, NOBODY)
            os.chmod(item, 0o500 if item.is_dir() else 0o600)
        yield path
        for folder in (path, path / "keys"):
            os.chmod(folder, 0o700)


def said_by_nobody(speak: Callable[[], str]) -> str:
    """What a forked child says that has no rights beyond those of a user; root has them all.

    It is not executed anew: the interpreter may lie where only root reads.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of threads that other tests left; the child uses none
        child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            answer = speak()
        except BaseException:
            answer = traceback.format_exc()
        finally:
            os.write(writing, answer.encode())
            os._exit(0)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            if not select.select([pipe], [], [], CHILD_SECONDS)[0]:
                os.kill(child, signal.SIGKILL)
            return pipe.read().decode()
    finally:
        os.waitpid(child, 0)


def refusal(path: Path, *, writable: bool) -> str:
    """Why a data folder cannot be opened."""
    try:
        opened(path, writable=writable)
    except StoreUnavailable as error:
        return error.message
    return "it was opened"


async def read_back(path: Path) -> str:
    """The positions that a reader finds."""
    reader = opened(path, writable=False)
    found = [item.pos for item in await everything(reader)]
    await reader.close()
    return str(found)


def test_a_folder_without_the_right_to_write_is_refused(shut: Path) -> None:
    assert re.search(r"cannot be .*written", said_by_nobody(lambda: refusal(shut, writable=True)))
    assert sorted(item.name for item in shut.iterdir()) == ["acknowledged", "keys", "lock", "log.sqlite3"]
    (shut / "lock").unlink()
    assert "cannot be written" in said_by_nobody(lambda: refusal(shut, writable=True))


def test_a_folder_without_the_right_to_write_is_read(shut: Path) -> None:
    assert said_by_nobody(lambda: asyncio.run(read_back(shut))) == "[1, 2]"
    assert said_by_nobody(lambda: str(verify_store(shut).ok)) == "True"
    os.chmod(shut / "log.sqlite3", 0o400)
    assert said_by_nobody(lambda: asyncio.run(read_back(shut))) == "[1, 2]"


def test_a_log_without_the_right_to_read_is_refused(shut: Path) -> None:
    os.chmod(shut / "log.sqlite3", 0o000)
    assert "cannot be opened" in said_by_nobody(lambda: refusal(shut, writable=False))


async def test_the_making_of_a_log_may_be_cut_short(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "cut"
    (path / "keys").mkdir(parents=True)
    shutil.copy(folder / "keys" / "log.key", path / "keys" / "log.key")
    (path / "log.sqlite3").touch()
    with pytest.raises(StoreUnavailable, match="not a SEP log"):
        opened(path, writable=False)
    async with opened(path) as store:
        assert (await store.head()).pos == 0
        await store.append([write("a", NoStream(), event("1"))])


async def test_the_verifier_stands_beside_the_log(folder: Path) -> None:
    text = (folder / "keys" / "log.pub").read_text().strip()
    assert re.fullmatch(r"sep/[0-9a-f-]{36}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", text)
    reader = opened(folder, writable=False)
    assert reader.verifier.text() == text
    await reader.close()
