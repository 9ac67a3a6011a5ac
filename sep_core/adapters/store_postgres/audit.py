"""The rows of a log as they lie in the database, and the check of the whole log; blocks, on a loop of its own."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast
from uuid import UUID

import asyncpg
from sep_hooks.store import LogBroken, StoreUnavailable

from sep_core.adapters.acknowledged import Acknowledged, held_to
from sep_core.adapters.data_folder import DataFolder
from sep_core.adapters.store_postgres.config import PostgresConfig
from sep_core.adapters.store_postgres.errors import LOST, unavailable
from sep_core.adapters.store_postgres.log_rows import read_verifier
from sep_core.adapters.store_postgres.session import (
    check_version,
    connect,
    holder,
    lock,
    locked,
    schema_version,
)
from sep_core.events.appender import LogHead, StreamHead
from sep_core.events.rotation import StoredKey
from sep_core.events.signing import PublicKey
from sep_core.events.verify import Progress, StoredCheckpoint, StoredRow, VerifyReport, verify_log

_PAGE: Final = 2000
_ROWS: Final = (
    "SELECT e.pos, k.stream, k.version, e.id, e.type, e.sv, sep.microseconds(e.rec), e.corr, e.cause, e.record,"
    " e.leaf_hash, i.pos, e.stream, e.version FROM sep.events AS e LEFT JOIN sep.event_ids AS i ON i.id = e.id"
    " LEFT JOIN sep.event_keys AS k ON k.pos = e.pos AND k.stream = e.stream AND k.version = e.version"
    " WHERE e.pos > $1 ORDER BY e.pos LIMIT $2"
)


def verify_store(
    config: PostgresConfig,
    folder: Path,
    *,
    verifier: PublicKey | None = None,
    anchors: Sequence[str] = (),
    progress: Progress | None = None,
) -> VerifyReport:
    """Checks the log of a database, also while an engine writes to it. Blocks.

    `verifier` defaults to the key in the data folder, then to the one that the log names, which whoever rewrote the log
    could have replaced too. Raises `StoreUnavailable` when there is no log.
    """
    keys = DataFolder(folder, config.keys)
    known = Acknowledged.read(keys.acknowledged)
    with DatabaseSource(config) as source:
        beside = PublicKey.parse(keys.log_verifier.read_text()) if keys.log_verifier.is_file() else None
        key = verifier or beside or source.verifier()
        return held_to(known, verify_log(source, key, anchors=anchors, progress=progress))


class DatabaseSource:
    """A log at one moment, read from one connection while the context lasts; a `CopySource`.

    `exclusive` keeps every leader out meanwhile; entering raises `StoreLocked` where one works.
    """

    def __init__(self, config: PostgresConfig, *, exclusive: bool = False) -> None:
        self._config = config
        self._exclusive = exclusive
        self._runner = asyncio.Runner()
        self._connection: asyncpg.Connection | None = None

    def __enter__(self) -> Self:
        try:
            self._runner.run(self._open())
        except (asyncpg.PostgresError, *LOST) as error:
            self.close()
            raise unavailable(self._config.place, error) from error
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets the database go."""
        if self._connection is not None:
            self._connection.terminate()
        self._runner.close()

    async def _open(self) -> None:
        self._connection = await connect(self._config, name="sep verifying")
        version = await schema_version(self._connection)
        check_version(version, self._config.place)
        if self._exclusive and not await lock(self._connection):
            raise locked(self._config.place, await holder(self._connection))
        # One moment, however long the reading takes.
        await self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if version == 0 or await self._connection.fetchval("SELECT count(*) FROM sep.log_head") == 0:
            raise StoreUnavailable(
                f"{self._config.place} holds no log", next_step="lead store.dsn to the database of a log"
            )

    def verifier(self) -> PublicKey:
        """The key that the log itself names."""
        return self._runner.run(read_verifier(self._connection))

    def keys(self) -> list[StoredKey]:
        """The public keys of the log."""
        query = "SELECT key_id, verifier, first_size FROM sep.log_keys ORDER BY first_size"
        return [StoredKey(*row) for row in self._read(query)]

    def head(self) -> LogHead:
        """What the log says of itself."""
        query = "SELECT store_id, epoch, pos, peaks, sep.microseconds(last_rec) FROM sep.log_head"
        (row,) = self._read(query)
        return LogHead(UUID(bytes=row[0]), *row[1:])

    def rows(self) -> Iterator[StoredRow]:
        """All rows by position."""
        last = 0
        while page := self._read(_ROWS, last, _PAGE):
            for row in page:
                if (row[1], row[2]) != (row[12], row[13]):
                    raise LogBroken(
                        f"the index of streams does not know position {row[0]} as version {row[13]} of {row[12]!r}",
                        pos=row[0],
                    )
                yield StoredRow(*row[:12])
            last = page[-1][0]

    def checkpoints(self) -> Iterator[StoredCheckpoint]:
        """All checkpoints by size."""
        last = -1
        query = (
            "SELECT size, root, note, key_id FROM sep.log_checkpoints WHERE size > $1 ORDER BY size LIMIT $2"
        )
        while page := self._read(query, last, _PAGE):
            for row in page:
                yield StoredCheckpoint(*row)
            last = page[-1][0]

    def subtrees(self) -> Iterator[tuple[int, bytes]]:
        """The cached roots of full 256-wide subtrees by index."""
        last = -1
        query = "SELECT idx, hash FROM sep.merkle_nodes WHERE level = 8 AND idx > $1 ORDER BY idx LIMIT $2"
        while page := self._read(query, last, _PAGE):
            for row in page:
                yield row[0], row[1]
            last = page[-1][0]

    def streams(self) -> Iterator[tuple[str, StreamHead]]:
        """All streams with their heads."""
        last = ""
        query = (
            "SELECT stream, version, last_hash FROM sep.streams WHERE stream > $1 ORDER BY stream LIMIT $2"
        )
        while page := self._read(query, last, _PAGE):
            for row in page:
                yield row[0], StreamHead(row[1], row[2])
            last = page[-1][0]

    def stream_head(self, stream: str) -> StreamHead | None:
        """The head of one stream."""
        rows = self._read("SELECT version, last_hash FROM sep.streams WHERE stream = $1", stream)
        return StreamHead(*rows[0]) if rows else None

    def record_of(self, stream: str, version: int) -> bytes | None:
        """The record of one event of a stream."""
        query = (
            "SELECT record FROM sep.event_keys AS k JOIN sep.events USING (pos)"
            " WHERE k.stream = $1 AND k.version = $2"
        )
        rows = self._read(query, stream, version)
        return cast(bytes, rows[0][0]) if rows else None

    def indexed_ids(self) -> int:
        """How many ids the index of ids holds."""
        return cast(int, self._read("SELECT count(*) FROM sep.event_ids")[0][0])

    def _read(self, query: str, *values: object) -> list[asyncpg.Record]:
        assert self._connection is not None
        try:
            return cast(list[asyncpg.Record], self._runner.run(self._connection.fetch(query, *values)))
        except (asyncpg.PostgresError, *LOST) as error:
            if isinstance(error, asyncpg.DataCorruptedError | asyncpg.IndexCorruptedError):
                raise LogBroken(f"the disk gives nothing readable here ({error})", pos=0) from error
            raise unavailable(self._config.place, error) from error
