"""Routes of breakers: what is open and why, let it go on."""

from typing import Final

from litestar import get, post
from litestar.params import FromPath

from sep_core.api.answer import Answer, AnyRequest, kernel_of, reader_of
from sep_core.api.body import json_bytes
from sep_core.api.edge import require_token
from sep_core.api.operation import operation
from sep_core.api.parameters import StateParameters, no_parameters, read_parameters
from sep_core.api.reason import Reason
from sep_core.runtime.submission import parse_body
from sep_core.runtime.views import BreakersView


@get(
    "/v1/breakers",
    operation_id="listBreakers",
    operation_class=operation(problems=(404,), query=StateParameters),
    tags=["breakers"],
)
async def list_breakers(request: AnyRequest) -> Answer[BreakersView]:
    """The open breakers, and what the holdings that they guard are worth."""
    asked = read_parameters(request, StateParameters)
    return Answer(await (await reader_of(request).queries(asked.as_of)).breakers())


@post(
    "/v1/breakers/{breaker:str}/close",
    guards=[require_token],
    status_code=200,
    operation_id="closeBreaker",
    operation_class=operation(problems=(400, 401, 404, 409, 413, 415, 422, 503), body=Reason, guarded=True),
    tags=["breakers"],
)
async def close_breaker(request: AnyRequest, breaker: FromPath[str]) -> Answer[BreakersView]:
    """Closes an open breaker; what was lost before is not counted again."""
    no_parameters(request)
    order = parse_body(await json_bytes(request), Reason)
    return Answer(await kernel_of(request).close_breaker(breaker, order.reason, "api"))


ROUTES: Final = (list_breakers, close_breaker)
