"""A log that has lost its end without knowing it: what was acknowledged is there, or nothing goes on without a word."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from sep_hooks.store import AnyVersion, StoreUnavailable, StreamWrite
from sep_hooks.testing.store import SteppedClock, event

from sep_core.adapters.acknowledged import Acknowledged
from sep_core.adapters.store_postgres import open_store as open_postgres
from sep_core.adapters.store_sqlite import open_store as open_sqlite
from sep_core.adapters.store_sqlite import verify_store

from ..contract.test_store_postgres import config_of, make_database
from ..harness.bench import DATA, ENVIRON, acquire, new_key_file, tables, toml_text
from ..harness.fleet import chain_of_its_own
from ..harness.killing import START_SECONDS, Serving
from ..harness.servers import PostgresServer
from .command import refused, sep

pytestmark = pytest.mark.anyio

EVENTS = 120
WAL, SHM = "log.sqlite3-wal", "log.sqlite3-shm"


def write(number: int) -> StreamWrite:
    return StreamWrite("s:1", AnyVersion(), [event(f"note {number}", n=number)])


async def killed(folder: Path, copy: Path) -> int:
    """What a killed writer leaves behind of a log whose last events are in the write-ahead log alone."""
    async with open_sqlite(folder, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        for number in range(EVENTS):
            await store.append([write(number)])
        shutil.copytree(folder, copy)
        return (await store.head()).pos


async def test_a_cut_write_ahead_log_is_noticed_wherever_it_was_cut(tmp_path: Path) -> None:
    last = await killed(tmp_path / "live", tmp_path / "dead")
    wal = (tmp_path / "dead" / WAL).read_bytes()
    cuts = {0, 1, 31, 32, len(wal) // 2, len(wal) - 4096, len(wal) - 1, len(wal)}
    cuts |= {random.randrange(len(wal)) for _ in range(40)}
    noticed = 0
    for cut in sorted(cuts):
        one = tmp_path / f"cut-{cut}"
        shutil.copytree(tmp_path / "dead", one)
        (one / WAL).write_bytes(wal[:cut])
        (one / SHM).unlink(missing_ok=True)
        refusal = ""
        try:
            async with open_sqlite(one, writable=True, clock=SteppedClock(), ids=uuid4) as store:
                found = (await store.head()).pos
                await store.append([write(EVENTS)])
        except StoreUnavailable as error:
            refusal = str(error)
        if not refusal:
            assert found == last
            assert verify_store(one).ok
            continue
        noticed += 1
        assert "are lost" in refusal or "there is no log, but" in refusal, refusal
        assert str(one / "acknowledged") in refusal
    assert noticed > len(cuts) // 2
    print(f"{len(cuts)} cuts, {noticed} noticed")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("gone", lambda folder: (folder / "log.sqlite3").unlink(), "there is no log, but position"),
        ("older", lambda folder: shutil.copy(folder / "kept", folder / "log.sqlite3"), "events are lost"),
    ],
)
async def test_a_log_that_is_gone_or_was_put_back_older(
    tmp_path: Path, name: str, change: Callable[[Path], object], said: str
) -> None:
    folder = tmp_path / "data"
    async with open_sqlite(folder, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        await store.append([write(1)])
    shutil.copy(folder / "log.sqlite3", folder / "kept")
    async with open_sqlite(folder, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        await store.append([write(2)])
    change(folder)
    with pytest.raises(StoreUnavailable, match=said):
        open_sqlite(folder, writable=True, clock=SteppedClock(), ids=uuid4)
    if name == "older":
        report = verify_store(folder)
        assert not report.ok
        assert report.first_bad == (2, "it was acknowledged, and the log ends at 1")
    (folder / "acknowledged").unlink()
    async with open_sqlite(folder, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        await store.append([write(3)])


async def test_a_database_that_was_put_back_is_noticed(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """As after a failover to a copy that lagged: the last batch is gone, and the database knows nothing of it."""
    name = await make_database(postgres_server)
    config, older = config_of(postgres_server.url(name)), f"{name}_older"

    async def opened(number: int) -> None:
        async with await open_postgres(
            config, tmp_path / "data", writable=True, clock=SteppedClock(), ids=uuid4
        ) as store:
            await store.append([write(number)])

    await opened(1)
    server = await asyncpg.connect(postgres_server.url("postgres"))
    try:
        await server.execute(f"CREATE DATABASE {older} TEMPLATE {name}")
        await opened(2)
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await server.execute(f"ALTER DATABASE {older} RENAME TO {name}")
        with pytest.raises(StoreUnavailable, match="the log ends at position 1, but position 2 was ack"):
            await opened(3)
        await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await server.execute(f"CREATE DATABASE {name}")
        with pytest.raises(StoreUnavailable, match="there is no log, but position 2"):
            await opened(3)
    finally:
        await server.close()


def test_what_is_half_written_says_nothing(tmp_path: Path) -> None:
    whole = Acknowledged(uuid4(), 7, b"\x01" * 32)
    file = tmp_path / "acknowledged"
    assert Acknowledged.read(file) is None
    file.write_bytes(whole.line())
    assert Acknowledged.read(file) == whole
    assert len(whole.line()) == len(Acknowledged(uuid4(), 2**60, b"\x01" * 32).line())
    for broken in (b"", whole.line()[:50], whole.line().replace(b" 0", b" 1", 1), b"\xff" * 140):
        file.write_bytes(broken)
        assert Acknowledged.read(file) is None


def test_an_engine_does_not_go_on_without_what_it_acknowledged(tmp_path: Path) -> None:
    """Killed; then the write-ahead log is lost: exit code 6, and where the money may be is said."""
    with chain_of_its_own(tmp_path / "chain.sock"):
        new_key_file(tmp_path)
        config = tmp_path / "sep.toml"
        config.write_text(toml_text(tables({"socket": str(tmp_path / "chain.sock")})))
        serving = Serving(config, tmp_path / DATA, {**ENVIRON, "PATH": "/usr/bin:/bin"})
        assert serving.ready.wait(START_SECONDS)
        assert serving.call("POST", "/v1/intents", acquire("acknowledged").body)[0] == 202
        serving.kill()
        (tmp_path / DATA / WAL).write_bytes(b"")
        for words in (["run"], ["serve", "--port", "0"]):
            refused(
                sep(*words, "--config", config, cwd=tmp_path, environ=ENVIRON),
                6,
                "was acknowledged",
                "go on without",
            )
