"""The reads of a log in PostgreSQL, and the one call that writes a batch."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

import asyncpg
from sep_hooks.store import Checkpoint, NotInLog, StoreUnavailable

from sep_core.events.appender import (
    HASH_BYTES,
    SUBTREE_WIDTH,
    Batch,
    KnownEvent,
    LogHead,
    StreamHead,
    known_event,
)
from sep_core.events.log_store import TreeParts
from sep_core.events.pages import LAST_POSITION, PageSize
from sep_core.events.signing import BadCheckpoint, PublicKey, open_note

type Connection = asyncpg.Connection | asyncpg.Pool

_HEAD = "SELECT store_id, epoch, pos, peaks, sep.microseconds(last_rec) FROM sep.log_head"
_APPEND = "SELECT sep.sep_append(" + ", ".join(f"${number}" for number in range(1, 23)) + ")"


async def read_head(connection: Connection, place: str) -> LogHead | None:
    """The head of the log, None where there is none. Raises `StoreUnavailable` when it cannot be gone on from."""
    row = await connection.fetchrow(_HEAD)
    if row is None:
        return None
    store_id, epoch, pos, peaks, last_recorded = row
    if len(peaks) != pos.bit_count() * HASH_BYTES:
        raise StoreUnavailable(
            f"{place}: the head of the log is damaged", next_step="run `sep verify`, then restore a backup"
        )
    return LogHead(UUID(bytes=store_id), epoch, pos, peaks, last_recorded)


async def read_checkpoint(connection: Connection, up_to: int = LAST_POSITION) -> tuple[Checkpoint, PublicKey]:
    """The last checkpoint, of at most so many events, its signature checked under the key that the log names for it,
    and that key.
    """
    row = await connection.fetchrow(
        "SELECT note, verifier FROM sep.log_checkpoints JOIN sep.log_keys USING (key_id)"
        " WHERE size <= $1 ORDER BY size DESC LIMIT 1",
        up_to,
    )
    if row is None:
        raise StoreUnavailable("the log has no checkpoint", next_step="restore it from a backup")
    try:
        key = PublicKey.parse(row[1])
        return open_note(row[0], key), key
    except BadCheckpoint as error:
        raise StoreUnavailable(
            f"the last checkpoint is damaged: {error.message}",
            next_step="run `sep verify`, then restore a backup",
        ) from error


async def read_verifier(connection: Connection) -> PublicKey:
    """The public key that the log itself names; only a key kept elsewhere proves who wrote it."""
    text = await connection.fetchval("SELECT verifier FROM sep.log_keys ORDER BY first_size DESC LIMIT 1")
    if text is None:
        raise StoreUnavailable("the log names no key", next_step="restore it from a backup")
    return PublicKey.parse(text)


async def read_head_pos(connection: Connection) -> int:
    """The last committed position."""
    return cast(int, await connection.fetchval("SELECT pos FROM sep.log_head"))


async def read_place(connection: Connection) -> tuple[bytes, int, int]:
    """Store, epoch and position of the head."""
    row = await connection.fetchrow("SELECT store_id, epoch, pos FROM sep.log_head")
    if row is None:
        raise StoreUnavailable("the log has no head", next_step="restore it from a backup")
    return cast(tuple[bytes, int, int], tuple(row))


async def read_page(connection: Connection, after: int, up_to: int, size: PageSize) -> list[bytes]:
    """Some records behind `after`, in order."""
    rows = await connection.fetch(
        "SELECT record FROM sep.events WHERE pos > $1 AND pos <= $2 ORDER BY pos LIMIT $3",
        after,
        up_to,
        size.records,
    )
    return _sized(rows, size)


async def read_stream_page(
    connection: Connection, stream: str, after: int, up_to: int, as_of: int, size: PageSize
) -> list[bytes]:
    """Some records of a stream behind version `after`, in order."""
    rows = await connection.fetch(
        "SELECT record FROM sep.event_keys AS k JOIN sep.events USING (pos)"
        " WHERE k.stream = $1 AND k.version > $2 AND k.version <= $3 AND k.pos <= $4 ORDER BY k.version LIMIT $5",
        stream,
        after,
        up_to,
        as_of,
        size.records,
    )
    return _sized(rows, size)


async def recorded_at(connection: Connection, pos: int) -> int:
    """When a position was recorded, in microseconds since 1970. Raises `NotInLog`."""
    moment = await connection.fetchval("SELECT sep.microseconds(rec) FROM sep.events WHERE pos = $1", pos)
    if moment is None:
        raise NotInLog(f"position {pos} is missing from the log", next_step="run `sep verify`")
    return cast(int, moment)


async def read_leaves(connection: Connection, start: int, end: int) -> bytes:
    """Leaf hashes, joined, of indexes `start` to `end`, which is excluded. Raises `NotInLog`."""
    rows = await connection.fetch(
        "SELECT leaf_hash FROM sep.events WHERE pos > $1 AND pos <= $2 ORDER BY pos", start, end
    )
    if len(rows) != end - start:
        raise NotInLog(f"positions {start + 1} to {end} are not all in the log", next_step="run `sep verify`")
    return b"".join([row[0] for row in rows])


async def read_tail(connection: Connection, size: int) -> bytes:
    """Leaf hashes, joined, behind the last full 256-wide subtree."""
    return await read_leaves(connection, size - size % SUBTREE_WIDTH, size)


async def read_tree(connection: Connection, index: int, size: int) -> TreeParts:
    """The tree over the first `size` events, with the block of leaf `index` where it is full."""
    count, start = size // SUBTREE_WIDTH, index - index % SUBTREE_WIDTH
    rows = await connection.fetch(
        "SELECT hash FROM sep.merkle_nodes WHERE level = 8 AND idx < $1 ORDER BY idx", count
    )
    if len(rows) != count:
        raise NotInLog("the log's own tree has holes", next_step="run `sep verify`")
    full = start + SUBTREE_WIDTH <= size
    block = await read_leaves(connection, start, start + SUBTREE_WIDTH) if full else b""
    return TreeParts(b"".join([row[0] for row in rows]), block, await read_tail(connection, size))


async def stream_heads(connection: Connection, streams: Sequence[str]) -> dict[str, StreamHead]:
    """Where streams stand; one that does not exist is at version 0."""
    heads = dict.fromkeys(streams, StreamHead(0, None))
    query = "SELECT stream, version, last_hash FROM sep.streams WHERE stream = ANY($1)"
    for stream, version, last_hash in await connection.fetch(query, streams):
        heads[stream] = StreamHead(version, last_hash)
    return heads


async def known_ids(connection: Connection, ids: Sequence[bytes]) -> dict[bytes, KnownEvent]:
    """Those of some ids that stand in the log, with what they were recorded with."""
    query = (
        "SELECT i.id, e.record FROM sep.event_ids AS i JOIN sep.events AS e USING (pos) WHERE i.id = ANY($1)"
    )
    return {event_id: known_event(record) for event_id, record in await connection.fetch(query, ids)}


async def append(connection: Connection, batch: Batch, key_id: str) -> None:
    """Writes a batch in one call, which is one transaction: afterwards it is durable, or nothing happened."""
    placed, before = batch.placed, batch.before
    assert placed is not None
    rows = placed.events
    streams, versions = cast(list[str], rows[1::11]), cast(list[int], rows[2::11])
    first = dict(zip(reversed(streams), reversed(versions), strict=True))
    heads = placed.heads
    await connection.fetchval(
        _APPEND,
        before.store_id.bytes,
        before.epoch,
        before.pos,
        placed.tree.peaks,
        placed.recorded_at,
        streams,
        versions,
        rows[3::11],
        rows[4::11],
        rows[5::11],
        rows[7::11],
        rows[8::11],
        rows[9::11],
        rows[10::11],
        list(heads),
        [first[stream] - 1 for stream in heads],
        [version for version, _ in heads.values()],
        [leaf for _, leaf in heads.values()],
        placed.subtrees,
        placed.root,
        placed.note,
        key_id,
    )


def _sized(rows: Sequence[Sequence[bytes]], size: PageSize) -> list[bytes]:
    records = [row[0] for row in rows]
    size.learn(len(records), sum(map(len, records)))
    return records
