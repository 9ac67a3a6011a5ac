"""The thread that owns the writing connection: takes what is queued, commits it as one batch, reports back."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, cast
from uuid import UUID

import apsw
from sep_hooks.errors import SepError
from sep_hooks.store import AppendResult, Checkpoint, CommitUnknown, Fenced, StoreFailed

from sep_core.adapters.acknowledged import AcknowledgedMark
from sep_core.adapters.data_folder import DataFolder
from sep_core.adapters.store_sqlite.connection import (
    UNUSABLE,
    SqliteOptions,
    load_native,
    open_writer,
    unavailable,
    use_wal,
)
from sep_core.adapters.store_sqlite.log_file import (
    create_log,
    is_empty,
    known_ids,
    open_log,
    read_tail,
    stream_heads,
    take_over,
)
from sep_core.events.appender import (
    Batch,
    Sequencer,
)
from sep_core.events.envelope import microseconds
from sep_core.events.native import LogWriter, Placed
from sep_core.events.pending import QueuedAppend
from sep_core.events.signing import LogKey
from sep_core.telemetry.crashpoints import crash_point

type Outcomes = list[AppendResult | SepError]


class Writer:
    """One thread, one connection, one batch at a time. Any error while writing stops it for good.

    Batches are taken, written and answered in native code, without the interpreter; what is left for this class is
    what must be refused, looked up or seen step by step.
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
        self._opened = threading.Event()
        self._open_error: BaseException | None = None
        self._stopped: Callable[[], None] | None = None
        self.log: Final = LogWriter(AppendResult)
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

    def listen(self, stopped: Callable[[], None]) -> None:
        """Says who hears of the end of the thread."""
        self._stopped = stopped

    def join(self, timeout_seconds: float) -> bool:
        """Waits for the end of the thread."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    # On the thread.

    def _run(self) -> None:
        connection: apsw.Connection | None = None
        try:
            connection = self._open()
        except UNUSABLE as error:
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
        connection = open_writer(self._folder.log, self._options)
        try:
            mark = AcknowledgedMark(self._folder.acknowledged)
            if is_empty(connection):
                mark.check(None, str(self._folder.path))
                use_wal(connection)
                seed = self._folder.read_log_key()
                create_log(connection, self._new_id(), seed, microseconds(self._now()))
            with connection:
                _, checkpoint, _ = open_log(connection, self._folder)
            mark.check(checkpoint, str(self._folder.log))
            use_wal(connection)
            head, self.checkpoint, self.key = take_over(connection, self._folder)
            self.epoch = head.epoch
            self._sequencer = Sequencer(head, read_tail(connection, head.pos), self.key)
            load_native(connection)
            self.log.attach(self._sequencer.ledger)
        except BaseException:
            self._close(connection)
            raise
        return connection

    def _serve(self, connection: apsw.Connection) -> None:
        while True:
            if self.failure is not None:
                items = cast(list[QueuedAppend], self.log.take())
                if not items:
                    return
                self._tell(items, [self.failure] * len(items))
                continue
            what, tickets, detail = self.log.serve()
            items = cast(list[QueuedAppend], tickets)
            if what == "stopped":
                return
            if what in ("failed", "unknown"):
                self._fail(connection, items, self._error(connection, detail), committing=what == "unknown")
            else:
                self._append(connection, items, look_up=what == "repeated")

    def _append(self, connection: apsw.Connection, items: list[QueuedAppend], *, look_up: bool) -> None:
        """Commits a batch step by step, and answers it. Afterwards it is durable, or the store failed."""
        committing = False
        try:
            batch = self._planned(connection, items, look_up=look_up)
            if batch.placed is not None:
                try:
                    self._write(connection, batch.placed)
                except apsw.ConstraintError:
                    # An id of the batch stands in the log: somebody repeats an append. Look all of them up.
                    self._roll_back(connection)
                    batch = self._planned(connection, items, look_up=True)
                    if batch.placed is not None:
                        self._write(connection, batch.placed)
            if batch.placed is not None:
                crash_point("store.before_commit")
                committing = True
                connection.execute("COMMIT")
                crash_point("store.after_commit")
                self._sequencer.adopt(batch)
        except BaseException as error:
            self._fail(connection, items, error, committing=committing)
            return
        self._tell(items, batch.outcomes, batch.checkpoint)

    def _planned(self, connection: apsw.Connection, items: Sequence[QueuedAppend], *, look_up: bool) -> Batch:
        """A batch; with `look_up`, or when something would be refused, after a look at the ids in the log."""
        appends = [item.append for item in items]
        sequencer = self._sequencer
        unknown = sequencer.unknown_streams(appends)
        if unknown:
            sequencer.learn(stream_heads(connection, unknown))
        now = max(item.taken_at for item in items)
        batch = None if look_up else sequencer.plan(appends, now=now, known=None)
        if batch is None:
            # A refusal is an answer as well: an engine that was displaced must not give it from memory.
            head = sequencer.head
            if _place(connection) != (head.store_id.bytes, head.epoch, head.pos):
                raise self._displaced(connection)
            batch = sequencer.plan(appends, now=now, known=known_ids(connection, appends))
        assert batch is not None
        return batch

    def _write(self, connection: apsw.Connection, placed: Placed) -> None:
        """Writes a batch in a transaction that it leaves open."""
        detail = self.log.write(placed)
        if detail is not None:
            raise self._error(connection, detail)

    def _error(self, connection: apsw.Connection, detail: object) -> BaseException:
        """What native code reports, as the error that it is."""
        if isinstance(detail, BaseException):
            return detail
        if isinstance(detail, tuple):
            code, message = cast(tuple[int, str], detail)
            return type(apsw.exception_for(code))(message)
        try:
            return self._displaced(connection)
        except apsw.Error as error:
            return error

    def _fail(
        self,
        connection: apsw.Connection,
        items: list[QueuedAppend],
        error: BaseException,
        *,
        committing: bool,
    ) -> None:
        self.failure = _failure(error)
        outcome: SepError = self.failure
        if committing:
            outcome = CommitUnknown(
                f"the store failed while committing ({error}): these events may or may not be recorded",
                next_step="restart SEP; it reads what was recorded before it does anything else",
            )
            outcome.__cause__ = error
        self._roll_back(connection)
        self._tell(items, [outcome] * len(items))

    def _tell(
        self, items: list[QueuedAppend], outcomes: "Outcomes", checkpoint: Checkpoint | None = None
    ) -> None:
        place = None if checkpoint is None else (checkpoint.pos, checkpoint.root, checkpoint.note)
        self.log.tell((items, outcomes, sum(item.append.size_bytes for item in items), place))

    def _displaced(self, connection: apsw.Connection) -> SepError:
        before = self._sequencer.head
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

    @staticmethod
    def _roll_back(connection: apsw.Connection) -> None:
        with contextlib.suppress(apsw.Error):  # the file heals itself from its log when it is opened again
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _close(self, connection: apsw.Connection) -> None:
        self.log.detach()
        with contextlib.suppress(apsw.Error):  # what was acknowledged is durable already; closing only tidies
            connection.close()


def _failure(error: BaseException) -> SepError:
    if isinstance(error, SepError):
        return error
    if isinstance(error, apsw.FullError):
        reason, step = "no space is left on the disk", "free space, then restart SEP"
    elif isinstance(error, apsw.CorruptError | apsw.NotADBError | apsw.SQLError | ValueError | TypeError):
        reason, step = f"the log file is damaged ({error})", "run `sep verify`, then restore a backup"
    elif isinstance(error, apsw.BusyError):
        reason, step = "another program holds the log file", "close it, then restart SEP"
    else:
        reason, step = f"{type(error).__name__}: {error}", "check the disk, then restart SEP"
    failed = StoreFailed(f"the store stopped, nothing more is recorded: {reason}", next_step=step)
    failed.__cause__ = error
    return failed


def _place(connection: apsw.Connection) -> tuple[bytes, int, int]:
    row = connection.execute("SELECT store_id, epoch, pos FROM log_head").fetchall()[0]
    return cast(tuple[bytes, int, int], row)
