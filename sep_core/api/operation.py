"""What the OpenAPI document says about one route, beside its answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from litestar.openapi.spec import (
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    Operation,
    Parameter,
    Reference,
    RequestBody,
)
from pydantic import BaseModel

from sep_core.api.parameters import Parameters, described
from sep_core.api.problem import PROBLEM_MEDIA_TYPE, Problem
from sep_core.api.schema import RawSchema, reference

BEARER: Final = "token"
_PROBLEMS: Final = {
    400: "The request cannot be read: `code` and `errors` say why.",
    401: "The token is missing or wrong.",
    403: "The request came by way of a foreign web page or host name.",
    404: "There is no such thing.",
    409: "The id is taken by another intent.",
    413: "The body is too large.",
    415: "The body is not announced as JSON.",
    422: "The request was read and is refused: `code` and `errors` say why. Nothing was recorded.",
    500: "A mistake of SEP's own; it stands in the engine's log.",
    503: "Not now; the same request may go through later.",
}
_ALWAYS: Final = (403, 500, 503)
_TEXT: Final = {"type": "string"}
POSITION_HEADER: Final = "X-SEP-Pos"


def header_parameter(name: str, description: str, schema: dict[str, Any] | None = None) -> Parameter:
    """An optional request header."""
    return Parameter(
        name=name,
        param_in="header",
        required=False,
        description=description,
        schema=RawSchema(schema or _TEXT),
    )


def operation(
    *,
    problems: Sequence[int] = (),
    query: type[Parameters] | None = None,
    body: type[BaseModel] | None = None,
    body_required: bool = True,
    examples: Sequence[dict[str, Any]] = (),
    headers: Sequence[Parameter] = (),
    answer_headers: Sequence[tuple[str, str]] = (),
    conditional: bool = False,
    guarded: bool = False,
    streams: str = "",
) -> type[Operation]:
    """A class of operation that adds to what the handler's signature tells.

    `conditional`: the answer carries an `ETag`. `guarded`: the token is demanded. `streams` describes a stream.
    """
    codes = sorted({*problems, *_ALWAYS, *((401,) if guarded else ()), *((400,) if query else ())})

    @dataclass
    class Documented(Operation):
        def __post_init__(self) -> None:
            self.parameters = [
                *(self.parameters or ()),
                *(described(query) if query else ()),
                *headers,
                *((_IF_NONE_MATCH,) if conditional else ()),
            ]
            if body is not None:
                self.request_body = RequestBody(
                    content={
                        "application/json": OpenAPIMediaType(
                            schema=reference(body), examples=_examples(examples)
                        )
                    },
                    required=body_required,
                )
            if guarded:
                self.security = [{BEARER: []}]
            answers: dict[str, OpenAPIResponse | Reference] = {
                code: answer for code, answer in (self.responses or {}).items() if code.startswith("2")
            }
            for answer in answers.values():
                assert isinstance(answer, OpenAPIResponse)
                answer.headers = {name: _header(text) for name, text in answer_headers}
                if conditional:
                    answer.headers["ETag"] = _header("The head of the log that the answer was made at.")
                if streams:
                    answer.description = streams
                    answer.content = {"text/event-stream": OpenAPIMediaType(schema=RawSchema(_TEXT))}
            if conditional:
                answers["304"] = OpenAPIResponse(description="The log has not moved since `If-None-Match`.")
            for code in codes:
                answers[str(code)] = _problem(code)
            for answer in answers.values():
                assert isinstance(answer, OpenAPIResponse)
                answer.headers = {**(answer.headers or {}), POSITION_HEADER: _POSITION}
            self.responses = answers

    return Documented


_IF_NONE_MATCH: Final = header_parameter(
    "If-None-Match", "An `ETag` of before: 304 when the log has not moved."
)
_POSITION: Final = OpenAPIHeader(
    description="The position of the log that the answer takes in.",
    schema=RawSchema({"type": "integer", "minimum": 0}),
)


def _header(description: str) -> OpenAPIHeader:
    return OpenAPIHeader(description=description, schema=RawSchema(_TEXT))


def _problem(code: int) -> OpenAPIResponse:
    return OpenAPIResponse(
        description=_PROBLEMS[code],
        content={PROBLEM_MEDIA_TYPE: OpenAPIMediaType(schema=reference(Problem))},
    )


def _examples(bodies: Sequence[dict[str, Any]]) -> Any:
    from litestar.openapi.spec import Example

    return {f"example {number}": Example(value=body) for number, body in enumerate(bodies, start=1)} or None
