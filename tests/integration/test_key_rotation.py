"""`sep store rotate-key`: the log gets a new key, which the old one vouches for; what was signed before stays valid."""

import base64
import itertools
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import anyio
import apsw
import pytest
from nacl.signing import SigningKey
from sep_hooks.store import AnyVersion, Checkpoint, StreamWrite
from sep_hooks.testing.store import SteppedClock, event

from sep_core.adapters.store_postgres import open_store as open_postgres
from sep_core.adapters.store_sqlite import open_store as open_sqlite
from sep_core.adapters.store_sqlite import rotate_key, verify_store
from sep_core.events.log_store import LogStore
from sep_core.events.native import verify_consistency
from sep_core.events.signing import BadCheckpoint, PublicKey, open_note
from sep_core.events.verify import verify_receipt
from sep_core.runtime.clock import SystemClock
from sep_core.telemetry.crashpoints import armed

from ..contract.test_store_postgres import config_of, make_database, tell
from ..harness.servers import PostgresServer
from .command import refused
from .identity_engine import settle, stage
from .test_store_moves import SIZE, configuration, fill, sep

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_every_proof_holds_across_two_rotations(
    kind: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    dsn = postgres_server.url(await make_database(postgres_server)) if kind == "postgres" else ""
    postgres = {"use": "postgres", "path": "data", "dsn": {"env": "SEP_TEST_DSN"}}
    config = configuration(tmp_path / "here", postgres if dsn else {"path": "data"})
    data = config.parent / "data"

    async def opened(*, writable: bool = True) -> LogStore:
        if dsn:
            place = config_of(dsn)
            return await open_postgres(place, data, writable=writable, clock=SteppedClock(), ids=uuid4)
        return open_sqlite(data, writable=writable, clock=SteppedClock(), ids=uuid4)

    def run(*words: str) -> dict[str, str]:
        told = sep(*words, "--config", str(config), "--json", SEP_TEST_DSN=dsn)
        assert told.code == 0, told
        return dict(told.json)

    refused(sep("store", "rotate-key", "--config", str(config), SEP_TEST_DSN=dsn), 6, "holds no log")
    heads: list[Checkpoint] = []
    async with await opened() as store:
        old_receipts = await fill(store)
        heads.append(await store.head())
        locked = sep("store", "rotate-key", "--config", str(config), SEP_TEST_DSN=dsn)
        refused(locked, 6, "")
    seeds, keys = {(data / "keys" / "log.key").read_text()}, [old_receipts[0].verifier]
    for number in range(2):
        told = run("store", "rotate-key")
        assert (told["old"], told["position"]) == (keys[-1], heads[-1].pos + 1)
        keys.append(told["new"])
        seeds.add((data / "keys" / "log.key").read_text())
        assert not (data / "keys" / "log.key.next").exists(), "the old seed is gone, the new one in its place"
        assert (data / "keys" / "log.pub").read_text().strip() == told["new"]
        reader = await opened(writable=False)  # it has seen the key of now, and will see the next one
        async with await opened() as store:
            await store.append([StreamWrite("s:1", AnyVersion(), [event(f"behind {number}")])])
            heads.append(await store.head())
            assert await reader.head() == heads[-1]
        await reader.close()
    assert (len(seeds), len(set(keys))) == (3, 3)
    assert heads[-1].pos == SIZE + 4

    anchors = []
    for number, head in enumerate(heads):
        anchors += ["--anchor", str(tmp_path / f"anchor{number}")]
        await anyio.Path(tmp_path / f"anchor{number}").write_text(head.note)
    for key in keys:
        assert run("verify", "--key", key, *anchors)["ok"], "whoever trusts one key learns the others"
    assert run("verify")["public_key"] == keys[-1]
    stranger = PublicKey(PublicKey.parse(keys[0]).name, bytes(SigningKey.generate().verify_key)).text()
    told = sep("verify", "--config", str(config), "--key", stranger, SEP_TEST_DSN=dsn)
    assert told.code == 1, told
    assert "not signed by key" in told.out

    async with await opened(writable=False) as store:
        for before, after in itertools.pairwise(heads):
            proof = await store.prove_consistency(before.pos, after.pos)
            assert verify_consistency(before.pos, before.root, after.pos, after.root, list(proof.path))
        receipt = await store.receipt(SIZE)
    assert receipt.verifier == keys[-1]
    verify_receipt(receipt, PublicKey.parse(keys[-1]))
    for old in old_receipts:
        verify_receipt(old, PublicKey.parse(keys[0]))
        with pytest.raises(BadCheckpoint, match="not signed by key"):
            verify_receipt(old, PublicKey.parse(keys[-1]))
    for head, key in zip(heads, keys, strict=True):
        assert open_note(head.note, PublicKey.parse(key)).pos == head.pos

    archive, again = tmp_path / "archive.jsonl", configuration(tmp_path / "again", {"path": "data"})
    assert sep("events", "export", str(archive), "--config", str(config), SEP_TEST_DSN=dsn).code == 0
    assert sep("verify", str(archive), "--key", keys[-1]).code == 0
    restored = sep("store", "restore", str(archive), "--to", str(again), "--keys", str(data / "keys"))
    assert restored.code == 0, restored
    copied = configuration(tmp_path / "copied", {"path": "data"})
    told = sep("store", "copy", "--from", str(config), "--to", str(copied), SEP_TEST_DSN=dsn)
    assert told.code == 0, told
    for target in (again, copied):
        for key in keys:
            assert sep("verify", "--config", str(target), "--key", key).code == 0


async def test_a_role_of_few_rights_gives_no_new_key(postgres_server: PostgresServer, tmp_path: Path) -> None:
    dsn = postgres_server.url(await make_database(postgres_server))
    config = configuration(
        tmp_path / "here", {"use": "postgres", "path": "data", "dsn": {"env": "SEP_TEST_DSN"}}
    )
    data = config.parent / "data"
    store = await open_postgres(config_of(dsn), data, writable=True, clock=SteppedClock(), ids=uuid4)
    await fill(store)
    await store.close()
    role = f"engine_{uuid4().hex}"
    await tell(dsn, f"CREATE ROLE {role} LOGIN PASSWORD 'p' IN ROLE sep_appender")
    scheme, _, rest = dsn.partition("://")
    weak = f"{scheme}://{role}:p@{rest.rpartition('@')[2]}"
    refused(
        sep("store", "rotate-key", "--config", str(config), SEP_TEST_DSN=weak),
        6,
        "may not",
        "owns the schema",
    )
    async with await open_postgres(
        config_of(weak), data, writable=True, clock=SteppedClock(), ids=uuid4
    ) as store:
        await store.append([StreamWrite("s:1", AnyVersion(), [event("goes on")])])
    assert sep("verify", "--config", str(config), SEP_TEST_DSN=dsn).code == 0


async def filled(data: Path) -> str:
    """A log with some events; gives its key."""
    async with open_sqlite(data, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        await fill(store)
        return store.verifier.text()


class Cut(BaseException):
    """The machine dies here."""


@pytest.mark.parametrize("point", ["store.before_commit", "store.after_commit"])
async def test_a_rotation_that_is_cut_short_is_finished_or_never_was(point: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    old = await filled(data)

    def die(reached: str) -> None:
        if reached == point:
            raise Cut

    with armed(die), pytest.raises(Cut):
        rotate_key(data, SystemClock())
    planned = bytes.fromhex((data / "keys" / "log.key.next").read_text())
    done = point == "store.after_commit"
    async with open_sqlite(data, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        assert (store.verifier.text() != old) == done
        await store.append([StreamWrite("s:1", AnyVersion(), [event("goes on")])])
    assert (bytes.fromhex((data / "keys" / "log.key").read_text()) == planned) == done
    report = verify_store(data)
    assert (report.ok, report.positions) == (True, SIZE + 1 + done)
    if not done:
        assert rotate_key(data, SystemClock()).new.key == bytes(SigningKey(planned).verify_key)
        assert verify_store(data).ok


async def test_a_lost_new_key_is_asked_for(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await filled(data)
    before = (data / "keys" / "log.key").read_text()
    rotate_key(data, SystemClock())
    (data / "keys" / "log.key").write_text(before)
    with pytest.raises(Exception, match="does not fit the key"):
        open_sqlite(data, writable=True, clock=SteppedClock(), ids=uuid4)


def changed(data: Path, *statements: tuple[str, tuple[object, ...]]) -> None:
    """Somebody with the database at hand changes something."""
    connection = apsw.Connection(str(data / "log.sqlite3"))
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    with connection:
        for statement, values in statements:
            connection.execute(statement, values)  # type: ignore[arg-type]
    connection.close()


def forged_row(data: Path) -> tuple[str, tuple[object, ...]]:
    name = PublicKey.parse((data / "keys" / "log.pub").read_text()).name
    key = PublicKey(name, bytes(SigningKey.generate().verify_key))
    return "INSERT INTO log_keys VALUES (?, ?, ?)", (key.key_id.hex(), key.text(), SIZE + 5)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (lambda _: ("DELETE FROM log_keys WHERE first_size = 0", ()), "not signed by key"),
        (
            lambda _: (f"UPDATE log_keys SET first_size = {SIZE - 5} WHERE first_size > 0", ()),
            "table of keys",
        ),
        (
            lambda _: (f"UPDATE log_keys SET first_size = {SIZE + 2} WHERE first_size > 0", ()),
            "table of keys",
        ),
        (forged_row, "names one for position"),
    ],
    ids=["the first key gone", "too early", "too late", "one that never came"],
)
async def test_a_changed_table_of_keys_is_found(
    statement: Callable[[Path], tuple[str, tuple[object, ...]]], reason: str, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    await filled(data)
    rotate_key(data, SystemClock())
    async with open_sqlite(data, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        await store.append([StreamWrite("s:1", AnyVersion(), [event("goes on")])])
    changed(data, statement(data))
    report = verify_store(data)
    assert not report.ok
    assert report.first_bad is not None
    assert reason in report.first_bad[1], report.first_bad


async def test_who_has_no_old_key_cannot_bring_in_a_new_one(tmp_path: Path) -> None:
    """A log whose events call another key the next one, without the old one's signature, is no log."""
    data = tmp_path / "data"
    await filled(data)
    seed = SigningKey.generate()
    (data / "keys" / "log.key.next").write_text(bytes(seed).hex())
    (data / "keys" / "log.key.next").chmod(0o600)
    forger = SigningKey.generate()

    def sign(message: bytes) -> str:
        return base64.b64encode(bytes(forger.sign(message).signature)).decode()

    async with open_sqlite(data, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        head, name = await store.head(), store.verifier.name
        new = PublicKey(name, bytes(seed.verify_key)).text()
        body = {
            "old": store.verifier.text(),
            "new": new,
            "size": head.pos,
            "root": "0x" + head.root.hex(),
            "signed_by_old": sign(b"anything"),
            "signed_by_new": sign(b"anything"),
        }
        forged = event("forged", **body)
        await store.append(
            [StreamWrite("log:keys", AnyVersion(), [type(forged)(forged.id, "KeyRotated", 1, body)])]
        )
    report = verify_store(data)
    assert report.first_bad is not None
    assert report.first_bad == (SIZE + 1, "it is not signed by both keys that it names")


async def test_an_engine_goes_on_under_the_new_key(tmp_path: Path) -> None:
    with stage(tmp_path) as one:
        async with one.engine() as kernel:
            await settle(kernel)
            before = kernel.world.position
        done = await anyio.to_thread.run_sync(rotate_key, tmp_path / "data", SystemClock())
        assert done.pos > before
        async with one.engine() as kernel:
            await settle(kernel)
    report = verify_store(tmp_path / "data", verifier=done.old)
    assert report.ok, report
