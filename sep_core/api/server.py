"""The HTTP server inside the engine's own event loop."""

import errno
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import anyio
import uvicorn
from litestar.types import ASGIApp

from sep_core.api.app import create_app
from sep_core.api.port import KernelPort

GRACE_SECONDS: Final = 3
STOP_SECONDS: Final = 8.0
_UNSENT_MILLISECONDS: Final = 60_000
_BACKLOG: Final = 512
_MOST_CONNECTIONS: Final = 1024


async def serve(
    kernel: KernelPort, token: str, host: str, port: int, *, started: Callable[[str], None]
) -> None:
    """Serves an engine; see `serve_app`."""
    await serve_app(
        lambda stopping: create_app(kernel, token, stopping=stopping), host, port, started=started
    )


async def serve_app(
    make: Callable[[anyio.Event], ASGIApp], host: str, port: int, *, started: Callable[[str], None]
) -> None:
    """Serves until it is cancelled; `started` is told the address once requests are answered. `make` makes the
    application, whose waits and streams end once the event is set.

    Open streams are closed and open requests given a few seconds at the end. Raises `OSError` (`EADDRINUSE`).
    """
    listener = await _listen(host, port)
    stopping = anyio.Event()
    try:
        server = _Server(make(stopping), lambda: started(_url(listener)))
        try:
            await server.serve(sockets=[listener])
        finally:
            stopping.set()
            if server.started:
                with anyio.move_on_after(STOP_SECONDS, shield=True):
                    await server.shutdown(sockets=[listener])
    finally:
        listener.close()


class _Server(uvicorn.Server):
    """Leaves signals to the engine, and says when it is ready."""

    def __init__(self, app: ASGIApp, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level="error",
                proxy_headers=False,
                server_header=False,
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Captures none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts, then tells."""
        await super().startup(sockets=sockets)
        self._ready()


async def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = (
        await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # A peer that takes nothing for so long is dropped by the system, whatever waits in its buffers.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNSENT_MILLISECONDS)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(errno.EADDRINUSE, f"{host}:{port} is in use by another program") from None
        raise OSError(error.errno, f"{host}:{port} cannot be listened on ({error.strerror})") from None
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
