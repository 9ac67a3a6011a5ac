"""An export verifies alone, and nothing in it can be changed without the check noticing."""

import asyncio
import base64
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sep_hooks.errors import SepError
from sep_hooks.store import AnyVersion, StreamWrite
from sep_hooks.testing.store import SteppedClock, event

from sep_core.adapters.store_sqlite import open_store
from sep_core.events.export import NothingToExport, export_lines, verify_export
from sep_core.events.log_store import LogStore
from sep_core.events.signing import PublicKey

SIZE = 300
STREAMS = 7
BEGUN = 10
"""By this position each stream has an event."""
SOME = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


async def fill(store: LogStore, count: int) -> None:
    """Events of several streams, by ones and in batches."""
    written = 0
    while written < count:
        size = 1 if written < 20 else min(37, count - written)
        grouped: dict[str, list[int]] = {}
        for number in range(written, written + size):
            grouped.setdefault(f"s:{number * number % STREAMS}", []).append(number)
        await store.append(
            [
                StreamWrite(name, AnyVersion(), [event(f"{n}", n=n) for n in ns])
                for name, ns in grouped.items()
            ]
        )
        written += size


async def exported(store: LogStore, stream: str | None, as_of: int | None = None) -> list[str]:
    """The lines of an export."""
    return [one async for one in export_lines(store, store.verifier.text(), stream, as_of)]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A log of some hundred events."""
    with tempfile.TemporaryDirectory(prefix="sep-export-") as name:

        async def make() -> None:
            async with open_store(Path(name), writable=True, clock=SteppedClock(), ids=uuid4) as store:
                await fill(store, SIZE)

        asyncio.run(make())
        yield Path(name)


def lines_of(folder: Path, stream: str | None, as_of: int | None = None) -> list[str]:
    """An export of the log as it lies there."""

    async def read() -> list[str]:
        async with open_store(folder, writable=False, clock=SteppedClock(), ids=uuid4) as store:
            return await exported(store, stream, as_of)

    return asyncio.run(read())


@SOME
@given(stream=st.sampled_from([None, "s:0", "s:1", "s:4"]), as_of=st.none() | st.integers(BEGUN, SIZE))
def test_what_is_exported_verifies_from_its_lines_alone(
    folder: Path, stream: str | None, as_of: int | None
) -> None:
    lines = lines_of(folder, stream, as_of)
    report = verify_export(lines)
    assert (report.stream, report.events) == (stream, len(lines) - 1)
    assert report.checkpoint.pos == SIZE, "the newest signature there is, whatever part was exported"
    if stream is None:
        assert (report.first, report.last) == (1, as_of or SIZE)
    else:
        assert report.last <= (as_of or SIZE)


@SOME
@given(stream=st.sampled_from([None, "s:1"]), as_of=st.none() | st.just(150), data=st.data())
def test_whatever_is_changed_is_found(
    folder: Path, stream: str | None, as_of: int | None, data: st.DataObject
) -> None:
    """Lines are dropped, doubled, exchanged, cut; bytes of a record, its place, the header's words are changed."""
    lines = lines_of(folder, stream, as_of)
    at = data.draw(st.integers(1, len(lines) - 1))
    how = data.draw(
        st.sampled_from(["drop", "double", "exchange", "cut", "record", "position", "header", "noise"])
    )
    said = json.loads(lines[at])
    if how == "drop":
        del lines[at]
    elif how == "double":
        lines.insert(at, lines[at])
    elif how == "exchange":
        other = data.draw(st.integers(1, len(lines) - 1).filter(lambda one: one != at))
        lines[at], lines[other] = lines[other], lines[at]
    elif how == "cut":
        del lines[at:]
    elif how == "record":
        record = bytearray(base64.b64decode(said["record"]))
        record[data.draw(st.integers(0, len(record) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        lines[at] = json.dumps({**said, "record": base64.b64encode(record).decode()})
    elif how == "position":
        lines[at] = json.dumps(
            {**said, "position": said["position"] + data.draw(st.sampled_from([-1, 1, SIZE]))}
        )
    elif how == "header":
        header = json.loads(lines[0])
        key = data.draw(st.sampled_from(["stream", "events", "path", "checkpoint", "public_key", "format"]))
        if key == "path" and not header["path"]:
            key = "events"
        value = header[key]
        header[key] = (
            value[:-1]
            if key == "path"
            else value + 1
            if key == "events"
            else "s:2"
            if key == "stream"
            else value.replace(old := value[len(value) // 2], "y" if old == "x" else "x", 1)
        )
        lines[0] = json.dumps(header)
    else:
        lines.insert(
            at,
            data.draw(st.sampled_from(["", "null", "[]", "{}", '{"position": "1"}', "\ufffd", "9" * 5000])),
        )
    with pytest.raises(SepError) as found:
        verify_export(lines)
    assert found.value.message


async def test_the_end_of_a_log_forged_anew_needs_the_key(tmp_path: Path) -> None:
    """Another log, exported in good order, is not the one whose key is known from elsewhere."""
    async with (
        open_store(tmp_path / "a", writable=True, clock=SteppedClock(), ids=uuid4) as ours,
        open_store(tmp_path / "b", writable=True, clock=SteppedClock(), ids=uuid4) as theirs,
    ):
        await fill(ours, 30)
        await fill(theirs, 30)
        known = PublicKey.parse(ours.verifier.text())
        assert verify_export(await exported(ours, None), known).events == 30
        with pytest.raises(SepError, match=r"sep/|signature|key"):
            verify_export(await exported(theirs, None), known)
        with pytest.raises(NothingToExport, match="s:none"):
            await exported(ours, "s:none")


async def test_it_ends_where_it_began_to_be_read(tmp_path: Path) -> None:
    """Events that arrive while an export is written are not in it, and break nothing."""
    async with open_store(tmp_path, writable=True, clock=SteppedClock(), ids=uuid4) as store:
        await fill(store, 60)
        lines: list[str] = []
        async for line in export_lines(store, store.verifier.text(), None):
            if not lines:
                await fill(store, 30)
            lines.append(line)
        assert verify_export(lines).last == 60


@pytest.fixture
def anyio_backend() -> str:
    """asyncio alone."""
    return "asyncio"


pytestmark = pytest.mark.anyio
