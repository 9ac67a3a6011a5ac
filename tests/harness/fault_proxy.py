"""A network that fails between a client and a server: it delays, cuts, falls silent, and says things twice.

It passes bytes of TCP and knows no protocol, so it stands before an RPC node, PostgreSQL or NATS alike.
"""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import anyio
from anyio.abc import (
    ByteReceiveStream,
    ByteSendStream,
    ByteStream,
    SocketAttribute,
    SocketStream,
    TaskGroup,
)

CHUNK_BYTES = 65536
GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)


@dataclass(frozen=True, slots=True)
class Faults:
    """What the network does to connections. The defaults do nothing.

    `delay_seconds` passes before each piece goes on, in either direction. `asked_bytes` and `answered_bytes` are how
    much of what the client says, and of what it is answered, still passes on a connection before it is cut: with 0
    answered bytes the server hears all and the client nothing. `silent` keeps answers back without a cut. `refuses`
    lets nobody in. `doubled` says everything once more to the server on a second connection, whose answers nobody
    hears.
    """

    delay_seconds: float = 0.0
    asked_bytes: int | None = None
    answered_bytes: int | None = None
    silent: bool = False
    refuses: bool = False
    doubled: bool = False


def drawn(chance: random.Random, *, most_bytes: int = 4096, most_seconds: float = 0.05) -> Faults:
    """One fault of any kind, or none."""
    some = chance.randrange(most_bytes)
    kinds = (
        Faults(),
        Faults(asked_bytes=some),
        Faults(answered_bytes=some),
        Faults(answered_bytes=0),
        Faults(refuses=True),
        Faults(doubled=True),
    )
    return replace(chance.choice(kinds), delay_seconds=chance.random() * most_seconds)


class FaultProxy:
    """Listens on `port` of the loopback, before the server at `host` and `server_port`; made by `fault_proxy`.

    `faults` hold for pieces that pass from now on; a connection counts its bytes from its beginning.
    """

    def __init__(self, host: str, server_port: int) -> None:
        self.server = (host, server_port)
        self.port = 0
        self.faults = Faults()
        self.connections = 0
        self.cuts = 0
        self._open: set[SocketStream] = set()

    async def cut(self) -> None:
        """Ends every connection at once, as a network does that goes away."""
        for one in tuple(self._open):
            await self._end(one)

    async def serve(self, client: SocketStream) -> None:
        """Passes one connection on until either side ends it, or a fault does."""
        self.connections += 1
        if self.faults.refuses:
            await self._end(client)
            return
        async with client, anyio.create_task_group() as group:
            self._open.add(client)
            try:
                async with await anyio.connect_tcp(*self.server) as server:
                    echo = await self._echo(group) if self.faults.doubled else None
                    group.start_soon(self._answer, server, client, group)
                    await self._ask(client, server, echo)
                    group.cancel_scope.cancel()
            except GONE:
                group.cancel_scope.cancel()
            finally:
                self._open.discard(client)

    async def _ask(self, client: SocketStream, server: SocketStream, echo: ByteStream | None) -> None:
        passed, more = 0, True
        while more:
            data, more = await self._piece(client, lambda: self.faults.asked_bytes, passed)
            passed += len(data)
            if echo is not None:
                await _try_send(echo, data)
            await server.send(data)
        await self._end(client)

    async def _answer(self, server: SocketStream, client: SocketStream, group: TaskGroup) -> None:
        passed, more = 0, True
        try:
            while more:
                data, more = await self._piece(server, lambda: self.faults.answered_bytes, passed)
                passed += len(data)
                if not self.faults.silent:
                    await client.send(data)
            await self._end(client)
        except GONE:
            return
        finally:
            group.cancel_scope.cancel()

    async def _piece(
        self, source: ByteReceiveStream, most: Callable[[], int | None], passed: int
    ) -> tuple[bytes, bool]:
        """What goes on next, and whether anything may follow it."""
        data = await source.receive(CHUNK_BYTES)
        if self.faults.delay_seconds:
            await anyio.sleep(self.faults.delay_seconds)
        limit = most()  # what holds now, not when the wait began
        if limit is None or passed + len(data) < limit:
            return data, True
        return data[: max(0, limit - passed)], False

    async def _echo(self, group: TaskGroup) -> ByteStream:
        echo = await anyio.connect_tcp(*self.server)
        group.start_soon(_swallow, echo)
        return echo

    async def _end(self, stream: SocketStream) -> None:
        self.cuts += 1
        await anyio.aclose_forcefully(stream)


async def _swallow(stream: SocketStream) -> None:
    async with stream:
        try:
            while True:
                await stream.receive(CHUNK_BYTES)
        except GONE:
            return


async def _try_send(stream: ByteSendStream, data: bytes) -> None:
    try:
        await stream.send(data)
    except GONE:
        return  # the second connection is nobody's concern


@asynccontextmanager
async def fault_proxy(server_port: int, host: str = "127.0.0.1") -> AsyncIterator[FaultProxy]:
    """A proxy before a server, on a port of its own, while the context lasts."""
    proxy = FaultProxy(host, server_port)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    proxy.port = int(listener.extra(SocketAttribute.local_port))
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, proxy.serve)
        yield proxy
        group.cancel_scope.cancel()
