"""Checking a log without trusting it: every hash, chain, place and signature again from the bytes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from sep_hooks.store import Checkpoint, InvalidEvent, LogBroken, Recorded

from sep_core.events.appender import SUBTREE_WIDTH, LogHead, StreamHead
from sep_core.events.codec import encode
from sep_core.events.envelope import KEYS, RECORD_VERSION, recorded, time_of_text
from sep_core.events.native import Tree, leaf_hash, verify_inclusion
from sep_core.events.proof import Receipt
from sep_core.events.rotation import BadRotation, KeyRing, StoredKey, root_in, rotation_in
from sep_core.events.signing import BadCheckpoint, PublicKey, open_note

type Progress = Callable[[int, int], None]
"""Positions checked, positions in all."""

_PROGRESS_EVERY: Final = 1000


class StoredRow(NamedTuple):
    """One row of the log as it lies on the disk."""

    pos: int
    stream: str
    version: int
    id: bytes
    type: str
    schema_version: int
    recorded: int
    correlation: bytes | None
    cause: bytes | None
    record: bytes
    leaf_hash: bytes
    indexed_pos: int | None
    """Where the index of ids says that the event stands."""


class StoredCheckpoint(NamedTuple):
    """One checkpoint as it lies on the disk."""

    size: int
    root: bytes
    note: str
    key_id: str


class LogContent(Protocol):
    """All that a log consists of, read as it is, all at one moment. Reads raise `LogBroken` where nothing is given."""

    def head(self) -> LogHead:
        """What the log says of itself."""
        ...

    def rows(self) -> Iterator[StoredRow]:
        """All rows by position."""
        ...

    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        """All checkpoints by size."""
        ...

    def subtrees(self) -> Iterator[tuple[int, bytes]]:
        """The cached roots of full 256-wide subtrees by index."""
        ...

    def streams(self) -> Iterator[tuple[str, StreamHead]]:
        """All streams with their heads."""
        ...


class LogSource(LogContent, Protocol):
    """A log on a disk, in which single things can be looked up as well."""

    def stream_head(self, stream: str) -> StreamHead | None:
        """The head of one stream."""
        ...

    def record_of(self, stream: str, version: int) -> bytes | None:
        """The record of one event of a stream."""
        ...

    def indexed_ids(self) -> int:
        """How many ids the index of ids holds."""
        ...

    def keys(self) -> Sequence[StoredKey]:
        """The public keys of the log."""
        ...


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a check found. `first_bad` is the first bad position and the reason.

    A log that is whole proves that nobody without the key changed it; only an anchor kept elsewhere proves that its
    owner did not write it anew, or cut its end off.
    """

    ok: bool
    positions: int
    checkpoints: int
    first_bad: tuple[int, str] | None
    verifier: str


class _Bad(Exception):
    def __init__(self, pos: int, reason: str) -> None:
        super().__init__(reason)
        self.pos = pos
        self.reason = reason


def verify_log(
    source: LogSource,
    key: PublicKey,
    *,
    anchors: Sequence[str] = (),
    progress: Progress | None = None,
) -> VerifyReport:
    """Checks a whole log. `key` is any key that the log ever had; how it came to the others is checked as well.
    `anchors` are signed notes of earlier checkpoints, kept outside.

    Raises `BadCheckpoint` for an anchor of another log or with a false signature: that says nothing about this log.
    """
    ring = _ring(source, key)
    anchored = [ring.open(note) for note in anchors]
    check = _Check(source, ring)
    bad: tuple[int, str] | None = None
    try:
        check.run(anchored, progress)
    except _Bad as found:
        bad = found.pos, found.reason
    except LogBroken as found:
        bad = check.done + 1, found.message
    whole = check.done if bad is None else min(check.done, max(bad[0] - 1, 0))
    return VerifyReport(bad is None, whole, check.checkpoints, bad, key.text())


def _ring(source: LogSource, key: PublicKey) -> KeyRing:
    """The keys that the log names, where the trusted one is among them; else that one alone, which will not fit."""
    alone = KeyRing([(0, key)])
    try:
        claimed = KeyRing.of_rows(source.keys())
    except (BadRotation, LogBroken):
        return alone
    return claimed if key in claimed else alone


@dataclass(slots=True)
class _Span:
    """What stands between two checkpoints: enough to say which position makes a root differ."""

    before: Tree
    rows: list[tuple[int, str, int, bytes]] = field(default_factory=list)
    """pos, stream, version, leaf hash."""
    broken: tuple[int, str] | None = None
    """The first event whose `prev` does not fit: this one or the one before it was changed."""


class _Check:
    def __init__(self, source: LogSource, ring: KeyRing) -> None:
        self._source = source
        self._ring = ring
        self._rotations = {one.pos: one for one in ring.rotations()}
        self.done = 0
        self.checkpoints = 0
        self._tree = Tree()
        self._span = _Span(Tree())
        self._streams: dict[str, StreamHead] = {}
        self._last_recorded = self._last_epoch = 0

    def run(self, anchors: Sequence[Checkpoint], progress: Progress | None) -> None:
        head = self._source.head()
        self._head = head
        anchored = {checkpoint.pos: checkpoint for checkpoint in anchors}
        checkpoints = self._source.checkpoints()
        subtrees = self._source.subtrees()
        due = self._next_checkpoint(checkpoints, -1)
        if due is not None and due.size == 0:
            self._check_root(due)
            due = self._next_checkpoint(checkpoints, 0)
        leaves: list[bytes] = []
        for row in self._source.rows():
            pos = self.done + 1
            if row.pos != pos:
                raise _Bad(pos, f"position {pos} is missing; the next one on the disk is {row.pos}")
            if pos > head.pos:
                raise _Bad(pos, f"the log says that it ends at {head.pos}")
            leaf = self._check_row(row)
            self._tree.append(leaf)
            self._span.rows.append((pos, row.stream, row.version, leaf))
            leaves.append(leaf)
            if len(leaves) == SUBTREE_WIDTH:
                self._check_subtree(subtrees, pos, leaves)
                leaves = []
            if due is None:
                raise _Bad(pos, "no checkpoint covers this position")
            if due.size == pos:
                self._check_root(due)
                due = self._next_checkpoint(checkpoints, pos)
            if pos in anchored and anchored[pos].root != self._tree.root():
                raise _Bad(pos, "the log up to here is not the one that the anchor speaks of")
            self.done = pos
            if progress is not None and pos % _PROGRESS_EVERY == 0:
                progress(pos, head.pos)
        self._check_end(due, anchors)
        self._check_tables(subtrees)
        if progress is not None:
            progress(self.done, head.pos)

    def _check_row(self, row: StoredRow) -> bytes:
        pos = row.pos
        leaf = leaf_hash(row.record)
        if leaf != row.leaf_hash:
            raise _Bad(pos, "the record does not have the hash that stands beside it")
        try:
            event = recorded(row.record)
            reason = self._flaw(row, event)
        except LogBroken as error:
            raise _Bad(pos, error.message) from error
        if reason:
            raise _Bad(pos, reason)
        before = self._streams.get(row.stream, _NO_STREAM)
        if row.version != before.version + 1:
            raise _Bad(pos, f"version {row.version} of {row.stream!r} follows version {before.version}")
        if event.previous != (None if before.last_hash is None else "0x" + before.last_hash.hex()):
            span = self._span
            if span.broken is None:
                span.broken = (pos, f"`prev` is not the hash of the event before it in {row.stream!r}")
        self._check_rotation(event)
        self._streams[row.stream] = StreamHead(row.version, leaf)
        self._last_recorded = row.recorded
        self._last_epoch = event.epoch
        return leaf

    def _check_rotation(self, event: Recorded) -> None:
        """Whether the log goes over to another key where it says so, and nowhere else."""
        try:
            found = rotation_in(event)
        except BadRotation as error:
            raise _Bad(event.pos, error.message) from error
        if found != self._rotations.pop(event.pos, None):
            raise _Bad(event.pos, "the table of keys does not say what this event says of them")
        if found is not None and root_in(event) != self._tree.root():
            raise _Bad(event.pos, "it was signed over another log than the one before it")

    def _flaw(self, row: StoredRow, event: Recorded) -> str:
        envelope = event.envelope
        if tuple(envelope) != KEYS or envelope["v"] != RECORD_VERSION:
            return "the record does not have the keys of a record"
        try:
            if encode(dict(envelope)) != row.record:
                return "the record is not in canonical form"
            columns = (
                ("pos", envelope["pos"], row.pos),
                ("stream", envelope["stream"], row.stream),
                ("ver", envelope["ver"], row.version),
                ("id", event.id.bytes, row.id),
                ("type", envelope["type"], row.type),
                ("sv", envelope["sv"], row.schema_version),
                ("rec", time_of_text(str(envelope["rec"])), row.recorded),
                ("corr", _bytes(event.correlation_id), row.correlation),
                ("cause", _bytes(event.causation_id), row.cause),
                ("store", event.store_id, self._head.store_id),
            )
        except (InvalidEvent, ValueError, TypeError, AttributeError) as error:
            return f"the record is malformed: {error}"
        for name, inside, beside in columns:
            if inside != beside:
                return f"the record says `{name}` {_shown(inside)}, the column beside it {_shown(beside)}"
        if row.indexed_pos != row.pos:
            return f"the index of ids says that this event stands at {row.indexed_pos}"
        if row.recorded < self._last_recorded:
            return "it was recorded before the event in front of it"
        if type(envelope["epoch"]) is not int or not self._last_epoch <= event.epoch <= self._head.epoch:
            return f"it was written under epoch {envelope['epoch']}, out of order"
        return ""

    def _next_checkpoint(
        self, checkpoints: Iterator[StoredCheckpoint], after: int
    ) -> StoredCheckpoint | None:
        due = next(checkpoints, None)
        if due is not None and due.size <= after:
            raise _Bad(after + 1, "checkpoints are out of order")
        return due

    def _check_root(self, stored: StoredCheckpoint) -> None:
        try:
            checkpoint = open_note(stored.note, self._ring.at(stored.size))
        except BadCheckpoint as error:
            raise _Bad(max(stored.size, 1), error.message) from error
        if checkpoint.pos != stored.size or checkpoint.root != stored.root:
            raise _Bad(max(stored.size, 1), "the checkpoint's columns are not what its signed note says")
        if checkpoint.store_id != self._head.store_id:
            raise _Bad(max(stored.size, 1), "the checkpoint belongs to another log")
        span = self._span
        if checkpoint.root != self._tree.root():
            raise self._culprit(span, checkpoint)
        if span.broken is not None:
            raise _Bad(*span.broken)
        if stored.size and checkpoint.epoch != self._last_epoch:
            raise _Bad(stored.size, "the checkpoint was signed under another epoch than the event")
        self.checkpoints += 1
        self._span = _Span(self._tree.copy())

    def _culprit(self, span: _Span, checkpoint: Checkpoint) -> _Bad:
        """Which position makes the root differ: the one whose true hash, as its successor knows it, mends the root."""
        claims = dict(self._claims(span))
        size = checkpoint.pos
        for pos, claim in claims.items():
            if self._root_with(span, {pos: claim}) == checkpoint.root:
                return _Bad(pos, f"the record was changed: the signed root of size {size} holds another one")
        if claims:
            return _Bad(min(claims), f"records were changed: the signed root of size {size} holds other ones")
        if span.broken is not None:
            return _Bad(*span.broken)
        first = span.rows[0][0] if span.rows else size
        return _Bad(
            first, f"the signed root of size {size} differs: at least one of {first} to {size} was changed"
        )

    def _claims(self, span: _Span) -> Iterable[tuple[int, bytes]]:
        for pos, stream, version, leaf in span.rows:
            following = self._source.record_of(stream, version + 1)
            claim: object
            if following is None:
                head = self._source.stream_head(stream)
                claim = None if head is None or head.last_hash is None else "0x" + head.last_hash.hex()
            else:
                try:
                    claim = recorded(following).previous
                except LogBroken:
                    continue
            if type(claim) is str and claim != "0x" + leaf.hex():
                try:
                    claimed = bytes.fromhex(claim.removeprefix("0x"))
                except ValueError:
                    continue
                if len(claimed) == len(leaf):
                    yield pos, claimed

    @staticmethod
    def _root_with(span: _Span, replaced: dict[int, bytes]) -> bytes:
        tree = span.before.copy()
        tree.extend(b"".join([replaced.get(pos, leaf) for pos, _, _, leaf in span.rows]))
        return tree.root()

    def _check_subtree(self, subtrees: Iterator[tuple[int, bytes]], pos: int, leaves: list[bytes]) -> None:
        index = pos // SUBTREE_WIDTH - 1
        tree = Tree()
        tree.extend(b"".join(leaves))
        if next(subtrees, None) != (index, tree.root()):
            self._check_span_first(pos)
            raise _Bad(pos, f"the cached subtree {index} is not the one over its leaves")

    def _check_span_first(self, pos: int) -> None:
        """A changed record makes its subtree differ as well; the next checkpoint knows which one it is."""
        for stored in self._source.checkpoints():
            if stored.size == pos:
                self._check_root(stored)
                return
            if stored.size > pos:
                size = stored.size
                break
        else:
            return
        for row in self._source.rows():
            if pos < row.pos <= size:
                leaf = self._check_row(row)
                self._tree.append(leaf)
                self._span.rows.append((row.pos, row.stream, row.version, leaf))
            elif row.pos > size:
                break
        self._check_root(stored)

    def _check_end(self, due: StoredCheckpoint | None, anchors: Sequence[Checkpoint]) -> None:
        end = self.done
        if end != self._head.pos:
            raise _Bad(end + 1, f"the log ends at position {end}, its head says {self._head.pos}")
        if due is not None:
            raise _Bad(end + 1, f"the log ends at position {end}, a signed checkpoint covers {due.size}")
        for pos in self._rotations:
            raise _Bad(
                end + 1, f"the table of keys names one for position {pos}, where the log does not have it"
            )
        for anchor in anchors:
            if anchor.pos > end:
                raise _Bad(end + 1, f"the log ends at position {end}, the anchor covers {anchor.pos}")
        if self._head.peaks != self._tree.peaks:
            raise _Bad(max(end, 1), "the head of the log does not hold the peaks of its tree")
        if self._head.last_recorded < self._last_recorded:
            raise _Bad(max(end, 1), "the head of the log was written before its last event")

    def _check_tables(self, subtrees: Iterator[tuple[int, bytes]]) -> None:
        end = max(self.done, 1)
        for stream, head in self._source.streams():
            if self._streams.pop(stream, None) != head:
                raise _Bad(end, f"the table of streams is wrong about {stream!r}")
        for stream in self._streams:
            raise _Bad(end, f"the table of streams does not know {stream!r}")
        if self._source.indexed_ids() != self.done:
            raise _Bad(end, "the index of ids holds ids that no event has")
        if next(subtrees, None) is not None:
            raise _Bad(end, "there are more cached subtrees than the log fills")


_NO_STREAM: Final = StreamHead(0, None)


def verify_receipt(receipt: Receipt, key: PublicKey) -> Recorded:
    """Checks one exported event alone; returns it. Raises `BadCheckpoint` or `LogBroken`.

    `key` must be known from elsewhere than the receipt.
    """
    checkpoint = open_note(receipt.note, key)
    event = recorded(receipt.record)
    if event.pos != receipt.pos or event.envelope["store"] != str(checkpoint.store_id):
        raise LogBroken("the record of the receipt is of another place or log", pos=receipt.pos)
    if not 1 <= receipt.pos <= checkpoint.pos or not verify_inclusion(
        leaf_hash(receipt.record), receipt.pos - 1, checkpoint.pos, list(receipt.path), checkpoint.root
    ):
        raise LogBroken(
            f"the record is not at position {receipt.pos} of the log of size {checkpoint.pos}",
            pos=receipt.pos,
            next_step="ask for the receipt again, from a log that verifies",
        )
    return event


def describe(report: VerifyReport) -> str:
    """The report in one line for people."""
    if report.first_bad is None:
        return f"whole: {report.positions} positions, {report.checkpoints} checkpoints, key {report.verifier}"
    pos, reason = report.first_bad
    return f"BROKEN at position {pos}: {reason} ({report.positions} positions before it are whole)"


def _bytes(value: UUID | None) -> bytes | None:
    return None if value is None else value.bytes


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value)[:80]
