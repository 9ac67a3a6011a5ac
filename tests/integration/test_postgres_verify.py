"""Whatever is changed in the tables of a log in PostgreSQL, the check names the position."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import orjson
import pytest
from sep_hooks.store import AnyVersion, StreamWrite
from sep_hooks.testing.store import event, leaf_of

from sep_core.adapters.store_postgres import verify_store
from sep_core.adapters.store_postgres.schema import FROZEN
from sep_core.events.signing import PublicKey

from ..contract.test_store_postgres import PostgresPlace, config_of, make_database
from ..harness.servers import PostgresServer

pytestmark = pytest.mark.anyio
SIZE = 300
ONE_BY_ONE = 40  # the first positions have a checkpoint each, the others share one


class Tables:
    """A copy of one log, open to whoever owns the database."""

    def __init__(self, dsn: str, folder: Path, connection: asyncpg.Connection) -> None:
        self.config = config_of(dsn)
        self.folder = folder
        self.connection = connection

    async def bad(self, *, anchors: tuple[str, ...] = ()) -> tuple[int, str] | None:
        """What the check finds."""
        report = await asyncio.to_thread(verify_store, self.config, self.folder, anchors=anchors)
        return report.first_bad


@pytest.fixture
async def tables(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Tables]:
    """A log that nobody touched, whose triggers are off."""
    dsn = postgres_server.url(await make_database(postgres_server))
    store = await PostgresPlace(dsn, tmp_path).open()
    for number in range(ONE_BY_ONE):
        await store.append(
            [StreamWrite(f"s:{number * number % 7}", AnyVersion(), [event(f"{number}", n=number)])]
        )
    rest = range(ONE_BY_ONE, SIZE)
    await store.append(
        [
            StreamWrite(f"s:{stream}", AnyVersion(), [event(f"{n}", n=n) for n in rest if n % 7 == stream])
            for stream in range(7)
        ]
    )
    await store.close()
    connection = await asyncpg.connect(dsn)
    for table in FROZEN:
        await connection.execute(f"ALTER TABLE sep.{table} DISABLE TRIGGER append_only")
    yield Tables(dsn, tmp_path, connection)
    await connection.close()


@pytest.mark.says
async def test_a_changed_row_is_named(tables: Tables) -> None:
    assert await tables.bad() is None
    seed = random.randrange(2**32)
    print(f"changed rows in PostgreSQL: seed {seed}")
    chance = random.Random(seed)
    tell = tables.connection.execute
    for _ in range(6):
        pos = chance.randrange(1, SIZE + 1)
        record = await tables.connection.fetchval("SELECT record FROM sep.events WHERE pos = $1", pos)
        forged = orjson.loads(record)
        forged["body"] = {"n": 999_999}
        false = orjson.dumps(forged, option=orjson.OPT_SORT_KEYS)
        place, bit = chance.randrange(len(record)), 1 << chance.randrange(8)
        flipped = record[:place] + bytes([record[place] ^ bit]) + record[place + 1 :]
        for statement, values in (
            ("UPDATE sep.events SET record = $2 WHERE pos = $1", (pos, flipped)),
            (
                "UPDATE sep.events SET record = $2, leaf_hash = $3 WHERE pos = $1",
                (pos, false, leaf_of(false)),
            ),
            ("DELETE FROM sep.events WHERE pos = $1", (pos,)),
            ("DELETE FROM sep.event_ids WHERE pos = $1", (pos,)),
            ("DELETE FROM sep.event_keys WHERE pos = $1", (pos,)),
            ("UPDATE sep.events SET rec = rec + interval '1 microsecond' WHERE pos = $1", (pos,)),
            ("UPDATE sep.events SET corr = gen_random_uuid() WHERE pos = $1", (pos,)),
            ("UPDATE sep.events SET type = 'test.other' WHERE pos = $1", (pos,)),
            ("UPDATE sep.events SET stream = 's:x' WHERE pos = $1", (pos,)),
        ):
            await tell("BEGIN")
            await tell(statement, *values)
            await tell("COMMIT")
            found = await tables.bad()
            assert found is not None, statement
            assert found[0] == pos, (statement, found)
            await restore(tables, pos)
    assert await tables.bad() is None


async def restore(tables: Tables, pos: int) -> None:
    """Puts a position back as it was."""
    kept = tables.connection
    await kept.execute("DELETE FROM sep.events WHERE pos = $1", pos)
    for table in ("events", "event_ids", "event_keys"):
        await kept.execute(
            f"INSERT INTO sep.{table} SELECT * FROM kept.{table} WHERE pos = $1 ON CONFLICT DO NOTHING", pos
        )


@pytest.fixture(autouse=True)
async def kept(tables: Tables) -> None:
    """What the tables were."""
    await tables.connection.execute("CREATE SCHEMA kept")
    for table in ("events", "event_ids", "event_keys"):
        await tables.connection.execute(f"CREATE TABLE kept.{table} AS TABLE sep.{table}")


async def test_swapped_rows_and_a_cut_end_are_named(tables: Tables) -> None:
    tell = tables.connection.execute
    for low, high in ((17, 230), (1, 2)):
        for _ in range(2):  # there and back
            await tell("UPDATE sep.events SET pos = -1 WHERE pos = $1", low)
            await tell("UPDATE sep.events SET pos = $1 WHERE pos = $2", low, high)
            await tell("UPDATE sep.events SET pos = $1 WHERE pos = -1", high)
            found = await tables.bad()
            if found is None:
                break
            assert found[0] == low
        assert await tables.bad() is None
    note = await tables.connection.fetchval("SELECT note FROM sep.log_checkpoints WHERE size = $1", SIZE)
    await tell("DELETE FROM sep.events WHERE pos > 30")
    found = await tables.bad()
    assert found is not None
    assert found[0] == 31
    await tell("UPDATE sep.log_head SET pos = 30")
    found = await tables.bad()
    assert found is not None
    assert found[0] == 31
    await tell("DELETE FROM sep.log_checkpoints WHERE size > 30")
    found = await tables.bad(anchors=(note,))
    assert found is not None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sep.streams SET version = version + 1 WHERE stream = 's:1'",
        "DELETE FROM sep.streams WHERE stream = 's:1'",
        "UPDATE sep.merkle_nodes SET hash = decode(repeat('ab', 32), 'hex')",
        "DELETE FROM sep.merkle_nodes",
        "UPDATE sep.log_head SET peaks = decode(repeat('ab', 128), 'hex')",
        "UPDATE sep.log_checkpoints SET root = decode(repeat('ab', 32), 'hex') WHERE size = 12",
        "DELETE FROM sep.log_checkpoints WHERE size = 300",
        "INSERT INTO sep.event_ids VALUES (gen_random_uuid(), 9)",
    ],
)
async def test_a_wrong_table_beside_the_events_is_named(tables: Tables, statement: str) -> None:
    await tables.connection.execute(statement)
    assert await tables.bad() is not None


async def test_another_key_proves_nothing(tables: Tables) -> None:
    other = PublicKey.parse((tables.folder / "keys" / "log.pub").read_text())
    false = PublicKey(other.name, bytes(32))
    report = await asyncio.to_thread(verify_store, tables.config, tables.folder, verifier=false)
    assert report.first_bad is not None
