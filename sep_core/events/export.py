"""A part of a log as a file that verifies alone: the log from its beginning, or one stream from its.

JSON, one object a line. The first is the header; each of the others holds one record, byte for byte as the log has it,
in base64. The header leads from the last record to a checkpoint that the log's key signed:

- of the log: the consistency path from the root over the exported events to that of the checkpoint (RFC 9162, 2.1.4);
- of a stream: the inclusion path of its last event (2.1.3); the others are chained to it by `prev`.
"""

import base64
import binascii
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sep_hooks.errors import Permanent
from sep_hooks.store import Checkpoint, EventStore, LogBroken, Recorded

from sep_core.events.envelope import KEYS, recorded
from sep_core.events.native import Tree, leaf_hash, verify_consistency, verify_inclusion
from sep_core.events.signing import BadCheckpoint, PublicKey, open_note

FORMAT: Final = "sep-events-1"

type Progress = Callable[[int, int], None]
"""Events done, events in all; 0 where nobody knows yet."""


class NothingToExport(Permanent):
    """The stream does not exist, or the log is empty."""

    code = "nothing_to_export"


@dataclass(frozen=True, slots=True)
class Header:
    """What an export says of itself. `stream` is None for the log; `public_key` is a claim until it is known from
    elsewhere.
    """

    stream: str | None
    events: int
    path: tuple[bytes, ...]
    checkpoint: str
    public_key: str

    def line(self) -> str:
        """The first line of the file."""
        return json.dumps(
            {
                "format": FORMAT,
                "stream": self.stream,
                "events": self.events,
                "path": ["0x" + node.hex() for node in self.path],
                "checkpoint": self.checkpoint,
                "public_key": self.public_key,
            }
        )

    @classmethod
    def of_line(cls, line: str) -> "Header":
        """Reads `line()` back. Raises `BadCheckpoint` for anything else."""
        try:
            said = json.loads(line)
            stream, events = said["stream"], said["events"]
            if said["format"] != FORMAT or type(events) is not int or events < 1:
                raise ValueError("another format")
            if stream is not None and type(stream) is not str:
                raise ValueError("no name of a stream")
            return cls(
                stream,
                events,
                tuple(bytes.fromhex(node.removeprefix("0x")) for node in said["path"]),
                str(said["checkpoint"]),
                str(said["public_key"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadCheckpoint(
                "this file is no export of events", next_step="make one: sep events export FILE"
            ) from error


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What a good export proves: these events stand in the log of that checkpoint. Of the log: all up to `last`; of a
    stream: all of its events up to its last one here. What was appended later, it cannot know.
    """

    stream: str | None
    events: int
    first: int
    last: int
    checkpoint: Checkpoint


async def export_lines(
    store: EventStore,
    public_key: str,
    stream: str | None,
    as_of: int | datetime | None = None,
    progress: Progress | None = None,
) -> AsyncIterator[str]:
    """The lines of an export: the log, or one stream by its whole name, up to a place. The events are read twice, so
    that the header can say how many they are. Raises `NothingToExport`.
    """

    def events() -> AsyncIterator[Recorded]:
        if stream is None:
            return store.read_all(after=0, as_of=as_of)
        return store.read_stream(stream, as_of=as_of)

    head = await store.head()
    if stream is None and as_of is None:
        as_of = head.pos  # so that the file ends where a checkpoint is
    count, last = 0, 0
    async for event in events():
        count, last = count + 1, event.pos
    if not count:
        what = "the log holds no event" if stream is None else f"the log has no event of stream {stream!r}"
        raise NothingToExport(f"{what} there", next_step="see what there is: sep events")
    if stream is None:
        head = head if last <= head.pos else await store.head()
        path: tuple[bytes, ...] = (await store.prove_consistency(last, head.pos)).path
    else:
        proof = await store.prove(last)
        path, head = proof.path, proof.checkpoint
    yield Header(stream, count, path, head.note, public_key).line()
    done = 0
    async for event in events():
        if event.pos > last:
            return  # appended since
        done += 1
        yield json.dumps({"position": event.pos, "record": base64.b64encode(event.record).decode()})
        if progress is not None:
            progress(done, count)


def records_of(lines: Iterable[str]) -> Iterator[Recorded]:
    """The records of an export that was verified."""
    rest = iter(lines)
    header = Header.of_line(next(rest, ""))
    key = PublicKey.parse(header.public_key)
    return _records(rest, header, open_note(header.checkpoint, key))


def verify_export(
    lines: Iterable[str], key: PublicKey | None = None, progress: Progress | None = None
) -> ExportReport:
    """Checks an export from its lines alone; without `key`, by the one that it names itself.

    Raises `BadCheckpoint` where the header is none or its signature false, `LogBroken` with the first bad position.
    """
    rest = iter(lines)
    header = Header.of_line(next(rest, ""))
    checkpoint = open_note(header.checkpoint, key or PublicKey.parse(header.public_key))
    events = _records(rest, header, checkpoint)
    check = _check_log if header.stream is None else _check_stream
    first, last, done = check(events, header, checkpoint, progress)
    if done != header.events:
        raise LogBroken(
            f"the file ends after {done} of {header.events} events", pos=last + 1, next_step=_AGAIN
        )
    return ExportReport(header.stream, done, first, last, checkpoint)


_AGAIN: Final = "export it again, from a log that verifies"


def _records(lines: Iterator[str], header: Header, checkpoint: Checkpoint) -> Iterator[Recorded]:
    """The records of the file that belong to its log, in order of positions, and no more than the header says."""
    before = 0
    for number, line in enumerate(lines, start=1):
        try:
            said = json.loads(line)
            pos, record = said["position"], base64.b64decode(said["record"], validate=True)
            if type(pos) is not int:
                raise ValueError("no position")
        except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
            raise LogBroken(f"line {number + 1} holds no event", pos=before + 1, next_step=_AGAIN) from None
        if number > header.events:
            raise LogBroken(f"there are more than {header.events} events", pos=pos, next_step=_AGAIN)
        try:
            event = recorded(record)
            envelope = event.envelope
        except LogBroken as error:
            raise LogBroken(error.message, pos=pos, next_step=_AGAIN) from error
        if tuple(envelope) != KEYS:
            raise LogBroken("the record does not have the keys of a record", pos=pos, next_step=_AGAIN)
        if event.pos != pos or envelope["store"] != str(checkpoint.store_id):
            raise LogBroken("the record is of another place or log", pos=pos, next_step=_AGAIN)
        if not before < pos <= checkpoint.pos:
            message = f"it follows position {before} in a log of size {checkpoint.pos}"
            raise LogBroken(message, pos=pos, next_step=_AGAIN)
        before = pos
        yield event


def _check_log(
    events: Iterator[Recorded], header: Header, checkpoint: Checkpoint, progress: Progress | None
) -> tuple[int, int, int]:
    tree, last = Tree(), 0
    for event in events:
        if event.pos != last + 1:
            raise LogBroken(f"position {last + 1} is missing", pos=last + 1, next_step=_AGAIN)
        last = event.pos
        tree.append(leaf_hash(event.record))
        if progress is not None:
            progress(last, header.events)
    if last == header.events and not verify_consistency(
        last, tree.root(), checkpoint.pos, checkpoint.root, list(header.path)
    ):
        message = (
            f"these are not the first {last} events that the signed checkpoint of size {checkpoint.pos} holds"
        )
        raise LogBroken(f"{message}: one of them was changed", pos=1, next_step=_AGAIN)
    return 1, last, last


def _check_stream(
    events: Iterator[Recorded], header: Header, checkpoint: Checkpoint, progress: Progress | None
) -> tuple[int, int, int]:
    first, last, done, leaf = 0, 0, 0, b""
    for event in events:
        if event.stream != header.stream or event.version != done + 1:
            message = f"it is version {event.version} of {event.stream!r}, expected was {done + 1}"
            raise LogBroken(f"{message} of {header.stream!r}", pos=event.pos, next_step=_AGAIN)
        if event.previous != ("0x" + leaf.hex() if leaf else None):
            message = "`prev` is not the hash of the event before it: this one or that one was changed"
            raise LogBroken(message, pos=event.pos, next_step=_AGAIN)
        first, last, done, leaf = first or event.pos, event.pos, done + 1, leaf_hash(event.record)
        if progress is not None:
            progress(done, header.events)
    if done == header.events and not verify_inclusion(
        leaf, last - 1, checkpoint.pos, list(header.path), checkpoint.root
    ):
        message = (
            f"it is not at this position of the signed checkpoint of size {checkpoint.pos}: it was changed"
        )
        raise LogBroken(message, pos=last, next_step=_AGAIN)
    return first, last, done
