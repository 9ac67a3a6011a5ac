"""The event store: one log, appended atomically, read by dense position, provable offline."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MemberDescriptorType
from typing import ClassVar, Final, Protocol, cast
from uuid import UUID

import msgspec

from sep_hooks.errors import Ambiguous, Permanent, Retryable
from sep_hooks.types.json import Json


@dataclass(frozen=True, slots=True)
class Exact:
    """The stream must stand at this version; 0 means that it must not exist."""

    version: int


@dataclass(frozen=True, slots=True)
class NoStream:
    """The stream must not exist; the same as `Exact(0)`."""


@dataclass(frozen=True, slots=True)
class Exists:
    """The stream must exist, at whatever version."""


@dataclass(frozen=True, slots=True)
class AnyVersion:
    """The stream may stand anywhere. Without ids of the caller's own choice this is at-least-once."""


type Expected = Exact | NoStream | Exists | AnyVersion


_NO_META: Final[Mapping[str, Json]] = {}


@dataclass(frozen=True, slots=True, init=False)
class NewEvent:
    """A fact to be recorded. `id` makes appending it again harmless.

    `body` says what is true, `meta` who saw it; two observers of one fact must write the same body.
    Values are JSON without floats; keys are `[a-z][a-z0-9_]*`; integers stay within 2**53 - 1.
    """

    id: UUID
    type: str
    schema_version: int
    body: Mapping[str, Json]
    meta: Mapping[str, Json] = field(default_factory=dict)
    occurred_at: datetime | None = None
    correlation_id: UUID | None = None
    causation_id: UUID | None = None

    def __init__(
        self,
        id: UUID,
        type: str,
        schema_version: int,
        body: Mapping[str, Json],
        meta: Mapping[str, Json] = _NO_META,
        occurred_at: datetime | None = None,
        correlation_id: UUID | None = None,
        causation_id: UUID | None = None,
    ) -> None:
        # The initialiser that dataclasses write looks `object.__setattr__` up for each field: most of what an event
        # costs its producer.
        _set_id(self, id)
        _set_type(self, type)
        _set_schema_version(self, schema_version)
        _set_body(self, body)
        _set_meta(self, {} if meta is _NO_META else meta)
        _set_occurred_at(self, occurred_at)
        _set_correlation_id(self, correlation_id)
        _set_causation_id(self, causation_id)


def _setter[T](cls: type[T], name: str) -> Callable[[T, object], None]:
    """What writes one slot of a value, which nothing else can write."""
    slot: MemberDescriptorType = vars(cls)[name]
    return slot.__set__


_set_id: Final = _setter(NewEvent, "id")
_set_type: Final = _setter(NewEvent, "type")
_set_schema_version: Final = _setter(NewEvent, "schema_version")
_set_body: Final = _setter(NewEvent, "body")
_set_meta: Final = _setter(NewEvent, "meta")
_set_occurred_at: Final = _setter(NewEvent, "occurred_at")
_set_correlation_id: Final = _setter(NewEvent, "correlation_id")
_set_causation_id: Final = _setter(NewEvent, "causation_id")


@dataclass(frozen=True, slots=True)
class StreamWrite:
    """Events for one stream, and where that stream must stand for them to be true."""

    stream: str
    expected: Expected
    events: Sequence[NewEvent]


@dataclass(frozen=True, slots=True)
class StreamCondition:
    """Where a stream that is not written must stand for an append to be true."""

    stream: str
    expected: Expected


@dataclass(frozen=True, slots=True)
class AppendResult:
    """Where events stand in the log. `duplicate`: they stood there before, nothing was added."""

    first_pos: int
    last_pos: int
    duplicate: bool = False


class _Head(msgspec.Struct, frozen=True):
    """What stands in every record; body and meta as they are written."""

    body: msgspec.Raw
    cause: str | None
    corr: str | None
    epoch: int
    id: str
    meta: msgspec.Raw
    occ: str | None
    pos: int
    prev: str | None
    rec: str
    store: str
    stream: str
    sv: int
    type: str
    v: int
    ver: int


_read_head: Final = msgspec.json.Decoder(_Head).decode


@dataclass(frozen=True, slots=True, init=False)
class Recorded:
    """One event of the log: the exact bytes that were hashed, and what they say.

    Made of its record alone: who and where is read at once, body and meta when they are asked for. Equality is
    equality of the bytes. Raises `ValueError` for bytes that are not a record.
    """

    record: bytes
    _head: _Head = field(compare=False, repr=False)

    def __init__(self, record: bytes) -> None:
        _set_record(self, record)
        _set_head(self, _read_head(record))

    @property
    def pos(self) -> int:
        """Place in the log, dense from 1."""
        return self._head.pos

    @property
    def stream(self) -> str:
        """The thing that the fact is about."""
        return self._head.stream

    @property
    def version(self) -> int:
        """Place in the stream, dense from 1."""
        return self._head.ver

    @property
    def previous(self) -> str | None:
        """The hash of the event before it in its stream, 0x hex."""
        return self._head.prev

    @property
    def id(self) -> UUID:
        """Identity chosen by the writer."""
        return UUID(self._head.id)

    @property
    def type(self) -> str:
        """Kind of fact."""
        return self._head.type

    @property
    def schema_version(self) -> int:
        """Version of the body's schema."""
        return self._head.sv

    @property
    def written_body(self) -> msgspec.Raw:
        """The body as the record has it: bytes of canonical JSON."""
        return self._head.body

    @property
    def body(self) -> Mapping[str, Json]:
        """What is true; decoded anew each time. Raises `LogBroken` where it is not JSON."""
        return self._decoded(self._head.body)

    @property
    def meta(self) -> Mapping[str, Json]:
        """Who saw it, and how; decoded anew each time. Raises `LogBroken` where it is not JSON."""
        return self._decoded(self._head.meta)

    @property
    def envelope(self) -> Mapping[str, Json]:
        """All that the record says, under its own keys; decoded anew each time. Raises `LogBroken`."""
        return self._decoded(self.record)

    @property
    def store_id(self) -> UUID:
        """The log that this event belongs to."""
        return UUID(self._head.store)

    @property
    def epoch(self) -> int:
        """The writer's fencing epoch."""
        return self._head.epoch

    @property
    def recorded_at(self) -> datetime:
        """When the store took it; never goes back along the log."""
        return datetime.fromisoformat(self._head.rec)

    @property
    def occurred_at(self) -> datetime | None:
        """When it happened, where the writer knew."""
        text = self._head.occ
        return None if text is None else datetime.fromisoformat(text)

    @property
    def correlation_id(self) -> UUID | None:
        """The undertaking that it belongs to."""
        text = self._head.corr
        return None if text is None else UUID(text)

    @property
    def causation_id(self) -> UUID | None:
        """The event or command that led to it."""
        text = self._head.cause
        return None if text is None else UUID(text)

    def _decoded(self, part: bytes | msgspec.Raw) -> Mapping[str, Json]:
        try:
            return cast(Mapping[str, Json], msgspec.json.decode(part))
        except ValueError as error:
            raise LogBroken(f"position {self.pos} is not JSON: {error}", pos=self.pos) from error


_set_record: Final = _setter(Recorded, "record")
_set_head: Final = _setter(Recorded, "_head")


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """A subscription has shown everything up to `pos`; what follows is live."""

    pos: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log at one size: `root` over the first `pos` events, and a signed note that says so."""

    store_id: UUID
    epoch: int
    pos: int
    root: bytes
    note: str

    @property
    def signature(self) -> str:
        """The last signature line of the note."""
        return self.note.rstrip("\n").rsplit("\n", 1)[-1]


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """Sibling hashes that lead from the event at `pos` to the root of `checkpoint`."""

    pos: int
    leaf_hash: bytes
    path: tuple[bytes, ...]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """Hashes that lead from the root over the first `first` events and that over the first `second` to one another: the
    log only grew in between (RFC 9162, section 2.1.4)."""

    first: int
    second: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a reader wants; an empty tuple places no demand."""

    types: tuple[str, ...] = ()
    stream_prefixes: tuple[str, ...] = ()

    def admits(self, recorded: Recorded) -> bool:
        """Whether an event is wanted."""
        if self.types and recorded.type not in self.types:
            return False
        return not self.stream_prefixes or recorded.stream.startswith(self.stream_prefixes)


class WrongExpectedVersion(Permanent):
    """A stream does not stand where an append said; nothing was written."""

    code = "wrong_expected_version"

    def __init__(self, stream: str, expected: Expected, actual: int) -> None:
        super().__init__(
            f"stream {stream!r} stands at version {actual}, expected was {expected}; nothing was written",
            next_step="read the stream and decide again",
        )
        self.stream = stream
        self.expected = expected
        self.actual = actual


class IdConflict(Permanent):
    """An event id stands in the log with other content; nothing was written."""

    code = "id_conflict"

    def __init__(self, id: UUID, pos: int, difference: str) -> None:
        super().__init__(
            f"event {id} stands at position {pos} with another {difference}; nothing was written",
            next_step=f"compare with `sep events show {pos}`",
        )
        self.id = id
        self.pos = pos


class InvalidEvent(Permanent):
    """An event, stream name or condition cannot be recorded; nothing was written."""

    code = "invalid_event"


class Fenced(Permanent):
    """Another engine has taken the log over; this one may never append again."""

    code = "fenced"


class StoreFailed(Permanent):
    """The store has stopped; nothing of this call was written."""

    code = "store_failed"


class CommitUnknown(Ambiguous):
    """The store failed while committing: the events may or may not stand in the log."""

    code = "commit_unknown"


class StoreBusy(Retryable):
    """The queue of the appender is full; nothing was written."""

    code = "store_busy"


class StoreClosed(Permanent):
    """The store was closed; nothing of this call was written."""

    code = "store_closed"


class SlowConsumer(Retryable):
    """A subscriber lags too far; it resumes after `resume_after` and loses nothing."""

    code = "slow_consumer"

    def __init__(self, resume_after: int, lag: int) -> None:
        super().__init__(
            f"the subscriber lags {lag} positions", next_step=f"resume after position {resume_after}"
        )
        self.resume_after = resume_after


class LogBroken(Permanent):
    """A reader met a position out of order, or a record that it cannot read; `pos` names it."""

    code = "log_broken"

    def __init__(self, message: str, *, pos: int, next_step: str = "run `sep verify`") -> None:
        super().__init__(message, next_step=next_step)
        self.pos = pos


class NotInLog(Permanent):
    """A position or time lies outside the log."""

    code = "not_in_log"


class LogReplaced(Permanent):
    """A read model was built from another log, or from more of it than there is."""

    code = "log_replaced"


class StoreUnavailable(Permanent):
    """A store cannot be opened: damaged, of a newer release, read-only, or no store at all."""

    code = "store_unavailable"


class StoreLocked(Retryable):
    """Another engine writes to this store; `process_id` is its own, where known."""

    code = "store_locked"

    def __init__(self, message: str, *, process_id: int | None, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.process_id = process_id


class Pending(Awaitable[AppendResult], Protocol):
    """An append in the queue. Awaiting it, any number of times, waits for the commit.

    Raises `WrongExpectedVersion`, `IdConflict`, `Fenced`, `StoreFailed` or `CommitUnknown`.
    """

    @property
    def done(self) -> bool:
        """Whether the outcome is known."""
        ...


class EventStore(ABC):
    """One totally ordered log of immutable events with a single appender.

    Positions are dense from 1, so `after=last` never loses or repeats. A store is written from one event loop.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset()

    @property
    @abstractmethod
    def store_id(self) -> UUID:
        """Identity of the log; a log restored to the past has another."""

    @property
    @abstractmethod
    def epoch(self) -> int:
        """Fencing epoch under which this opening writes, or which it found when it only reads."""

    @abstractmethod
    def enqueue(
        self, writes: Sequence[StreamWrite], *, conditions: Sequence[StreamCondition] = ()
    ) -> Pending:
        """Queues an atomic append and returns at once; the queue is served strictly in order.

        `expected` is compared with what the items before it in the queue leave behind.
        Raises `InvalidEvent`, `StoreBusy`, `StoreClosed`, `Fenced` or `StoreFailed`; then nothing was queued.
        """

    @abstractmethod
    async def append(
        self, writes: Sequence[StreamWrite], *, conditions: Sequence[StreamCondition] = ()
    ) -> AppendResult:
        """Appends to all streams or to none, and returns when that is durable; waits for room in the queue.

        Same ids, streams, types and bodies again: the old positions, `duplicate=True`.
        A cancelled call may still be committed.
        """

    @abstractmethod
    def read_stream(
        self,
        stream: str,
        *,
        from_version: int = 1,
        to_version: int | None = None,
        as_of: int | datetime | None = None,
    ) -> AsyncGenerator[Recorded]:
        """One stream in order, as it stood at a position or moment."""

    @abstractmethod
    def read_all(
        self,
        *,
        after: int,
        filter: EventFilter | None = None,  # noqa: A002
        limit: int | None = None,
        as_of: int | datetime | None = None,
    ) -> AsyncGenerator[Recorded]:
        """The log in order, from the position behind `after` to the head at the start of the call."""

    async def visit(
        self, take: Callable[[Recorded], None], *, after: int, as_of: int | datetime | None = None
    ) -> None:
        """Hands `take` what `read_all` gives, one event after another, on whatever thread suits the store.

        Raises what `read_all` raises, and what `take` raises; then nothing more is handed over.
        """
        async for recorded in self.read_all(after=after, as_of=as_of):
            take(recorded)

    @abstractmethod
    def subscribe(
        self,
        *,
        after: int,
        filter: EventFilter | None = None,  # noqa: A002
        max_lag: int | None = None,
    ) -> AsyncGenerator[Recorded | CaughtUp]:
        """The log in order, without end; `CaughtUp` marks each arrival at the head.

        The consumer sets the pace. With `max_lag`, one that falls further behind the head after it was live
        gets `SlowConsumer`. Raises `LogBroken` for a position out of order, `StoreClosed` at the end.
        """

    @abstractmethod
    async def head(self, *, as_of: int | datetime | None = None) -> Checkpoint:
        """The last published checkpoint; with `as_of` the last one over nothing behind that position or moment, which
        may be over fewer events where it fell into a batch. Raises `NotInLog`.
        """

    @abstractmethod
    async def prove(self, pos: int) -> InclusionProof:
        """Proof that the event at `pos` stands in the log of `head()`. Raises `NotInLog`."""

    @abstractmethod
    async def prove_consistency(self, first: int, second: int) -> ConsistencyProof:
        """Proof that the log of size `first` is the beginning of that of size `second`. Raises `NotInLog`."""

    @abstractmethod
    async def close(self) -> None:
        """Commits what is queued, then lets go of everything."""
