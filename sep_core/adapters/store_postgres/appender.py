"""The one task that writes a log: takes what is queued, commits it as one batch, answers, goes on."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import asyncpg
from sep_hooks.errors import SepError
from sep_hooks.store import AppendResult, Checkpoint, CommitUnknown, StoreFailed

from sep_core.adapters.store_postgres import lead as leading
from sep_core.adapters.store_postgres.errors import LOST, stopped
from sep_core.adapters.store_postgres.lead import Lead
from sep_core.adapters.store_postgres.log_rows import known_ids, stream_heads
from sep_core.events.appender import Batch
from sep_core.events.pending import QueuedAppend
from sep_core.telemetry.crashpoints import crash_point

MOST_EVENTS: Final = 512
MOST_BYTES: Final = 1024 * 1024
_MOST_TRIES: Final = 20

type Settle = Callable[[list[QueuedAppend], Sequence[AppendResult | SepError], Checkpoint | None], None]


class Appender:
    """A queue and what empties it. Any error while writing stops it for good; the queue is answered all the same."""

    def __init__(self, lead: Lead, settle: Settle) -> None:
        self._lead = lead
        self._settle = settle
        self._queue: deque[QueuedAppend] = deque()
        self._wanted: asyncio.Future[None] | None = None
        self._stopping = False
        self.failure: SepError | None = None

    def put(self, item: QueuedAppend) -> None:
        """Queues an append."""
        self._queue.append(item)
        self._wake()

    def stop(self) -> None:
        """Lets `run` return once the queue is empty."""
        self._stopping = True
        self._wake()

    def _wake(self) -> None:
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    async def run(self) -> None:
        """Works until it is stopped and the queue is empty."""
        rested = True
        while True:
            # After a rest half the queue waits for the next batch: from then on, while the database works on one half
            # of the producers' appends, the other half is prepared.
            items = self._take(len(self._queue) // 2 if rested else len(self._queue))
            rested = False
            if items:
                await self._commit(items)
            elif self._stopping:
                return
            else:
                rested = True
                self._wanted = asyncio.get_running_loop().create_future()
                await self._wanted  # sep-ok: news

    def _take(self, most: int) -> list[QueuedAppend]:
        """What goes into the next batch: about `most` appends of the queue, at least one, each of any size whole."""
        items: list[QueuedAppend] = []
        events = size_bytes = 0
        while self._queue and (not items or len(items) < most):
            append = self._queue[0].append
            count = sum([len(write[1]) for write in append.writes])
            if items and (events + count > MOST_EVENTS or size_bytes + append.size_bytes > MOST_BYTES):
                break
            events, size_bytes = events + count, size_bytes + append.size_bytes
            items.append(self._queue.popleft())
        return items

    async def _commit(self, items: list[QueuedAppend]) -> None:
        """Commits a batch and answers it. Afterwards it is durable, or the store failed."""
        if self.failure is not None:
            self._settle(items, [self.failure] * len(items), None)
            return
        try:
            batch = await self._written(items)
            self._lead.sequencer.adopt(batch)
        except Exception as error:
            self.failure = stopped(
                self._lead.place, error.__cause__ or error if isinstance(error, CommitUnknown) else error
            )
            outcome = error if isinstance(error, CommitUnknown) else self.failure
            self._settle(items, [outcome] * len(items), None)
            return
        except BaseException as death:
            # Only tests and a store that is cancelled at its end get here.
            self.failure = StoreFailed(f"the store died: {death!r}", next_step="restart SEP")
            self._settle(items, [_unknown(death)] * len(items), None)
            if isinstance(death, asyncio.CancelledError):
                raise
            return
        self._settle(items, batch.outcomes, batch.checkpoint)

    async def _written(self, items: list[QueuedAppend]) -> Batch:
        """A batch that is durable, or has nothing to write."""
        look_up = False
        for _ in range(_MOST_TRIES):
            batch = None
            try:
                batch = await self._planned(items, look_up=look_up)  # sep-ok: reads
                if batch.placed is None:
                    return batch
                crash_point("store.before_commit")
                await self._lead.append(batch)  # sep-ok: a commit, between crash points
                crash_point("store.after_commit")
                return batch
            except asyncpg.UniqueViolationError:
                # An id of the batch stands in the log: somebody repeats an append. Look all of them up.
                if look_up:
                    raise
                look_up = True
            except asyncpg.DataError:
                raise  # refused on the way out: nothing was sent
            except LOST as error:
                written = await self._recovered(batch, error)  # sep-ok: reads
                if batch is not None and written:
                    return batch
        raise StoreFailed(
            f"{self._lead.place}: the connection was lost {_MOST_TRIES} times over one batch; nothing was written",
            next_step="see the log of the server, then restart SEP",
        )

    async def _recovered(self, batch: Batch | None, error: BaseException) -> bool:
        """Whether a batch on its way when the connection was lost is durable."""
        on_its_way = batch if batch is not None and batch.placed is not None else None
        try:
            return await self._lead.recover(on_its_way)  # sep-ok: reads
        except TimeoutError:
            if on_its_way is None:
                raise StoreFailed(
                    f"{self._lead.place} did not answer for {leading.RECONNECT_SECONDS:.0f} s; nothing was written",
                    next_step="see whether the server works, then restart SEP",
                ) from error
            raise _unknown(error) from error

    async def _planned(self, items: Sequence[QueuedAppend], *, look_up: bool) -> Batch:
        """A batch; with `look_up`, or when something would be refused, after a look at the ids in the log."""
        appends = [item.append for item in items]
        sequencer, connection = self._lead.sequencer, self._lead.connection
        now = max([item.taken_at for item in items])
        batch = None if look_up else sequencer.plan_plain(appends, now=now)
        if batch is not None:
            return batch
        unknown = sequencer.unknown_streams(appends)
        if unknown:
            sequencer.learn(await stream_heads(connection, unknown))  # sep-ok: reads
        batch = None if look_up else sequencer.plan(appends, now=now, known=None)
        if batch is None:
            # A refusal is an answer as well: an engine that was displaced must not give it from memory.
            await self._lead.check_place()  # sep-ok: reads
            ids = [item.id for append in appends for write in append.writes for item in write[1]]
            batch = sequencer.plan(appends, now=now, known=await known_ids(connection, ids))  # sep-ok: reads
        assert batch is not None
        return batch


def _unknown(error: BaseException) -> CommitUnknown:
    return CommitUnknown(
        f"the database was lost while committing ({type(error).__name__}: {error}): these events may or may not be"
        " recorded",
        next_step="restart SEP when the server works; it reads what was recorded before it does anything else",
    )
