"""Native code writes through the connection of the store, and leaves nothing open behind it."""

import threading
from pathlib import Path
from uuid import uuid4

import anyio
import apsw
import pytest
from sep_hooks.store import AnyVersion, AppendResult, Exact, WrongExpectedVersion
from sep_hooks.testing.store import SteppedClock, event, write

from sep_core.adapters.store_sqlite import SqliteOptions, open_store, verify_store
from sep_core.adapters.store_sqlite.connection import load_native, open_writer
from sep_core.events.native import Ledger, LogWriter, NoteSigner

pytestmark = pytest.mark.anyio


def ledger() -> Ledger:
    """Of an empty log."""
    return Ledger(bytes(16), 1, 0, b"", b"", 0, NoteSigner("sep/s", bytes(32)))


def test_no_other_library_can_be_loaded_afterwards(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "log.sqlite3", SqliteOptions())
    load_native(connection)
    with pytest.raises(apsw.SQLError, match="not authorized"):
        connection.execute("SELECT load_extension('anything')")
    with pytest.raises(apsw.ExtensionLoadingError, match="not authorized"):
        connection.load_extension("anything")
    log = LogWriter(AppendResult)
    log.attach(ledger())
    log.detach()
    connection.close()


def test_a_connection_is_handed_over_once_and_on_its_thread(tmp_path: Path) -> None:
    connection = open_writer(tmp_path / "log.sqlite3", SqliteOptions())
    load_native(connection)
    outcome: list[BaseException | None] = []

    def attach_elsewhere() -> None:
        try:
            LogWriter(AppendResult).attach(ledger())
        except RuntimeError as error:
            outcome.append(error)

    thread = threading.Thread(target=attach_elsewhere)
    thread.start()
    thread.join()
    assert [str(error) for error in outcome] == ["this thread has not loaded a connection"]
    log = LogWriter(AppendResult)
    log.attach(ledger())
    with pytest.raises(RuntimeError, match="has not loaded"):
        LogWriter(AppendResult).attach(ledger())
    log.detach()
    with pytest.raises(RuntimeError, match="no log is attached"):
        log.take()
    connection.close()


async def test_two_logs_in_one_process_stay_apart(tmp_path: Path) -> None:
    async with (
        open_store(tmp_path / "a", writable=True, clock=SteppedClock(), ids=uuid4) as first,
        open_store(tmp_path / "b", writable=True, clock=SteppedClock(), ids=uuid4) as second,
    ):
        async with anyio.create_task_group() as group:
            for store, count in ((first, 20), (second, 30)):
                for number in range(count):
                    group.start_soon(store.append, [write("s", AnyVersion(), event(f"{count} {number}"))])
        assert (await first.head()).pos == 20
        assert (await second.head()).pos == 30
    assert verify_store(tmp_path / "a").ok
    assert verify_store(tmp_path / "b").ok


async def test_refusals_between_native_batches_are_answered_in_their_place(tmp_path: Path) -> None:
    async with open_store(tmp_path, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        position = 0
        for turn in range(40):
            if turn % 3 == 1:
                with pytest.raises(WrongExpectedVersion):
                    await store.append([write("s", Exact(position + 5), event(str(turn)))])
                continue
            again = write("s", Exact(position), event(str(turn)))
            position += 1
            assert await store.append([again]) == AppendResult(position, position)
            if turn % 3 == 2:
                assert await store.append([again]) == AppendResult(position, position, duplicate=True)
        assert (await store.head()).pos == position
    assert verify_store(tmp_path).ok
