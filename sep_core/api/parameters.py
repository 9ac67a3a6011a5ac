"""Query parameters: read as strictly as bodies, described from the same models."""

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl

from litestar import Request
from litestar.openapi.spec import Parameter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from sep_core.api.schema import RawSchema
from sep_core.runtime.submission import RequestProblem, RequestRefused

MOST_POSITIONS: Final = 2**53 - 1
MOST_PARAMETERS: Final = 64
_POSITION = re.compile(r"0|[1-9][0-9]{0,15}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _as_of(text: str) -> str:
    if _POSITION.fullmatch(text) and int(text) <= MOST_POSITIONS:
        return text
    try:
        if _MOMENT.fullmatch(text):
            datetime.fromisoformat(text.upper())
            return text
    except ValueError:
        pass
    raise ValueError(
        "write a position of the log or a moment with its zone, like 2026-01-31T12:00:00Z (a + is written %2B)"
    )


AsOf = Annotated[
    str,
    AfterValidator(_as_of),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": MOST_POSITIONS},
                {"type": "string", "format": "date-time"},
            ]
        }
    ),
]
Position = Annotated[int, Field(ge=0, le=MOST_POSITIONS)]
StreamName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$", max_length=255)]
TypeName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.]*$", max_length=128)]
Status = Literal[
    "RECEIVED",
    "ACCEPTED",
    "PLANNED",
    "RISK_APPROVED",
    "EXECUTING",
    "PARTIALLY_FILLED",
    "IN_DOUBT",
    "SETTLED",
    "REJECTED",
    "EXPIRED",
    "CANCELLED",
    "FAILED",
]


class Parameters(BaseModel):
    """Query parameters of one route; none that is unknown, none twice."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StateParameters(Parameters):
    """Which state of the world is asked."""

    as_of: AsOf | None = Field(
        default=None,
        description="The state at a position of the log or at a moment; without it the present one.",
    )


class IntentListParameters(StateParameters):
    """Which intents are wanted."""

    status: Status | None = Field(default=None, description="Only intents that stand there.")
    strategy: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="Only intents of this strategy: its name or id.",
    )
    cursor: str | None = Field(
        default=None,
        max_length=512,
        pattern=r"^[A-Za-z0-9_=-]+$",
        description="The `next_cursor` of the page before.",
    )
    limit: int = Field(default=50, ge=1, le=500, description="The most items of a page.")


class IntentEventParameters(StateParameters):
    """Which part of an intent's events is wanted."""

    after: Position = Field(default=0, description="Only events behind this position.")
    limit: int = Field(default=100, ge=1, le=500, description="The most items of a page.")


class EventListParameters(IntentEventParameters):
    """Which events are wanted."""

    stream: StreamName | None = Field(
        default=None,
        description="Only events of streams whose names begin so, like `intent:` or a whole name.",
    )
    type: list[TypeName] = Field(
        default_factory=list, max_length=32, description="Only events of these types; may be repeated."
    )


class StreamParameters(Parameters):
    """Where a live stream begins, and what it carries."""

    after: Position | None = Field(
        default=None,
        description="The stream begins behind this position; without it, and without `Last-Event-ID`, at the head.",
    )
    stream: StreamName | None = Field(
        default=None, description="Only events of streams whose names begin so."
    )
    type: list[TypeName] = Field(
        default_factory=list, max_length=32, description="Only events of these types; may be repeated."
    )


def read_parameters[ModelT: Parameters](request: Request[Any, Any, Any], model: type[ModelT]) -> ModelT:
    """The query parameters of a request. Raises `RequestRefused` with every mistake."""
    values: dict[str, object] = {}
    for key, value in _pairs(request):
        field = model.model_fields.get(key)
        if field is None:
            known = ", ".join(model.model_fields)
            raise _refused(
                key, "unknown_parameter", f"the parameter {key[:64]!r} is unknown here; known are {known}"
            )
        if isinstance(field.default_factory, type):
            values.setdefault(key, [])
            many = values[key]
            assert isinstance(many, list)
            many.append(value)
        elif key in values:
            raise _refused(key, "duplicate_parameter", f"the parameter {key!r} stands twice")
        else:
            values[key] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RequestRefused(
            tuple(
                RequestProblem(
                    f"query.{one['loc'][0]}",
                    "invalid",
                    f"{one['loc'][0]}: {one['msg'].removeprefix('Value error, ')}",
                )
                for one in error.errors(include_url=False, include_context=False, include_input=False)
            ),
            kind="malformed",
        ) from None


def no_parameters(request: Request[Any, Any, Any]) -> None:
    """Refuses any query parameter."""
    for key, _ in _pairs(request):
        raise _refused(
            key, "unknown_parameter", f"the parameter {key[:64]!r} is unknown here; there are none"
        )


def described(model: type[Parameters]) -> list[Parameter]:
    """The parameters of a model for the OpenAPI document."""
    document = model.model_json_schema()
    return [
        Parameter(
            name=name,
            param_in="query",
            required=name in document.get("required", ()),
            description=schema.pop("description", None),
            schema=RawSchema(_without_null(schema)),
        )
        for name, schema in document.get("properties", {}).items()
    ]


def _pairs(request: Request[Any, Any, Any]) -> list[tuple[str, str]]:
    query: bytes = request.scope["query_string"]
    try:
        return parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        raise _refused(
            "", "malformed", f"the query is no UTF-8 text with at most {MOST_PARAMETERS} parameters"
        ) from None


def _refused(key: str, code: str, message: str) -> RequestRefused:
    return RequestRefused(
        (RequestProblem(f"query.{key[:64]}" if key else "query", code, message),), kind="malformed"
    )


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    # An absent parameter is no null: the text "null" is a value like any other.
    schema.pop("title", None)
    if schema.get("default", ...) is None:
        del schema["default"]
    options = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(options) == 1:
        del schema["anyOf"]
        return {**options[0], **schema}
    if options:
        schema["anyOf"] = options
    return schema
