"""Answers: views as JSON, and what their headers say about the log."""

from collections.abc import Mapping
from typing import Any, cast, override

from litestar import Request, Response
from litestar.enums import MediaType, OpenAPIMediaType

from sep_core.api.port import KernelPort, ReaderPort
from sep_core.runtime.views import View

AnyRequest = Request[Any, Any, Any]


class Answer[ViewT: View](Response[ViewT]):
    """A view as JSON, written by pydantic."""

    def __init__(
        self, view: ViewT, *, status_code: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(view, status_code=status_code, headers=headers, media_type=MediaType.JSON)

    @override
    def render(
        self, content: Any, media_type: MediaType | OpenAPIMediaType | str, enc_hook: Any = None
    ) -> bytes:
        """The JSON text."""
        return cast(View, content).model_dump_json().encode()


class Written[ViewT: View](Answer[ViewT]):
    """A view that is JSON already, written elsewhere."""

    def __init__(self, text: bytes) -> None:
        super().__init__(cast(ViewT, text))

    @override
    def render(
        self, content: Any, media_type: MediaType | OpenAPIMediaType | str, enc_hook: Any = None
    ) -> bytes:
        """The text as it came."""
        return cast(bytes, content)


class Unchanged(Exception):
    """The log has not moved since the caller's last answer: 304."""

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


def kernel_of(request: AnyRequest) -> KernelPort:
    """The engine that the application serves."""
    return cast(KernelPort, request.app.state["kernel"])


def reader_of(request: AnyRequest) -> ReaderPort:
    """Who answers questions about the log."""
    return cast(ReaderPort, request.app.state["kernel"])


async def head_tag(request: AnyRequest) -> dict[str, str]:
    """The `ETag` of an answer that changes only with the log. Raises `Unchanged`."""
    store = reader_of(request).store
    tag = f'W/"{store.store_id.hex[:12]}-{(await store.head()).pos}"'
    asked = request.headers.get("if-none-match")
    if asked is not None and (asked.strip() == "*" or tag in (one.strip() for one in asked.split(","))):
        raise Unchanged(tag)
    return {"ETag": tag}
