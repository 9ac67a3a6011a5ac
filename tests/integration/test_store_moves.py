"""`sep store`: a log goes from SQLite to PostgreSQL and back as the same bytes; schemas go forward only."""

import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import apsw
import asyncpg
import pytest
from sep_hooks.store import AnyVersion, StoreUnavailable, StreamWrite
from sep_hooks.testing.store import SteppedClock, event, everything

from sep_core.adapters.store_postgres import open_store as open_postgres
from sep_core.adapters.store_sqlite import open_store as open_sqlite
from sep_core.events.log_store import LogStore
from sep_core.events.proof import Receipt
from sep_core.events.signing import PublicKey
from sep_core.events.verify import verify_receipt

from ..contract.test_store_postgres import config_of, make_database
from ..harness.bench import toml_text
from ..harness.servers import PostgresServer
from .command import Answer
from .command import sep as run

pytestmark = pytest.mark.anyio
SIZE = 700


def sep(*words: str, **environ: str) -> Answer:
    """Runs a command anywhere."""
    return run(*words, cwd=Path("/"), environ=environ)


def configuration(folder: Path, store: dict[str, Any]) -> Path:
    """A configuration of nothing but its store."""
    folder.mkdir()
    path = folder / "sep.toml"
    path.write_text(toml_text({"store": store}))
    return path


async def fill(store: LogStore) -> list[Receipt]:
    """Some events, in batches of several sizes, and receipts of a few."""
    written = 0
    for size in (1, 2, 255, 1, SIZE - 259):
        writes = [
            StreamWrite(
                f"s:{stream}",
                AnyVersion(),
                [event(f"{n}", n=n) for n in range(written + stream, written + size, 7)],
            )
            for stream in range(min(7, size))
        ]
        await store.append(writes)
        written += size
    return [await store.receipt(pos) for pos in (1, 256, 300, SIZE)]


async def test_a_log_goes_to_postgres_and_back(postgres_server: PostgresServer, tmp_path: Path) -> None:
    dsn = postgres_server.url(await make_database(postgres_server))
    here = configuration(tmp_path / "here", {"path": "data"})
    there = configuration(
        tmp_path / "there", {"use": "postgres", "path": "data", "dsn": {"env": "SEP_TEST_DSN"}}
    )
    back = configuration(tmp_path / "back", {"path": "data"})
    async with open_sqlite(here.parent / "data", writable=True, clock=SteppedClock(), ids=uuid4) as store:
        receipts = await fill(store)
        before, log = await store.head(), await everything(store)
        sealed = store.vault().seal(b"a signed transaction")

    for source, target in ((here, there), (there, back)):
        told = sep("store", "copy", "--from", str(source), "--to", str(target), SEP_TEST_DSN=dsn)
        assert told.code == 0, told
        assert f"copied  {SIZE} events" in told.out
        assert "verified" in told.out
        again = sep("store", "copy", "--from", str(source), "--to", str(target), SEP_TEST_DSN=dsn)
        assert (again.code, "holds a log already" in again.err) == (6, True), again

    for words in ([], ["--stream", "s:3"], ["--as-of", "300"]):
        exports = []
        for name, config in (("here", here), ("there", there)):
            file = tmp_path / f"{name}.jsonl"
            told = sep("events", "export", str(file), "--config", str(config), *words, SEP_TEST_DSN=dsn)
            assert told.code == 0, told
            exports.append(file.read_bytes())
        assert exports[0] == exports[1], "the same file from either store"
        told = sep("verify", str(tmp_path / "there.jsonl"), "--key", receipts[0].verifier, "--json")
        assert (told.code, told.json["ok"]) == (0, True), told
        past = sep(
            "events", "--as-of", "300", "--limit", "2", "--json", "--config", str(there), SEP_TEST_DSN=dsn
        )
        assert [json.loads(line)["position"] for line in past.out.splitlines()] == [299, 300], past
    told = sep("events", "--as-of", "300", "--follow", "--config", str(here))
    assert (told.code, "the past does not go on" in told.err) == (2, True), told
    told = sep("events", "--config", str(here), "export", str(tmp_path / "misplaced.jsonl"))
    assert (told.code, "behind export" in told.err) == (2, True), "an option that would be ignored is refused"
    lost = tmp_path / "lost.jsonl"
    told = sep("events", "export", str(lost), "--stream", "s:none", "--config", str(here))
    assert (told.code, "s:none" in told.err) == (1, True), told
    assert not [one for one in os.listdir(tmp_path) if one.startswith("lost")], (
        "nothing that looks like an export is left behind"
    )
    half = tmp_path / "half.jsonl"
    half.write_bytes(exports[0][: len(exports[0]) // 2])
    told = sep("verify", str(half))
    assert (told.code, told.out.startswith("BROKEN at position ")) == (1, True), told

    async with await open_postgres(
        config_of(dsn), there.parent / "data", writable=True, clock=SteppedClock(), ids=uuid4
    ) as store:
        assert await everything(store) == log
        assert await store.head() == before
        assert store.vault().open(sealed) == b"a signed transaction"
        more = await store.append([StreamWrite("s:0", AnyVersion(), [event("more")])])
        assert more.first_pos == SIZE + 1
        assert (await store.append([StreamWrite("s:0", AnyVersion(), [event("0", n=0)])])).duplicate
    async with open_sqlite(back.parent / "data", writable=True, clock=SteppedClock(), ids=uuid4) as store:
        assert await everything(store) == log
        assert (await store.append([StreamWrite("s:0", AnyVersion(), [event("0", n=0)])])).duplicate
        for receipt in receipts:
            assert verify_receipt(receipt, PublicKey.parse(store.verifier.text())).pos == receipt.pos
    for config in (there, back):
        assert sep("store", "verify", "--config", str(config), SEP_TEST_DSN=dsn).code == 0


async def test_a_copy_waits_for_nobody_and_leaves_nothing_half(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    dsn = postgres_server.url(await make_database(postgres_server))
    here = configuration(tmp_path / "here", {"path": "data"})
    there = configuration(tmp_path / "there", {"use": "postgres", "path": "data", "dsn": dsn})
    async with open_sqlite(here.parent / "data", writable=True, clock=SteppedClock(), ids=uuid4) as store:
        await fill(store)
        told = sep("store", "copy", "--from", str(here), "--to", str(there))
        assert (told.code, "another engine writes" in told.err) == (6, True), told
    with apsw.Connection(str(here.parent / "data" / "log.sqlite3")) as connection:
        connection.execute("DROP TRIGGER events_no_delete")
        connection.execute("DELETE FROM events WHERE pos = 400")
    told = sep("store", "copy", "--from", str(here), "--to", str(there))
    assert (told.code, "hole behind position" in told.err) == (6, True), told
    looking = await asyncpg.connect(dsn)
    assert await looking.fetchval("SELECT count(*) FROM sep.log_head") == 0
    assert await looking.fetchval("SELECT count(*) FROM sep.events") == 0
    await looking.close()


async def test_schemas_go_forward_only(postgres_server: PostgresServer, tmp_path: Path) -> None:
    dsn = postgres_server.url(await make_database(postgres_server))
    config = configuration(tmp_path / "there", {"use": "postgres", "path": "data", "dsn": dsn})
    dry = sep("store", "migrate", "--dry-run", "--config", str(config), "--json")
    assert (dry.code, json.loads(dry.out)["before"], len(json.loads(dry.out)["steps"])) == (0, 0, 1), dry
    looking = await asyncpg.connect(dsn)
    assert await looking.fetchval("SELECT to_regclass('sep.events')") is None
    assert sep("store", "migrate", "--config", str(config)).code == 0
    assert "nothing to do" in sep("store", "migrate", "--config", str(config)).out
    await looking.execute("INSERT INTO sep.schema_versions VALUES (99, 'of the future')")
    for words in (("store", "migrate"), ("store", "verify"), ("status",)):
        told = sep(*words, "--config", str(config))
        assert (told.code, "newer release" in told.err) == (6, True), told
    with pytest.raises(StoreUnavailable, match="newer release"):
        await open_postgres(config_of(dsn), tmp_path / "data", writable=True, clock=SteppedClock(), ids=uuid4)
    await looking.close()

    file = configuration(tmp_path / "here", {"path": "data"})
    assert sep("store", "migrate", "--config", str(file)).code == 6
    async with open_sqlite(file.parent / "data", writable=True, clock=SteppedClock(), ids=uuid4):
        assert sep("store", "migrate", "--config", str(file)).code == 6
    assert "nothing to do" in sep("store", "migrate", "--config", str(file)).out
    with apsw.Connection(str(file.parent / "data" / "log.sqlite3")) as connection:
        connection.execute("PRAGMA user_version = 99")
    told = sep("store", "migrate", "--config", str(file))
    assert (told.code, "newer release" in told.err) == (6, True), told


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"dsn": "mysql://h/d"}, "store.dsn: is no address"),
        ({"dsn": "postgresql://u:hidden@h"}, "names no database"),
        ({"dsn": "postgresql://u:hidden@h:port/d"}, "store.dsn: is no address"),
        ({"dsn": {"env": "SEP_TEST_ABSENT"}}, "SEP_TEST_ABSENT is not set"),
        ({}, "store.dsn: is missing"),
        ({"dsn": "postgresql://u@h/d", "max_size": 0}, "store.max_size"),
        ({"dsn": "postgresql://u@h/d", "min_size": 9}, "above max_size"),
        ({"dsn": "postgresql://u@h/d", "pool_timeout": 3}, "store.pool_timeout: is no known key"),
        ({"dsn": "postgresql://u@h/d", "max_szie": 3}, "max_size"),
    ],
)
def test_a_wrong_table_is_named_without_a_connection(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    config = configuration(tmp_path / "x", {"use": "postgres", "path": "data", **keys})
    told = sep("check", "--config", str(config))
    assert told.code == 3, told
    assert said in told.err, told
    assert "hidden" not in told.out + told.err


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    for number, (store, said) in enumerate(
        (
            ({"use": "postgres", "dsn": "postgresql://u:hidden@127.0.0.1:1/d"}, "127.0.0.1:1, database d"),
            ({"use": "mongo"}, 'store.use is "mongo"'),
            ({"path": "data", "dsn": "x"}, "store.dsn: is no known key"),
        )
    ):
        config = configuration(tmp_path / str(number), store)
        told = sep("status", "--config", str(config))
        assert told.code in (3, 6), told
        assert said in told.err
        assert "hidden" not in told.err
