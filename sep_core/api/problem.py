"""Errors as RFC 9457 problem documents."""

from typing import Annotated, Final
from uuid import UUID

from litestar import Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap
from pydantic import Field
from sep_hooks.errors import Ambiguous, Permanent, Retryable, SepError

from sep_core.api.answer import AnyRequest, Unchanged
from sep_core.runtime.submission import MAX_BODY_BYTES, RequestProblem, RequestRefused
from sep_core.runtime.views import View
from sep_core.telemetry.log import NamedLog

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"

_REQUEST_STATUS: Final = {"malformed": 400, "too_large": 413, "conflict": 409, "invalid": 422}
_CODE_STATUS: Final = {
    "not_found": 404,
    "not_in_log": 404,
    "bad_moment": 400,
    "bad_cursor": 400,
    "unauthorised": 401,
    "release_refused": 409,
    "breaker_holds": 409,
    "foreign_host": 403,
    "foreign_origin": 403,
    "unsupported_media_type": 415,
    "store_closed": 503,
    "store_failed": 503,
    "fenced": 503,
    "log_broken": 500,
}
_HTTP_ERRORS: Final = {
    404: ("not_found", "there is nothing under this path", "see /schema/openapi.json for what there is"),
    405: ("method_not_allowed", "this path does not answer this method", "see /schema/openapi.json"),
    413: (
        "body_too_large",
        f"the body is larger than the {MAX_BODY_BYTES} bytes that are allowed",
        "send a smaller one; nothing was recorded",
    ),
}

log = NamedLog("api")


class ProblemItem(View):
    """One mistake in a request; `pointer` is a JSON pointer into the body, or `query.NAME` for a parameter."""

    pointer: str
    code: str
    message: str


class Problem(View):
    """An error. `code` is stable, `detail` is for people, `retryable` says whether the same request may go through.

    `intent_id` is the intent that the path names.
    """

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    code: str
    errors: list[ProblemItem]
    next_step: str
    retryable: bool
    intent_id: UUID | None = None


class Unauthorised(Permanent):
    """A write without the data folder's token; nothing was recorded."""

    code = "unauthorised"


class ForeignHost(Permanent):
    """A request under a host name that is not this machine's loopback."""

    code = "foreign_host"


class ForeignOrigin(Permanent):
    """A request by a web page of another origin."""

    code = "foreign_origin"


class UnsupportedMediaType(Permanent):
    """A body that is not announced as JSON."""

    code = "unsupported_media_type"


class TooManyStreams(Retryable):
    """All places for live streams are taken."""

    code = "too_many_streams"


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    """The document with its own media type."""
    more = {"WWW-Authenticate": 'Bearer realm="sep"'} if problem.status == 401 else {}
    if problem.status == 503:
        more["Retry-After"] = "1"
    return Response(
        problem.model_dump_json().encode(),
        status_code=problem.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers={**(headers or {}), **more},
    )


def problem_of(error: Exception) -> Problem:
    """The problem that an exception means; what is nobody's fault but ours tells nothing of its inside."""
    if isinstance(error, RequestRefused):
        items = [_item(one) for one in error.problems]
        code = error.problems[0].code if len(items) == 1 else error.code
        return _problem(_REQUEST_STATUS[error.kind], code, error.message, error.next_step, items=items)
    if isinstance(error, SepError):
        return _problem(
            _status_of(error), error.code, error.message, error.next_step, retryable=error.retryable
        )
    if isinstance(error, HTTPException):
        return _http_problem(error)
    return _problem(
        500,
        "internal",
        "a mistake of SEP's own; it stands in the engine's log",
        "look at the state of the intent before you try again, and report the mistake",
    )


def not_found() -> Response[bytes]:
    """The answer where nothing is."""
    return problem_response(_problem(404, *_HTTP_ERRORS[404]))


def handlers() -> ExceptionHandlersMap:
    """One handler for everything, so that no error leaves in another form."""
    return {Unchanged: _unchanged, Exception: _handle, HTTPException: _handle}


def _unchanged(request: AnyRequest, error: Unchanged) -> Response[None]:
    return Response(None, status_code=304, headers={"ETag": error.tag})


def _handle(request: AnyRequest, error: Exception) -> Response[bytes]:
    problem = problem_of(error)
    named = request.scope.get("path_params", {}).get("intent_id")
    if isinstance(named, UUID):
        problem = problem.model_copy(update={"intent_id": named})
    if problem.status >= 500 and not isinstance(error, SepError):
        log.error("request failed", path=request.url.path, exception=error)
    return problem_response(problem, error.headers if isinstance(error, HTTPException) else None)


def _http_problem(error: HTTPException) -> Problem:
    status = error.status_code
    if status in _HTTP_ERRORS:
        code, detail, next_step = _HTTP_ERRORS[status]
        return _problem(status, code, detail, next_step)
    items = _path_items(error.extra)
    detail = items[0].message if items else error.detail
    code = "malformed" if status < 500 else "internal"
    return _problem(status, code, detail, "correct it and send it again; nothing was recorded", items=items)


def _status_of(error: SepError) -> int:
    if error.code in _CODE_STATUS:
        return _CODE_STATUS[error.code]
    if isinstance(error, Retryable | Ambiguous):
        return 503
    return 422 if isinstance(error, Permanent) else 500


def _item(problem: RequestProblem) -> ProblemItem:
    return ProblemItem(pointer=problem.pointer, code=problem.code, message=problem.message)


def _path_items(extra: object) -> list[ProblemItem]:
    if not isinstance(extra, list):
        return []
    return [
        ProblemItem(
            pointer=f"path.{one.get('key', '')}",
            code="invalid",
            message=f"{one.get('key')}: {one.get('message')}",
        )
        for one in extra
        if isinstance(one, dict)
    ]


def _problem(
    status: int,
    code: str,
    detail: str,
    next_step: str,
    *,
    retryable: bool = False,
    items: list[ProblemItem] | None = None,
) -> Problem:
    return Problem(
        type=f"urn:sep:problem:{code}",
        title=code.replace("_", " "),
        status=status,
        detail=detail,
        code=code,
        errors=items or [],
        next_step=next_step,
        retryable=retryable,
    )
