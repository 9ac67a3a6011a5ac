"""The rows of a log file as they lie on the disk, and the check of a data folder or a copy of its log."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import apsw
from sep_hooks.store import LogBroken, StoreUnavailable

from sep_core.adapters.store_sqlite.connection import SqliteOptions, check_identity, open_reader, unavailable
from sep_core.adapters.store_sqlite.folder import DataFolder
from sep_core.adapters.store_sqlite.log_file import read_raw_head, read_verifier
from sep_core.events.appender import LogHead, StreamHead
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
    folder = DataFolder(place if place.is_dir() else place.parent)
    file = folder.log if place.is_dir() else place
    if not file.is_file():
        raise StoreUnavailable(f"{place} holds no log", next_step="name a data folder or a log file")
    try:
        connection = open_reader(file, SqliteOptions())
    except apsw.Error as error:
        raise unavailable(file, error) from error
    try:
        connection.execute("BEGIN")  # one moment, however long the check takes
        check_identity(connection, file)
        key = verifier or _beside(folder) or read_verifier(connection)
        return verify_log(_FileSource(connection, file), key, anchors=anchors, progress=progress)
    except apsw.Error as error:
        raise unavailable(file, error) from error
    finally:
        connection.close()


def _beside(folder: DataFolder) -> PublicKey | None:
    return PublicKey.parse(folder.log_verifier.read_text()) if folder.log_verifier.is_file() else None


class _FileSource:
    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def head(self) -> LogHead:
        try:
            return read_raw_head(self._connection, self._path)
        except StoreUnavailable as error:
            raise LogBroken(error.message, pos=0) from error

    def rows(self) -> Iterator[StoredRow]:
        for row in self._read(_ROWS, (0,)):
            yield StoredRow._make(row)

    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        for row in self._read("SELECT size, root, note FROM log_checkpoints ORDER BY size"):
            yield StoredCheckpoint._make(row)

    def subtrees(self) -> Iterator[tuple[int, bytes]]:
        for row in self._read("SELECT idx, hash FROM merkle_nodes WHERE level = 8 ORDER BY idx"):
            yield cast(int, row[0]), cast(bytes, row[1])

    def streams(self) -> Iterator[tuple[str, StreamHead]]:
        for row in self._read("SELECT stream, version, last_hash FROM streams ORDER BY stream"):
            yield cast(str, row[0]), StreamHead(cast(int, row[1]), cast(bytes, row[2]))

    def stream_head(self, stream: str) -> StreamHead | None:
        for row in self._read("SELECT version, last_hash FROM streams WHERE stream = ?", (stream,)):
            return StreamHead(cast(int, row[0]), cast(bytes, row[1]))
        return None

    def record_of(self, stream: str, version: int) -> bytes | None:
        query = "SELECT record FROM events WHERE stream = ? AND version = ?"
        for row in self._read(query, (stream, version)):
            return cast(bytes, row[0])
        return None

    def indexed_ids(self) -> int:
        return cast(int, next(iter(self._read("SELECT count(*) FROM event_ids")))[0])

    def _read(self, query: str, values: tuple[int | str, ...] = ()) -> Iterator[tuple[object, ...]]:
        try:
            yield from self._connection.execute(query, values)
        except apsw.Error as error:
            raise LogBroken(f"the disk gives nothing readable here ({error})", pos=0) from error
