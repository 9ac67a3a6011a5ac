"""Whatever is changed in a log file, the check names the position."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import apsw
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sep_hooks.store import AnyVersion, StreamWrite
from sep_hooks.testing.store import SteppedClock, event, leaf_of

from sep_core.adapters.store_sqlite import open_store, verify_store
from sep_core.events.signing import BadCheckpoint

SIZE = 300
STREAMS = 7
ONE_BY_ONE = 40  # the first positions have a checkpoint each, the others share one for each batch


@pytest.fixture(scope="module")
def whole() -> Iterator[tuple[Path, list[str]]]:
    """A log that nobody touched, and notes of its checkpoints, kept outside."""
    path = Path(tempfile.mkdtemp(prefix="sep-verify-"))
    notes: list[str] = []

    async def fill() -> None:
        async with open_store(path, writable=True, clock=SteppedClock(), ids=uuid4) as store:
            written = 0
            while written < SIZE:
                count = 1 if written < ONE_BY_ONE else min(37, SIZE - written)
                for number in range(written, written + count):
                    stream = f"s:{number * number % STREAMS}"
                    if count == 1:
                        await store.append(
                            [StreamWrite(stream, AnyVersion(), [event(f"{number}", n=number)])]
                        )
                if count > 1:
                    grouped: dict[str, list[int]] = {}
                    for number in range(written, written + count):
                        grouped.setdefault(f"s:{number * number % STREAMS}", []).append(number)
                    await store.append(
                        [
                            StreamWrite(stream, AnyVersion(), [event(f"{n}", n=n) for n in numbers])
                            for stream, numbers in grouped.items()
                        ]
                    )
                written += count
                notes.append((await store.head()).note)

    asyncio.run(fill())
    report = verify_store(path)
    assert (report.ok, report.positions, report.first_bad) == (True, SIZE, None)
    yield path, notes
    shutil.rmtree(path)


@contextmanager
def changed(whole: Path, *statements: tuple[str, tuple[Any, ...]]) -> Iterator[Path]:
    """A copy in which somebody with the database at hand changed something."""
    with tempfile.TemporaryDirectory(prefix="sep-changed-") as folder:
        copy = Path(folder) / "data"
        shutil.copytree(whole, copy)
        connection = apsw.Connection(str(copy / "log.sqlite3"))
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        with connection:
            for statement, values in statements:
                connection.execute(statement, values)
        connection.close()
        yield copy


def bad(folder: Path, **options: Any) -> tuple[int, str]:
    """What the check finds."""
    report = verify_store(folder, **options)
    assert not report.ok
    assert report.first_bad is not None
    assert report.positions < report.first_bad[0] or report.first_bad[0] == 1 or report.positions == SIZE
    return report.first_bad


def row(folder: Path, pos: int) -> dict[str, Any]:
    """A row of the log."""
    connection = apsw.Connection(str(folder / "log.sqlite3"), flags=apsw.SQLITE_OPEN_READONLY)
    cursor = connection.execute("SELECT * FROM events WHERE pos = ?", (pos,))
    names = [name for name, _ in cursor.get_description()]
    (values,) = cursor.fetchall()
    connection.close()
    return dict(zip(names, values, strict=True))


COPIES = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
POSITIONS = st.integers(1, SIZE)


@COPIES
@given(pos=POSITIONS, data=st.data())
def test_a_flipped_bit_is_named(whole: tuple[Path, list[str]], pos: int, data: st.DataObject) -> None:
    record = bytearray(row(whole[0], pos)["record"])
    place = data.draw(st.integers(0, len(record) - 1))
    record[place] ^= 1 << data.draw(st.integers(0, 7))
    with changed(whole[0], ("UPDATE events SET record = ? WHERE pos = ?", (bytes(record), pos))) as folder:
        assert bad(folder)[0] == pos


@COPIES
@given(pos=POSITIONS)
def test_a_changed_record_with_a_matching_hash_is_named(whole: tuple[Path, list[str]], pos: int) -> None:
    record = orjson.loads(row(whole[0], pos)["record"])
    record["body"] = {"n": 999_999}
    forged = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    update = "UPDATE events SET record = ?, leaf_hash = ? WHERE pos = ?"
    with changed(whole[0], (update, (forged, leaf_of(forged), pos))) as folder:
        found, reason = bad(folder)
        assert found == pos
        assert "changed" in reason


@pytest.mark.parametrize("inside", [b'{"n":"\xff"}', b'{"n":1,}', b"[]", b'{"n":1.5}'])
def test_a_body_that_nobody_could_have_written_is_named(whole: tuple[Path, list[str]], inside: bytes) -> None:
    pos = SIZE // 2
    record = row(whole[0], pos)["record"]
    body = orjson.dumps(orjson.loads(record)["body"])
    forged = record.replace(body, inside, 1)
    assert forged != record
    update = "UPDATE events SET record = ?, leaf_hash = ? WHERE pos = ?"
    with changed(whole[0], (update, (forged, leaf_of(forged), pos))) as folder:
        assert bad(folder)[0] == pos


@COPIES
@given(pos=st.integers(1, SIZE), previous=st.binary(min_size=32, max_size=32))
def test_a_changed_link_is_named(whole: tuple[Path, list[str]], pos: int, previous: bytes) -> None:
    record = orjson.loads(row(whole[0], pos)["record"])
    record["prev"] = "0x" + previous.hex()
    forged = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    update = "UPDATE events SET record = ?, leaf_hash = ? WHERE pos = ?"
    with changed(whole[0], (update, (forged, leaf_of(forged), pos))) as folder:
        assert bad(folder)[0] == pos


@COPIES
@given(pos=POSITIONS)
def test_a_dropped_record_is_named(whole: tuple[Path, list[str]], pos: int) -> None:
    with changed(whole[0], ("DELETE FROM events WHERE pos = ?", (pos,))) as folder:
        found, reason = bad(folder)
        assert found == pos
        assert "missing" in reason or "ends at" in reason


@COPIES
@given(pair=st.tuples(POSITIONS, POSITIONS).filter(lambda pair: pair[0] < pair[1]))
def test_swapped_records_are_named(whole: tuple[Path, list[str]], pair: tuple[int, int]) -> None:
    low, high = pair
    move = "UPDATE events SET pos = ? WHERE pos = ?"
    with changed(whole[0], (move, (-1, low)), (move, (low, high)), (move, (high, -1))) as folder:
        assert bad(folder)[0] == low


@COPIES
@given(pos=st.integers(2, SIZE))
def test_a_cut_end_is_named(whole: tuple[Path, list[str]], pos: int) -> None:
    cut = ("DELETE FROM events WHERE pos >= ?", (pos,))
    with changed(whole[0], cut) as folder:
        assert bad(folder)[0] == pos
    with changed(whole[0], cut, ("UPDATE log_head SET pos = ?", (pos - 1,))) as folder:
        assert bad(folder)[0] == pos


def test_a_log_rewound_as_a_whole_is_found_by_an_anchor(
    whole: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """The owner of database and key can go back to any earlier moment; only a note kept outside tells."""
    asyncio.run(_short(tmp_path / "short"))
    short = tmp_path / "short"
    assert verify_store(short).ok
    early = tmp_path / "early"
    shutil.copytree(short, early)
    note = asyncio.run(_longer(short))
    assert verify_store(short, anchors=[note]).ok
    assert verify_store(early).ok
    pos, reason = bad(early, anchors=[note])
    assert (pos, "anchor" in reason) == (4, True)
    with pytest.raises(BadCheckpoint):
        verify_store(whole[0], anchors=[note])


async def _short(path: Path) -> None:
    async with open_store(path, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        for number in range(3):
            await store.append([StreamWrite("s", AnyVersion(), [event(f"{number}")])])


async def _longer(path: Path) -> str:
    async with open_store(path, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        await store.append([StreamWrite("s", AnyVersion(), [event("longer")])])
        return (await store.head()).note


@pytest.mark.parametrize(
    ("statement", "pos"),
    [
        ("UPDATE events SET stream = 's:x' WHERE pos = 17", 17),
        ("UPDATE events SET version = 99 WHERE pos = 17", 17),
        ("UPDATE events SET type = 'other' WHERE pos = 250", 250),
        ("UPDATE events SET sv = 2 WHERE pos = 17", 17),
        ("UPDATE events SET rec = rec + 1 WHERE pos = 17", 17),
        ("UPDATE events SET corr = x'00112233445566778899aabbccddeeff' WHERE pos = 17", 17),
        ("UPDATE events SET leaf_hash = randomblob(32) WHERE pos = 300", 300),
        ("UPDATE event_ids SET pos = 3 WHERE pos = 17", 17),
        ("DELETE FROM event_ids WHERE pos = 17", 17),
        ("INSERT INTO event_ids VALUES (randomblob(16), 17)", 300),
        ("UPDATE streams SET version = version + 1 WHERE stream = 's:1'", 300),
        ("UPDATE log_checkpoints SET root = randomblob(32) WHERE size = 21", 21),
        ("UPDATE log_checkpoints SET note = replace(note, 'epoch 1', 'epoch 2') WHERE size = 21", 21),
        ("UPDATE log_head SET pos = 299", 300),
        ("UPDATE log_head SET pos = 301", 301),
        ("UPDATE log_head SET peaks = zeroblob(length(peaks))", 300),
        ("UPDATE merkle_nodes SET hash = randomblob(32)", 256),
        ("DELETE FROM merkle_nodes", 256),
        ("DELETE FROM log_checkpoints WHERE size > 200", None),
    ],
)
def test_every_derived_table_is_compared(
    whole: tuple[Path, list[str]], statement: str, pos: int | None
) -> None:
    with changed(whole[0], (statement, ())) as folder:
        found, _ = bad(folder)
        assert pos is None or found == pos


def test_a_file_cut_short_or_overwritten_is_reported(whole: tuple[Path, list[str]], tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(whole[0], copy)
    log = copy / "log.sqlite3"
    content = bytearray(log.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096 * 4] = bytes(4096 * 4)
    log.write_bytes(content)
    assert bad(copy)[0] >= 1


def test_progress_is_told(whole: tuple[Path, list[str]]) -> None:
    told: list[tuple[int, int]] = []
    verify_store(whole[0], progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (SIZE, SIZE)


def test_a_copy_of_the_file_alone_verifies(whole: tuple[Path, list[str]], tmp_path: Path) -> None:
    shutil.copy(whole[0] / "log.sqlite3", tmp_path / "copy.sqlite3")
    report = verify_store(tmp_path / "copy.sqlite3")
    assert (report.ok, report.positions) == (True, SIZE)
