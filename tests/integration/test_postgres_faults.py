"""What may happen between an engine and its PostgreSQL: whatever it is, an answer that was given is true."""

import asyncio
import json
import random
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import asyncpg
import pytest
from pydantic import SecretStr
from sep_hooks.errors import SepError
from sep_hooks.store import (
    AppendResult,
    CaughtUp,
    CommitUnknown,
    Exact,
    Fenced,
    NoStream,
    StoreFailed,
    StoreLocked,
    StoreUnavailable,
)
from sep_hooks.testing.store import SteppedClock, event, everything, write

from sep_core.adapters.store_postgres import PostgresStore, leader_silence, open_store, session, verify_store
from sep_core.adapters.store_postgres import lead as leading
from sep_core.adapters.store_postgres import store as storing
from sep_core.telemetry.crashpoints import armed

from ..contract.test_store_postgres import PostgresPlace, make_database
from ..harness.fault_proxy import Faults, fault_proxy
from ..harness.servers import POSTGRES, PostgresServer, ServerAbsent

pytestmark = pytest.mark.anyio
SECONDS = 60.0


@pytest.fixture
async def dsn(postgres_server: PostgresServer) -> str:
    """A database of its own."""
    return postgres_server.url(await make_database(postgres_server))


@asynccontextmanager
async def own_server() -> AsyncIterator[PostgresServer]:
    """A server that a test may kill."""
    try:
        server = PostgresServer(POSTGRES)
    except ServerAbsent as error:
        pytest.skip(str(error))
    await asyncio.to_thread(server.__enter__)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.remove)


async def until(holds: Callable[[], bool]) -> None:
    """Returns once something holds."""
    with anyio.fail_after(SECONDS):
        while not holds():  # noqa: ASYNC110
            await anyio.sleep(0.005)


class Load:
    """Producers that append one event after the other, and what they were told."""

    def __init__(self, store: PostgresStore, producers: int = 6) -> None:
        self.store = store
        self.producers = producers
        self.acknowledged: dict[UUID, int] = {}
        self.refused: dict[UUID, SepError] = {}
        self.tried: set[UUID] = set()
        self.stopped = False

    async def run(self) -> None:
        """Until `stopped`, or until each producer was refused."""
        async with asyncio.TaskGroup() as group:
            for number in range(self.producers):
                group.create_task(self._produce(number))

    async def _produce(self, number: int) -> None:
        turn = 0
        while not self.stopped:
            new = event(f"load {id(self)} {number} {turn}", turn=turn)
            self.tried.add(new.id)
            try:
                result = await self.store.append([write(f"p:{id(self)}:{number}", Exact(turn), new)])
            except SepError as error:
                self.refused[new.id] = error
                return
            assert not result.duplicate
            self.acknowledged[new.id] = result.first_pos
            turn += 1

    async def check(self, store: PostgresStore, *, unknown: bool = False) -> None:
        """Holds the log against what was told: acknowledged is there, refused is not, once each."""
        log = [item for item in await everything(store) if item.id in self.tried]
        found = {item.id: item.pos for item in log}
        assert len(found) == len(log)
        assert {id_: pos for id_, pos in found.items() if id_ in self.acknowledged} == self.acknowledged
        certain = {id_ for id_, error in self.refused.items() if not isinstance(error, CommitUnknown)}
        assert not certain & set(found), "a refused event stands in the log"
        assert unknown or set(found) == set(self.acknowledged)


CUTS = 12
KINDS = (Faults(asked_bytes=0), Faults(answered_bytes=0), Faults(silent=True))


@pytest.mark.says
async def test_a_connection_cut_during_commits_is_found_again(
    dsn: str, postgres_server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "CONNECT_SECONDS", 1.0)
    seed = random.randrange(2**32)
    print(f"cuts during COMMIT: seed {seed}")
    chance = random.Random(seed)
    cut = dict.fromkeys(KINDS, 0)
    async with fault_proxy(postgres_server.port) as proxy:
        place = PostgresPlace(dsn.replace(f":{postgres_server.port}/", f":{proxy.port}/"), tmp_path)
        place.config = place.config.model_copy(update={"command_timeout": 1})
        store = await place.open()

        def visit(point: str) -> None:
            due = point == "store.before_commit" and proxy.faults == Faults() and sum(cut.values()) < CUTS
            if due and chance.random() < 0.2:
                proxy.faults = chance.choice(KINDS)
                cut[proxy.faults] += 1

        load = Load(store)
        with armed(visit):
            async with asyncio.TaskGroup() as group:
                group.create_task(load.run())
                for _ in range(CUTS):
                    await until(lambda: proxy.faults != Faults())
                    connections = proxy.connections
                    await until(lambda n=connections: proxy.connections > n)  # type: ignore[misc]
                    proxy.faults = Faults()
                load.stopped = True
        assert load.refused == {}
        assert len(load.acknowledged) > 50
        await load.check(store)
        await store.close()
    report = await asyncio.to_thread(
        verify_store, place.config.model_copy(update={"dsn": SecretStr(dsn)}), tmp_path
    )
    assert report.first_bad is None
    print(
        f"{cut[KINDS[0]]} before, {cut[KINDS[1]]} after, {cut[KINDS[2]]} silent; {len(load.acknowledged)} appends"
    )


@pytest.mark.says
async def test_a_server_killed_amid_load_comes_back_with_all_that_was_acknowledged(tmp_path: Path) -> None:
    async with own_server() as server:
        dsn = server.url(await make_database(server))
        store = await PostgresPlace(dsn, tmp_path).open()
        load = Load(store)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            for deaths in range(1, 4):
                before = len(load.acknowledged)
                await until(lambda n=before: len(load.acknowledged) > n + 50)  # type: ignore[misc]
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
                print(f"death {deaths}: {len(load.acknowledged)} acknowledged")
            before = len(load.acknowledged)
            await until(lambda: len(load.acknowledged) > before + 50)
            load.stopped = True
        assert load.refused == {}
        await load.check(store)
        await store.close()
        report = await asyncio.to_thread(verify_store, PostgresPlace(dsn, tmp_path).config, tmp_path)
        assert report.first_bad is None


async def test_a_server_that_stays_away_is_said_and_nothing_acknowledged_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leading, "RECONNECT_SECONDS", 1.0)
    async with own_server() as server:
        dsn = server.url(await make_database(server))
        place = PostgresPlace(dsn, tmp_path)
        store = await place.open()
        load = Load(store)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            await until(lambda: len(load.acknowledged) > 50)
            await asyncio.to_thread(server.kill)
        assert len(load.refused) == load.producers
        assert {type(error) for error in load.refused.values()} <= {CommitUnknown, StoreFailed}
        with pytest.raises(StoreFailed, match="nothing more is recorded"):
            await store.append([write("a", NoStream(), event("late"))])
        with pytest.raises(StoreUnavailable, match="127"):
            await store.head()
        await store.close()
        with pytest.raises(StoreUnavailable):
            await place.open()
        await asyncio.to_thread(server.start)
        store = await place.open()
        await load.check(store, unknown=True)
        for id_, error in load.refused.items():
            assert isinstance(error, CommitUnknown | StoreFailed), id_
        await store.close()


async def test_a_reader_that_hears_no_bell_sees_everything(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All NOTIFYs are dropped: what is left is looking."""
    monkeypatch.setattr(storing, "CHANNEL", "nobody_rings_here")
    place = PostgresPlace(dsn, tmp_path)
    writer, seen = await place.open(), []
    await writer.append([write("a", NoStream(), event("0"))])
    reader = await place.open(writable=False)

    async def read() -> None:
        async for item in reader.subscribe(after=0):
            if not isinstance(item, CaughtUp):
                seen.append(item.pos)
            elif item.pos == 101:
                return

    with anyio.fail_after(SECONDS):
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            for number in range(1, 101):
                await writer.append([write("a", Exact(number), event(f"{number}"))])
    assert seen == list(range(1, 102))
    await reader.close()
    await writer.close()


async def test_a_bell_rings_for_readers_again_after_their_connection_was_lost(
    dsn: str, tmp_path: Path
) -> None:
    place = PostgresPlace(dsn, tmp_path)
    writer = await place.open()
    reader = await place.open(writable=False)
    looking = await asyncpg.connect(dsn)
    listening = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'sep listening'"

    async def listens() -> None:
        while not await looking.fetchval(  # noqa: ASYNC110
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sep listening' AND query LIKE 'LISTEN%'"
        ):
            await anyio.sleep(0.01)

    with anyio.fail_after(SECONDS):
        await listens()
        assert await looking.fetchval(listening) == 1
        await listens()
        rings = reader._bell.rings
        await writer.append([write("a", NoStream(), event("1"))])
        await until(lambda: reader._bell.rings > rings)
    await looking.close()
    await reader.close()
    await writer.close()


async def test_a_leader_paused_inside_a_batch_is_fenced_and_says_so(dsn: str, tmp_path: Path) -> None:
    """The whole process stands still between the decision and the commit, while another engine takes over."""
    place = PostgresPlace(dsn, tmp_path)
    paused = await place.open()
    await paused.append([write("a", NoStream(), event("1"))])

    async def other() -> None:
        store = await place.displace()
        assert await store.append([write("a", Exact(1), event("2"))]) == AppendResult(2, 2)
        await store.close()

    def stand_still(point: str) -> None:
        if point == "store.before_commit" and threading.current_thread() is threading.main_thread():
            thread = threading.Thread(target=asyncio.run, args=(other(),))
            thread.start()
            thread.join(SECONDS)

    with armed(stand_still), pytest.raises(Fenced):
        await paused.append([write("a", Exact(1), event("late"))])
    with pytest.raises(Fenced):
        await paused.renew()
    assert [item.id for item in await everything(paused)] == [event("1").id, event("2").id]
    await paused.close()


async def test_one_leader_at_a_time_and_its_silence_is_measured_by_the_server(
    dsn: str, tmp_path: Path
) -> None:
    place = PostgresPlace(dsn, tmp_path)
    first = await place.open()
    assert await leader_silence(place.config) is None
    await first.renew()
    told = await leader_silence(place.config)
    assert told is not None
    assert told[1] == first.epoch
    assert 0 <= told[2] < SECONDS
    other = replace_folder(place, tmp_path / "elsewhere")
    with pytest.raises(StoreLocked, match="another engine writes to PostgreSQL at 127"):
        await other.open()
    with pytest.raises(StoreLocked, match="another engine writes to"):
        await place.open()
    await first.close()
    second = await other.open()
    assert second.epoch == first.epoch + 1
    await second.close()


def replace_folder(place: PostgresPlace, path: Path) -> PostgresPlace:
    """The same log for an engine with another folder."""
    other = PostgresPlace(place.config.dsn.get_secret_value(), path)
    other.config = place.config
    return other


class Died(BaseException):
    """The process ends here."""


@pytest.mark.parametrize(
    ("point", "survives"),
    [("store.before_commit", False), ("store.after_commit", True), ("store.before_resolve", True)],
)
async def test_dying_around_the_commit(dsn: str, tmp_path: Path, point: str, survives: bool) -> None:
    place = PostgresPlace(dsn, tmp_path)
    store = await place.open()
    await store.append([write("a", NoStream(), event("1"))])

    def die(name: str) -> None:
        if name == point:
            raise Died

    with armed(die):
        pending = store.enqueue([write("a", Exact(1), event("2"))])
        with pytest.raises((CommitUnknown, StoreFailed)):
            await pending
    await store.close()
    store = await place.open()
    assert len(await everything(store)) == (2 if survives else 1)
    result = await store.append([write("a", Exact(1), event("2"))])
    assert result == AppendResult(2, 2, duplicate=survives)
    await store.close()


@pytest.mark.parametrize(
    ("setting", "said"),
    [("fsync = off", "fsync = off"), ("full_page_writes = off", "full_page_writes = off")],
)
async def test_a_server_that_forgets_at_a_power_cut_is_refused(
    tmp_path: Path, setting: str, said: str
) -> None:
    async with own_server() as server:
        dsn = server.url(await make_database(server))
        admin = await asyncpg.connect(server.url())
        await admin.execute(f"ALTER SYSTEM SET {setting}")
        await admin.execute("SELECT pg_reload_conf()")
        with anyio.fail_after(SECONDS):
            while await admin.fetchval(f"SHOW {setting.split()[0]}") != "off":  # noqa: ASYNC110
                await anyio.sleep(0.01)
        await admin.close()
        with pytest.raises(StoreUnavailable, match=said):
            await PostgresPlace(dsn, tmp_path).open()


async def test_the_keys_of_the_log_are_needed_to_lead_it(dsn: str, tmp_path: Path) -> None:
    first = await open_store(
        PostgresPlace(dsn, tmp_path).config.model_copy(update={"keys": None}),
        tmp_path / "a",
        writable=True,
        clock=SteppedClock(),
        ids=uuid4,
    )
    await first.close()
    config = first.config
    with pytest.raises(StoreUnavailable, match="is missing"):
        await open_store(config, tmp_path / "b", writable=True, clock=SteppedClock(), ids=uuid4)
    (tmp_path / "b" / "keys" / "log.key").write_text("ab" * 32)
    (tmp_path / "b" / "keys" / "log.key").chmod(0o600)
    with pytest.raises(StoreUnavailable, match="does not fit the key"):
        await open_store(config, tmp_path / "b", writable=True, clock=SteppedClock(), ids=uuid4)
    again = await open_store(config, tmp_path / "a", writable=True, clock=SteppedClock(), ids=uuid4)
    assert again.epoch == 2
    await again.close()


PROGRAM = Path(__file__).with_name("store_kill_loop.py")
ROUNDS = 24


def test_killed_writers_lose_and_tear_nothing(postgres_server: PostgresServer, tmp_path: Path) -> None:
    dsn = postgres_server.url(asyncio.run(make_database(postgres_server)))
    seed = random.randrange(2**32)
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path / "data"), str(ROUNDS), str(seed), dsn],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["lost"] == [], seed
    assert found["broken"] == [], seed
    assert found["positions"] >= found["acknowledged"] > ROUNDS
