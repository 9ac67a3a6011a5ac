"""CPU of one `POST /v1/intents`, in process and behind uvicorn, beside a bare ASGI application that only decodes.

The server's own thread is measured; the client is a process of its own. Acceptance is real and durable, planning is
held back. `accept` is the same without HTTP, so that the interface's own share can be seen.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import anyio
import uvloop
from _client import CONNECTIONS
from _engine import body, engine, folder
from _report import show
from bench_settle import accept, never, planning

from sep_core.api.app import create_app
from sep_core.api.server import _Server
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.submission import Submission

REQUESTS = 200
ROUNDS = 5
CLIENT = Path(__file__).with_name("_client.py")
TOKEN = "bench"

type App = Callable[[Any, Any, Any], Awaitable[None]]


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """The control: reads a body, validates it with pydantic, answers."""
    content = b""
    while True:
        message = await receive()
        content += message.get("body", b"")
        if not message.get("more_body", False):
            break
    submission = Submission.model_validate(json.loads(content))
    answer = json.dumps({"id": str(submission.id)}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def in_process(app: App) -> float:
    """Microseconds of the loop's thread for each request, without a server."""

    async def one(content: bytes) -> None:
        statuses: list[int] = []
        messages = iter([{"type": "http.request", "body": content, "more_body": False}])

        async def receive() -> dict[str, Any]:
            return next(messages, {"type": "http.disconnect"})

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await app(_scope(content), receive, send)
        assert statuses == [202], statuses

    contents = [body() for _ in range(REQUESTS)]
    cpu = time.thread_time()
    async with anyio.create_task_group() as group:
        for content in contents:
            group.start_soon(one, content)
    return (time.thread_time() - cpu) * 1e6 / REQUESTS


async def behind_server(app: App, path: Path) -> tuple[float, float]:
    """Microseconds of the loop's thread for each request behind uvicorn, and requests per second."""
    bodies = path / "bodies"
    bodies.write_bytes(b"\n".join(body() for _ in range(REQUESTS)))
    ready = anyio.Event()
    server = _Server(cast(Any, app), ready.set)
    listener = await anyio.to_thread.run_sync(_listener)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_serve, server, listener)
            await ready.wait()
            port = listener.getsockname()[1]
            client = await asyncio.create_subprocess_exec(
                sys.executable,
                str(CLIENT),
                str(port),
                TOKEN,
                str(bodies),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert client.stdin is not None
            assert client.stdout is not None
            await client.stdout.readline()
            cpu, begun = time.thread_time(), time.perf_counter()
            client.stdin.write(b"go\n")
            await client.stdout.readline()
            cpu, wall = time.thread_time() - cpu, time.perf_counter() - begun
            assert await client.wait() == 0
            server.should_exit = True
        return cpu * 1e6 / REQUESTS, REQUESTS / wall
    finally:
        listener.close()


async def _serve(server: _Server, listener: Any) -> None:
    await server.serve(sockets=[listener])


def _listener() -> Any:
    import socket

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    listener.setblocking(False)
    return listener


def _headers(content: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"host", b"127.0.0.1"),
        (b"authorization", b"Bearer " + TOKEN.encode()),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]


def _scope(content: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/intents",
        "raw_path": b"/v1/intents",
        "query_string": b"",
        "root_path": "",
        "headers": _headers(content),
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8000),
        "extensions": {},
    }


async def accepted(kernel: Kernel) -> float:
    """Microseconds of the loop's thread for each acceptance without HTTP."""
    contents = [body() for _ in range(REQUESTS)]
    cpu = time.thread_time()
    async with anyio.create_task_group() as group:
        for content in contents:
            group.start_soon(accept, kernel, content)
    return (time.thread_time() - cpu) * 1e6 / REQUESTS


async def measure(path: Path) -> None:
    """All variants in turn, best of several rounds."""
    async with engine(path, "paper", block_seconds=2.0) as kernel:
        app = cast(App, create_app(cast(Any, kernel), TOKEN))
        with planning(kernel, never):
            best: dict[str, float] = {}
            rate = 0.0
            for _ in range(ROUNDS):
                found = {"bare": await in_process(bare), "ours": await in_process(app)}
                found["accept"] = await accepted(kernel)
                found["bare_served"], _ = await behind_server(bare, path)
                found["ours_served"], served = await behind_server(app, path)
                rate = max(rate, served)
                best = {name: min(one, best.get(name, one)) for name, one in found.items()}
    size = len(body())
    control = "bare ASGI and pydantic, same body, same run"
    show(
        "post_intent_in_process",
        best["ours"],
        "us CPU",
        ratio=best["ours"] / best["bare"],
        control=control,
        control_us=best["bare"],
        accept_us=best["accept"],
        http_share_us=best["ours"] - best["accept"],
        body_bytes=size,
    )
    show(
        "post_intent_behind_uvicorn",
        best["ours_served"],
        "us CPU",
        ratio=best["ours_served"] / best["bare_served"],
        control=control,
        control_us=best["bare_served"],
        requests_per_s=rate,
        connections=CONNECTIONS,
    )


def main() -> None:
    """Measures on the disk under test."""
    with folder() as path:
        uvloop.run(measure(path))


if __name__ == "__main__":
    main()
