"""Planted bugs: positions taken before the commit, and two readers that lose by it. The suite must see both.

One tails by `pos > last`; the other up to the oldest write that is still open, in the order of positions.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from uuid import UUID

import pytest
from sep_hooks.store import (
    AppendResult,
    CaughtUp,
    Checkpoint,
    ConsistencyProof,
    EventFilter,
    EventStore,
    InclusionProof,
    Pending,
    Recorded,
    StreamCondition,
    StreamWrite,
)
from sep_hooks.testing.records import recorded_as
from sep_hooks.testing.store import check_dense_order, check_subscription

pytestmark = pytest.mark.anyio


class TwoWriters(EventStore):
    """Two writers with a shared counter: a low position may become visible after a higher one."""

    store_id = UUID(int=1)  # type: ignore[assignment]
    epoch = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        self._positions = itertools.count(1)
        self._visible: dict[int, Recorded] = {}
        self._versions: dict[str, int] = {}

    def enqueue(
        self, writes: Sequence[StreamWrite], *, conditions: Sequence[StreamCondition] = ()
    ) -> Pending:
        raise AssertionError("not part of this check")

    async def append(
        self, writes: Sequence[StreamWrite], *, conditions: Sequence[StreamCondition] = ()
    ) -> AppendResult:
        ((write,), new) = writes, writes[0].events[0]
        pos = next(self._positions)
        version = self._versions[write.stream] = self._versions.get(write.stream, 0) + 1
        for _ in range(pos % 2 * 5):  # the writer of odd positions has the slower disk
            await asyncio.sleep(0)
        self._visible[pos] = recorded_as(new.body, pos=pos, stream=write.stream, version=version, id=new.id)
        return AppendResult(pos, pos)

    async def subscribe(
        self,
        *,
        after: int,
        filter: EventFilter | None = None,  # noqa: A002
        max_lag: int | None = None,
    ) -> AsyncGenerator[Recorded | CaughtUp]:
        last = after
        while True:
            for pos in sorted(pos for pos in self._visible if pos > last):
                last = pos
                yield self._visible[pos]
            yield CaughtUp(last)
            await asyncio.sleep(0)

    async def read_stream(
        self,
        stream: str,
        *,
        from_version: int = 1,
        to_version: int | None = None,
        as_of: int | datetime | None = None,
    ) -> AsyncGenerator[Recorded]:
        for pos in sorted(self._visible):
            if self._visible[pos].stream == stream:
                yield self._visible[pos]

    async def read_all(
        self,
        *,
        after: int,
        filter: EventFilter | None = None,  # noqa: A002
        limit: int | None = None,
        as_of: int | datetime | None = None,
    ) -> AsyncGenerator[Recorded]:
        for pos in sorted(pos for pos in self._visible if pos > after):
            yield self._visible[pos]

    async def head(self) -> Checkpoint:
        return Checkpoint(self.store_id, 1, max(self._visible, default=0), b"", "")

    async def prove(self, pos: int) -> InclusionProof:
        raise AssertionError("not part of this check")

    async def prove_consistency(self, first: int, second: int) -> ConsistencyProof:
        raise AssertionError("not part of this check")

    async def close(self) -> None:
        pass


class FencedReader(TwoWriters):
    """The reader takes only what was written before the oldest write that is still open, in the order of positions.

    A write is numbered at its beginning and takes its position later: one with a higher number may stand lower.
    """

    def __init__(self) -> None:
        super().__init__()
        self._writes = itertools.count(1)
        self._open: set[int] = set()
        self._write_of: dict[int, int] = {}

    async def append(
        self, writes: Sequence[StreamWrite], *, conditions: Sequence[StreamCondition] = ()
    ) -> AppendResult:
        number = next(self._writes)
        self._open.add(number)
        for _ in range(number % 3 * 4):  # what else happens in the transaction before it draws its position
            await asyncio.sleep(0)
        ((write,), new) = writes, writes[0].events[0]
        pos = next(self._positions)
        version = self._versions[write.stream] = self._versions.get(write.stream, 0) + 1
        await asyncio.sleep(0)
        self._visible[pos] = recorded_as(new.body, pos=pos, stream=write.stream, version=version, id=new.id)
        self._write_of[pos] = number
        self._open.discard(number)
        return AppendResult(pos, pos)

    async def subscribe(
        self,
        *,
        after: int,
        filter: EventFilter | None = None,  # noqa: A002
        max_lag: int | None = None,
    ) -> AsyncGenerator[Recorded | CaughtUp]:
        last = after
        while True:
            oldest = min(self._open, default=next(self._writes))
            for pos in sorted(pos for pos in self._visible if pos > last and self._write_of[pos] < oldest):
                last = pos
                yield self._visible[pos]
            yield CaughtUp(last)
            await asyncio.sleep(0)


@pytest.mark.parametrize("store", [TwoWriters, FencedReader])
async def test_the_suite_catches_a_reader_that_loses_events(store: Callable[[], EventStore]) -> None:
    with pytest.raises(AssertionError, match="lost or repeated"):
        await check_subscription(store())


async def test_the_suite_catches_a_store_without_conflicts() -> None:
    with pytest.raises(AssertionError):
        await check_dense_order(TwoWriters(), producers=16)
