"""The log file goes over to another key: one event and one row, in one transaction, while no engine writes."""

from pathlib import Path
from uuid import uuid4

import apsw
from sep_hooks.context import Clock
from sep_hooks.store import AppendResult, StoreFailed, StoreUnavailable

from sep_core.adapters.acknowledged import AcknowledgedMark
from sep_core.adapters.data_folder import DataFolder, FolderLock
from sep_core.adapters.store_sqlite.connection import (
    SqliteOptions,
    load_native,
    open_writer,
    unavailable,
    use_wal,
)
from sep_core.adapters.store_sqlite.log_file import open_log, read_tail, stream_heads, take_over
from sep_core.events.appender import Sequencer
from sep_core.events.envelope import microseconds
from sep_core.events.native import LogWriter
from sep_core.events.rotation import STREAM, Rotation, rotation_append
from sep_core.events.signing import LogKey
from sep_core.telemetry.crashpoints import crash_point


def rotate_key(path: Path, clock: Clock) -> Rotation:
    """Gives the log of a data folder a new key; the old seed is gone afterwards. Blocks.

    Raises `StoreUnavailable` where there is no log, `StoreLocked` while an engine writes. Cut short, it is done by the
    next start, or by itself, repeated.
    """
    folder = DataFolder(path)
    if not folder.log.is_file():
        raise StoreUnavailable(
            f"{path} holds no log", next_step="start SEP once: it makes the log and its key"
        )
    lock = FolderLock(folder)
    try:
        connection = open_writer(folder.log, SqliteOptions())
        try:
            return _rotate(connection, folder, clock)
        finally:
            connection.close()
    except apsw.Error as error:
        raise unavailable(folder.log, error) from error
    finally:
        lock.release()


def _rotate(connection: apsw.Connection, folder: DataFolder, clock: Clock) -> Rotation:
    mark = AcknowledgedMark(folder.acknowledged)
    with connection:
        _, checkpoint, _ = open_log(connection, folder)
    mark.check(checkpoint, str(folder.log))
    use_wal(connection)
    head, checkpoint, key = take_over(connection, folder)
    old, seed = folder.read_log_key(), folder.make_next_log_key()
    new = LogKey(head.store_id, seed)
    sequencer = Sequencer(head, read_tail(connection, head.pos), new)
    sequencer.learn(stream_heads(connection, [STREAM]))
    append = rotation_append(checkpoint, head.epoch, uuid4(), old, seed)
    batch = sequencer.plan([append], now=microseconds(clock.now()), known={})
    assert batch is not None
    assert batch.placed is not None
    load_native(connection)
    writer = LogWriter(AppendResult)
    writer.attach(sequencer.ledger)
    try:
        detail = writer.write(batch.placed)
        if detail is not None:
            raise StoreFailed(f"the disk refused the new key: {detail}; the log has its old one")
        connection.execute(
            "INSERT INTO log_keys VALUES (?, ?, ?)", (new.key_id, new.public.text(), head.pos + 1)
        )
        crash_point("store.before_commit")
        connection.execute("COMMIT")
        crash_point("store.after_commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        writer.detach()
    folder.settle_log_key(new.public)
    return Rotation(head.pos + 1, key.public, new.public)
