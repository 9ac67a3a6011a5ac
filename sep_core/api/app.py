"""The application: routes, who may use them, and the document that describes them."""

from typing import Any, Final, cast

import anyio
import orjson
from litestar import Litestar, Response, Router
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins.prometheus import PrometheusConfig

from sep_core.api import accounts, breakers, events, intents, probes, quotes, state, venues
from sep_core.api.body import Empty
from sep_core.api.edge import LocalOnly, Stamp
from sep_core.api.operation import BEARER
from sep_core.api.port import KernelPort
from sep_core.api.problem import Problem, handlers, not_found
from sep_core.api.reason import Reason
from sep_core.api.schema import PydanticSchemas
from sep_core.api.stream import StreamLimits, StreamPlaces
from sep_core.runtime.quote_body import QuoteBody
from sep_core.runtime.submission import MAX_BODY_BYTES, Submission

INTERFACE_VERSION: Final = "1.0.0"
_BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
_DESCRIPTION: Final = (
    "Intents in, settled and proven effects out. Amounts are decimal strings in base units, never numbers; times are"
    " RFC 3339; every error is a problem document (RFC 9457) with a stable `code`. Reads are open on this machine,"
    " writes need the bearer token of the data folder (the file `api-token`)."
)


def create_app(
    kernel: KernelPort,
    token: str,
    *,
    stopping: anyio.Event | None = None,
    limits: StreamLimits | None = None,
) -> Litestar:
    """The interface of one engine. `stopping`, once set, ends waits and streams."""
    stamp = Stamp(kernel)
    return Litestar(
        route_handlers=[
            *intents.ROUTES,
            *events.ROUTES,
            *state.ROUTES,
            *venues.ROUTES,
            *accounts.ROUTES,
            *breakers.ROUTES,
            *quotes.ROUTES,
            *probes.ROUTES,
        ],
        middleware=[_metrics().middleware, LocalOnly()],
        before_send=[stamp],
        before_request=stamp.arrived,
        exception_handlers=handlers(),
        plugins=[PydanticSchemas(requests=(Submission, Empty, QuoteBody, Reason), answers=(Problem,))],
        openapi_config=_openapi(),
        request_max_body_size=MAX_BODY_BYTES,
        state=State(
            {
                "kernel": kernel,
                "token": token,
                "stopping": stopping or anyio.Event(),
                "stream_limits": limits or StreamLimits(),
                "stream_places": StreamPlaces(),
            }
        ),
        logging_config=None,
        debug=False,
    )


def openapi_document() -> bytes:
    """The description of the interface, in the form in which it is kept under version control."""
    described = create_app(cast(KernelPort, None), "").openapi_schema.to_schema()
    return orjson.dumps(described, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def _metrics() -> PrometheusConfig:
    return PrometheusConfig(
        app_name="sep", prefix="sep", group_path=True, buckets=list(_BUCKETS), exclude=["^/v1/stream$"]
    )


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="SEP",
        version=INTERFACE_VERSION,
        description=_DESCRIPTION,
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        openapi_router=Router("/schema", route_handlers=[], include_in_schema=False, after_request=_no_page),
        components=Components(
            security_schemes={
                BEARER: SecurityScheme(
                    type="http",
                    scheme="bearer",
                    description="The content of the file `api-token` of the data folder.",
                )
            }
        ),
    )


async def _no_page(response: Response[Any]) -> Response[Any]:
    # The framework answers unknown paths below /schema with a page of its own.
    return not_found() if response.status_code == 404 else response
