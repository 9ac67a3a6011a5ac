"""Errors as RFC 9457 problem documents."""

from typing import Annotated
from uuid import UUID

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap
from pydantic import Field

from sep_core.runtime.submission import RequestProblem, RequestRefused
from sep_core.runtime.views import View
from sep_hooks.errors import Ambiguous, Permanent, Retryable, SepError

PROBLEM_MEDIA_TYPE = "application/problem+json"

_REQUEST_STATUS = {"malformed": 400, "too_large": 413, "conflict": 409, "invalid": 422}
_CODE_STATUS = {"not_found": 404, "not_in_log": 404, "unauthorised": 401, "store_busy": 503}
_HTTP_CODES = {400: "malformed", 401: "unauthorised", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}

log = structlog.get_logger(__name__)


class ProblemItem(View):
    """One mistake in a request; `pointer` is a JSON pointer into the body, or names a parameter."""

    pointer: str
    code: str
    message: str


class Problem(View):
    """An error. `code` is stable, `detail` is for people, `retryable` says whether the same request may go through."""

    type: str
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    code: str
    errors: list[ProblemItem]
    next_step: str
    retryable: bool
    intent_id: UUID | None = None


def problem_response(problem: Problem) -> Response[bytes]:
    """The document with its own media type."""
    headers = {"WWW-Authenticate": "Bearer"} if problem.status == 401 else {}
    return Response(
        problem.model_dump_json().encode(),
        status_code=problem.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers=headers,
    )


def problem_of(error: Exception) -> Problem:
    """The problem that an exception means; what is nobody's fault but ours tells nothing of its inside."""
    if isinstance(error, RequestRefused):
        return _refused(error)
    if isinstance(error, SepError):
        return _problem(_status_of(error), error.code, error.message, error.next_step, error.retryable)
    if isinstance(error, HTTPException):
        code = _HTTP_CODES.get(error.status_code, "invalid" if error.status_code < 500 else "internal")
        items = _parameter_items(error.extra)
        detail = items[0].message if items else error.detail
        return _problem(error.status_code, code, detail, "", False, items)
    return _problem(500, "internal", "a mistake of SEP's own; it stands in the engine's log", "report it", False)


def handlers() -> ExceptionHandlersMap:
    """One handler for everything, so that no error leaves in another form."""
    return {Exception: _handle, HTTPException: _handle, SepError: _handle}


def _handle(request: Request[object, object, object], error: Exception) -> Response[bytes]:
    problem = problem_of(error)
    if problem.status >= 500 and not isinstance(error, SepError):
        log.error("request failed", path=request.url.path, exc_info=error)
    return problem_response(problem)


def _status_of(error: SepError) -> int:
    if error.code in _CODE_STATUS:
        return _CODE_STATUS[error.code]
    if isinstance(error, Retryable | Ambiguous):
        return 503
    return 422 if isinstance(error, Permanent) else 500


def _refused(error: RequestRefused) -> Problem:
    items = [_item(one) for one in error.problems]
    return _problem(
        _REQUEST_STATUS[error.kind], error.problems[0].code, error.message, error.next_step, False, items
    )


def _item(problem: RequestProblem) -> ProblemItem:
    return ProblemItem(pointer=problem.pointer, code=problem.code, message=problem.message)


def _parameter_items(extra: object) -> list[ProblemItem]:
    if not isinstance(extra, list):
        return []
    return [
        ProblemItem(pointer=str(one.get("key", "")), code="invalid", message=str(one.get("message", "")))
        for one in extra
        if isinstance(one, dict)
    ]


def _problem(
    status: int,
    code: str,
    detail: str,
    next_step: str,
    retryable: bool,
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


