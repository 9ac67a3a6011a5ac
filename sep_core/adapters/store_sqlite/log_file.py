"""The log file itself: made, opened, taken over, read in pages."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, cast
from uuid import UUID

import apsw
from sep_hooks.store import Checkpoint, LogBroken, NotInLog, StoreUnavailable

from sep_core.adapters.data_folder import DataFolder
from sep_core.adapters.store_sqlite.connection import check_identity
from sep_core.adapters.store_sqlite.schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION
from sep_core.events.appender import HASH_BYTES, SUBTREE_WIDTH, KnownEvent, LogHead, StreamHead, known_event
from sep_core.events.log_store import TreeParts
from sep_core.events.native import DraftedAppend, tree_root
from sep_core.events.pages import LAST_POSITION, PageSize
from sep_core.events.signing import BadCheckpoint, LogKey, PublicKey, open_note


def is_empty(connection: apsw.Connection) -> bool:
    """Whether a file holds nothing at all, as after its making was cut short."""
    return not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()


def create_tables(connection: apsw.Connection) -> None:
    """Makes the tables of this release in an empty file; does not commit."""
    for one in MIGRATIONS:
        connection.execute(one.statements).fetchall()
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}").fetchall()
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}").fetchall()


def create_log(connection: apsw.Connection, store_id: UUID, seed: bytes, now: int) -> None:
    """Makes an empty log, in one transaction: afterwards there is a whole log or none."""
    key = LogKey(store_id, seed)
    root = tree_root(b"")
    connection.execute("BEGIN IMMEDIATE")
    try:
        create_tables(connection)
        connection.execute("INSERT INTO log_head VALUES (1, ?, 0, 0, ?, ?)", (store_id.bytes, b"", now))
        connection.execute("INSERT INTO log_keys VALUES (?, ?, 0)", (key.key_id, key.public.text()))
        connection.execute(
            "INSERT INTO log_checkpoints VALUES (0, ?, ?, ?)",
            (root, key.sign(epoch=0, size=0, root=root), key.key_id),
        )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def open_log(connection: apsw.Connection, folder: DataFolder) -> tuple[LogHead, Checkpoint, LogKey]:
    """The state to go on from. Raises `StoreUnavailable` when head, checkpoint and key do not fit together."""
    path = folder.log
    check_identity(connection, path)
    head = read_head(connection, path)
    checkpoint, signer = read_checkpoint(connection)
    folder.settle_log_key(signer)
    key = LogKey(head.store_id, folder.read_log_key())
    if signer != key.public:
        raise StoreUnavailable(
            f"{path}: the last checkpoint does not fit the key in {folder.keys}: it is signed by key"
            f" {signer.key_id.hex()}, log.key is {key.key_id}",
            next_step="restore the key that belongs to the log from a backup",
        )
    if (checkpoint.pos, checkpoint.root) != (head.pos, head.root()):
        raise StoreUnavailable(
            f"{path} ends at position {head.pos}, and its last checkpoint, at {checkpoint.pos}, is of another log",
            next_step="run `sep verify`, then restore a backup",
        )
    return head, checkpoint, key


def read_head(connection: apsw.Connection, path: Path) -> LogHead:
    """The head of the log. Raises `StoreUnavailable` when it cannot be gone on from."""
    head = read_raw_head(connection, path)
    if len(head.peaks) != head.pos.bit_count() * HASH_BYTES:
        raise StoreUnavailable(
            f"the head of {path} is damaged", next_step="run `sep verify`, then restore a backup"
        )
    return head


def read_raw_head(connection: apsw.Connection, path: Path) -> LogHead:
    """The head as it lies on the disk."""
    rows = connection.execute("SELECT store_id, epoch, pos, peaks, last_rec FROM log_head").fetchall()
    if len(rows) != 1:
        raise StoreUnavailable(f"{path} has no head", next_step="restore it from a backup")
    store_id, epoch, pos, peaks, last_recorded = rows[0]
    return LogHead(
        UUID(bytes=cast(bytes, store_id)),
        cast(int, epoch),
        cast(int, pos),
        cast(bytes, peaks),
        cast(int, last_recorded),
    )


def read_checkpoint(connection: apsw.Connection, up_to: int = LAST_POSITION) -> tuple[Checkpoint, PublicKey]:
    """The last checkpoint, of at most so many events, its signature checked under the key that the log names for it,
    and that key.
    """
    rows = connection.execute(
        "SELECT note, verifier FROM log_checkpoints JOIN log_keys USING (key_id)"
        " WHERE size <= ? ORDER BY size DESC LIMIT 1",
        (up_to,),
    ).fetchall()
    if not rows:
        raise StoreUnavailable("the log has no checkpoint", next_step="restore it from a backup")
    try:
        key = PublicKey.parse(cast(str, rows[0][1]))
        return open_note(cast(str, rows[0][0]), key), key
    except BadCheckpoint as error:
        raise StoreUnavailable(
            f"the last checkpoint is damaged: {error.message}",
            next_step="run `sep verify`, then restore a backup",
        ) from error


def read_verifier(connection: apsw.Connection) -> PublicKey:
    """The public key that the log itself names; only a key kept elsewhere proves who wrote it."""
    rows = connection.execute("SELECT verifier FROM log_keys ORDER BY first_size DESC LIMIT 1").fetchall()
    if not rows:
        raise StoreUnavailable("the log names no key", next_step="restore it from a backup")
    return PublicKey.parse(cast(str, rows[0][0]))


def take_over(connection: apsw.Connection, folder: DataFolder) -> tuple[LogHead, Checkpoint, LogKey]:
    """Takes the log over, under the next epoch: whoever wrote to it before is fenced. See `open_log`."""
    with connection:
        connection.execute("UPDATE log_head SET epoch = epoch + 1 WHERE one = 1")
        head, checkpoint, key = open_log(connection, folder)
    return head, checkpoint, key


def read_tail(connection: apsw.Connection, size: int) -> bytes:
    """Leaf hashes, joined, behind the last full 256-wide subtree."""
    return read_leaves(connection, size - size % SUBTREE_WIDTH, size)


def read_leaves(connection: apsw.Connection, start: int, end: int) -> bytes:
    """Leaf hashes, joined, of indexes `start` to `end`, which is excluded. Raises `NotInLog`."""
    rows = connection.execute(
        "SELECT leaf_hash FROM events WHERE pos > ? AND pos <= ? ORDER BY pos", (start, end)
    ).fetchall()
    if len(rows) != end - start:
        raise NotInLog(f"positions {start + 1} to {end} are not all in the log", next_step="run `sep verify`")
    return b"".join([cast(bytes, row[0]) for row in rows])


def read_subtrees(connection: apsw.Connection, count: int) -> bytes:
    """Roots, joined, of the first `count` full 256-wide subtrees."""
    rows = connection.execute(
        "SELECT hash FROM merkle_nodes WHERE level = 8 AND idx < ? ORDER BY idx", (count,)
    ).fetchall()
    if len(rows) != count:
        raise NotInLog("the log's own tree has holes", next_step="run `sep verify`")
    return b"".join([cast(bytes, row[0]) for row in rows])


def read_tree(connection: apsw.Connection, index: int, size: int) -> TreeParts:
    """The tree over the first `size` events, with the block of leaf `index` where it is full."""
    start = index - index % SUBTREE_WIDTH
    full = start + SUBTREE_WIDTH <= size
    return TreeParts(
        read_subtrees(connection, size // SUBTREE_WIDTH),
        read_leaves(connection, start, start + SUBTREE_WIDTH) if full else b"",
        read_tail(connection, size),
    )


_STREAM_HEADS: Final = (
    "WITH asked (stream) AS (VALUES {}) SELECT asked.stream, streams.version, last_hash, events.version, leaf_hash"
    " FROM asked LEFT JOIN streams USING (stream) LEFT JOIN events ON events.pos ="
    " (SELECT pos FROM events WHERE stream = asked.stream ORDER BY version DESC LIMIT 1)"
)

_MOST_PARAMETERS: Final = 500

# Many records come back as one value: each return from SQLite waits for the interpreter, which may be busy. Canonical
# JSON holds no line feed.
_PAGE: Final = (
    "SELECT CAST(group_concat(CAST(record AS TEXT), char(10)) AS BLOB)"
    " FROM (SELECT record FROM events WHERE pos > ? AND pos <= ? ORDER BY pos LIMIT ?)"
)
_STREAM_PAGE: Final = (
    "SELECT CAST(group_concat(CAST(record AS TEXT), char(10)) AS BLOB)"
    " FROM (SELECT record FROM events WHERE stream = ? AND version > ? AND version <= ? AND pos <= ?"
    " ORDER BY version LIMIT ?)"
)


def read_page(connection: apsw.Connection, after: int, up_to: int, size: PageSize) -> list[bytes]:
    """Some records behind `after`, in order."""
    return _split(connection.execute(_PAGE, (after, up_to, size.records)).fetchall(), size)


def read_stream_page(
    connection: apsw.Connection, stream: str, after: int, up_to: int, as_of: int, size: PageSize
) -> list[bytes]:
    """Some records of a stream behind version `after`, in order."""
    query = (stream, after, up_to, as_of, size.records)
    return _split(connection.execute(_STREAM_PAGE, query).fetchall(), size)


def read_head_pos(connection: apsw.Connection) -> int:
    """The last committed position."""
    return cast(int, connection.execute("SELECT pos FROM log_head").fetchall()[0][0])


def position_at(connection: apsw.Connection, moment: int) -> int:
    """The last position that was recorded by a moment; recording times never go back along the log."""
    low, high = 0, read_head_pos(connection)
    while low < high:
        middle = (low + high + 1) // 2
        rows = connection.execute("SELECT rec FROM events WHERE pos = ?", (middle,)).fetchall()
        if not rows:
            raise NotInLog(f"position {middle} is missing from the log", next_step="run `sep verify`")
        if cast(int, rows[0][0]) <= moment:
            low = middle
        else:
            high = middle - 1
    return low


def _split(rows: Sequence[tuple[object, ...]], size: PageSize) -> list[bytes]:
    joined = cast(bytes | None, rows[0][0])
    if joined is None:
        return []
    records = joined.split(b"\n")
    size.learn(len(records), len(joined))
    return records


def stream_heads(connection: apsw.Connection, streams: Sequence[str]) -> dict[str, StreamHead]:
    """Where streams stand; what the table of streams says is held to the events themselves. Raises `LogBroken`."""
    heads = dict.fromkeys(streams, StreamHead(0, None))
    for chunk in _chunks(streams):
        found = connection.execute(_STREAM_HEADS.format(", ".join(["(?)"] * len(chunk))), chunk).fetchall()
        for stream, version, last_hash, last_version, leaf in found:
            if (version, last_hash) != (last_version, leaf):
                raise LogBroken(
                    f"the table of streams is wrong about {stream!r}: its last event is another one",
                    pos=0,
                    next_step="run `sep verify`, then restore a backup; nothing was written",
                )
            if version is not None:
                heads[cast(str, stream)] = StreamHead(cast(int, version), cast(bytes, last_hash))
    return heads


def known_ids(connection: apsw.Connection, appends: Iterable[DraftedAppend]) -> dict[bytes, KnownEvent]:
    """Those of the ids of appends that stand in the log."""
    ids = [item.id for append in appends for write in append.writes for item in write[1]]
    known: dict[bytes, KnownEvent] = {}
    for chunk in _chunks(ids):
        query = (
            "SELECT event_ids.id, record FROM event_ids JOIN events USING (pos)"  # noqa: S608
            f" WHERE event_ids.id IN ({_marks(chunk)})"
        )
        for event_id, record in connection.execute(query, chunk).fetchall():
            known[cast(bytes, event_id)] = known_event(cast(bytes, record))
    return known


def _chunks[T](values: Sequence[T]) -> Iterable[Sequence[T]]:
    for start in range(0, len(values), _MOST_PARAMETERS):
        yield values[start : start + _MOST_PARAMETERS]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
