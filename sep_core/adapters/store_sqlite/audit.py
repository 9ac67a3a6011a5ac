"""The rows of a log file as they lie on the disk, and the check of a data folder or a copy of its log."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import apsw
from sep_hooks.store import LogBroken, StoreUnavailable

from sep_core.adapters.acknowledged import Acknowledged, held_to
from sep_core.adapters.data_folder import DataFolder
from sep_core.adapters.store_sqlite.connection import (
    UNUSABLE,
    SqliteOptions,
    check_identity,
    open_reader,
    unavailable,
)
from sep_core.adapters.store_sqlite.log_file import read_raw_head, read_verifier
from sep_core.events.appender import LogHead, StreamHead
from sep_core.events.rotation import StoredKey
from sep_core.events.signing import PublicKey
from sep_core.events.verify import Progress, StoredCheckpoint, StoredRow, VerifyReport, verify_log

_ROWS: str = (
    "SELECT events.pos, stream, version, events.id, type, sv, rec, corr, cause, record, leaf_hash, event_ids.pos"
    " FROM events LEFT JOIN event_ids ON event_ids.id = events.id WHERE events.pos > ? ORDER BY events.pos"
)


def verify_store(
    path: Path | str,
    *,
    verifier: PublicKey | None = None,
    anchors: Sequence[str] = (),
    progress: Progress | None = None,
) -> VerifyReport:
    """Checks a data folder or a log file, also while an engine writes to it. Blocks.

    `verifier` defaults to the key beside the log, which whoever rewrote the log could have replaced too.
    Raises `StoreUnavailable` when there is no log, or its key is unknown.
    """
    place = Path(path)
    if not place.exists():
        raise _no_log(place)
    folder = DataFolder(place if place.is_dir() else place.parent)
    file = folder.log if place.is_dir() else place
    known = Acknowledged.read(folder.acknowledged) if place.is_dir() else None
    with file_source(file) as source:
        key = verifier or _beside(folder) or source.verifier()
        return held_to(known, verify_log(source, key, anchors=anchors, progress=progress))


def _beside(folder: DataFolder) -> PublicKey | None:
    return PublicKey.parse(folder.log_verifier.read_text()) if folder.log_verifier.is_file() else None


def _no_log(place: Path) -> StoreUnavailable:
    return StoreUnavailable(f"{place} holds no log", next_step="name a data folder or a log file")


@contextmanager
def file_source(file: Path) -> Iterator["FileSource"]:
    """A log file at one moment, while the context lasts. Raises `StoreUnavailable`."""
    if not file.is_file():
        raise _no_log(file.parent)
    try:
        connection = open_reader(file, SqliteOptions())
    except apsw.Error as error:
        raise unavailable(file, error) from error
    try:
        connection.execute("BEGIN")  # one moment, however long the reading takes
        check_identity(connection, file)
        yield FileSource(connection, file)
    except apsw.Error as error:
        raise unavailable(file, error) from error
    finally:
        connection.close()


class FileSource:
    """The rows of a log file; a `LogSource`."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def verifier(self) -> PublicKey:
        """The key that the log itself names."""
        return read_verifier(self._connection)

    def keys(self) -> list[StoredKey]:
        """The public keys of the log."""
        query = "SELECT key_id, verifier, first_size FROM log_keys ORDER BY first_size"
        return [StoredKey._make(row) for row in self._read(query)]

    def head(self) -> LogHead:
        """What the log says of itself."""
        try:
            return read_raw_head(self._connection, self._path)
        except StoreUnavailable as error:
            raise LogBroken(error.message, pos=0) from error

    def rows(self) -> Iterator[StoredRow]:
        """All rows by position."""
        for row in self._read(_ROWS, (0,)):
            yield StoredRow._make(row)

    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        """All checkpoints by size."""
        for row in self._read("SELECT size, root, note, key_id FROM log_checkpoints ORDER BY size"):
            yield StoredCheckpoint._make(row)

    def subtrees(self) -> Iterator[tuple[int, bytes]]:
        """The cached roots of full 256-wide subtrees by index."""
        for row in self._read("SELECT idx, hash FROM merkle_nodes WHERE level = 8 ORDER BY idx"):
            yield cast(int, row[0]), cast(bytes, row[1])

    def streams(self) -> Iterator[tuple[str, StreamHead]]:
        """All streams with their heads."""
        for row in self._read("SELECT stream, version, last_hash FROM streams ORDER BY stream"):
            yield cast(str, row[0]), StreamHead(cast(int, row[1]), cast(bytes, row[2]))

    def stream_head(self, stream: str) -> StreamHead | None:
        """The head of one stream."""
        for row in self._read("SELECT version, last_hash FROM streams WHERE stream = ?", (stream,)):
            return StreamHead(cast(int, row[0]), cast(bytes, row[1]))
        return None

    def record_of(self, stream: str, version: int) -> bytes | None:
        """The record of one event of a stream."""
        query = "SELECT record FROM events WHERE stream = ? AND version = ?"
        for row in self._read(query, (stream, version)):
            return cast(bytes, row[0])
        return None

    def indexed_ids(self) -> int:
        """How many ids the index of ids holds."""
        return cast(int, next(iter(self._read("SELECT count(*) FROM event_ids")))[0])

    def _read(self, query: str, values: tuple[int | str, ...] = ()) -> Iterator[tuple[object, ...]]:
        try:
            yield from self._connection.execute(query, values)
        except UNUSABLE as error:
            raise LogBroken(f"the disk gives nothing readable here ({error})", pos=0) from error
