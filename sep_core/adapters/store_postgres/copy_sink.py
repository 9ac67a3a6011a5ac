"""A log from elsewhere into an empty database: one transaction, by COPY. Blocks, on a loop of its own."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

import asyncpg
from sep_hooks.store import StoreUnavailable

from sep_core.adapters.store_postgres.config import PostgresConfig
from sep_core.adapters.store_postgres.errors import LOST, unavailable
from sep_core.adapters.store_postgres.migrate import migrate
from sep_core.adapters.store_postgres.session import connect, holder, lock, locked
from sep_core.events.appender import LogHead, StreamHead
from sep_core.events.rotation import StoredKey
from sep_core.events.verify import StoredCheckpoint, StoredRow

_START: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DatabaseSink:
    """An empty database, held like a leader while the context lasts; a `CopySink`."""

    def __init__(self, config: PostgresConfig) -> None:
        self._config = config
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection | None = None

    def __enter__(self) -> Self:
        try:
            self._run(self._open)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._runner.close()

    async def _open(self, *_: object) -> None:
        place = self._config.place
        connection = self._connection = await connect(self._config, name="sep copying")
        await migrate(connection, place)
        if not await lock(connection):
            raise locked(place, await holder(connection))
        if await connection.fetchval("SELECT count(*) FROM sep.log_head"):
            raise StoreUnavailable(
                f"{place} holds a log already; nothing was copied", next_step="name an empty database"
            )
        await connection.execute("BEGIN")

    def start(self, head: LogHead, keys: Sequence[StoredKey]) -> None:
        """Takes the head and the keys."""
        values = (True, head.store_id.bytes, head.epoch, head.pos, head.peaks, _moment(head.last_recorded))
        self._copy("log_head", [values])
        self._copy("log_keys", keys)

    def rows(self, rows: Sequence[StoredRow]) -> None:
        """Takes events in order, with their entries in the indexes."""
        self._copy("events", [(*row[:6], _moment(row.recorded), *row[7:11]) for row in rows])
        self._copy("event_ids", [(row.id, row.pos) for row in rows])
        self._copy("event_keys", [(row.stream, row.version, row.pos) for row in rows])

    def checkpoints(self, checkpoints: Sequence[StoredCheckpoint]) -> None:
        """Takes checkpoints in order."""
        self._copy("log_checkpoints", checkpoints)

    def subtrees(self, subtrees: Sequence[tuple[int, bytes]]) -> None:
        """Takes cached subtrees in order."""
        self._copy("merkle_nodes", [(8, *one) for one in subtrees])

    def streams(self, streams: Sequence[tuple[str, StreamHead]]) -> None:
        """Takes the heads of streams."""
        self._copy("streams", [(name, *head, False) for name, head in streams])

    def finish(self) -> None:
        """Makes everything durable, all at once."""
        self._run(lambda connection: connection.execute("COMMIT"))

    def _copy(self, table: str, records: Sequence[Sequence[object]]) -> None:
        self._run(
            lambda connection: connection.copy_records_to_table(table, schema_name="sep", records=records)
        )

    def _run(self, work: Callable[[Any], Coroutine[Any, Any, object]]) -> None:
        try:
            self._runner.run(work(self._connection))
        except (asyncpg.PostgresError, *LOST) as error:
            raise unavailable(self._config.place, error) from error


def _moment(microseconds: int) -> datetime:
    return _START + timedelta(microseconds=microseconds)
