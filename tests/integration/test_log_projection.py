"""Read models apply each event exactly once, whatever interrupts them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast
from uuid import uuid4

import apsw
import pytest
from sep_hooks.store import AnyVersion, EventFilter, LogReplaced, NoStream, Recorded
from sep_hooks.testing.store import SteppedClock, event, write

from sep_core.adapters.store_sqlite import SqliteReadModel, SqliteStore, open_store
from sep_core.events.projection import Progress, project
from sep_core.events.proof import Receipt
from sep_core.events.signing import BadCheckpoint, LogKey
from sep_core.events.verify import verify_receipt

pytestmark = pytest.mark.anyio


class Totals(SqliteReadModel):
    """A sum for each stream: counting an event twice, or not at all, shows."""

    def __init__(self, path: Path) -> None:
        self.fail_at = 0
        super().__init__(path, "totals")

    def create(self, connection: apsw.Connection) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS total (stream TEXT PRIMARY KEY, amount INTEGER)")

    def fold(self, connection: apsw.Connection, events: Sequence[Recorded]) -> None:
        for item in events:
            connection.execute(
                "INSERT INTO total VALUES (?, ?) ON CONFLICT (stream) DO UPDATE SET amount = amount + excluded.amount",
                (item.stream, cast(int, item.body["n"])),
            )
            if item.pos == self.fail_at:
                raise ZeroDivisionError

    def totals(self) -> dict[str, int]:
        """What was folded."""
        return dict(cast(list[tuple[str, int]], self._connection.execute("SELECT * FROM total").fetchall()))


def opened(path: Path) -> SqliteStore:
    """A store at a path."""
    return open_store(path, writable=True, clock=SteppedClock(), ids=uuid4)


async def fill(store: SqliteStore, start: int, end: int) -> None:
    """Events with numbers as their bodies."""
    for number in range(start, end):
        await store.append([write(f"s:{number % 3}", AnyVersion(), event(f"{number}", n=number))])


def expected(end: int, *streams: int) -> dict[str, int]:
    """The totals of numbers below `end`."""
    return {f"s:{stream}": sum(range(stream, end, 3)) for stream in streams or (0, 1, 2)}


async def test_every_event_counts_once_through_failures(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        await fill(store, 0, 40)
        model = Totals(tmp_path / "model.sqlite3")
        model.fail_at = 25
        with pytest.raises(ZeroDivisionError):
            await project(store, model, until=40)
        model.close()
        model = Totals(tmp_path / "model.sqlite3")
        await project(store, model, until=30)
        assert model.totals() == expected(30)
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            group.create_task(project(store, model, until=90))
            group.create_task(fill(store, 40, 90))
        assert model.totals() == expected(90)
        assert await model.progress() == Progress(store.store_id, 90)
        await project(store, model, until=90)
        model.close()


async def test_filtered_positions_move_progress_too(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        await fill(store, 0, 20)
        model = Totals(tmp_path / "model.sqlite3")
        await project(store, model, filter=EventFilter(stream_prefixes=("s:1",)), until=20)
        assert model.totals() == expected(20, 1)
        assert await model.progress() == Progress(store.store_id, 20)
        model.close()


async def test_a_model_of_another_or_longer_log_stops(tmp_path: Path) -> None:
    model = Totals(tmp_path / "model.sqlite3")
    async with opened(tmp_path / "one") as store:
        await fill(store, 0, 5)
        await project(store, model, until=5)
        async with opened(tmp_path / "two") as other:
            await fill(other, 0, 9)
            with pytest.raises(LogReplaced, match="built from log"):
                await project(other, model, until=9)
        await model.apply([], Progress(store.store_id, 6))
        with pytest.raises(LogReplaced, match="restored"):
            await project(store, model, until=9)
    model.close()


async def test_a_receipt_convinces_somebody_outside(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        await store.append([write("big", NoStream(), *[event(f"{n}", n=n) for n in range(700)])])
        for pos in (1, 256, 257, 600, 700):
            receipt = Receipt.from_json((await store.receipt(pos)).to_json())
            found = verify_receipt(receipt, store.verifier)
            assert (found.pos, found.body) == (pos, {"n": pos - 1})
            for forged in (
                Receipt(
                    receipt.record.replace(b'"n":', b'"m":'),
                    pos,
                    receipt.path,
                    receipt.note,
                    receipt.verifier,
                ),
                Receipt(receipt.record, pos % 700 + 1, receipt.path, receipt.note, receipt.verifier),
                Receipt(receipt.record, pos, receipt.path[:-1], receipt.note, receipt.verifier),
            ):
                with pytest.raises(Exception, match=r"receipt|position"):
                    verify_receipt(forged, store.verifier)
            with pytest.raises(BadCheckpoint):
                verify_receipt(receipt, LogKey(store.store_id, bytes(32)).public)


async def test_a_vault_of_the_folder_opens_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        sealed = store.vault().seal(b"signed transaction")
        await store.append([write("a", NoStream(), event("1", raw=sealed))])
    async with opened(tmp_path / "data") as store:
        (found,) = [item async for item in store.read_all(after=0)]
        assert store.vault().open(cast(str, found.body["raw"])) == b"signed transaction"
