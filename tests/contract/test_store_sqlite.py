"""The SQLite store passes the suite of all stores."""

import asyncio
import itertools
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import anyio.to_thread
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
        store = open_store(
            self._path,
            writable=writable,
            clock=clock if clock is not None else SystemClock(),
            ids=lambda: next(self._ids),
            options=self._options,
        )
        if writable:
            self._writer = store
        return store

    async def displace(self) -> SqliteStore:
        """Opens it although another opening writes: on a disk whose locks do not hold."""
        assert self._writer._lock is not None
        self._writer._lock.release()
        return await anyio.to_thread.run_sync(lambda: asyncio.run(self.open()))


class TestSqliteStore(StoreSuite):
    """Everything in the suite."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> SqlitePlace:
        """A fresh data folder."""
        return SqlitePlace(tmp_path / "data")
