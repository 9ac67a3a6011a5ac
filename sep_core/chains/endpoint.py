"""One HTTP endpoint that speaks JSON-RPC."""

import asyncio
from urllib.parse import urlsplit

import aiohttp
import orjson
from sep_hooks.errors import ConfigurationError, RpcLimited, RpcUnavailable

from .breaker import Breaker

BODY_LIMIT_BYTES = 64 * 1024 * 1024
CONCURRENT_POSTS = 16
_CHUNK_BYTES = 64 * 1024
_HTTP_LIMITED = 429


class Endpoint:
    """Posts bodies and gives parsed answers. `name` leaves out path, query and user, which may hold keys."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                f"{parts.scheme or 'an empty text'}… is no RPC endpoint",
                next_step="write http://host:port or https://host/…",
            )
        port = f":{parts.port}" if parts.port else ""
        self.name = f"{parts.scheme}://{parts.hostname}{port}"
        self.breaker = Breaker()
        self.verified = False
        self._url = url
        self._session = session
        self._places = asyncio.Semaphore(CONCURRENT_POSTS)

    async def post(self, body: bytes, timeout_seconds: float) -> object:
        """The parsed answer. Raises `RpcUnavailable` or `RpcLimited`; whether the body arrived is then unknown."""
        try:
            async with asyncio.timeout(timeout_seconds), self._places:
                return await self._exchange(body)
        except TimeoutError:
            raise RpcUnavailable(f"{self.name} did not answer within {timeout_seconds:.1f} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise RpcUnavailable(f"{self.name} could not be reached: {_reason(error)}") from error

    async def _exchange(self, body: bytes) -> object:
        async with self._session.post(
            self._url, data=body, headers={"content-type": "application/json"}, allow_redirects=False
        ) as response:
            content = await self._content(response)
            if response.status == _HTTP_LIMITED:
                raise RpcLimited(
                    f"{self.name} asks to wait (HTTP 429)",
                    retry_after_seconds=_seconds(response.headers.get("retry-after")),
                )
            parsed = _parsed(content)
            if parsed is None:
                raise RpcUnavailable(
                    f"{self.name} answered HTTP {response.status} without JSON",
                    next_step="check the endpoint's address and key",
                )
            return parsed

    async def _content(self, response: aiohttp.ClientResponse) -> bytes:
        content = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
            content += chunk
            if len(content) > BODY_LIMIT_BYTES:
                raise RpcUnavailable(f"{self.name} answered with more than {BODY_LIMIT_BYTES} bytes")
        return bytes(content)


def _parsed(content: bytes) -> object:
    try:
        parsed: object = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict | list) else None


def _seconds(text: str | None) -> float:
    """`Retry-After` in seconds; a date or nonsense counts as one second."""
    try:
        return max(0.0, float(text)) if text else 1.0
    except ValueError:
        return 1.0


def _reason(error: BaseException) -> str:
    """A short text without the address, which may hold a key."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error.strerror or type(error.os_error).__name__
    return error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
