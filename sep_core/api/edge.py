"""Who may come in: this machine's own names, no foreign web page, the token for writes."""

import hmac
import ipaddress
import re
from typing import Any, Final, cast

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from sep_core.api.operation import POSITION_HEADER
from sep_core.api.port import ReaderPort
from sep_core.api.problem import ForeignHost, ForeignOrigin, Unauthorised
from sep_core.telemetry.log import NamedLog

_HOST: Final = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(:[0-9]{1,5})?")
_SCOPE_KEY: Final = "sep.position"
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)

log = NamedLog("api")


class LocalOnly(ASGIMiddleware):
    """Refuses host names that are not loopback (a rebound name of a web page) and requests of foreign pages."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Passes on what this machine's own programs send."""
        if scope["type"] == ScopeType.HTTP:
            check_local(scope)
        await next_app(scope, receive, send)


def check_local(scope: HTTPScope) -> None:
    """Whether a program of this machine asks. Raises `ForeignHost`, `ForeignOrigin`."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    host = headers.get(b"host", "")
    if not is_loopback(host):
        raise ForeignHost(
            f"the host name {host[:64]!r} is not one of this machine's loopback names",
            next_step="use http://127.0.0.1 or http://localhost",
        )
    origin = headers.get(b"origin")
    if origin is not None and origin != f"{scope['scheme']}://{host}":
        raise ForeignOrigin(
            f"a web page of {origin[:64]!r} may not use this interface",
            next_step="call it from a program, or from a page that it serves itself",
        )


def is_loopback(host: str) -> bool:
    """Whether a `Host` header names this machine's loopback."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["name"].strip("[]").lower().rstrip(".")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def require_token(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guards a write: compares the token in constant time. Raises `Unauthorised`."""
    expected = cast(str, connection.app.state["token"]).encode()
    scheme, _, given = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), expected):
        found = "the token is another" if given else "no token came"
        raise Unauthorised(
            f"this needs the token of the data folder, and {found}; nothing was recorded",
            next_step='send the header "Authorization: Bearer TOKEN", the content of the file api-token',
        )


class Stamp:
    """Sets the headers that every answer has: the log's position, and what keeps browsers careful."""

    def __init__(self, reader: ReaderPort) -> None:
        self._reader = reader

    async def arrived(self, request: Any) -> None:
        """Notes where the log stands before a request is looked at: a read takes in at least that."""
        if request.method == "GET":
            request.scope[_SCOPE_KEY] = await self._position()

    async def __call__(self, message: Message, scope: Scope) -> None:
        """Adds the headers as an answer leaves."""
        if message["type"] != "http.response.start":
            return
        position = cast(int | None, scope.get(_SCOPE_KEY))
        if position is None:
            position = await self._position()
        headers = [*message["headers"], *_HEADERS]
        names = {name.lower() for name, _ in headers}
        if b"cache-control" not in names:
            headers.append((b"cache-control", b"no-cache"))
        if position is not None:
            headers.append((POSITION_HEADER.lower().encode(), b"%d" % position))
        message["headers"] = headers

    async def _position(self) -> int | None:
        try:
            return (await self._reader.store.head()).pos
        except Exception as error:
            # The answer matters more than its header; what is wrong shows where the log is read itself.
            log.warning("the log's position is unknown", reason=repr(error))
            return None
