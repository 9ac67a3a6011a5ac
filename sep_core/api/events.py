"""Routes of the log: pages, single events, the live stream, the head's checkpoint."""

from typing import Annotated, Final, cast

from litestar import get
from litestar.params import PathParameter
from sep_hooks.store import EventFilter, NotInLog

from sep_core.api.answer import Answer, AnyRequest, head_tag, reader_of
from sep_core.api.operation import header_parameter, operation
from sep_core.api.parameters import (
    MOST_POSITIONS,
    EventListParameters,
    StateParameters,
    StreamParameters,
    read_parameters,
)
from sep_core.api.problem import TooManyStreams
from sep_core.api.shutdown import stopping
from sep_core.api.stream import EventStream, StreamLimits, StreamPlaces
from sep_core.runtime.queries import moment_or_position
from sep_core.runtime.submission import RequestProblem, RequestRefused
from sep_core.runtime.views import CheckpointView, EventPage, EventView

_LAST_EVENT_ID = header_parameter(
    "Last-Event-ID",
    "The last id that a stream has given: this one begins behind it. Goes before `after`.",
    {"type": "integer", "minimum": 0, "maximum": MOST_POSITIONS},
)
_STREAMS = (
    "Server-sent events. First `hello` {store_id, after, head}; then one frame without a name for each event, its id"
    " the position and its data an `EventView`; `heartbeat` {position} at the first arrival at the head and after"
    " every 15 silent seconds, its id the position that was looked at; at the end `closing` {code, detail,"
    " resume_after, next_step}. Nothing is left out or repeated: resume with `Last-Event-ID`."
)


@get(
    "/v1/events",
    operation_id="listEvents",
    operation_class=operation(problems=(404,), query=EventListParameters, conditional=True),
    tags=["events"],
)
async def list_events(request: AnyRequest) -> Answer[EventPage]:
    """Events in the order of the log."""
    asked = read_parameters(request, EventListParameters)
    tag = await head_tag(request)
    queries = await reader_of(request).queries(asked.as_of)
    page = await queries.events(
        after=asked.after, limit=asked.limit, stream=asked.stream, types=tuple(asked.type)
    )
    return Answer(page, headers=tag)


@get(
    "/v1/events/{position:int}",
    operation_id="getEvent",
    operation_class=operation(problems=(404,), query=StateParameters),
    tags=["events"],
)
async def get_event(
    request: AnyRequest, position: Annotated[int, PathParameter(ge=1, le=MOST_POSITIONS)]
) -> Answer[EventView]:
    """One event by its position."""
    asked = read_parameters(request, StateParameters)
    return Answer(await (await reader_of(request).queries(asked.as_of)).event(position))


@get(
    "/v1/stream",
    operation_id="streamEvents",
    operation_class=operation(
        problems=(404,), query=StreamParameters, headers=[_LAST_EVENT_ID], streams=_STREAMS
    ),
    tags=["events"],
)
async def stream_events(request: AnyRequest) -> EventStream:
    """Events as they happen, without a gap over any number of reconnections."""
    asked = read_parameters(request, StreamParameters)
    store = reader_of(request).store
    head = (await store.head()).pos
    resumed = _last_event_id(request.headers.get("last-event-id"))
    after = next((one for one in (resumed, asked.after) if one is not None), head)
    if after > head:
        raise NotInLog(
            f"position {after} was asked for, the log ends at {head}",
            next_step="compare the store_id of hello: this may be another log; begin again at after=0",
        )
    limits = cast(StreamLimits, request.app.state["stream_limits"])
    places = cast(StreamPlaces, request.app.state["stream_places"])
    if places.open >= limits.most_streams:
        raise TooManyStreams(
            f"{places.open} streams are open, more are not served", next_step="close one, or try again later"
        )
    wanted = EventFilter(tuple(asked.type), () if asked.stream is None else (asked.stream,))
    return EventStream(store, after, wanted, limits, places, stopping(request))


@get(
    "/v1/audit/head",
    operation_id="getAuditHead",
    operation_class=operation(problems=(404,), query=StateParameters),
    tags=["audit"],
)
async def get_audit_head(request: AnyRequest) -> Answer[CheckpointView]:
    """The signed checkpoint of the log's head; of the past the last one over nothing behind that place."""
    asked = read_parameters(request, StateParameters)
    when = None if asked.as_of is None else moment_or_position(asked.as_of)
    head = await reader_of(request).store.head(as_of=when)
    return Answer(
        CheckpointView(
            store_id=head.store_id,
            epoch=head.epoch,
            position=head.pos,
            root="0x" + head.root.hex(),
            note=head.note,
        )
    )


ROUTES: Final = (list_events, get_event, stream_events, get_audit_head)


def _last_event_id(text: str | None) -> int | None:
    if text is None or text == "":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > MOST_POSITIONS:
        message = f"Last-Event-ID is {text[:64]!r}; it must be a position of the log"
        raise RequestRefused((RequestProblem("header.Last-Event-ID", "invalid", message),), kind="malformed")
    return int(text)
