"""A disk that gives back something else than was written: an engine stops with a clear word, or goes on rightly."""

import os
import random
import re
import shutil
from pathlib import Path
from uuid import uuid4

import apsw
import pytest
from sep_hooks.errors import SepError
from sep_hooks.store import AnyVersion, LogBroken, NewEvent, StreamWrite
from sep_hooks.testing.store import SteppedClock

from sep_core.adapters.store_postgres import open_store as open_postgres
from sep_core.adapters.store_sqlite import open_store as open_sqlite
from sep_core.events.log_store import LogStore
from sep_core.events.native import leaf_hash, tree_root
from sep_core.events.signing import PublicKey, open_note
from sep_core.runtime.desk import fold

from ..contract.test_store_postgres import config_of, make_database, tell
from ..harness.servers import PostgresServer
from .identity_engine import Stage, settle, stage

pytestmark = pytest.mark.anyio

PAGES = 120
NEXT_STEPS = "sep verify|sep doctor|backup|permissions|upgrade SEP"


def closed(data: Path) -> None:
    """Everything is in the file itself, as a checkpoint leaves it."""
    connection = apsw.Connection(str(data / "log.sqlite3"))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()


def page_size(data: Path) -> int:
    return int.from_bytes((data / "log.sqlite3").read_bytes()[16:18])


def damaged(page: bytes, how: str, draw: random.Random) -> bytes:
    """One page as a bad disk gives it back."""
    if how == "zeros":
        return bytes(len(page))
    if how == "noise":
        return draw.randbytes(len(page))
    changed = bytearray(page)
    changed[draw.randrange(len(page))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def records(data: Path) -> tuple[bytes, list[bytes]]:
    """The root that was signed last, and every record."""
    connection = apsw.Connection(str(data / "log.sqlite3"))
    note = connection.execute("SELECT note FROM log_checkpoints ORDER BY size DESC LIMIT 1").fetchall()[0][0]
    log = [bytes(row[0]) for row in connection.execute("SELECT record FROM events ORDER BY pos")]
    key = PublicKey.parse((data / "keys" / "log.pub").read_text())
    connection.close()
    return open_note(str(note), key).root, log


async def outcome(one: Stage, known: int) -> str:
    """What an engine does with the folder: it says why it does not go on, or has all of the log and settles more."""
    try:
        async with one.engine(one.changed(mode="paper")) as kernel:
            assert kernel.world.position >= known, "what was acknowledged is there"
            await settle(kernel)
    except (SepError, BaseExceptionGroup) as error:
        (first, *_) = found = leaves(error)
        if not all(isinstance(one, SepError) for one in found):
            raise
        return str(first)
    return ""


def leaves(error: BaseException) -> list[BaseException]:
    """What a task group has gathered."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in leaves(one)]
    return [error]


@pytest.mark.says
async def test_a_damaged_page_never_goes_unseen(tmp_path: Path) -> None:
    """Pages drawn now, in three ways: the engine refuses or stops, or has a whole log with all that it said it had."""
    seed = int(os.environ.get("SEP_FAULT_SEED", random.SystemRandom().randrange(2**32)))
    print(f"damaged pages: seed {seed}")
    draw = random.Random(seed)
    with stage(tmp_path) as one:
        async with one.engine(one.changed(mode="paper")) as kernel:
            for _ in range(3):
                await settle(kernel)
            known = kernel.world.position
        data, whole = tmp_path / "data", tmp_path / "whole"
        closed(data)
        shutil.copytree(data, whole)
        before = records(whole)[1]
        size, content = page_size(data), (data / "log.sqlite3").read_bytes()
        refused = 0
        for turn in range(PAGES):
            shutil.rmtree(data)
            shutil.copytree(whole, data)
            place = draw.randrange(len(content) // size) * size
            how = ("bit", "zeros", "noise")[turn % 3]
            page = damaged(content[place : place + size], how, draw)
            (data / "log.sqlite3").write_bytes(content[:place] + page + content[place + size :])
            told = await outcome(one, known)
            if told:
                refused += 1
                assert re.search(NEXT_STEPS, told), told
                continue
            signed, log = records(data)
            assert log[: len(before)] == before, f"page {place // size + 1}, {how}: went on over another log"
            assert tree_root(b"".join(map(leaf_hash, log))) == signed
        print(f"{refused} of {PAGES} engines stopped; the others had a whole log")
        assert refused > PAGES // 4


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_changed_record_is_never_folded(
    kind: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """One that still reads well: another reason, another amount. Now or as of a position behind it."""
    data = tmp_path / "data"
    dsn = postgres_server.url(await make_database(postgres_server)) if kind == "postgres" else ""

    async def opened() -> LogStore:
        if dsn:
            place = config_of(dsn)
            return await open_postgres(place, data, writable=True, clock=SteppedClock(), ids=uuid4)
        return open_sqlite(data, writable=True, clock=SteppedClock(), ids=uuid4)

    store = await opened()
    for number in range(600):
        said = NewEvent(uuid4(), "KernelStopped", 1, {"reason": f"stop {number}"}, {})
        await store.append([StreamWrite("kernel", AnyVersion(), [said])])
    assert (await fold(store)).position == 600
    assert (await fold(store, as_of=300)).position == 300
    changed = "replace(CAST(record AS TEXT), 'stop 250', 'stop 999')"
    if dsn:
        await tell(dsn, "ALTER TABLE sep.events DISABLE TRIGGER USER")
        replaced = "convert_to(replace(convert_from(record, 'UTF8'), 'stop 250', 'stop 999'), 'UTF8')"
        await tell(dsn, f"UPDATE sep.events SET record = {replaced} WHERE pos = 251")
    else:
        connection = apsw.Connection(str(data / "log.sqlite3"))
        connection.execute("DROP TRIGGER events_no_update")
        connection.execute(f"UPDATE events SET record = CAST({changed} AS BLOB) WHERE pos = 251")
        connection.close()
    for as_of in (None, 300, 251):
        with pytest.raises(LogBroken, match=r"at least one is not what the log's key signed.*sep verify"):
            await fold(store, as_of=as_of)
    assert (await fold(store, as_of=250)).position == 250, "what stands before it is what was signed"
    await store.close()
