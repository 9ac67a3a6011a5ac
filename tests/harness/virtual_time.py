"""A loop whose time passes only when nothing is left to do, and surroundings in which one seed has one outcome.

No thread and no socket takes part: what an engine hands to threads is done at once, the store's writer takes its turn
on the loop, and whatever is drawn at random comes from the seed.
"""

import asyncio
import os
import random
import selectors
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch
from uuid import UUID

import anyio
import anyio.lowlevel
import anyio.to_thread
import apsw

from sep_core.adapters import data_folder, store_sqlite
from sep_core.adapters.store_sqlite import SqliteOptions
from sep_core.adapters.store_sqlite import store as sqlite_store
from sep_core.adapters.store_sqlite.connection import unavailable
from sep_core.adapters.store_sqlite.reader import ReaderPool
from sep_core.adapters.store_sqlite.writer import Writer
from sep_core.events import vault
from sep_core.events.native import DraftedAppend, LogWriter
from sep_core.events.pending import QueuedAppend
from sep_core.plugins.guard import Guard
from sep_core.runtime import installation, start, stores
from sep_core.runtime.flow import composition
from sep_core.telemetry import log

from .scenario import START


class Stalled(AssertionError):
    """Nothing is left that could ever happen, and somebody waits."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Goes straight to the next moment at which something is due."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Seconds since the beginning of the simulation."""
        return self.now


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise Stalled("everybody waits for something that cannot happen")
        self._loop.now += max(timeout, 0.0)
        return []


class VirtualClock:
    """The wall clock of a simulation: it runs with the loop, and can be set."""

    def __init__(self) -> None:
        self.loop: VirtualLoop | None = None
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The moment."""
        seconds = 0.0 if self.loop is None else self.loop.now
        return START + self.ahead + timedelta(seconds=seconds)

    async def passes(self, seconds: float) -> None:
        """Waits until so much time is over."""
        await anyio.sleep(seconds)


class TurnWriter(Writer):
    """The store's writer without its thread: it takes its turn on the loop, once for all that was queued."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        cast(Any, self).log = _Queue(self.log, self._turn, self._end)
        self._connection: Any = None

    def open(self) -> None:
        """Opens the log at once."""
        try:
            self._connection = self._open()
        except apsw.Error as error:
            raise unavailable(self._folder.log, error) from error

    def _turn(self, queued: int) -> None:
        while queued:
            items = cast(list[QueuedAppend], self.log.take())
            queued -= len(items)
            if self.failure is not None:
                self._tell(items, [self.failure] * len(items))
            else:
                self._append(self._connection, items, look_up=False)

    def _end(self) -> None:
        self._close(self._connection)
        if self._stopped is not None:
            self._stopped()


class _Queue:
    """The native queue, which is emptied in turns."""

    def __init__(self, native: LogWriter, turn: Callable[[int], None], end: Callable[[], None]) -> None:
        self._native = native
        self._turn = turn
        self._end = end
        self._queued = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._native, name)

    def put(self, item: object, drafted: DraftedAppend, taken_at: int, stepwise: bool) -> bool:
        """Queues, and asks for a turn; the answer comes over the descriptor."""
        self._native.put(item, drafted, taken_at, stepwise)
        self._queued += 1
        if self._queued == 1:
            asyncio.get_running_loop().call_soon(self._take_turn)
        return False

    def stop(self) -> None:
        """Ends behind what is queued."""
        self._take_turn()
        self._end()

    def _take_turn(self) -> None:
        queued, self._queued = self._queued, 0
        self._turn(queued)


async def _at_once(work: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
    await anyio.lowlevel.checkpoint()
    return work(*arguments)


@contextmanager
def seeded_surroundings(chance: random.Random, loop: VirtualLoop, vfs: str | None) -> Iterator[None]:
    """An engine that is started meanwhile does nothing on threads, and draws and measures nothing by itself."""

    def some_bytes(size: int) -> bytes:
        return chance.randbytes(size)

    def some_id() -> UUID:
        return UUID(int=chance.getrandbits(128), version=4)

    options = SqliteOptions(vfs=vfs)
    sink = log.Sink(least="info" if "SEP_SIM_TALKS" in os.environ else "error")
    monotonic = {**cast(dict[str, Any], Guard.__init__.__kwdefaults__), "monotonic": loop.time}
    with ExitStack() as stack:
        for patched in (
            patch.object(anyio.to_thread, "run_sync", _at_once),
            patch.object(sqlite_store, "Writer", TurnWriter),
            # Readers lose nothing with the power; they go past the disk that forgets.
            patch.object(sqlite_store, "ReaderPool", lambda path, _: ReaderPool(path, SqliteOptions())),
            patch.object(store_sqlite, "open_store", partial(store_sqlite.open_store, options=options)),
            patch.object(stores, "uuid4", some_id),
            patch.object(data_folder, "secure_random", some_bytes),
            patch.object(vault.SecretBox, "encrypt", _sealing(some_bytes)),
            patch.object(composition, "token_hex", lambda size: some_bytes(size).hex()),
            patch.object(Guard.__init__, "__kwdefaults__", monotonic),
            patch.object(start, "time", SimpleNamespace(monotonic=loop.time)),
            patch.object(start, "Watchdog", lambda *_: nullcontext()),
            patch.object(log, "_sink", sink),
            patch.object(installation, "discover", _discovered()),
        ):
            stack.enter_context(patched)
        yield


def _sealing(some_bytes: Callable[[int], bytes]) -> Callable[..., Any]:
    encrypt = vault.SecretBox.encrypt

    def sealed(self: Any, plain: bytes) -> Any:
        return encrypt(self, plain, some_bytes(self.NONCE_SIZE))

    return sealed


_FOUND: list[Any] = []


def _discovered() -> Callable[[], Any]:
    """What is installed does not change while a process simulates."""
    if not _FOUND:
        _FOUND.append(installation.discover())
    return lambda: _FOUND[0]


def simulated[T](main: Coroutine[Any, Any, T], loop: VirtualLoop) -> T:
    """Runs a coroutine to its end on a virtual loop, which it uses up."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main)
