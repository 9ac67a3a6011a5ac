"""The application of a replica: questions about the log are answered here, all else goes to the engine that leads."""

import re
from collections.abc import Iterable
from typing import Final

import anyio
from litestar import Litestar
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.types import HTTPScope, Receive, Scope, Send
from sep_hooks.errors import SepError

from sep_core.api import accounts, events, intents, probes, state
from sep_core.api.edge import LocalOnly, Stamp, check_local
from sep_core.api.leader import Leader
from sep_core.api.port import ReaderPort
from sep_core.api.problem import PROBLEM_MEDIA_TYPE, Problem, handlers, problem_of
from sep_core.api.schema import PydanticSchemas
from sep_core.api.stream import StreamLimits, StreamPlaces
from sep_core.runtime.submission import MAX_BODY_BYTES, RequestProblem, RequestRefused

_HERE: Final = re.compile(r"/v1/(intents(/.*)?|events(/.*)?|stream|portfolio|accounts|audit/head)/?|/livez/?")


class ReplicaApp:
    """An ASGI application: `reads` answers what the log can, `leader` is asked all else, in the caller's own words and
    with its own token.
    """

    def __init__(self, reader: ReaderPort, leader: Leader, *, stopping: anyio.Event) -> None:
        self._reads = _reads(reader, stopping)
        self._leader = leader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != ScopeType.HTTP or _is_read(scope):
            await self._reads(scope, receive, send)
            return
        try:
            await self._pass_on(scope, receive, send)
        except SepError as error:
            problem = problem_of(error)
            again = [("retry-after", "1")] if problem.status == 503 else []
            headers = [("content-type", PROBLEM_MEDIA_TYPE), *again]
            await _answer(send, problem.status, headers, problem.model_dump_json().encode())

    async def _pass_on(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        check_local(scope)
        body = await _body(receive)
        if body is None:
            return
        target = scope["raw_path"].decode("latin-1").partition("?")[0]
        query = scope["query_string"].decode("latin-1")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        asked = f"{target}?{query}" if query else target
        answer = await self._leader.ask(scope["method"], asked, headers, body)
        await _answer(send, answer.status, answer.headers.items(), answer.body)


def _reads(reader: ReaderPort, stopping: anyio.Event) -> Litestar:
    stamp = Stamp(reader)
    return Litestar(
        route_handlers=[
            *intents.READS,
            *events.ROUTES,
            state.get_portfolio,
            accounts.list_accounts,
            probes.get_liveness,
        ],
        middleware=[LocalOnly()],
        before_send=[stamp],
        before_request=stamp.arrived,
        exception_handlers=handlers(),
        plugins=[PydanticSchemas(requests=(), answers=(Problem,))],
        openapi_config=None,
        state=State(
            {
                "kernel": reader,
                "stopping": stopping,
                "stream_limits": StreamLimits(),
                "stream_places": StreamPlaces(),
            }
        ),
        logging_config=None,
        debug=False,
    )


def _is_read(scope: HTTPScope) -> bool:
    return scope["method"] == "GET" and _HERE.fullmatch(scope["path"]) is not None


async def _body(receive: Receive) -> bytes | None:
    """All of it; None where the caller went before its end. Raises `RequestRefused` for one that is too large."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message["body"]
        if len(body) > MAX_BODY_BYTES:
            what = f"the body is larger than the {MAX_BODY_BYTES} bytes that are allowed"
            raise RequestRefused((RequestProblem("", "body_too_large", what),), kind="too_large")
        if not message["more_body"]:
            return body


async def _answer(send: Send, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
    listed = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    listed += [(b"cache-control", b"no-cache"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": status, "headers": listed})
    await send({"type": "http.response.body", "body": body, "more_body": False})
