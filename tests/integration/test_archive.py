"""`sep store restore`: a log that is gone is made again from its archive, and goes on."""

import json
import shutil
from pathlib import Path
from uuid import uuid4

import pytest
from sep_hooks.store import AnyVersion, StreamWrite
from sep_hooks.testing.store import SteppedClock, event, everything

from sep_core.adapters.store_postgres import open_store as open_postgres
from sep_core.adapters.store_sqlite import open_store as open_sqlite
from sep_core.events.signing import PublicKey
from sep_core.events.verify import verify_receipt

from ..contract.test_store_postgres import config_of, make_database
from ..harness.servers import PostgresServer
from .command import refused
from .command import sep as run
from .test_store_moves import SIZE, configuration, fill, sep

pytestmark = pytest.mark.anyio


async def test_a_lost_log_is_made_again_and_goes_on(postgres_server: PostgresServer, tmp_path: Path) -> None:
    """In either store: the same records at the same places, old receipts valid, new events behind them."""
    dsn = postgres_server.url(await make_database(postgres_server))
    here = configuration(tmp_path / "here", {"path": "data"})
    file = configuration(tmp_path / "file", {"path": "data"})
    database = configuration(
        tmp_path / "database", {"use": "postgres", "path": "data", "dsn": {"env": "SEP_TEST_DSN"}}
    )
    keys, archive = tmp_path / "keys", tmp_path / "archive.jsonl"
    async with open_sqlite(here.parent / "data", writable=True, clock=SteppedClock(), ids=uuid4) as store:
        receipts = await fill(store)
        log, sealed = await everything(store), store.vault().seal(b"a signed transaction")
    assert sep("events", "export", str(archive), "--config", str(here)).code == 0
    shutil.move(here.parent / "data" / "keys", keys)
    shutil.rmtree(here.parent / "data")

    for target in (file, database):
        words = ["store", "restore", str(archive), "--to", str(target), "--keys", str(keys)]
        told = sep(*words, SEP_TEST_DSN=dsn)
        assert told.code == 0, told
        assert f"restored  {SIZE} events" in told.out
        assert "verified" in told.out
        refused(sep(*words, SEP_TEST_DSN=dsn), 6, "holds a log already")

    for opened in (
        open_sqlite(file.parent / "data", writable=True, clock=SteppedClock(), ids=uuid4),
        await open_postgres(
            config_of(dsn), database.parent / "data", writable=True, clock=SteppedClock(), ids=uuid4
        ),
    ):
        async with opened as store:
            assert await everything(store) == log
            assert store.vault().open(sealed) == b"a signed transaction"
            for receipt in receipts:
                verify_receipt(receipt, PublicKey.parse(store.verifier.text()))
            await store.append([StreamWrite("s:1", AnyVersion(), [event("behind", n=1)])])
            assert (await store.head()).pos == SIZE + 1
            for pos in (1, 256, SIZE, SIZE + 1):
                receipt = await store.receipt(pos)
                verify_receipt(receipt, PublicKey.parse(receipts[0].verifier))
    for target in (file, database):
        told = sep("verify", "--config", str(target), "--json", SEP_TEST_DSN=dsn)
        assert (told.code, told.json["ok"], told.json["positions"]) == (0, True, SIZE + 1), told


async def test_what_is_no_archive_restores_nothing(tmp_path: Path) -> None:
    """A stream, a part, a changed file, the keys of another log, keys that are missing."""
    here = configuration(tmp_path / "here", {"path": "data"})
    target = configuration(tmp_path / "target", {"path": "data"})
    other = configuration(tmp_path / "other", {"path": "data"})
    for config in (here, other):
        async with open_sqlite(
            config.parent / "data", writable=True, clock=SteppedClock(), ids=uuid4
        ) as store:
            await fill(store)
    keys = here.parent / "data" / "keys"
    files = {}
    for name, words in {"whole": [], "stream": ["--stream", "s:1"], "part": ["--as-of", "300"]}.items():
        files[name] = tmp_path / f"{name}.jsonl"
        assert sep("events", "export", str(files[name]), "--config", str(here), *words).code == 0
    lines = files["whole"].read_text().splitlines(keepends=True)
    changed = json.loads(lines[300])
    changed["record"] = ("A" if changed["record"][0] != "A" else "B") + changed["record"][1:]
    files["changed"] = tmp_path / "changed.jsonl"
    files["changed"].write_text("".join([*lines[:300], json.dumps(changed) + "\n", *lines[301:]]))
    files["short"] = tmp_path / "short.jsonl"
    files["short"].write_text("".join(lines[:-1]))

    def restore(name: str, folder: Path, code: int, *said: str) -> None:
        words = ["store", "restore", files[name], "--to", target, "--keys", folder]
        refused(run(*words, cwd=tmp_path), code, *said)
        assert not (target.parent / "data" / "log.sqlite3").exists()

    restore("stream", keys, 1, "one stream", "sep events export")
    restore("part", keys, 1, f"position 300 of {SIZE}")
    restore("changed", keys, 6)
    restore("short", keys, 6, f"ends after {SIZE - 1} of {SIZE} events")
    restore("whole", other.parent / "data" / "keys", 6, "another log", "nothing was restored")
    (tmp_path / "empty").mkdir()
    restore("whole", tmp_path / "empty", 6, "log.key is missing")
    told = run("store", "restore", files["whole"], "--to", target, "--keys", keys, cwd=tmp_path)
    assert told.code == 0, "what was refused left nothing in the way"
