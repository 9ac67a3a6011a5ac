"""Routes of venues: how they are, keep one out of plans, let it in again."""

from typing import Final

from litestar import get, post
from litestar.params import FromPath

from sep_core.api.answer import Answer, AnyRequest, kernel_of
from sep_core.api.body import json_bytes
from sep_core.api.edge import require_token
from sep_core.api.operation import operation
from sep_core.api.parameters import StateParameters, no_parameters, read_parameters
from sep_core.api.reason import Reason
from sep_core.runtime.submission import parse_body
from sep_core.runtime.views import VenueView, View


class VenueList(View):
    """All venues."""

    items: list[VenueView]


_SEEN = operation(problems=(404,), query=StateParameters)
_TOLD = operation(problems=(400, 401, 404, 413, 415, 422), body=Reason, guarded=True)


@get("/v1/venues", operation_id="listVenues", operation_class=_SEEN, tags=["venues"])
async def list_venues(request: AnyRequest) -> Answer[VenueList]:
    """The venues as seen now; of the past their standing."""
    asked, kernel = read_parameters(request, StateParameters), kernel_of(request)
    source = kernel if asked.as_of is None else await kernel.queries(asked.as_of)
    return Answer(VenueList(items=source.venues()))


@get("/v1/venues/{venue:str}", operation_id="getVenue", operation_class=_SEEN, tags=["venues"])
async def get_venue(request: AnyRequest, venue: FromPath[str]) -> Answer[VenueView]:
    """One venue as seen now; of the past its standing."""
    asked, kernel = read_parameters(request, StateParameters), kernel_of(request)
    source = kernel if asked.as_of is None else await kernel.queries(asked.as_of)
    return Answer(source.venue(venue))


@post(
    "/v1/venues/{venue:str}/disable",
    guards=[require_token],
    status_code=200,
    operation_id="disableVenue",
    operation_class=_TOLD,
    tags=["venues"],
)
async def disable_venue(request: AnyRequest, venue: FromPath[str]) -> Answer[VenueView]:
    """Keeps a venue out of plans, over restarts too, until it is enabled. What was sent through it runs on."""
    no_parameters(request)
    order = parse_body(await json_bytes(request), Reason)
    return Answer(await kernel_of(request).disable_venue(venue, order.reason, "api"))


@post(
    "/v1/venues/{venue:str}/enable",
    guards=[require_token],
    status_code=200,
    operation_id="enableVenue",
    operation_class=_TOLD,
    tags=["venues"],
)
async def enable_venue(request: AnyRequest, venue: FromPath[str]) -> Answer[VenueView]:
    """Lets plans use a venue again, where it answers."""
    no_parameters(request)
    order = parse_body(await json_bytes(request), Reason)
    return Answer(await kernel_of(request).enable_venue(venue, order.reason, "api"))


ROUTES: Final = (list_venues, get_venue, disable_venue, enable_venue)
