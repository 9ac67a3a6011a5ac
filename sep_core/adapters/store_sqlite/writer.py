"""The thread that owns the writing connection: takes what is queued, commits it as one batch, reports back."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Final, cast
from uuid import UUID

import apsw
from sep_hooks.errors import SepError
from sep_hooks.store import AppendResult, Checkpoint, CommitUnknown, Fenced, StoreFailed

from sep_core.adapters.store_sqlite.connection import SqliteOptions, open_writer, unavailable, use_wal
from sep_core.adapters.store_sqlite.folder import DataFolder
from sep_core.adapters.store_sqlite.log_file import (
    bump_epoch,
    create_log,
    is_empty,
    open_log,
    read_tail,
)
from sep_core.events.appender import (
    Batch,
    DraftedAppend,
    KnownEvent,
    LogHead,
    Sequencer,
    StreamHead,
    known_event,
)
from sep_core.events.envelope import microseconds
from sep_core.events.pending import QueuedAppend
from sep_core.events.signing import LogKey
from sep_core.telemetry.crashpoints import crash_point

MOST_EVENTS: Final = 512
MOST_BYTES: Final = 1024 * 1024
_MOST_AFTER_REST: Final = 64
_WHOLE_CROWDS: Final = 16
"""Batches until halving a crowd is tried again."""
_SECONDS_TO_DECIDE: Final = 15e-6
"""What a producer takes from an answer to its next append, about."""
_MOST_PARAMETERS: Final = 500
# One statement for many rows: while SQLite works, other threads run, and every return from it waits for the
# interpreter. A few widths, so that statements stay prepared.
_ROWS_PER_STATEMENT: Final = (128, 64, 16, 4, 1)

# OR ROLLBACK, because a failing row ends the batch anyway: ABORT would first copy every page that a statement of
# several rows changes.
_EVENTS: Final = "INSERT OR ROLLBACK INTO events VALUES "
_IDS: Final = "INSERT OR ROLLBACK INTO event_ids VALUES "
_STREAMS: Final = "INSERT OR ROLLBACK INTO streams (stream, version, last_hash) VALUES "
_STREAMS_GO_ON: Final = (
    " ON CONFLICT (stream) DO UPDATE SET version = excluded.version, last_hash = excluded.last_hash"
    " WHERE streams.version < excluded.version"
)
_MOVE_HEAD: Final = (
    "UPDATE log_head SET pos = ?, peaks = ?, last_rec = ?"
    " WHERE one = 1 AND store_id = ? AND epoch = ? AND pos = ?"
)

_NODES: Final = "INSERT INTO merkle_nodes VALUES "
_CHECKPOINT: Final = "INSERT INTO log_checkpoints VALUES (?, ?, ?, ?)"

type Answers = list[tuple[QueuedAppend, AppendResult | SepError]]
type Report = Callable[[Answers, Checkpoint | None], None]


@dataclass(slots=True)
class _Work:
    """Appends on their way through the thread: planned, or failed."""

    items: list[QueuedAppend]
    batch: Batch | None = None
    failed: SepError | None = None


class Writer:
    """One thread, one connection, one batch at a time. Any error while writing stops it for good.

    `report` is called on the writer's thread, once per batch, after its commit.
    """

    def __init__(
        self,
        folder: DataFolder,
        options: SqliteOptions,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], UUID],
    ) -> None:
        self._folder = folder
        self._options = options
        self._now = now
        self._new_id = new_id
        self._queue: SimpleQueue[QueuedAppend | None] = SimpleQueue()
        self._opened = threading.Event()
        self._open_error: BaseException | None = None
        self._report: Report | None = None
        self._stopped: Callable[[], None] | None = None
        self._commit_seconds = 0.0
        self._whole_crowds = self._let_go = 0
        self.failure: SepError | None = None
        self.key: LogKey
        self.checkpoint: Checkpoint
        self.epoch: int
        self._thread = threading.Thread(target=self._run, name="sep-log-writer", daemon=True)

    def open(self) -> None:
        """Starts the thread; returns when the log is open for writing, under a new epoch."""
        self._thread.start()
        self._opened.wait()
        if self._open_error is not None:
            self._thread.join()
            raise self._open_error

    def listen(self, report: Report, stopped: Callable[[], None]) -> None:
        """Says where answers go; called before the first `put`."""
        self._report, self._stopped = report, stopped

    def put(self, item: QueuedAppend) -> None:
        """Queues an append."""
        self._queue.put(item)

    def stop(self) -> None:
        """Ends the thread after what is queued."""
        self._queue.put(None)

    def join(self, timeout_seconds: float) -> bool:
        """Waits for the end of the thread."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    # On the thread.

    def _run(self) -> None:
        connection: apsw.Connection | None = None
        try:
            connection = self._open()
        except apsw.Error as error:
            self._open_error = unavailable(self._folder.log, error)
        except BaseException as error:
            self._open_error = error
        finally:
            self._opened.set()
        try:
            if connection is not None and self._open_error is None:
                self._serve(connection)
        finally:
            if connection is not None:
                self._close(connection)
            if self._stopped is not None:
                self._stopped()

    def _open(self) -> apsw.Connection:
        seed = self._folder.read_log_key()
        connection = open_writer(self._folder.log, self._options)
        try:
            if is_empty(connection):
                use_wal(connection)
                create_log(connection, self._new_id(), seed, microseconds(self._now()))
            head, self.checkpoint, self.key = open_log(connection, self._folder.log, seed)
            use_wal(connection)
            head = bump_epoch(connection, head)
            self.epoch = head.epoch
            self._sequencer = Sequencer(head, read_tail(connection, head.pos), self.key)
        except BaseException:
            connection.close()
            raise
        return connection

    def _serve(self, connection: apsw.Connection) -> None:
        due: _Work | None = None
        crowd = 0
        while True:
            if due is not None:
                items, stop = self._take([], MOST_EVENTS)
            elif crowd > 1:
                items, stop = self._take([], MOST_EVENTS, crowd)
            else:
                items, stop = self._take_after_rest()
            if not items and self._let_go > 1:
                # They were let go before the commit, and are not back after it: halves gain nothing here.
                self._whole_crowds = _WHOLE_CROWDS
            work = self._plan(connection, items)
            due, crowd = self._commit(connection, work, due), 0
            if stop:
                self._answer(due)
                return
            if due is not None:
                crowd = len(due.items) + self._queue.qsize()
                if self._commit_seconds >= crowd * _SECONDS_TO_DECIDE:
                    # Commits are slow here: one for all, with those who are answered now.
                    self._answer(due)
                    due = None

    def _take_after_rest(self) -> tuple[list[QueuedAppend], bool]:
        """Waits, then takes a batch.

        Of a crowd it takes half: two groups, of which one decides while the other is written, never rest again; one
        group would wait for itself. Where the one does not come back in the time of a commit, fewer commits win.
        """
        first = self._queue.get()
        if first is None:
            return [], True
        most = MOST_EVENTS
        crowd = self._queue.qsize() + 1
        if self._whole_crowds > 0:
            self._whole_crowds -= 1
        elif self._commit_seconds < crowd * _SECONDS_TO_DECIDE:
            most = max(_MOST_AFTER_REST, crowd // 2)
        return self._take([first], most)

    def _take(self, items: list[QueuedAppend], most: int, crowd: int = 0) -> tuple[list[QueuedAppend], bool]:
        """Takes what is queued; waits for as many as a crowd, but not longer than it needs to decide."""
        events = sum([item.append.event_count for item in items])
        size = sum([item.append.size_bytes for item in items])
        deadline = perf_counter() + crowd * _SECONDS_TO_DECIDE
        while events < most and size < MOST_BYTES:
            try:
                if len(items) < crowd and (patience := deadline - perf_counter()) > 0:
                    item = self._queue.get(timeout=patience)
                else:
                    item = self._queue.get_nowait()
            except Empty:
                break
            if item is None:
                return items, True
            items.append(item)
            events += item.append.event_count
            size += item.append.size_bytes
        return items, False

    def _plan(self, connection: apsw.Connection, items: list[QueuedAppend]) -> "_Work | None":
        if not items:
            return None
        if self.failure is not None:
            return _Work(items, failed=self.failure)
        try:
            return _Work(items, self._planned(connection, items))
        except BaseException as error:
            return self._fail(connection, items, error)

    def _planned(
        self, connection: apsw.Connection, items: Sequence[QueuedAppend], *, look_up: bool = False
    ) -> Batch:
        """A batch; with `look_up`, or when something would be refused, after a look at the ids in the log."""
        appends = [item.append for item in items]
        sequencer = self._sequencer
        unknown = sequencer.unknown_streams(appends)
        if unknown:
            sequencer.learn(_stream_heads(connection, unknown))
        now = microseconds(self._now())
        batch = None if look_up else sequencer.plan(appends, now=now, known=None)
        if batch is None:
            # A refusal is an answer as well: an engine that was displaced must not give it from memory.
            if _place(connection) != (
                sequencer.head.store_id.bytes,
                sequencer.head.epoch,
                sequencer.head.pos,
            ):
                raise self._displaced(connection, sequencer.head)
            batch = sequencer.plan(appends, now=now, known=_known_ids(connection, appends))
        assert batch is not None
        return batch

    def _commit(
        self, connection: apsw.Connection, work: "_Work | None", due: "_Work | None"
    ) -> "_Work | None":
        """Writes a planned batch and gives the answers that are due. Afterwards it is durable, or the store failed.

        Answers wake the event loop, which then needs the interpreter. A commit works longest without it, so under
        load the answers to one batch are given when the next one begins to commit.
        """
        if work is None or work.batch is None:
            self._answer(due)
            self._let_go = 0
            return work
        committing = False
        try:
            try:
                self._write(connection, work.batch)
            except apsw.ConstraintError:
                # An id of the batch stands in the log: somebody repeats an append. Look all of them up.
                self._roll_back(connection)
                work.batch = self._planned(connection, work.items, look_up=True)
                self._write(connection, work.batch)
            self._answer(due)
            self._let_go = len(due.items) if due is not None else 0
            due = None
            if work.batch.placed is not None:
                crash_point("store.before_commit")
                committing = True
                start = perf_counter()
                connection.execute("COMMIT")
                self._commit_seconds += (perf_counter() - start - self._commit_seconds) / 4
                crash_point("store.after_commit")
                self._sequencer.adopt(work.batch)
        except BaseException as error:
            self._answer(due)
            return self._fail(connection, work.items, error, committing=committing)
        return work

    def _fail(
        self,
        connection: apsw.Connection,
        items: list[QueuedAppend],
        error: BaseException,
        *,
        committing: bool = False,
    ) -> "_Work":
        self.failure = _failure(error)
        outcome: SepError = self.failure
        if committing:
            outcome = CommitUnknown(
                f"the store failed while committing ({error}): these events may or may not be recorded",
                next_step="restart SEP; it reads what was recorded before it does anything else",
            )
            outcome.__cause__ = error
        self._roll_back(connection)
        return _Work(items, failed=outcome)

    def _write(self, connection: apsw.Connection, batch: Batch) -> None:
        before, after, placed, checkpoint = batch.before, batch.after, batch.placed, batch.checkpoint
        if placed is None:
            return
        assert after is not None
        assert checkpoint is not None
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            _MOVE_HEAD,
            (after.pos, after.peaks, after.last_recorded, before.store_id.bytes, before.epoch, before.pos),
        )
        if connection.changes() != 1:
            raise self._displaced(connection, before)
        _insert(connection, _EVENTS, 11, placed.events)
        _insert(connection, _IDS, 2, placed.ids)
        _insert(connection, _STREAMS, 3, placed.streams, _STREAMS_GO_ON)
        if placed.subtrees:
            nodes = [(8, batch.first_subtree + offset, root) for offset, root in enumerate(placed.subtrees)]
            _insert(connection, _NODES, 3, list(chain.from_iterable(nodes)))
        connection.execute(_CHECKPOINT, (checkpoint.pos, checkpoint.root, checkpoint.note, self.key.key_id))

    def _displaced(self, connection: apsw.Connection, before: LogHead) -> SepError:
        store_id, epoch, pos = _place(connection)
        if store_id == before.store_id.bytes and epoch > before.epoch:
            return Fenced(
                f"another engine took the log over (epoch {epoch}, this one has {before.epoch}); nothing was written",
                next_step="let the other engine work; restart this one only as a reader",
            )
        return StoreFailed(
            f"the log stands at position {pos} of epoch {epoch}, this engine left it at {before.pos};"
            " nothing was written",
            next_step="run `sep verify`",
        )

    def _answer(self, work: "_Work | None") -> None:
        if work is None or self._report is None:
            return
        if work.failed is not None:
            failed = work.failed
            self._report([(item, failed) for item in work.items], None)
        elif work.batch is not None:
            self._report(list(zip(work.items, work.batch.outcomes, strict=True)), work.batch.checkpoint)

    @staticmethod
    def _roll_back(connection: apsw.Connection) -> None:
        with contextlib.suppress(apsw.Error):  # the file heals itself from its log when it is opened again
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    @staticmethod
    def _close(connection: apsw.Connection) -> None:
        with contextlib.suppress(apsw.Error):  # what was acknowledged is durable already; closing only tidies
            connection.close()


def _failure(error: BaseException) -> SepError:
    if isinstance(error, SepError):
        return error
    if isinstance(error, apsw.FullError):
        reason, step = "no space is left on the disk", "free space, then restart SEP"
    elif isinstance(error, apsw.CorruptError | apsw.NotADBError):
        reason, step = f"the log file is damaged ({error})", "run `sep verify`, then restore a backup"
    elif isinstance(error, apsw.BusyError):
        reason, step = "another program holds the log file", "close it, then restart SEP"
    else:
        reason, step = f"{type(error).__name__}: {error}", "check the disk, then restart SEP"
    failed = StoreFailed(f"the store stopped, nothing more is recorded: {reason}", next_step=step)
    failed.__cause__ = error
    return failed


def _insert(
    connection: apsw.Connection,
    verb: str,
    width: int,
    values: "Sequence[int | str | bytes | None]",
    suffix: str = "",
) -> None:
    """Inserts rows of `width` columns, whose values stand one after the other."""
    start, end = 0, len(values)
    for rows in _ROWS_PER_STATEMENT:
        size = rows * width
        while end - start >= size:
            statement = _statements.get((verb, rows)) or _statement(verb, width, rows, suffix)
            connection.execute(statement, values[start : start + size])
            start += size


_statements: dict[tuple[str, int], str] = {}


def _statement(verb: str, width: int, rows: int, suffix: str) -> str:
    row = "(" + ", ".join("?" * width) + ")"
    statement = _statements[verb, rows] = verb + ", ".join([row] * rows) + suffix
    return statement


def _place(connection: apsw.Connection) -> tuple[bytes, int, int]:
    row = connection.execute("SELECT store_id, epoch, pos FROM log_head").fetchall()[0]
    return cast(tuple[bytes, int, int], row)


def _stream_heads(connection: apsw.Connection, streams: Sequence[str]) -> dict[str, StreamHead]:
    heads = dict.fromkeys(streams, StreamHead(0, None))
    for chunk in _chunks(streams):
        query = f"SELECT stream, version, last_hash FROM streams WHERE stream IN ({_marks(chunk)})"  # noqa: S608
        for stream, version, last_hash in connection.execute(query, chunk).fetchall():
            heads[cast(str, stream)] = StreamHead(cast(int, version), cast(bytes, last_hash))
    return heads


def _known_ids(connection: apsw.Connection, appends: Iterable[DraftedAppend]) -> dict[bytes, KnownEvent]:
    ids = [item.id for append in appends for write in append.writes for item in write.drafts]
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
