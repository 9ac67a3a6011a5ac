"""A log from elsewhere into a data folder that has none: a file beside, given its name when it is whole."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import apsw
from sep_hooks.store import StoreUnavailable

from sep_core.adapters.data_folder import DataFolder, FolderLock, sync_folder
from sep_core.adapters.store_sqlite.connection import SqliteOptions, open_writer, unavailable
from sep_core.adapters.store_sqlite.log_file import create_tables
from sep_core.events.appender import LogHead, StreamHead
from sep_core.events.rotation import StoredKey
from sep_core.events.verify import StoredCheckpoint, StoredRow

_EVENT: Final = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class FileSink:
    """A data folder without a log, locked while the context lasts; a `CopySink`."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._file = folder.log.with_name(folder.log.name + ".copying")

    def __enter__(self) -> Self:
        self._folder.prepare()
        self._lock = FolderLock(self._folder)
        if self._folder.log.exists():
            self._lock.release()
            raise StoreUnavailable(
                f"{self._folder.path} holds a log already; nothing was copied",
                next_step="name an empty folder",
            )
        self._remove()
        try:
            self._connection = open_writer(self._file, SqliteOptions())
        except apsw.Error as error:
            self._lock.release()
            raise unavailable(self._file, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._remove()
        self._lock.release()
        if isinstance(error, apsw.Error):
            raise unavailable(self._file, error) from error

    def start(self, head: LogHead, keys: Sequence[StoredKey]) -> None:
        """Takes the head and the keys."""
        self._connection.execute("BEGIN IMMEDIATE")
        create_tables(self._connection)
        values = (head.store_id.bytes, head.epoch, head.pos, head.peaks, head.last_recorded)
        self._connection.execute("INSERT INTO log_head VALUES (1, ?, ?, ?, ?, ?)", values)
        self._connection.executemany("INSERT INTO log_keys VALUES (?, ?, ?)", keys)

    def rows(self, rows: Sequence[StoredRow]) -> None:
        """Takes events in order, with their entries in the indexes."""
        self._connection.executemany(_EVENT, [row[:11] for row in rows])
        self._connection.executemany(
            "INSERT INTO event_ids VALUES (?, ?)", [(row.id, row.pos) for row in rows]
        )

    def checkpoints(self, checkpoints: Sequence[StoredCheckpoint]) -> None:
        """Takes checkpoints in order."""
        self._connection.executemany("INSERT INTO log_checkpoints VALUES (?, ?, ?, ?)", checkpoints)

    def subtrees(self, subtrees: Sequence[tuple[int, bytes]]) -> None:
        """Takes cached subtrees in order."""
        self._connection.executemany("INSERT INTO merkle_nodes VALUES (8, ?, ?)", subtrees)

    def streams(self, streams: Sequence[tuple[str, StreamHead]]) -> None:
        """Takes the heads of streams."""
        values = [(name, head.version, head.last_hash) for name, head in streams]
        self._connection.executemany(
            "INSERT INTO streams (stream, version, last_hash) VALUES (?, ?, ?)", values
        )

    def finish(self) -> None:
        """Makes everything durable, all at once."""
        self._connection.execute("COMMIT")
        self._connection.close()
        self._file.rename(self._folder.log)
        sync_folder(self._folder.path)

    def _remove(self) -> None:
        for suffix in ("", "-journal", "-wal", "-shm"):
            Path(f"{self._file}{suffix}").unlink(missing_ok=True)
