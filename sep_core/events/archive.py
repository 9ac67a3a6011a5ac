"""An export of the whole log, as a source that a store can be filled from again."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from sep_hooks.errors import Permanent
from sep_hooks.store import Recorded

from sep_core.events.appender import SUBTREE_WIDTH, LogHead, StreamHead
from sep_core.events.envelope import microseconds
from sep_core.events.export import Header, records_of, verify_export
from sep_core.events.native import Tree, leaf_hash
from sep_core.events.rotation import Rotation, StoredKey, rotation_in
from sep_core.events.signing import PublicKey
from sep_core.events.verify import Progress, StoredCheckpoint, StoredRow

_WHAT_IT_IS: Final = (
    "an archive is an export of the whole log: sep events export FILE, without --stream and --as-of"
)

_EPOCHS_BEYOND: Final = 1_000_000
"""More take-overs than the lost log can have seen since its archive was made."""


class NoArchive(Permanent):
    """A sound export that is not the whole log up to its signed root."""

    code = "no_archive"


class Archive:
    """A verified export of a log up to its checkpoint; a `CopySource`.

    Of the checkpoints it has its own alone: earlier ones can be anchors, and receipts of before stay valid.
    """

    def __init__(self, file: Path, progress: Progress | None = None) -> None:
        """Reads and verifies the file. Raises `BadCheckpoint`, `LogBroken` or `NoArchive`."""
        with file.open(encoding="utf-8", errors="replace") as lines:
            report = verify_export(lines, progress=progress)
        if report.stream is not None:
            raise NoArchive(f"{file} holds one stream of its log", next_step=_WHAT_IT_IS)
        self.checkpoint = report.checkpoint
        if report.last != self.checkpoint.pos:
            message = f"{file} ends at position {report.last} of {self.checkpoint.pos}"
            raise NoArchive(message, next_step=_WHAT_IT_IS)
        self._file = file
        self._tree, self._subtrees = Tree(), list[tuple[int, bytes]]()
        self._streams: dict[str, StreamHead] = {}
        self._rotations: list[Rotation] = []
        self._last_recorded = 0
        part = Tree()
        for event in self._records():
            leaf = leaf_hash(event.record)
            self._tree.append(leaf)
            part.append(leaf)
            if part.size == SUBTREE_WIDTH:
                self._subtrees.append((event.pos // SUBTREE_WIDTH - 1, part.root()))
                part = Tree()
            self._streams[event.stream] = StreamHead(event.version, leaf)
            self._last_recorded = _recorded_at(event)
            found = rotation_in(event)
            if found is not None:
                self._rotations.append(found)

    @property
    def key(self) -> PublicKey:
        """The key that the file itself names."""
        with self._file.open(encoding="utf-8") as lines:
            return PublicKey.parse(Header.of_line(next(lines)).public_key)

    def head(self) -> LogHead:
        """Where the log stood, under an epoch beyond any that an engine led it under since: signers remember the last
        one, and sign for none before it.
        """
        one, epoch = self.checkpoint, self.checkpoint.epoch + _EPOCHS_BEYOND
        return LogHead(one.store_id, epoch, one.pos, self._tree.peaks, self._last_recorded)

    def keys(self) -> Sequence[StoredKey]:
        """The public keys of the log, as its events tell of them."""
        keys = [(0, self._rotations[0].old if self._rotations else self.key)]
        keys += [(one.pos, one.new) for one in self._rotations]
        return [StoredKey(key.key_id.hex(), key.text(), first) for first, key in keys]

    def rows(self) -> Iterator[StoredRow]:
        """All rows by position."""
        for event in self._records():
            correlation, cause = event.correlation_id, event.causation_id
            yield StoredRow(
                event.pos,
                event.stream,
                event.version,
                event.id.bytes,
                event.type,
                event.schema_version,
                _recorded_at(event),
                None if correlation is None else correlation.bytes,
                None if cause is None else cause.bytes,
                event.record,
                leaf_hash(event.record),
                event.pos,
            )

    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        """The archive's own."""
        one = self.checkpoint
        yield StoredCheckpoint(one.pos, one.root, one.note, self.key.key_id.hex())

    def subtrees(self) -> Iterator[tuple[int, bytes]]:
        """The roots of full 256-wide subtrees by index."""
        return iter(self._subtrees)

    def streams(self) -> Iterator[tuple[str, StreamHead]]:
        """All streams with their heads."""
        return iter(sorted(self._streams.items()))

    def _records(self) -> Iterator[Recorded]:
        with self._file.open(encoding="utf-8") as lines:
            yield from records_of(lines)


def _recorded_at(event: Recorded) -> int:
    return microseconds(event.recorded_at)
