"""The log as server-sent events: read by position, so that a reader loses nothing and sees nothing twice."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import anyio
import orjson
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send
from sep_hooks.errors import SepError
from sep_hooks.store import CaughtUp, EventFilter, EventStore, Recorded

from sep_core.runtime.queries import event_view
from sep_core.telemetry.log import NamedLog

MOST_CHUNK_BYTES: Final = 64 * 1024
_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)

log = NamedLog("api")


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """The bounds of live streams. Memory of one stream: `buffered` events, a page of the store, one chunk."""

    heartbeat_seconds: float = 15.0
    write_seconds: float = 30.0
    most_lag: int = 100_000
    buffered: int = 64
    most_streams: int = 256


@dataclass(slots=True)
class StreamPlaces:
    """How many streams are open."""

    open: int = 0


@dataclass(frozen=True, slots=True)
class _Scanned:
    """The reader has looked at everything up to here."""

    position: int


@dataclass(frozen=True, slots=True)
class _Ending:
    """The stream ends; its reader goes on elsewhere, behind what it got."""

    code: str
    detail: str


type _Item = Recorded | _Scanned | _Ending


class EventStream(ASGIResponse):
    """An ASGI answer: `hello`, then events behind `after` as they come, heartbeats in between, `closing` at the end.

    The client sets the pace. One that takes nothing for `write_seconds`, or lags more than `most_lag`, is closed and
    resumes behind the last id that it got; nothing is ever left out.
    """

    def __init__(
        self,
        store: EventStore,
        after: int,
        wanted: EventFilter,
        limits: StreamLimits,
        places: StreamPlaces,
        stopping: anyio.Event,
    ) -> None:
        super().__init__()
        self.store = store
        self.after = after
        self.wanted = wanted
        self.limits = limits
        self.places = places
        self.stopping = stopping
        self._scanned = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one reader until it goes, lags, or the server stops."""
        self.places.open += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
            put, take = anyio.create_memory_object_stream[_Item](self.limits.buffered)
            with put, take:
                async with anyio.create_task_group() as group:
                    group.start_soon(_until_gone, receive, group.cancel_scope)
                    group.start_soon(self._read, put)
                    group.start_soon(self._until_stopping, put)
                    await self._write(take, send)
                    group.cancel_scope.cancel()
        finally:
            self.places.open -= 1

    async def _read(self, put: MemoryObjectSendStream[_Item]) -> None:
        try:
            await self._follow(put)
        except SepError as error:
            await put.send(_Ending(error.code, error.message))
        except Exception as error:
            log.error("a stream failed", position=self._scanned, exception=error)
            await put.send(_Ending("internal", "a mistake of SEP's own; it stands in the engine's log"))

    async def _follow(self, put: MemoryObjectSendStream[_Item]) -> None:
        announced = False
        async with aclosing(self.store.subscribe(after=self.after, max_lag=self.limits.most_lag)) as events:
            async for item in events:
                if isinstance(item, CaughtUp):
                    if not announced:
                        announced = True
                        await put.send(_Scanned(item.pos))
                    continue
                if self.wanted.admits(item):
                    await put.send(item)
                self._scanned = item.pos

    async def _until_stopping(self, put: MemoryObjectSendStream[_Item]) -> None:
        await self.stopping.wait()
        await put.send(_Ending("stopping", "the server stops"))

    async def _write(self, take: MemoryObjectReceiveStream[_Item], send: Send) -> None:
        head = (await self.store.head()).pos
        hello = {"store_id": str(self.store.store_id), "after": self.after, "head": head}
        chunk = b"retry: 1000\n" + frame("hello", hello, position=self.after)
        last = self.after
        while True:
            if not await self._sent(send, chunk, last):
                return
            item: _Item | None = await self._next(take)
            parts: list[bytes] = []
            size = 0
            while item is not None:
                if isinstance(item, _Ending):
                    parts.append(frame("closing", _closing(item, last)))
                    await self._sent(send, b"".join(parts), last, more=False)
                    return
                last, part = _part(item)
                parts.append(part)
                size += len(part)
                item = _at_hand(take) if size < MOST_CHUNK_BYTES else None
            chunk = b"".join(parts)

    async def _next(self, take: MemoryObjectReceiveStream[_Item]) -> _Item:
        with anyio.move_on_after(self.limits.heartbeat_seconds):
            return await take.receive()
        # What was scanned counts only once everything before it has been taken from the buffer.
        return _at_hand(take) or _Scanned(self._scanned)

    async def _sent(self, send: Send, chunk: bytes, last: int, *, more: bool = True) -> bool:
        with anyio.move_on_after(self.limits.write_seconds):
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
            return True
        log.warning("a stream's reader takes nothing and was closed", last_offered=last)
        return False


def frame(name: str, data: Mapping[str, object], *, position: int | None = None) -> bytes:
    """One named frame; with a position it moves the reader's `Last-Event-ID`."""
    mark = b"" if position is None else b"id: %d\n" % position
    return mark + b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


def event_frame(recorded: Recorded) -> bytes:
    """One event; without a name, so that browsers hand it to `onmessage`."""
    return b"id: %d\ndata: %b\n\n" % (recorded.pos, event_view(recorded).model_dump_json().encode())


def _part(item: Recorded | _Scanned) -> tuple[int, bytes]:
    if isinstance(item, _Scanned):
        return item.position, frame("heartbeat", {"position": item.position}, position=item.position)
    return item.pos, event_frame(item)


def _closing(ending: _Ending, last: int) -> dict[str, object]:
    return {
        "code": ending.code,
        "detail": ending.detail,
        "resume_after": last,
        "next_step": f"resume from {last}: send Last-Event-ID: {last}",
    }


def _at_hand(take: MemoryObjectReceiveStream[_Item]) -> _Item | None:
    try:
        return take.receive_nowait()
    except (anyio.WouldBlock, anyio.EndOfStream):
        return None


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
