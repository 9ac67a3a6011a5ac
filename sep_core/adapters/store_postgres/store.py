"""The store in PostgreSQL: one appender on a connection of its own, readers on a pool."""

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar, Final
from uuid import UUID

import anyio
import asyncpg
from sep_hooks.context import Clock
from sep_hooks.errors import SepError
from sep_hooks.store import (
    AppendResult,
    Checkpoint,
    CommitUnknown,
    Fenced,
    StoreBusy,
    StoreClosed,
    StoreFailed,
    StoreUnavailable,
    StreamCondition,
    StreamWrite,
)

from sep_core.adapters.acknowledged import AcknowledgedMark
from sep_core.adapters.data_folder import DataFolder, FolderLock, released_on_error
from sep_core.adapters.store_postgres import lead
from sep_core.adapters.store_postgres.appender import Appender
from sep_core.adapters.store_postgres.config import PostgresConfig
from sep_core.adapters.store_postgres.errors import LOST, unavailable
from sep_core.adapters.store_postgres.lead import Lead
from sep_core.adapters.store_postgres.log_rows import (
    read_checkpoint,
    read_head,
    read_head_pos,
    read_page,
    read_stream_page,
    read_tree,
    recorded_at,
)
from sep_core.adapters.store_postgres.schema import MOVED
from sep_core.adapters.store_postgres.session import (
    check_server,
    check_version,
    connect,
    pool,
    schema_version,
)
from sep_core.events.appender import draft_append
from sep_core.events.envelope import microseconds
from sep_core.events.log_store import LogStore, TreeParts
from sep_core.events.pages import PageSize
from sep_core.events.pending import QueuedAppend
from sep_core.events.subscription import Bell
from sep_core.events.vault import Vault
from sep_core.telemetry.crashpoints import crash_point

MOST_QUEUED: Final = 8192
MOST_QUEUED_BYTES: Final = 64 * 1024 * 1024
CHANNEL: Final = "sep_log"
_CLOSE_SECONDS: Final = 60.0
_LISTEN_PAUSE_SECONDS: Final = 1.0


async def open_store(
    config: PostgresConfig,
    folder: Path | str,
    *,
    writable: bool,
    clock: Clock,
    ids: Callable[[], UUID],
    take_over: int | None = None,
) -> "PostgresStore":
    """Opens the log of a database; for writing it is made when absent, locked, and taken over under a new epoch.

    `folder` is the data folder of this engine, with its keys. With `take_over` the lock of a leader that is silent is
    broken and its epoch fenced. Raises `StoreLocked` or `StoreUnavailable`.
    """
    place = DataFolder(Path(folder), config.keys)
    lock: FolderLock | None = None
    if writable:
        place.prepare()
        lock = FolderLock(place)
    try:
        with contextlib.nullcontext() if lock is None else released_on_error(lock):
            store = PostgresStore(config, place, clock)
            await store._open(ids, lock, take_over=take_over)
    except (asyncpg.PostgresError, *LOST) as error:
        raise unavailable(config.place, error) from error
    return store


class PostgresStore(LogStore):
    """The log of one database. Written from one event loop, the one that opened it."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"durable", "merkle", "remote_readers"})
    leased: ClassVar[bool] = True

    def __init__(self, config: PostgresConfig, folder: DataFolder, clock: Clock) -> None:
        self.config = config
        self.folder = folder
        self._now = clock.now
        self._bell = Bell()
        self._queued = self._queued_bytes = 0
        self._room: deque[asyncio.Future[None]] = deque()
        self._failure: SepError | None = None
        self._closing = False
        self._lead: Lead | None = None
        self._appender: Appender | None = None
        self._mark = AcknowledgedMark(folder.acknowledged)
        self._lock: FolderLock | None = None
        self._pool: asyncpg.Pool
        self._task: asyncio.Task[None]

    async def _open(self, ids: Callable[[], UUID], lock: FolderLock | None, *, take_over: int | None) -> None:
        self._loop = asyncio.get_running_loop()
        if lock is not None:
            await self._open_writer(ids, take_over=take_over)
        self._pool = pool(self.config)
        try:
            await self._pool
            if self._lead is None:
                await self._open_reader()
        except BaseException:
            if self._lead is not None:
                self._lead.connection.terminate()
            with contextlib.suppress(asyncpg.InterfaceError):  # it was not opened
                self._pool.terminate()
            raise
        self._lock = lock
        # One task, which `close` ends and waits for.
        work = self._listen() if self._appender is None else self._appender.run()
        self._task = self._loop.create_task(work)

    async def _open_writer(self, ids: Callable[[], UUID], *, take_over: int | None) -> None:
        leader = await Lead.open(self.config, self.folder, now=self._now, new_id=ids, take_over=take_over)
        self._lead = leader
        self._head, self._epoch, self.verifier = leader.checkpoint, leader.epoch, leader.key.public
        self._store_text = str(self._head.store_id).encode()
        self._appender = Appender(leader, self._settle)
        self.folder.publish_verifier(self.verifier.text())

    async def _open_reader(self) -> None:
        place = self.config.place
        async with self._pool.acquire() as connection:
            await check_server(connection, place, writable=False)
            version = await schema_version(connection)
            check_version(version, place)
            head = await read_head(connection, place) if version else None
            if head is None:
                raise StoreUnavailable(
                    f"{place} holds no log", next_step="start SEP once, or lead store.dsn to another database"
                )
            self._head, self.verifier = await read_checkpoint(connection)
            self._epoch = head.epoch

    @property
    def failure(self) -> SepError | None:
        """Why nothing more can be appended, once that is so."""
        return self._failure

    def vault(self) -> Vault:
        """Seals and opens parts of event bodies under the key of the data folder."""
        return Vault(self.folder.read_vault_key())

    # Leading.

    async def renew(self) -> None:
        """Tells standbys that this leader lives, by the clock of the server. Raises `Fenced` once another leads."""
        assert self._lead is not None
        values = self.store_id.bytes, self._epoch, self._lead.name

        async def say(connection: asyncpg.Connection) -> None:
            async with connection.transaction():
                await connection.execute("SET TRANSACTION READ WRITE")
                await connection.execute("SELECT sep.sep_renew($1, $2, $3)", *values)

        try:
            await self._pool_call(say)
        except asyncpg.PostgresError as error:
            if error.sqlstate != MOVED:
                raise unavailable(self.config.place, error) from error
            raise Fenced(
                f"another engine took the log over (this one has epoch {self._epoch})",
                next_step="let the other engine work; restart this one as a standby",
            ) from error

    # Appending.

    def enqueue(
        self, writes: Sequence[StreamWrite], *, conditions: Sequence[StreamCondition] = ()
    ) -> QueuedAppend:
        """Queues an atomic append and returns at once; see `EventStore.enqueue`."""
        appender = self._ready()
        drafted = draft_append(writes, conditions, store=self._store_text, epoch=self._epoch)
        if self._full:
            raise StoreBusy(
                f"{self._queued} appends wait for the database; nothing was written",
                next_step="try again shortly",
            )
        item = QueuedAppend(drafted, microseconds(self._now()))
        self._queued += 1
        self._queued_bytes += drafted.size_bytes
        appender.put(item)
        return item

    async def append(
        self, writes: Sequence[StreamWrite], *, conditions: Sequence[StreamCondition] = ()
    ) -> AppendResult:
        """Appends to all streams or to none, durably; see `EventStore.append`."""
        while self._full:
            self._ready()
            room: asyncio.Future[None] = self._loop.create_future()
            self._room.append(room)
            await room
        return await self.enqueue(writes, conditions=conditions)

    @property
    def _full(self) -> bool:
        return self._queued >= MOST_QUEUED or self._queued_bytes >= MOST_QUEUED_BYTES

    def _ready(self) -> Appender:
        if self._appender is None:
            raise StoreFailed(
                "the store is open for reading only; nothing was written", next_step="open it for writing"
            )
        if self._closing:
            raise StoreClosed("the store was closed; nothing was written", next_step="open it again")
        if self._failure is not None:
            raise self._failure
        if self._loop is not asyncio.get_running_loop():
            raise StoreFailed(
                "a store is written from one event loop; nothing was written",
                next_step="open it again in this one",
            )
        return self._appender

    def _settle(
        self,
        items: list[QueuedAppend],
        outcomes: Sequence[AppendResult | SepError],
        checkpoint: Checkpoint | None,
    ) -> None:
        """Answers a batch."""
        assert self._appender is not None
        self._failure = self._appender.failure
        try:
            crash_point("store.before_resolve")
        except BaseException as death:
            # Only tests get here: durable, and nobody will hear of it.
            self._failure = StoreFailed(f"the store died before it answered: {death!r}")
            unheard = CommitUnknown(f"the store died after a commit: {death!r}", next_step="restart SEP")
            outcomes, checkpoint = [unheard] * len(items), None
        if checkpoint is not None:
            self._head = checkpoint
            self._mark.move(checkpoint)
        self._queued -= len(items)
        self._queued_bytes -= sum([item.append.size_bytes for item in items])
        for item, outcome in zip(items, outcomes, strict=True):
            item.settle(outcome)
        while self._room:
            room = self._room.popleft()
            if not room.done():
                room.set_result(None)
        if checkpoint is not None:
            self._bell.ring()

    # Reading.

    @property
    def _published(self) -> bool:
        return self._appender is not None and self._failure is None

    async def _pool_call[T](self, read: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Reads, and waits like the leader for a server that is away. Raises `StoreUnavailable` or `LogBroken`."""
        lost: BaseException = TimeoutError()
        with anyio.move_on_after(lead.RECONNECT_SECONDS):
            for attempt in itertools.count():
                if self._closing:
                    raise StoreClosed("the store was closed", next_step="open it again")
                try:
                    async with self._pool.acquire(timeout=self.config.command_timeout) as connection:
                        return await read(connection)
                except (asyncpg.DataCorruptedError, asyncpg.IndexCorruptedError) as error:
                    raise unavailable(self.config.place, error) from error
                except LOST as error:
                    lost = error
                if self._failure is not None:
                    break
                await anyio.sleep(lead.pause_seconds(attempt))
        raise unavailable(self.config.place, lost) from lost

    async def _read_head(self) -> Checkpoint:
        # The key of a log may change while others read it.
        checkpoint, self.verifier = await self._pool_call(read_checkpoint)
        return checkpoint

    async def _read_checkpoint(self, up_to: int) -> Checkpoint:
        return (await self._pool_call(lambda connection: read_checkpoint(connection, up_to)))[0]

    async def _read_head_pos(self) -> int:
        return await self._pool_call(read_head_pos)

    async def _records(self, after: int, up_to: int, size: PageSize) -> Sequence[bytes]:
        return await self._pool_call(lambda connection: read_page(connection, after, up_to, size))

    async def _stream_records(
        self, stream: str, after: int, up_to: int, as_of: int, size: PageSize
    ) -> Sequence[bytes]:
        return await self._pool_call(
            lambda connection: read_stream_page(connection, stream, after, up_to, as_of, size)
        )

    async def _position_at(self, moment: int) -> int:
        low, high = 0, await self.head_pos()
        while low < high:
            middle = (low + high + 1) // 2
            recorded = await self._pool_call(lambda connection, pos=middle: recorded_at(connection, pos))  # type: ignore[misc]
            low, high = (middle, high) if recorded <= moment else (low, middle - 1)
        return low

    async def _tree_parts(self, index: int, size: int) -> TreeParts:
        return await self._pool_call(lambda connection: read_tree(connection, index, size))

    async def _listen(self) -> None:
        """Rings the bell at each commit of the leader. Without it readers look for themselves, a little later."""
        while True:
            with contextlib.suppress(asyncpg.PostgresError, *LOST):
                connection = await connect(self.config, name="sep listening")
                try:
                    ended = asyncio.Event()
                    connection.add_termination_listener(lambda _, ended=ended: ended.set())
                    await connection.add_listener(CHANNEL, lambda *_: self._bell.ring())
                    self._bell.ring()
                    await ended.wait()
                finally:
                    connection.terminate()
            await anyio.sleep(_LISTEN_PAUSE_SECONDS)

    # The end.

    async def close(self) -> None:
        """Commits what is queued, then lets go of everything. Raises `StoreFailed` when the database does not
        answer."""
        if self._closing:
            return
        self._closing = True
        try:
            await self._finish()
        finally:
            self._bell.close()
            for room in self._room:
                if not room.done():
                    room.set_result(None)
            self._pool.terminate()
            if self._lead is not None:
                await self._lead.close()
            self._mark.close()
            if self._lock is not None:
                self._lock.release()

    async def _finish(self) -> None:
        if self._appender is None:
            self._task.cancel()
        else:
            self._appender.stop()
        done, _ = await asyncio.wait([self._task], timeout=_CLOSE_SECONDS)
        if done:
            return
        self._task.cancel()
        await asyncio.wait([self._task], timeout=_CLOSE_SECONDS)
        raise StoreFailed(
            "the database did not answer while the store was closed; what was acknowledged is durable",
            next_step="see whether the server works",
        )


async def leader_silence(config: PostgresConfig) -> tuple[str, int, float] | None:
    """Who led last, under which epoch, and for how many seconds it has not renewed, by the clock of the server.

    None where no leader ever renewed. Raises `StoreUnavailable` or `LogBroken`.
    """
    try:
        connection = await connect(config, name="sep standby")
        try:
            row = await connection.fetchrow(
                "SELECT holder, epoch, extract(epoch FROM clock_timestamp() - renewed)::float8 FROM sep.leader"
            )
        finally:
            await connection.close(timeout=config.command_timeout)
    except (asyncpg.PostgresError, *LOST) as error:
        raise unavailable(config.place, error) from error
    return None if row is None else (row[0], row[1], row[2])
