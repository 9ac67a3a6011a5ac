"""A read model in a SQLite file of its own."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import cast
from uuid import UUID

import anyio.to_thread
import apsw
from sep_hooks.store import Recorded

from sep_core.adapters.store_sqlite.connection import SqliteOptions, open_writer, use_wal
from sep_core.adapters.store_sqlite.schema import READ_MODEL
from sep_core.events.projection import Progress


class SqliteReadModel(ABC):
    """Tables that are folded from the log. The file is a cache: deleting it costs time, nothing else.

    A subclass makes its tables and folds events; progress is kept beside them, in the same transaction.
    """

    def __init__(self, path: Path, name: str, *, options: SqliteOptions | None = None) -> None:
        self._name = name
        self._connection = open_writer(path, options if options is not None else SqliteOptions())
        use_wal(self._connection)
        with self._connection:
            self._connection.execute(READ_MODEL).fetchall()
            self.create(self._connection)

    @abstractmethod
    def create(self, connection: apsw.Connection) -> None:
        """Makes the tables that are missing."""

    @abstractmethod
    def fold(self, connection: apsw.Connection, events: Sequence[Recorded]) -> None:
        """Changes the tables as events demand; must not commit."""

    async def progress(self) -> Progress | None:
        """Where the model stands."""
        return await anyio.to_thread.run_sync(self._progress)

    async def apply(self, events: Sequence[Recorded], progress: Progress) -> None:
        """Folds events and moves on, in one transaction."""
        await anyio.to_thread.run_sync(self._apply, events, progress)

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def _progress(self) -> Progress | None:
        query = "SELECT store_id, pos FROM consumer WHERE name = ?"
        rows = self._connection.execute(query, (self._name,)).fetchall()
        if not rows:
            return None
        return Progress(UUID(bytes=cast(bytes, rows[0][0])), cast(int, rows[0][1]))

    def _apply(self, events: Sequence[Recorded], progress: Progress) -> None:
        with self._connection:
            self.fold(self._connection, events)
            self._connection.execute(
                "INSERT INTO consumer VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET store_id = excluded.store_id, pos = excluded.pos",
                (self._name, progress.store_id.bytes, progress.pos),
            )
