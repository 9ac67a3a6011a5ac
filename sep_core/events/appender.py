"""The appender's decisions: which queued appends go through, at which places, and the batch that says so.

Pure: what the store knows is handed in, what it must write comes out. One appender owns a log, so versions are
chained in memory and a batch is adopted only after its commit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from sep_hooks.errors import SepError
from sep_hooks.store import (
    AnyVersion,
    AppendResult,
    Checkpoint,
    Exact,
    Exists,
    Expected,
    IdConflict,
    InvalidEvent,
    NoStream,
    StreamCondition,
    StreamWrite,
    WrongExpectedVersion,
)

from sep_core.events.envelope import Draft, body_of, check_stream, draft, place, recorded, time_text
from sep_core.events.native import Tree, leaf_hash, subtree_root
from sep_core.events.signing import LogKey

HASH_BYTES: Final = 32
SUBTREE_WIDTH: Final = 256
SUBTREE_BYTES: Final = SUBTREE_WIDTH * HASH_BYTES
_MOST_CACHED_STREAMS: Final = 200_000
_EXPECTATIONS: Final = frozenset({Exact, NoStream, Exists, AnyVersion})


class StreamHead(NamedTuple):
    """Where a stream stands; version 0 means that it does not exist."""

    version: int
    last_hash: bytes | None


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where the log stands, as the store keeps it."""

    store_id: UUID
    epoch: int
    pos: int
    peaks: bytes
    last_recorded: int
    """Microseconds of the last event; the clock may go back, the log does not."""


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """An event id that stands in the log, with what it was recorded with."""

    pos: int
    stream: str
    type: str
    schema_version: int
    body: bytes


class DraftedWrite(NamedTuple):
    """The encoded events for one stream, and where the stream must stand."""

    stream: str
    expected: Expected
    drafts: tuple[Draft, ...]


class DraftedAppend(NamedTuple):
    """One atomic append, encoded but for its place."""

    writes: tuple[DraftedWrite, ...]
    conditions: tuple[StreamCondition, ...]
    event_count: int
    size_bytes: int


type EventRow = tuple[int, str, int, bytes, str, int, int, bytes | None, bytes | None, bytes, bytes]
"""pos, stream, version, id, type, sv, rec, corr, cause, record, leaf_hash."""


@dataclass(slots=True)
class Batch:
    """What one commit writes, and what it answers to each append, in order."""

    before: LogHead
    outcomes: list[AppendResult | SepError] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    streams: dict[str, StreamHead] = field(default_factory=dict)
    ids: dict[bytes, tuple[int, str, Draft]] = field(default_factory=dict)
    subtrees: list[bytes] = field(default_factory=list)
    """Roots of the 256-wide subtrees that became full, in order."""
    first_subtree: int = 0
    checkpoint: Checkpoint | None = None
    after: LogHead | None = None
    tree: Tree | None = None
    tail: bytes = b""


class _IdsNeeded(Exception):
    """An append may be a repetition: the ids of the batch must be looked up first."""


def draft_append(
    writes: Sequence[StreamWrite], conditions: Sequence[StreamCondition], *, store: bytes, epoch: int
) -> DraftedAppend:
    """Encodes an append. Raises `InvalidEvent`."""
    drafted = []
    event_count = size_bytes = 0
    for write in writes:
        _check_expected(write.expected)
        drafts = tuple(
            [draft(event, stream=write.stream, store=store, epoch=epoch) for event in write.events]
        )
        if not drafts:
            raise InvalidEvent(f"a write to {write.stream!r} holds no events")
        event_count += len(drafts)
        for item in drafts:
            size_bytes += item.size_bytes
        drafted.append(DraftedWrite(write.stream, write.expected, drafts))
    if not drafted:
        raise InvalidEvent("an append holds no writes")
    if len(drafted) > 1 or conditions:
        names = [write.stream for write in drafted] + [condition.stream for condition in conditions]
        if len(set(names)) != len(names):
            raise InvalidEvent("an append names a stream twice")
        for condition in conditions:
            check_stream(condition.stream)
            _check_expected(condition.expected)
    if event_count > 1:
        ids = {item.id for write in drafted for item in write.drafts}
        if len(ids) != event_count:
            raise InvalidEvent("an append holds one event id twice")
    return DraftedAppend(tuple(drafted), tuple(conditions), event_count, size_bytes)


class Sequencer:
    """Assigns places. `plan` changes nothing; `adopt` takes a committed batch over."""

    def __init__(self, head: LogHead, tail: bytes, key: LogKey) -> None:
        """`tail` holds the leaf hashes, joined, behind the last full 256-wide subtree."""
        self.head = head
        self._key = key
        self._tree = Tree(head.pos, head.peaks)
        self._tail = tail
        self._streams: dict[str, StreamHead] = {}

    def unknown_streams(self, appends: Iterable[DraftedAppend]) -> list[str]:
        """Streams whose heads must be learned before `plan`."""
        known = self._streams
        unknown: dict[str, None] = {}
        for append in appends:
            for write in append.writes:
                if write.stream not in known:
                    unknown[write.stream] = None
            for condition in append.conditions:
                if condition.stream not in known:
                    unknown[condition.stream] = None
        return list(unknown)

    def learn(self, heads: Mapping[str, StreamHead]) -> None:
        """Takes in what the store says about streams; one that it does not know is at version 0."""
        self._streams.update(heads)

    def plan(
        self, appends: Sequence[DraftedAppend], *, now: int, known: Mapping[bytes, KnownEvent] | None
    ) -> Batch | None:
        """The batch for these appends, or `None` when the ids of all of them must be looked up first.

        `known` maps the ids that stand in the log; `None` assumes that none does, and the store finds out.
        """
        batch = Batch(self.head)
        recorded_at = max(now, self.head.last_recorded)
        recorded_text = time_text(recorded_at)
        try:
            for append in appends:
                batch.outcomes.append(self._decide(append, batch, recorded_at, recorded_text, known))
        except _IdsNeeded:
            return None
        if batch.events:
            self._seal(batch, recorded_at)
        return batch

    def adopt(self, batch: Batch) -> None:
        """Goes on from a batch that is durable."""
        if batch.after is None or batch.tree is None:
            return
        self.head, self._tree, self._tail = batch.after, batch.tree, batch.tail
        if len(self._streams) > _MOST_CACHED_STREAMS:
            self._streams.clear()
        self._streams.update(batch.streams)

    def _decide(
        self,
        append: DraftedAppend,
        batch: Batch,
        recorded_at: int,
        recorded_text: bytes,
        known: Mapping[bytes, KnownEvent] | None,
    ) -> AppendResult | SepError:
        streams, heads, ids = batch.streams, self._streams, batch.ids
        if known is not None or _any_of(append, ids):
            repeated = self._repetition(append, batch, known)
            if repeated is not None:
                return repeated
        refused = None
        for stream, expected, _ in append.writes:
            refused = refused or _refusal(stream, expected, (streams.get(stream) or heads[stream])[0])
        for condition in append.conditions:
            actual = (streams.get(condition.stream) or heads[condition.stream])[0]
            refused = refused or _refusal(condition.stream, condition.expected, actual)
        if refused is not None:
            if known is None:
                raise _IdsNeeded
            return refused
        events = batch.events
        first_pos = pos = self.head.pos + len(events) + 1
        for stream, _, drafts in append.writes:
            version, previous = streams.get(stream) or heads[stream]
            for item in drafts:
                version += 1
                record = place(
                    item,
                    pos=pos,
                    previous=previous,
                    recorded=recorded_text,
                    version=version,
                )
                previous = leaf_hash(record)
                event_id, kind, schema_version, correlation, cause, _, _, _ = item
                events.append(
                    (
                        pos,
                        stream,
                        version,
                        event_id,
                        kind,
                        schema_version,
                        recorded_at,
                        correlation,
                        cause,
                        record,
                        previous,
                    )
                )
                ids[event_id] = (pos, stream, item)
                pos += 1
            streams[stream] = StreamHead(version, previous)
        return AppendResult(first_pos, pos - 1)

    def _repetition(
        self, append: DraftedAppend, batch: Batch, known: Mapping[bytes, KnownEvent] | None
    ) -> AppendResult | IdConflict | None:
        """The answer to an append of which at least one id stands in the log or earlier in the batch."""
        places: list[int] = []
        fresh: Draft | None = None
        for stream, _, drafts in append.writes:
            for item in drafts:
                found = _known_in(batch, item.id)
                if found is None and known is not None:
                    found = known.get(item.id)
                if found is None:
                    fresh = item
                    continue
                difference = _difference(found, stream, item)
                if difference:
                    return IdConflict(UUID(bytes=item.id), found.pos, difference)
                places.append(found.pos)
        if not places:
            return None
        if fresh is not None:
            if known is None:
                raise _IdsNeeded
            return IdConflict(UUID(bytes=fresh.id), min(places), "set of events beside it")
        return AppendResult(min(places), max(places), duplicate=True)

    def _seal(self, batch: Batch, recorded_at: int) -> None:
        leaves = b"".join([row[10] for row in batch.events])
        tree = self._tree.copy()
        tree.extend(leaves)
        tail = self._tail + leaves
        size = self.head.pos + len(batch.events)
        batch.first_subtree = self.head.pos // SUBTREE_WIDTH
        while len(tail) >= SUBTREE_BYTES:
            batch.subtrees.append(subtree_root(tail[:SUBTREE_BYTES]))
            tail = tail[SUBTREE_BYTES:]
        root = tree.root()
        epoch, store_id = self.head.epoch, self.head.store_id
        batch.checkpoint = Checkpoint(
            store_id, epoch, size, root, self._key.sign(epoch=epoch, size=size, root=root)
        )
        batch.after = LogHead(store_id, epoch, size, tree.peaks, recorded_at)
        batch.tree, batch.tail = tree, tail


def known_event(record: bytes) -> KnownEvent:
    """What a stored record says about its id."""
    event = recorded(record)
    return KnownEvent(event.pos, event.stream, event.type, event.schema_version, body_of(record))


def _difference(found: KnownEvent, stream: str, item: Draft) -> str:
    if found.stream != stream:
        return "stream"
    if found.type != item.type or found.schema_version != item.schema_version:
        return "type"
    return "" if found.body == body_of(item.head) else "body"


def _any_of(append: DraftedAppend, ids: Mapping[bytes, object]) -> bool:
    for write in append.writes:
        for item in write.drafts:
            if item.id in ids:
                return True
    return False


def _known_in(batch: Batch, event_id: bytes) -> KnownEvent | None:
    found = batch.ids.get(event_id)
    if found is None:
        return None
    pos, stream, item = found
    return KnownEvent(pos, stream, item.type, item.schema_version, body_of(item.head))


def _refusal(stream: str, expected: Expected, actual: int) -> WrongExpectedVersion | None:
    kind = type(expected)
    if kind is AnyVersion:
        return None
    if kind is Exact:
        holds = expected.version == actual  # type: ignore[union-attr]
    elif kind is NoStream:
        holds = actual == 0
    else:
        holds = actual > 0
    return None if holds else WrongExpectedVersion(stream, expected, actual)


def _check_expected(expected: Expected) -> None:
    kind = type(expected)
    if kind not in _EXPECTATIONS:
        raise InvalidEvent(f"{expected!r} is no expectation; use Exact, NoStream, Exists or AnyVersion")
    if kind is Exact:
        version = expected.version  # type: ignore[union-attr]
        if type(version) is not int or version < 0:
            raise InvalidEvent(f"a stream cannot stand at version {version!r}")
