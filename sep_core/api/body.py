"""Request bodies: the author's own bytes, read by the kernel's strict reader and by nothing before it."""

from pydantic import BaseModel, ConfigDict

from sep_core.api.answer import AnyRequest
from sep_core.api.problem import UnsupportedMediaType
from sep_core.runtime.submission import parse_body


class Empty(BaseModel):
    """A body that says nothing: an empty object."""

    model_config = ConfigDict(extra="forbid", frozen=True)


async def json_bytes(request: AnyRequest) -> bytes:
    """The body as it came. Raises `UnsupportedMediaType`."""
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        found = f"the content type is {kind[:64]!r}" if kind else "no content type is named"
        raise UnsupportedMediaType(
            f"{found}; only application/json is read, and nothing was recorded",
            next_step='send the header "Content-Type: application/json"',
        )
    return await request.body()


async def no_body(request: AnyRequest) -> None:
    """Takes no body, or an empty object."""
    body = await request.body()
    if body.strip():
        parse_body(body, Empty)
