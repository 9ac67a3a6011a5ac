"""The PostgreSQL store passes the suite of all stores: plain, as a role of few rights, and with TimescaleDB."""

import asyncio
import itertools
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from pydantic import SecretStr
from sep_hooks.context import Clock
from sep_hooks.store import NoStream, StoreUnavailable
from sep_hooks.testing.store import StoreMachine, StorePlace, StoreSuite, event, write

from sep_core.adapters.store_postgres import (
    PostgresConfig,
    PostgresStore,
    migrate_database,
    open_store,
    verify_store,
)

from ..harness.servers import PostgresServer


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC)


async def make_database(server: PostgresServer, *, timescale: bool = False) -> str:
    """A database of its own; gives its name."""
    name = f"log_{uuid4().hex}"
    await tell(server.url(), f"CREATE DATABASE {name}")
    if timescale:
        await tell(server.url(name), "CREATE EXTENSION timescaledb")
    return name


async def tell(dsn: str, statement: str) -> None:
    """Carries one statement out."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def config_of(dsn: str, **more: object) -> PostgresConfig:
    """A configuration that leads there."""
    return PostgresConfig(dsn=SecretStr(dsn), min_size=0, max_size=4, **more)  # type: ignore[arg-type]


class PostgresPlace(StorePlace):
    """A database, and a data folder for each engine; the keys are shared."""

    def __init__(self, dsn: str, path: Path) -> None:
        self.config = config_of(dsn, keys=path / "keys")
        self.path = path
        self._engines = itertools.count(1)
        self._ids = (UUID(int=number << 64 | number) for number in itertools.count(1))

    async def open(self, *, writable: bool = True, clock: Clock | None = None) -> PostgresStore:
        """Opens it."""
        return await self._open(self.path / "first", writable=writable, clock=clock)

    async def displace(self) -> PostgresStore:
        """Opens it as another engine, which takes the session of the first for dead."""
        folder = self.path / f"other{next(self._engines)}"
        reader = await self._open(folder, writable=False)
        await reader.close()
        return await self._open(folder, take_over=reader.epoch)

    async def _open(
        self, folder: Path, *, writable: bool = True, clock: Clock | None = None, take_over: int | None = None
    ) -> PostgresStore:
        return await open_store(
            self.config,
            folder,
            writable=writable,
            clock=clock if clock is not None else SystemClock(),
            ids=lambda: next(self._ids),
            take_over=take_over,
        )


class TestPostgresStore(StoreSuite):
    """Everything in the suite, as the owner of an empty database."""

    @pytest.fixture
    def place(self, postgres_server: PostgresServer, tmp_path: Path) -> PostgresPlace:
        """A fresh database."""
        name = asyncio.run(make_database(postgres_server))
        return PostgresPlace(postgres_server.url(name), tmp_path)


def role_of_few_rights(server: PostgresServer, name: str, group: str) -> str:
    """Migrates a database as its owner; gives the address of a login that is a member of one role."""
    migrate_database(config_of(server.url(name)))
    login = f"login_{uuid4().hex}"
    asyncio.run(tell(server.url(name), f"CREATE ROLE {login} LOGIN IN ROLE {group}"))
    return server.url(name, login)


class TestPostgresOfFewRights(StoreSuite):
    """Everything in the suite as a member of `sep_appender`."""

    @pytest.fixture
    def place(self, postgres_server: PostgresServer, tmp_path: Path) -> PostgresPlace:
        """A migrated database."""
        name = asyncio.run(make_database(postgres_server))
        return PostgresPlace(role_of_few_rights(postgres_server, name, "sep_appender"), tmp_path)

    @pytest.mark.parametrize(
        "statement",
        [
            "INSERT INTO sep.event_ids VALUES ('00000000-0000-0000-0000-000000000000', 9)",
            "UPDATE sep.events SET type = 'x'",
            "DELETE FROM sep.events",
            "TRUNCATE sep.events",
            "UPDATE sep.log_head SET epoch = 99",
            "UPDATE sep.streams SET version = 7",
            "DROP TABLE sep.events",
            "CREATE TABLE sep.x ()",
            "ALTER FUNCTION sep.moment(bigint) RENAME TO nothing",
        ],
    )
    async def test_an_appender_may_only_append(self, place: PostgresPlace, statement: str) -> None:
        store = await place.open()
        await store.append([write("a", NoStream(), event("1"))])
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tell(place.config.dsn.get_secret_value(), statement)
        await store.close()


class TestTimescaleStore(StoreSuite):
    """Everything in the suite, on a hypertable."""

    @pytest.fixture
    def place(self, timescale_server: PostgresServer, tmp_path: Path) -> PostgresPlace:
        """A fresh database with the extension."""
        name = asyncio.run(make_database(timescale_server, timescale=True))
        return PostgresPlace(timescale_server.url(name), tmp_path)

    async def test_events_lie_in_chunks_and_what_the_licence_leaves_out_is_said(
        self, place: PostgresPlace
    ) -> None:
        store = await place.open()
        await store.append([write("a", NoStream(), event("1"))])
        looking = await asyncpg.connect(place.config.dsn.get_secret_value())
        assert await looking.fetchval("SELECT count(*) FROM timescaledb_information.chunks") == 1
        await looking.close()
        await store.close()
        again = await asyncio.to_thread(migrate_database, place.config)
        assert again.steps == ()
        assert any("apache" in note and "no compression" in note for note in again.notes), again

    async def test_a_plain_log_becomes_a_hypertable_later(
        self, timescale_server: PostgresServer, tmp_path: Path
    ) -> None:
        plain = PostgresPlace(timescale_server.url(await make_database(timescale_server)), tmp_path)
        store = await plain.open()
        await store.append([write("a", NoStream(), *[event(f"{n}") for n in range(300)])])
        await store.close()
        dsn = plain.config.dsn.get_secret_value()
        (hint,) = (await asyncio.to_thread(migrate_database, plain.config)).notes
        assert "CREATE EXTENSION timescaledb" in hint
        await tell(dsn, "CREATE EXTENSION timescaledb")
        planned = await asyncio.to_thread(migrate_database, plain.config, dry_run=True)
        done = await asyncio.to_thread(migrate_database, plain.config)
        assert planned.steps == done.steps
        assert "hypertable" in done.steps[0]
        report = await asyncio.to_thread(verify_store, plain.config, plain.path)
        assert (report.first_bad, report.positions) == (None, 300)


FROZEN = ("events", "event_keys", "event_ids", "log_checkpoints", "log_keys")


@pytest.mark.anyio
@pytest.mark.parametrize("table", FROZEN)
async def test_tables_refuse_even_their_owner(
    postgres_server: PostgresServer, tmp_path: Path, table: str
) -> None:
    dsn = postgres_server.url(await make_database(postgres_server))
    store = await PostgresPlace(dsn, tmp_path).open()
    await store.append([write("a", NoStream(), event("1"))])
    await store.close()
    column = "pos" if table.startswith("event") else "root" if table == "log_checkpoints" else "verifier"
    for statement in (
        f"UPDATE sep.{table} SET {column} = {column}",
        f"DELETE FROM sep.{table}",
        f"TRUNCATE sep.{table}",
    ):
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await tell(dsn, statement)


@pytest.mark.anyio
async def test_a_reader_may_only_read(postgres_server: PostgresServer, tmp_path: Path) -> None:
    name = await make_database(postgres_server)
    reading = await asyncio.to_thread(role_of_few_rights, postgres_server, name, "sep_reader")
    with pytest.raises(StoreUnavailable, match="holds no log"):
        await PostgresPlace(reading, tmp_path).open(writable=False)
    owner = await PostgresPlace(postgres_server.url(name), tmp_path).open()
    await owner.append([write("a", NoStream(), event("1"))])
    await owner.close()
    reader = await PostgresPlace(reading, tmp_path).open(writable=False)
    assert (await reader.prove(1)).checkpoint == await reader.head()
    await reader.close()
    with pytest.raises(StoreUnavailable, match="refuses this role"):
        await PostgresPlace(reading, tmp_path).open()


class PostgresMachine(StoreMachine):
    """Each run in a fresh database, which verifies at the end."""

    server: ClassVar[PostgresServer]

    def fresh_place(self) -> StorePlace:
        """A database and a folder."""
        self.folder = Path(tempfile.mkdtemp(prefix="sep-machine-"))
        self.name = self.runner.run(make_database(self.server))
        self.fresh = PostgresPlace(self.server.url(self.name), self.folder)
        return self.fresh

    def teardown(self) -> None:
        """Verifies the log and removes it."""
        super().teardown()
        if hasattr(self, "fresh"):
            report = verify_store(self.fresh.config, self.folder)
            asyncio.run(tell(self.server.url(), f"DROP DATABASE {self.name} WITH (FORCE)"))
            shutil.rmtree(self.folder)
            assert report.first_bad is None


def test_postgres_against_a_dict(postgres_server: PostgresServer) -> None:
    PostgresMachine.server = postgres_server
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        PostgresMachine,
        settings=settings(
            max_examples=10,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
