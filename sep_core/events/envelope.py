"""One event of the log as bytes: encoded once, then stored, hashed and never rewritten.

The keys of a record, in the order in which they stand: body, cause, corr, epoch, id, meta, occ, pos, prev, rec,
store, stream, sv, type, v, ver. All but pos, prev, rec and ver is encoded in a `Draft` before a place in the log is
assigned; native code then joins, chains and hashes the records of a whole batch.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from sep_hooks.store import InvalidEvent, LogBroken, NewEvent, Recorded
from sep_hooks.types.json import Json

from sep_core.events.codec import LARGEST_INTEGER, LARGEST_RECORD_BYTES, check, decode, dump
from sep_core.events.native import Draft, draft_plain

RECORD_VERSION: Final = 1
KEYS: Final = (
    *("body", "cause", "corr", "epoch", "id", "meta", "occ", "pos"),
    *("prev", "rec", "store", "stream", "sv", "type", "v", "ver"),
)

_STREAM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,254}")
_TYPE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,127}")
_EPOCH_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def draft(event: NewEvent, stream: str, store: bytes, epoch: int) -> Draft:
    """Encodes an event for a stream. Raises `InvalidEvent`."""
    occurred = event.occurred_at
    occurred_text = None if occurred is None else moment_text(occurred)
    drafted = draft_plain(event, stream, store, epoch, occurred_text)
    return drafted if drafted is not None else _draft_slowly(event, stream, store, epoch, occurred_text)


def _draft_slowly(
    event: NewEvent, stream: str, store: bytes, epoch: int, occurred_text: bytes | None
) -> Draft:
    """The draft of an event that breaks a rule, which this names, or is not made of plain values."""
    check_stream(stream)
    event_id, kind, schema_version, body, meta = (
        event.id,
        event.type,
        event.schema_version,
        event.body,
        event.meta,
    )
    kind_text = _kind_text(kind, schema_version)
    for part in (body, meta):
        if type(part) is not dict and not isinstance(part, Mapping):
            raise InvalidEvent(f"body and meta of {kind} must be JSON objects")
    check(body, 1)
    check(meta, 1)
    cause, correlation = event.causation_id, event.correlation_id
    head = dump(
        {
            "body": body,
            "cause": cause,
            "corr": correlation,
            "epoch": epoch,
            "id": event_id,
            "meta": meta,
            "occ": None if occurred_text is None else occurred_text.decode(),
        }
    )
    tail = b'","store":"%b","stream":"%b","sv":%b,"v":1,"ver":' % (store, stream.encode(), kind_text)
    drafted = Draft(
        event_id.bytes,
        kind,
        schema_version,
        None if correlation is None else correlation.bytes,
        None if cause is None else cause.bytes,
        head,
        tail,
    )
    if drafted.size_bytes > LARGEST_RECORD_BYTES:
        raise InvalidEvent(f"an event of type {kind} takes {drafted.size_bytes} bytes, more than 256 KiB")
    return drafted


def recorded(record: bytes) -> Recorded:
    """A stored record, decoded. Raises `LogBroken` when it is not one."""
    return page_of([record])[0]


def page_of(records: Sequence[bytes]) -> list[Recorded]:
    """Stored records, decoded in order. Raises `LogBroken` when one is none."""
    try:
        return [Recorded(record) for record in records]
    except ValueError as error:
        raise LogBroken(f"a record of the log is malformed: {error}", pos=0) from error


def body_of(encoded: bytes) -> bytes:
    """The canonical body inside a record or the head of a draft."""
    return dump(cast(dict[str, Json], decode(encoded))["body"])


def check_stream(stream: str) -> None:
    """Raises `InvalidEvent` for a name that no stream can have."""
    if type(stream) is not str or not _STREAM.fullmatch(stream):
        raise InvalidEvent(f"the stream name {stream!r} is not of the form [A-Za-z0-9][A-Za-z0-9._:/@+-]*")


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 in UTC. Raises `InvalidEvent` for a moment without a time zone."""
    if moment.tzinfo is None:
        raise InvalidEvent(f"the moment {moment.isoformat()} has no time zone; moments are in UTC")
    return (moment - _EPOCH_START) // _MICROSECOND


def time_text(moment_microseconds: int) -> bytes:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`."""
    moment = _EPOCH_START + timedelta(microseconds=moment_microseconds)
    return b"%bZ" % moment.replace(tzinfo=None).isoformat(timespec="microseconds").encode()


def moment_text(moment: datetime) -> bytes:
    """The text of a moment. Raises `InvalidEvent` for one without a time zone."""
    return time_text(microseconds(moment))


def time_of_text(text: str) -> int:
    """Microseconds since 1970 of a time that a record holds. Raises `ValueError` for another form."""
    if len(text) != 27 or text[-1] != "Z":
        raise ValueError(f"{text!r} is not of the form YYYY-MM-DDTHH:MM:SS.ffffffZ")
    return (datetime.fromisoformat(text) - _EPOCH_START) // _MICROSECOND


def _kind_text(kind: str, schema_version: int) -> bytes:
    """Schema version and type as a record says them."""
    if type(kind) is not str or not _TYPE.fullmatch(kind):
        raise InvalidEvent(f"the event type {kind!r} is not of the form [A-Za-z][A-Za-z0-9_.]*")
    if type(schema_version) is not int or not 1 <= schema_version <= LARGEST_INTEGER:
        raise InvalidEvent(f"the schema version {schema_version!r} of {kind} is not a positive integer")
    return b'%d,"type":"%b"' % (schema_version, kind.encode())
