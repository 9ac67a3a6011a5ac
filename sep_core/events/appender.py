"""The appender's decisions: which queued appends go through, at which places, and the batch that says so.

Pure: what the store knows is handed in, what it must write comes out. One appender owns a log, so versions are
chained in memory and a batch is adopted only after its commit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast
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

from sep_core.events.codec import LARGEST_INTEGER
from sep_core.events.envelope import body_of, check_stream, draft, recorded, time_text
from sep_core.events.native import Draft, Placed, Tree, place_batch, plan_plain
from sep_core.events.signing import LogKey

HASH_BYTES: Final = 32
SUBTREE_WIDTH: Final = 256
_MOST_CACHED_STREAMS: Final = 200_000
ANY_VERSION: Final = -1
SOME_VERSION: Final = -2


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
    drafts: tuple[Draft, ...]
    version: int
    """At which the stream must stand, or one of `ANY_VERSION` and `SOME_VERSION`."""
    expected: Expected


class DraftedAppend(NamedTuple):
    """One atomic append, encoded but for its place."""

    writes: tuple[DraftedWrite, ...]
    conditions: tuple[StreamCondition, ...]
    event_count: int
    size_bytes: int


type _Decided = tuple[str, Draft, int, bytes | int | None]
"""Stream, draft, version, and what stands before it: nothing, a leaf hash, or an earlier entry of the batch."""


@dataclass(slots=True)
class Batch:
    """What one commit writes, and what it answers to each append, in order."""

    before: LogHead
    outcomes: list[AppendResult | SepError] = field(default_factory=list)
    decided: list[_Decided] = field(default_factory=list)
    latest: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Version and entry of the last event for each stream that is written."""
    ids: dict[bytes, tuple[int, str, Draft]] = field(default_factory=dict)
    first_subtree: int = 0
    checkpoint: Checkpoint | None = None
    after: LogHead | None = None
    placed: Placed | None = None


class _IdsNeeded(Exception):
    """An append may be a repetition: the ids of the batch must be looked up first."""


def draft_append(
    writes: Sequence[StreamWrite], conditions: Sequence[StreamCondition], *, store: bytes, epoch: int
) -> DraftedAppend:
    """Encodes an append. Raises `InvalidEvent`."""
    if len(writes) == 1 and not conditions and len(writes[0].events) == 1:
        write = writes[0]
        version = _needed(write.expected)
        item = draft(write.events[0], write.stream, store, epoch)
        return DraftedAppend(
            (DraftedWrite(write.stream, (item,), version, write.expected),), (), 1, item.size_bytes
        )
    drafted = []
    event_count = size_bytes = 0
    for write in writes:
        stream, expected = write.stream, write.expected
        version = _needed(expected)
        drafts = tuple([draft(event, stream, store, epoch) for event in write.events])
        if not drafts:
            raise InvalidEvent(f"a write to {stream!r} holds no events")
        event_count += len(drafts)
        for item in drafts:
            size_bytes += item.size_bytes
        drafted.append(DraftedWrite(stream, drafts, version, expected))
    if not drafted:
        raise InvalidEvent("an append holds no writes")
    if len(drafted) > 1 or conditions:
        names = [write.stream for write in drafted] + [condition.stream for condition in conditions]
        if len(set(names)) != len(names):
            raise InvalidEvent("an append names a stream twice")
        for condition in conditions:
            check_stream(condition.stream)
            _needed(condition.expected)
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
        self._streams: dict[str, tuple[int, bytes | None]] = {}

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
        recorded_at = max(now, self.head.last_recorded)
        if known is None and appends:
            plain = plan_plain(
                self._tree,
                self._tail,
                time_text(recorded_at),
                recorded_at,
                appends,
                self._streams,
                AppendResult,
            )
            if plain is not None:
                batch = Batch(self.head, cast(list[AppendResult | SepError], plain.outcomes), placed=plain)
                self._seal(batch, plain, recorded_at)
                return batch
        return self._plan_slowly(appends, recorded_at, known)

    def _plan_slowly(
        self, appends: Sequence[DraftedAppend], recorded_at: int, known: Mapping[bytes, KnownEvent] | None
    ) -> Batch | None:
        """The plan for appends of which one has conditions, is refused or repeats another."""
        batch = Batch(self.head)
        try:
            for append in appends:
                batch.outcomes.append(self._decide(append, batch, known))
        except _IdsNeeded:
            return None
        if batch.decided:
            batch.placed = place_batch(
                self._tree, self._tail, time_text(recorded_at), recorded_at, batch.decided
            )
            self._seal(batch, batch.placed, recorded_at)
        return batch

    def adopt(self, batch: Batch) -> None:
        """Goes on from a batch that is durable."""
        placed = batch.placed
        if batch.after is None or placed is None:
            return
        self.head, self._tree, self._tail = batch.after, placed.tree, placed.tail
        if len(self._streams) > _MOST_CACHED_STREAMS:
            self._streams.clear()
        self._streams.update(placed.heads)

    def _decide(
        self, append: DraftedAppend, batch: Batch, known: Mapping[bytes, KnownEvent] | None
    ) -> AppendResult | SepError:
        latest, heads, ids = batch.latest, self._streams, batch.ids
        if known is not None or _any_of(append, ids):
            repeated = self._repetition(append, batch, known)
            if repeated is not None:
                return repeated
        refused = None
        for stream, _, _, expected in append.writes:
            refused = refused or _refusal(stream, expected, (latest.get(stream) or heads[stream])[0])
        for condition in append.conditions:
            actual = (latest.get(condition.stream) or heads[condition.stream])[0]
            refused = refused or _refusal(condition.stream, condition.expected, actual)
        if refused is not None:
            if known is None:
                raise _IdsNeeded
            return refused
        decided = batch.decided
        index = len(decided)
        first_pos = pos = self.head.pos + index + 1
        for stream, drafts, _, _ in append.writes:
            before: bytes | int | None
            version, before = latest.get(stream) or heads[stream]
            for item in drafts:
                version += 1
                decided.append((stream, item, version, before))
                ids[item.id] = (pos, stream, item)
                before = index
                index += 1
                pos += 1
            latest[stream] = (version, index - 1)
        return AppendResult(first_pos, pos - 1)

    def _repetition(
        self, append: DraftedAppend, batch: Batch, known: Mapping[bytes, KnownEvent] | None
    ) -> AppendResult | IdConflict | None:
        """The answer to an append of which at least one id stands in the log or earlier in the batch."""
        places: list[int] = []
        fresh: Draft | None = None
        for stream, drafts, _, _ in append.writes:
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

    def _seal(self, batch: Batch, placed: Placed, recorded_at: int) -> None:
        tree = placed.tree
        size, root = tree.size, tree.root()
        batch.first_subtree = self.head.pos // SUBTREE_WIDTH
        epoch, store_id = self.head.epoch, self.head.store_id
        batch.checkpoint = Checkpoint(
            store_id, epoch, size, root, self._key.sign(epoch=epoch, size=size, root=root)
        )
        batch.after = LogHead(store_id, epoch, size, tree.peaks, recorded_at)


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
    needed = _needed(expected)
    if needed == ANY_VERSION or (actual > 0 if needed == SOME_VERSION else actual == needed):
        return None
    return WrongExpectedVersion(stream, expected, actual)


def _needed(expected: Expected) -> int:
    kind = type(expected)
    if kind is AnyVersion:
        return ANY_VERSION
    if kind is Exact:
        version = expected.version  # type: ignore[union-attr]
        if type(version) is not int or version < 0:
            raise InvalidEvent(f"a stream cannot stand at version {version!r}")
        return min(version, LARGEST_INTEGER)  # no stream gets there
    if kind is NoStream:
        return 0
    if kind is Exists:
        return SOME_VERSION
    raise InvalidEvent(f"{expected!r} is no expectation; use Exact, NoStream, Exists or AnyVersion")
