"""Reading a log by position: nothing is lost, nothing repeated, whatever wakes the reader."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Final, Protocol

from sep_hooks.store import CaughtUp, EventFilter, LogBroken, NotInLog, Recorded, SlowConsumer, StoreClosed

POLL_SECONDS: Final = 0.25
"""How long a reader sleeps when no bell rings: wake-ups only save latency, the log is the truth."""


class PageSource(Protocol):
    """A log as readers see it: pages by position, and the position of the head."""

    async def page(self, after: int, up_to: int | None = None) -> Sequence[Recorded]:
        """Some events behind `after`, in order; none when there are none."""
        ...

    async def head_pos(self) -> int:
        """The last committed position."""
        ...


class Bell:
    """Wakes the readers of one log within one event loop. A ring that nobody waits for is not lost: it counts."""

    def __init__(self) -> None:
        self._rings = 0
        self._closed = False
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def rings(self) -> int:
        """Rings so far; take it before reading, hand it to `wait` after."""
        return self._rings

    def ring(self) -> None:
        """Something was committed."""
        self._rings += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def close(self) -> None:
        """The log will not grow any more through this opening."""
        self._closed = True
        self.ring()

    async def wait(self, seen: int, seconds: float) -> None:
        """Returns at a ring after `seen`, or when the time is over. Raises `StoreClosed`."""
        if self._rings == seen and not self._closed:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                async with asyncio.timeout(seconds):
                    await waiter
            except TimeoutError:
                pass
            finally:
                self._waiters.discard(waiter)
        if self._closed:
            raise StoreClosed("the store was closed under a subscription", next_step="subscribe again")


async def read_through(
    source: PageSource,
    *,
    after: int,
    up_to: Callable[[], Awaitable[int]],
    filter: EventFilter | None,  # noqa: A002
    limit: int | None,
) -> AsyncGenerator[Recorded]:
    """The events behind `after` up to a position. Raises `LogBroken` when one is missing or out of order."""
    last, left = after, limit
    if left is not None and left <= 0:
        return
    end = await up_to()
    while last < end:
        page = await source.page(last, end)
        if not page:
            raise LogBroken(f"position {last + 1} is missing from the log", pos=last + 1)
        for event in page:
            if event.pos != last + 1:
                follow_on(last, event)
            last += 1
            if filter is None or filter.admits(event):
                yield event
                if left is not None:
                    left -= 1
                    if left == 0:
                        return


async def follow(
    source: PageSource,
    bell: Bell,
    *,
    after: int,
    filter: EventFilter | None,  # noqa: A002
    max_lag: int | None,
    poll_seconds: float = POLL_SECONDS,
) -> AsyncGenerator[Recorded | CaughtUp]:
    """The log behind `after`, without end. Holds one page at most; the consumer sets the pace."""
    head = await source.head_pos()
    if after > head:
        raise NotInLog(
            f"position {after} was asked for, the log ends at {head}: it was restored to the past",
            next_step="build the reader's state again from position 0",
        )
    last, live, announced = after, False, -1
    while True:
        seen = bell.rings
        page = await source.page(last)
        if not page:
            if announced != last:
                announced, live = last, True
                yield CaughtUp(last)
            await bell.wait(seen, poll_seconds)
            continue
        for event in page:
            last = follow_on(last, event)
            if filter is None or filter.admits(event):
                yield event
        if live and max_lag is not None:
            lag = await source.head_pos() - last
            if lag > max_lag:
                raise SlowConsumer(last, lag)


def hand_over(page: Sequence[Recorded], after: int, take: Callable[[Recorded], None]) -> int:
    """Hands a page of the events behind `after` to `take`; answers the position of the last. Raises `LogBroken`."""
    if not page:
        raise LogBroken(f"position {after + 1} is missing from the log", pos=after + 1)
    for event in page:
        after = follow_on(after, event)
        take(event)
    return after


def follow_on(last: int, event: Recorded) -> int:
    """The position of an event that must follow `last`. Raises `LogBroken`."""
    if event.pos != last + 1:
        raise LogBroken(f"position {last + 1} should follow, the log gave {event.pos}", pos=last + 1)
    return event.pos
