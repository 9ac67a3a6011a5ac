"""Leading a log: the lock, the epoch, and the one connection that writes; found again when it is lost."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import UUID

import anyio
import asyncpg
from sep_hooks.errors import SepError
from sep_hooks.store import Checkpoint, Fenced, StoreFailed, StoreUnavailable

from sep_core.adapters.acknowledged import AcknowledgedMark
from sep_core.adapters.data_folder import DataFolder
from sep_core.adapters.store_postgres.config import PostgresConfig
from sep_core.adapters.store_postgres.errors import LOST
from sep_core.adapters.store_postgres.log_rows import (
    append,
    read_checkpoint,
    read_head,
    read_place,
    read_tail,
)
from sep_core.adapters.store_postgres.migrate import migrate
from sep_core.adapters.store_postgres.schema import MOVED
from sep_core.adapters.store_postgres.session import (
    check_server,
    check_version,
    connect,
    end_holder,
    holder,
    lock,
    locked,
    schema_version,
)
from sep_core.events.appender import Batch, LogHead, Sequencer
from sep_core.events.envelope import microseconds
from sep_core.events.native import tree_root
from sep_core.events.signing import LogKey

RECONNECT_SECONDS: Final = 60.0
"""How long a leader tries to find its server again, a restart after a crash included."""
_PAUSES: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_HANDOVER_SECONDS: Final = 10.0
_DYING_SECONDS: Final = 1.0


def pause_seconds(attempt: int) -> float:
    """How long to wait before the server is asked again."""
    return _PAUSES[min(attempt, len(_PAUSES) - 1)]


class Lead:
    """The hold of one engine on a log. What is asked of it while the connection is lost raises one of `LOST`."""

    def __init__(self, config: PostgresConfig, connection: asyncpg.Connection, name: str) -> None:
        self.config = config
        self.place = config.place
        self.connection = connection
        self.name = name
        self.key: LogKey
        self.checkpoint: Checkpoint
        self.sequencer: Sequencer
        self.epoch = 0

    @classmethod
    async def open(
        cls,
        config: PostgresConfig,
        folder: DataFolder,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], UUID],
        take_over: int | None,
    ) -> "Lead":
        """Takes the log over under a new epoch; makes it where there is none.

        `take_over` is the epoch of a leader that is taken for dead or paused: its lock need not be free, the new epoch
        fences it, and its session is ended. Raises `StoreLocked`, `Fenced` where that leader was displaced already,
        `StoreUnavailable`, or what asyncpg raises.
        """
        name = f"sep {socket.gethostname()[:32]} {os.getpid()} {new_id().hex[:8]}"
        connection = await connect(config, name=name)
        try:
            lead = cls(config, connection, name)
            await lead._begin(folder, now, new_id, take_over=take_over)
        except BaseException:
            connection.terminate()
            raise
        return lead

    async def _begin(
        self,
        folder: DataFolder,
        now: Callable[[], datetime],
        new_id: Callable[[], UUID],
        *,
        take_over: int | None,
    ) -> None:
        connection, place = self.connection, self.place
        await check_server(connection, place, writable=True)
        version = await schema_version(connection)
        if version == 0:
            await migrate(connection, place)
        else:
            check_version(version, place)
        if take_over is None:
            await self._take_lock(_DYING_SECONDS)
        mark = AcknowledgedMark(folder.acknowledged)
        head = await read_head(connection, place)
        if head is None:
            mark.check(None, place)
            folder.make_keys()
            head = await self._create(LogKey(store_id := new_id(), folder.read_log_key()), store_id, now)
        folder.settle_log_key((await read_checkpoint(connection))[1])
        self.key = LogKey(head.store_id, folder.read_log_key())
        if take_over is not None and head.epoch != take_over:
            raise _displaced()
        mark.check(await self._last_checkpoint(folder), place)
        self.epoch = await self._bump(head)
        if take_over is not None:
            await self._end_other()
        # Read again: only from here on does nobody else write.
        head = await read_head(connection, place)
        self.checkpoint = await self._last_checkpoint(folder)
        if head is None or head.epoch != self.epoch:
            raise _displaced()
        if (self.checkpoint.pos, self.checkpoint.root) != (head.pos, head.root()):
            raise StoreUnavailable(
                f"{place}: the log ends at position {head.pos}, and its last checkpoint, at {self.checkpoint.pos}, is"
                " of another log",
                next_step="run `sep verify`, then restore a backup",
            )
        self.sequencer = Sequencer(head, await read_tail(connection, head.pos), self.key)

    async def _last_checkpoint(self, folder: DataFolder) -> Checkpoint:
        """The last checkpoint. Raises `StoreUnavailable` where it was not signed by the key of this engine."""
        checkpoint, signer = await read_checkpoint(self.connection)
        if signer != self.key.public:
            raise StoreUnavailable(
                f"{self.place}: the last checkpoint does not fit the key in {folder.keys}: it is signed by key"
                f" {signer.key_id.hex()}, log.key is {self.key.key_id}",
                next_step="every engine of a log needs its keys: let store.keys name their folder",
            )
        return checkpoint

    async def _end_other(self) -> None:
        """Ends the session of the leader that the new epoch has fenced. Where this role may not do that, the epoch
        alone keeps the other out, until it goes."""
        found = await holder(self.connection)
        if found is None or await end_holder(self.connection, found):
            await self._take_lock(_HANDOVER_SECONDS)

    async def _take_lock(self, seconds: float) -> None:
        """Waits a little: the session of an engine that has just died ends a moment after it."""
        with anyio.move_on_after(seconds):
            while not await lock(self.connection):  # noqa: ASYNC110  # its release tells nobody
                await anyio.sleep(_PAUSES[0])
            return
        raise locked(self.place, await holder(self.connection))

    async def _create(self, key: LogKey, store_id: UUID, now: Callable[[], datetime]) -> LogHead:
        root, moment = tree_root(b""), microseconds(now())
        await self.connection.execute(
            "SELECT sep.sep_create($1, $2, $3, $4, $5, $6)",
            store_id.bytes,
            moment,
            key.key_id,
            key.public.text(),
            root,
            key.sign(epoch=0, size=0, root=root),
        )
        return LogHead(store_id, 0, 0, b"", moment)

    async def _bump(self, head: LogHead) -> int:
        try:
            epoch = await self.connection.fetchval(
                "SELECT sep.sep_take_over($1, $2)", head.store_id.bytes, head.epoch
            )
        except asyncpg.PostgresError as error:
            if error.sqlstate != MOVED:
                raise
            raise _displaced() from error
        return int(epoch)

    # While it leads.

    async def append(self, batch: Batch) -> None:
        """Makes a batch durable. Raises `Fenced` or `StoreFailed` where the log stands elsewhere, `LOST` where nobody
        knows, and other errors of asyncpg where nothing was written."""
        try:
            await append(self.connection, batch, self.key.key_id)
        except asyncpg.PostgresError as error:
            if error.sqlstate != MOVED:
                raise
            await self.check_place()
            raise StoreFailed(
                f"{self.place}: {error}; nothing was written", next_step="run `sep verify`"
            ) from error

    async def check_place(self) -> None:
        """Raises `Fenced` or `StoreFailed` where the log does not stand where this leader left it."""
        before = self.sequencer.head
        store_id, epoch, pos = await read_place(self.connection)
        if (store_id, epoch, pos) == (before.store_id.bytes, before.epoch, before.pos):
            return
        if store_id == before.store_id.bytes and epoch > before.epoch:
            raise Fenced(
                f"another engine took the log over (epoch {epoch}, this one has {before.epoch}); nothing was written",
                next_step="let the other engine work; restart this one as a standby",
            )
        raise StoreFailed(
            f"the log stands at position {pos} of epoch {epoch}, this engine left it at {before.pos};"
            " nothing was written",
            next_step="run `sep verify`",
        )

    async def recover(self, batch: Batch | None) -> bool:
        """Finds the server again after the connection was lost, with the lock; says whether `batch` is durable.

        No earlier session of this engine can write any more when it returns. Raises `Fenced`, `StoreFailed`, or
        `TimeoutError` after `RECONNECT_SECONDS`; the first two mean that `batch` was not written.
        """
        async with asyncio.timeout(RECONNECT_SECONDS):
            attempt = 0
            while True:
                try:
                    leading = await self._reconnect()
                    if batch is not None and await self._holds(batch):
                        return True
                    await self.check_place()
                    if leading:
                        return False
                except SepError:
                    self.connection.terminate()  # the lock is for whoever leads now
                    raise
                except LOST:
                    attempt += 1
                await anyio.sleep(pause_seconds(attempt))

    async def _reconnect(self) -> bool:
        """Whether this engine holds the lock again; the lock is another engine's only when no session of ours lives."""
        self.connection.terminate()
        self.connection = await connect(self.config, name=self.name)
        while not await lock(self.connection):
            found = await holder(self.connection)
            if found is not None and found.name != self.name:
                return False
            if found is not None:
                await end_holder(
                    self.connection, found
                )  # the server has not noticed that the connection is gone
            await anyio.sleep(_PAUSES[0])
        return True

    async def _holds(self, batch: Batch) -> bool:
        assert batch.checkpoint is not None
        note = await self.connection.fetchval(
            "SELECT note FROM sep.log_checkpoints WHERE size = $1", batch.checkpoint.pos
        )
        return bool(note == batch.checkpoint.note)

    async def close(self) -> None:
        """Lets the next leader in."""
        with suppress(*LOST, asyncpg.PostgresError):
            await self.connection.close(timeout=_HANDOVER_SECONDS)


def _displaced() -> Fenced:
    return Fenced("another engine took the log over at this moment", next_step="start again")
