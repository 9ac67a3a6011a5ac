"""Read-only connections, each used by one worker thread at a time."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, overload

import anyio
import anyio.to_thread
import apsw
from sep_hooks.store import LogBroken, StoreClosed

from sep_core.adapters.store_sqlite.connection import SqliteOptions, open_reader, unavailable

_MOST_THREADS: Final = 4


class ReaderPool:
    """Runs reads on worker threads, so that the event loop never waits for the disk."""

    def __init__(self, path: Path, options: SqliteOptions) -> None:
        self._path = path
        self._options = options
        self._idle: list[apsw.Connection] = []
        self._lock = threading.Lock()
        self._closed = False
        self._limiter: anyio.CapacityLimiter | None = None

    @overload
    async def run[T](self, read: Callable[[apsw.Connection], T]) -> T: ...

    @overload
    async def run[T, U](self, read: Callable[[apsw.Connection], T], then: Callable[[T], U]) -> U: ...

    async def run(
        self, read: Callable[[apsw.Connection], object], then: Callable[[Any], object] | None = None
    ) -> object:
        """Runs a read, and `then` on the same thread what becomes of it.

        Raises `LogBroken` when the file is damaged, `StoreUnavailable` when it is out of reach, and what `then` raises.
        """
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_MOST_THREADS)

        def work() -> object:
            found = self.run_blocking(read)
            return found if then is None else then(found)

        return await anyio.to_thread.run_sync(work, limiter=self._limiter)

    def run_blocking[T](self, read: Callable[[apsw.Connection], T]) -> T:
        """The same on the thread of the caller."""
        with self._lock:
            if self._closed:
                raise StoreClosed("the store was closed", next_step="open it again")
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            try:
                connection = open_reader(self._path, self._options)
            except apsw.Error as error:
                raise unavailable(self._path, error) from error
        try:
            return read(connection)
        except (apsw.CorruptError, ValueError, TypeError) as error:
            raise LogBroken(
                f"{self._path} is damaged ({error})",
                pos=0,
                next_step="run `sep verify`, then restore a backup",
            ) from error
        except apsw.Error as error:
            raise unavailable(self._path, error) from error
        finally:
            with self._lock:
                keep = not self._closed
                if keep:
                    self._idle.append(connection)
            if not keep:
                connection.close()

    def close(self) -> None:
        """Closes the connections; one that is in use closes when its read ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
