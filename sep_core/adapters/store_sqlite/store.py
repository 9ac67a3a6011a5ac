"""The embedded store: one SQLite file, one writer thread, read-only readers."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Final, cast
from uuid import UUID

import apsw
from sep_hooks.context import Clock
from sep_hooks.errors import SepError
from sep_hooks.store import (
    AppendResult,
    Checkpoint,
    CommitUnknown,
    LogBroken,
    Recorded,
    StoreBusy,
    StoreClosed,
    StoreFailed,
    StoreUnavailable,
    StreamCondition,
    StreamWrite,
)

from sep_core.adapters.acknowledged import AcknowledgedMark
from sep_core.adapters.data_folder import DataFolder, FolderLock, released_on_error
from sep_core.adapters.store_sqlite.connection import SqliteOptions, check_identity
from sep_core.adapters.store_sqlite.log_file import (
    position_at,
    read_checkpoint,
    read_head,
    read_head_pos,
    read_page,
    read_stream_page,
    read_tree,
)
from sep_core.adapters.store_sqlite.reader import ReaderPool
from sep_core.adapters.store_sqlite.writer import Writer
from sep_core.events.appender import draft_append
from sep_core.events.envelope import microseconds, page_of
from sep_core.events.log_store import LogStore, TreeParts
from sep_core.events.pages import PageSize
from sep_core.events.pending import QueuedAppend
from sep_core.events.signing import PublicKey
from sep_core.events.subscription import Bell, hand_over
from sep_core.events.vault import Vault
from sep_core.telemetry.crashpoints import crash_point, is_armed

MOST_QUEUED: Final = 8192
MOST_QUEUED_BYTES: Final = 64 * 1024 * 1024
_CLOSE_SECONDS: Final = 60.0

type _Report = tuple[
    list[QueuedAppend], Sequence[AppendResult | SepError], int, tuple[int, bytes, str] | None
]
"""Appends of a batch, their outcomes, bytes that they took in the queue, and what its checkpoint says."""


def open_store(
    folder: Path | str,
    *,
    writable: bool,
    clock: Clock,
    ids: Callable[[], UUID],
    options: SqliteOptions | None = None,
) -> "SqliteStore":
    """Opens a data folder; for writing it is made when absent, locked, and taken over under a new epoch.

    Blocks for some file operations. Raises `StoreLocked` or `StoreUnavailable`.
    """
    return SqliteStore(DataFolder(Path(folder)), writable=writable, clock=clock, ids=ids, options=options)


class SqliteStore(LogStore):
    """The log of one data folder. Written from one event loop, the one of the first append."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"durable", "merkle", "embedded"})

    def __init__(
        self,
        folder: DataFolder,
        *,
        writable: bool,
        clock: Clock,
        ids: Callable[[], UUID],
        options: SqliteOptions | None = None,
    ) -> None:
        self._options = options if options is not None else SqliteOptions()
        self.folder = folder
        self._bell = Bell()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queued = self._queued_bytes = 0
        self._room: deque[asyncio.Future[None]] = deque()
        self._failure: SepError | None = None
        self._closing = self._watching = False
        self._now = clock.now
        self._stopped: asyncio.Future[None] | None = None
        self._writer: Writer | None = None
        self._mark = AcknowledgedMark(folder.acknowledged)
        self._lock: FolderLock | None = None
        self._readers = ReaderPool(folder.log, self._options)
        if writable:
            folder.prepare()
            self._lock = FolderLock(folder)
            with released_on_error(self._lock):
                self._open_writer(clock, ids)
        else:
            self._open_reader()

    def _open_writer(self, clock: Clock, ids: Callable[[], UUID]) -> None:
        if not self.folder.log.exists():
            self.folder.make_keys()
        writer = Writer(self.folder, self._options, now=clock.now, new_id=ids)
        writer.open()
        self._writer = writer
        self._head = writer.checkpoint
        self._epoch = writer.epoch
        self._store_text = str(self._head.store_id).encode()
        self.verifier: PublicKey = writer.key.public
        self.folder.publish_verifier(self.verifier.text())

    def _open_reader(self) -> None:
        path = self.folder.log
        if not path.is_file():
            raise StoreUnavailable(
                f"{self.folder.path} holds no log", next_step="start SEP once, or name another data folder"
            )
        try:
            self._head, self._epoch, self.verifier = self._readers.run_blocking(
                partial(_read_identity, path=path)
            )
        except LogBroken as error:
            raise StoreUnavailable(error.message, next_step=error.next_step) from error

    @property
    def failure(self) -> SepError | None:
        """Why nothing more can be appended, once that is so."""
        return self._failure

    def vault(self) -> Vault:
        """Seals and opens parts of event bodies under this folder's key."""
        return Vault(self.folder.read_vault_key())

    # Appending.

    def enqueue(
        self, writes: Sequence[StreamWrite], *, conditions: Sequence[StreamCondition] = ()
    ) -> QueuedAppend:
        """Queues an atomic append and returns at once; see `EventStore.enqueue`."""
        writer = self._ready()
        drafted = draft_append(writes, conditions, store=self._store_text, epoch=self._epoch)
        size_bytes = drafted.size_bytes
        if self._queued >= MOST_QUEUED or self._queued_bytes >= MOST_QUEUED_BYTES:
            raise StoreBusy(
                f"{self._queued} appends wait for the disk; nothing was written",
                next_step="try again shortly",
            )
        item = QueuedAppend(drafted, microseconds(self._now()))
        self._queued += 1
        self._queued_bytes += size_bytes
        if writer.log.put(item, drafted, item.taken_at, is_armed()) and not self._watching:
            self._watching = True
            self._watch()
        return item

    async def append(
        self, writes: Sequence[StreamWrite], *, conditions: Sequence[StreamCondition] = ()
    ) -> AppendResult:
        """Appends to all streams or to none, durably; see `EventStore.append`."""
        while self._queued >= MOST_QUEUED or self._queued_bytes >= MOST_QUEUED_BYTES:
            self._ready()
            room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._room.append(room)
            await room
        return await self.enqueue(writes, conditions=conditions)

    def _ready(self) -> Writer:
        writer, loop = self._writer, asyncio.get_running_loop()
        if self._loop is loop and not self._closing and self._failure is None and writer is not None:
            return writer
        if writer is None:
            raise StoreFailed(
                "the store is open for reading only; nothing was written", next_step="open it for writing"
            )
        if self._closing:
            raise StoreClosed("the store was closed; nothing was written", next_step="open it again")
        if self._failure is not None:
            raise self._failure
        if self._loop is None:
            self._listen(writer, loop)
        elif self._loop is not loop:
            raise StoreFailed(
                "a store is written from one event loop; nothing was written",
                next_step="open it again in this one",
            )
        return writer

    def _listen(self, writer: Writer, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        writer.listen(self._report_stop)
        loop.add_reader(writer.log.fileno(), self._settle)

    def _report_stop(self) -> None:
        """On the writer's thread, last."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is gone, and with it everybody who waits
                self._loop.call_soon_threadsafe(self._settle_stop)

    def _watch(self) -> None:
        """Looks for answers once in each round of the loop: where commits are quick, sleeping takes longer."""
        assert self._writer is not None
        assert self._loop is not None
        found = self._writer.log.poll()
        if found is False:
            self._loop.call_soon(self._watch)
            return
        self._watching = False
        if found:
            self._settle()

    def _settle(self) -> None:
        assert self._writer is not None
        for tickets, outcomes, size_bytes, place in cast(list[_Report], self._writer.log.answers()):
            self._settle_batch(tickets, outcomes, size_bytes, place)

    def _settle_batch(
        self,
        items: list[QueuedAppend],
        outcomes: Sequence[AppendResult | SepError],
        size_bytes: int,
        place: tuple[int, bytes, str] | None,
    ) -> None:
        assert self._writer is not None
        self._failure = self._writer.failure
        try:
            crash_point("store.before_resolve")
        except BaseException as death:
            # Only tests get here: durable, and nobody will hear of it.
            self._failure = StoreFailed(f"the store died before it answered: {death!r}")
            unheard = CommitUnknown(f"the store died after a commit: {death!r}", next_step="restart SEP")
            outcomes, place = [unheard] * len(items), None
        if place is not None:
            self._head = Checkpoint(self._head.store_id, self._epoch, *place)
            self._mark.move(self._head)
        self._queued -= len(items)
        self._queued_bytes -= size_bytes
        for item, outcome in zip(items, outcomes, strict=True):
            item.settle(outcome)
        while self._room:
            room = self._room.popleft()
            if not room.done():
                room.set_result(None)
        if place is not None:
            self._bell.ring()

    def _settle_stop(self) -> None:
        self._settle()
        if self._writer is not None and self._loop is not None:
            self._loop.remove_reader(self._writer.log.fileno())
        if self._stopped is not None and not self._stopped.done():
            self._stopped.set_result(None)

    # Reading.

    @property
    def _published(self) -> bool:
        return self._writer is not None and self._failure is None

    async def _read_head(self) -> Checkpoint:
        # The key of a log may change while others read it.
        checkpoint, self.verifier = await self._readers.run(read_checkpoint)
        return checkpoint

    async def _read_checkpoint(self, up_to: int) -> Checkpoint:
        return (await self._readers.run(partial(read_checkpoint, up_to=up_to)))[0]

    async def _read_head_pos(self) -> int:
        return await self._readers.run(read_head_pos)

    async def _records(self, after: int, up_to: int, size: PageSize) -> Sequence[bytes]:
        return await self._readers.run(lambda connection: read_page(connection, after, up_to, size))

    async def _hand_over(
        self, size: PageSize, after: int, up_to: int, take: Callable[[Recorded], None]
    ) -> int:
        # On the thread that reads: to bring a page over from another core takes as long as to read it.
        return await self._readers.run(
            lambda connection: read_page(connection, after, up_to, size),
            then=lambda records: hand_over(page_of(records), after, take),
        )

    async def _stream_records(
        self, stream: str, after: int, up_to: int, as_of: int, size: PageSize
    ) -> Sequence[bytes]:
        return await self._readers.run(
            lambda connection: read_stream_page(connection, stream, after, up_to, as_of, size)
        )

    async def _position_at(self, moment: int) -> int:
        return await self._readers.run(lambda connection: position_at(connection, moment))

    async def _tree_parts(self, index: int, size: int) -> TreeParts:
        return await self._readers.run(lambda connection: read_tree(connection, index, size))

    # The end.

    async def close(self) -> None:
        """Commits what is queued, then lets go of everything. Raises `StoreFailed` when the disk does not answer."""
        if self._closing:
            return
        self._closing = True
        try:
            if self._writer is not None:
                await self._stop(self._writer)
        finally:
            self._bell.close()
            self._readers.close()
            for room in self._room:
                if not room.done():
                    room.set_result(None)
            self._mark.close()
            if self._lock is not None:
                self._lock.release()

    async def _stop(self, writer: Writer) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._listen(writer, loop)
        self._stopped = loop.create_future()
        writer.log.stop()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._stopped
        except TimeoutError as error:
            raise StoreFailed(
                "the disk did not answer while the store was closed; what was acknowledged is durable",
                next_step="check the disk",
            ) from error


def _read_identity(connection: apsw.Connection, path: Path) -> tuple[Checkpoint, int, PublicKey]:
    check_identity(connection, path)
    checkpoint, verifier = read_checkpoint(connection)
    return checkpoint, read_head(connection, path).epoch, verifier
