"""A whole log from one store to another: the same bytes at the same places, so that every proof stays valid."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import batched
from typing import Final, Protocol

from sep_hooks.store import StoreUnavailable

from sep_core.events.appender import LogHead, StreamHead
from sep_core.events.rotation import StoredKey
from sep_core.events.verify import LogContent, Progress, StoredCheckpoint, StoredRow

_ROWS: Final = 2000


class CopySource(LogContent, Protocol):
    """A log to be copied, with its keys."""

    def keys(self) -> Sequence[StoredKey]:
        """The public keys of the log."""
        ...


class CopySink(Protocol):
    """An empty place for a log. Nothing of it is there before `finish`, all of it after."""

    def start(self, head: LogHead, keys: Sequence[StoredKey]) -> None:
        """Takes the head and the keys."""
        ...

    def rows(self, rows: Sequence[StoredRow]) -> None:
        """Takes events in order, with their entries in the indexes."""
        ...

    def checkpoints(self, checkpoints: Sequence[StoredCheckpoint]) -> None:
        """Takes checkpoints in order."""
        ...

    def subtrees(self, subtrees: Sequence[tuple[int, bytes]]) -> None:
        """Takes cached subtrees in order."""
        ...

    def streams(self, streams: Sequence[tuple[str, StreamHead]]) -> None:
        """Takes the heads of streams."""
        ...

    def finish(self) -> None:
        """Makes everything durable, all at once."""
        ...


def copy_log(source: CopySource, sink: CopySink, progress: Progress | None = None) -> LogHead:
    """Copies a log; gives its head. The source is read at one moment.

    Raises `StoreUnavailable` where the log has a hole, what both sides raise, and then nothing was written.
    """
    head = source.head()
    sink.start(head, source.keys())
    done = 0
    for rows in batched(source.rows(), _ROWS, strict=False):
        if rows[0].pos != done + 1 or rows[-1].pos != done + len(rows):
            raise StoreUnavailable(
                f"the log has a hole behind position {done}; nothing was copied", next_step="run `sep verify`"
            )
        sink.rows(rows)
        done += len(rows)
        if progress is not None:
            progress(done, head.pos)
    if done != head.pos:
        raise StoreUnavailable(
            f"the log ends at position {done}, its head says {head.pos}; nothing was copied",
            next_step="run `sep verify`",
        )
    for checkpoints in _parts(source.checkpoints()):
        sink.checkpoints(checkpoints)
    for subtrees in _parts(source.subtrees()):
        sink.subtrees(subtrees)
    for streams in _parts(source.streams()):
        sink.streams(streams)
    sink.finish()
    return head


def _parts[T](items: Iterable[T]) -> Iterator[tuple[T, ...]]:
    return batched(items, _ROWS, strict=False)
