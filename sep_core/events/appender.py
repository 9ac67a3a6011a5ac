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
    LogBroken,
    NoStream,
    StreamCondition,
    StreamWrite,
    WrongExpectedVersion,
)

from sep_core.events.codec import LARGEST_INTEGER
from sep_core.events.envelope import body_of, check_stream, draft, moment_text, recorded
from sep_core.events.native import Draft, DraftedAppend, Ledger, Placed, Tree, draft_append_plain
from sep_core.events.signing import LogKey

HASH_BYTES: Final = 32
SUBTREE_WIDTH: Final = 256
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

    def root(self) -> bytes:
        """The root over all events, out of the peaks."""
        return Tree(self.pos, self.peaks).root()


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """An event id that stands in the log, with what it was recorded with."""

    pos: int
    stream: str
    type: str
    schema_version: int
    body: bytes


type DraftedWrite = tuple[str, Sequence[Draft], int, Expected]
"""Stream, encoded events, the version at which the stream must stand or one of `ANY_VERSION` and `SOME_VERSION`, and
the expectation that says so."""

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
    checkpoint: Checkpoint | None = None
    after: LogHead | None = None
    placed: Placed | None = None


class _IdsNeeded(Exception):
    """An append may be a repetition: the ids of the batch must be looked up first."""


def draft_append(
    writes: Sequence[StreamWrite], conditions: Sequence[StreamCondition], *, store: bytes, epoch: int
) -> DraftedAppend:
    """Encodes an append. Raises `InvalidEvent`."""
    if not conditions:
        plain = draft_append_plain(writes, store, epoch, moment_text)
        if plain is not None:
            return plain
    return _draft_slowly(writes, conditions, store=store, epoch=epoch)


def _draft_slowly(
    writes: Sequence[StreamWrite], conditions: Sequence[StreamCondition], *, store: bytes, epoch: int
) -> DraftedAppend:
    """The draft of an append that has conditions, breaks a rule, which this names, or is not made of plain values."""
    drafted: list[DraftedWrite] = []
    for write in writes:
        stream, expected = write.stream, write.expected
        version = _needed(expected)
        drafts = [draft(event, stream, store, epoch) for event in write.events]
        if not drafts:
            raise InvalidEvent(f"a write to {stream!r} holds no events")
        drafted.append((stream, drafts, version, expected))
    if not drafted:
        raise InvalidEvent("an append holds no writes")
    names = [write[0] for write in drafted] + [condition.stream for condition in conditions]
    if len(set(names)) != len(names):
        raise InvalidEvent("an append names a stream twice")
    for condition in conditions:
        check_stream(condition.stream)
        _needed(condition.expected)
    ids = [item.id for write in drafted for item in write[1]]
    if len(set(ids)) != len(ids):
        raise InvalidEvent("an append holds one event id twice")
    return DraftedAppend(drafted, tuple(conditions))


class Sequencer:
    """Assigns places. `plan` changes nothing; `adopt` takes a committed batch over."""

    def __init__(self, head: LogHead, tail: bytes, key: LogKey) -> None:
        """`tail` holds the leaf hashes, joined, behind the last full 256-wide subtree. Raises `LogBroken` where they
        are not those that the head was made of.
        """
        last = Tree()
        last.extend(tail)
        if not head.peaks.endswith(last.peaks):
            raise LogBroken(
                f"the hashes of the last {last.size} events are not those of the log's head",
                pos=0,
                next_step="run `sep verify`, then restore a backup; nothing was written",
            )
        self._store_id, self._epoch = head.store_id, head.epoch
        self.ledger: Final = Ledger(
            head.store_id.bytes, head.epoch, head.pos, head.peaks, tail, head.last_recorded, key.signer
        )

    @property
    def head(self) -> LogHead:
        """Where the log stands after what was adopted."""
        size, peaks, last_recorded = self.ledger.head()
        return LogHead(self._store_id, self._epoch, size, peaks, last_recorded)

    def unknown_streams(self, appends: Iterable[DraftedAppend]) -> list[str]:
        """Streams whose heads must be learned before `plan`."""
        names: dict[str, None] = {}
        for append in appends:
            names.update((write[0], None) for write in append.writes)
            names.update((condition.stream, None) for condition in _conditions(append))
        return [name for name in names if self.ledger.stream(name) is None]

    def learn(self, heads: Mapping[str, StreamHead]) -> None:
        """Takes in what the store says about streams; one that it does not know is at version 0."""
        for stream, head in heads.items():
            self.ledger.learn(stream, head.version, head.last_hash)

    def plan(
        self, appends: Sequence[DraftedAppend], *, now: int, known: Mapping[bytes, KnownEvent] | None
    ) -> Batch | None:
        """The batch for these appends, or `None` when the ids of all of them must be looked up first.

        `known` maps the ids that stand in the log; `None` assumes that none does, and the store finds out.
        """
        plain = self.plan_plain(appends, now=now) if known is None else None
        return plain if plain is not None else self._plan_slowly(appends, now, known)

    def plan_plain(self, appends: Sequence[DraftedAppend], *, now: int) -> Batch | None:
        """The batch for appends without conditions, on streams that are known, of which none is refused or repeats
        another; `None` for any others. The store finds out whether their ids stand in the log."""
        plain = self.ledger.plan(appends, now) if appends else None
        if plain is None:
            return None
        outcomes: list[AppendResult | SepError] = [AppendResult(first, last) for first, last in plain.answers]
        return self._sealed(Batch(self.head, outcomes, placed=plain))

    def _plan_slowly(
        self, appends: Sequence[DraftedAppend], now: int, known: Mapping[bytes, KnownEvent] | None
    ) -> Batch | None:
        """The plan for appends of which one has conditions, is refused or repeats another."""
        batch = Batch(self.head)
        try:
            for append in appends:
                batch.outcomes.append(self._decide(append, batch, known))
        except _IdsNeeded:
            return None
        if batch.decided:
            batch.placed = self.ledger.place(batch.decided, now)
            self._sealed(batch)
        return batch

    def adopt(self, batch: Batch) -> None:
        """Goes on from a batch that is durable."""
        if batch.placed is not None:
            self.ledger.adopt(batch.placed)

    def _stands(self, stream: str, batch: Batch) -> tuple[int, bytes | int | None]:
        """Version of a stream behind the batch so far, and what stands there."""
        found = batch.latest.get(stream) or self.ledger.stream(stream)
        if found is None:
            raise LookupError(f"where {stream!r} stands was not learned")
        return found

    def _decide(
        self, append: DraftedAppend, batch: Batch, known: Mapping[bytes, KnownEvent] | None
    ) -> AppendResult | SepError:
        latest, ids = batch.latest, batch.ids
        if known is not None or _any_of(append, ids):
            repeated = self._repetition(append, batch, known)
            if repeated is not None:
                return repeated
        refused = None
        writes = _writes(append)
        for stream, _, _, expected in writes:
            refused = refused or _refusal(stream, expected, self._stands(stream, batch)[0])
        for condition in _conditions(append):
            actual = self._stands(condition.stream, batch)[0]
            refused = refused or _refusal(condition.stream, condition.expected, actual)
        if refused is not None:
            if known is None:
                raise _IdsNeeded
            return refused
        decided = batch.decided
        index = len(decided)
        first_pos = pos = batch.before.pos + index + 1
        for stream, drafts, _, _ in writes:
            version, before = self._stands(stream, batch)
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
        for stream, drafts, _, _ in _writes(append):
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

    def _sealed(self, batch: Batch) -> Batch:
        placed = batch.placed
        assert placed is not None
        tree = placed.tree
        batch.checkpoint = Checkpoint(self._store_id, self._epoch, tree.size, placed.root, placed.note)
        batch.after = LogHead(self._store_id, self._epoch, tree.size, tree.peaks, placed.recorded_at)
        return batch


def _writes(append: DraftedAppend) -> list[DraftedWrite]:
    return cast(list[DraftedWrite], append.writes)


def _conditions(append: DraftedAppend) -> tuple[StreamCondition, ...]:
    return cast(tuple[StreamCondition, ...], append.conditions)


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
    return any(item.id in ids for write in append.writes for item in write[1])


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
