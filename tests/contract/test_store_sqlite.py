"""The SQLite store passes the suite of all stores."""

import itertools
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sep_hooks.context import Clock
from sep_hooks.testing.store import StorePlace, StoreSuite

from sep_core.adapters.store_sqlite import SqliteOptions, SqliteStore, open_store


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC)


class SqlitePlace(StorePlace):
    """A data folder."""

    def __init__(self, path: Path, options: SqliteOptions | None = None) -> None:
        self._path = path
        self._options = options
        self._ids = (UUID(int=number) for number in itertools.count(1))

    async def open(self, *, writable: bool = True, clock: Clock | None = None) -> SqliteStore:
        """Opens it."""
        return open_store(
            self._path,
            writable=writable,
            clock=clock if clock is not None else SystemClock(),
            ids=lambda: next(self._ids),
            options=self._options,
        )


class TestSqliteStore(StoreSuite):
    """Everything in the suite."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> SqlitePlace:
        """A fresh data folder."""
        return SqlitePlace(tmp_path / "data")
