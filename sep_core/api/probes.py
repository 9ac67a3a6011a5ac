"""Routes for those who watch over the engine, and the front page."""

from typing import Final

from litestar import Response, get, post
from prometheus_client import REGISTRY, CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from sep_hooks.errors import SepError

from sep_core.api.answer import Answer, AnyRequest, kernel_of
from sep_core.api.body import Empty, no_body
from sep_core.api.edge import require_token
from sep_core.api.operation import operation
from sep_core.api.parameters import no_parameters
from sep_core.runtime.views import DrainView, HealthView, View

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>SEP</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }}</style>
</head>
<body>
<h1>SEP {version}</h1>
<p>This is a Strategy Execution Platform: intents go in, settled and proven effects come out.
This page is all that there is to look at; programs use the interface beside it.</p>
<ul>
<li><a href="/health">/health</a>: how the engine is</li>
<li><a href="/v1/intents">/v1/intents</a>: what it was asked, and where that stands</li>
<li><a href="/v1/portfolio">/v1/portfolio</a>: what is held</li>
<li><a href="/v1/events">/v1/events</a>: the log; <a href="/v1/stream?after=0">/v1/stream</a>: the same, live</li>
<li><a href="/schema/openapi.json">/schema/openapi.json</a>: the whole interface, for programs</li>
</ul>
</body>
</html>
"""


class ProbeView(View):
    """The answer of a probe."""

    status: str
    reason: str | None = None


@get("/health", operation_id="getHealth", operation_class=operation(), tags=["probes"])
async def get_health(request: AnyRequest) -> Answer[HealthView]:
    """How the engine is, for people; never a probe: a chain that is silent for a while is no reason to restart."""
    return Answer(kernel_of(request).health())


@get("/livez", operation_id="getLiveness", operation_class=operation(), tags=["probes"])
async def get_liveness() -> Answer[ProbeView]:
    """The process answers. Depends on nothing else."""
    return Answer(ProbeView(status="ok"))


@get(
    "/readyz",
    operation_id="getReadiness",
    operation_class=operation(),
    tags=["probes"],
)
async def get_readiness(request: AnyRequest) -> Answer[ProbeView]:
    """Whether intents can be taken: the log can be read and written; 503 while it cannot, and while draining."""
    kernel_of(request).drain.check()
    store = kernel_of(request).store
    failure = getattr(store, "failure", None)
    if failure is None:
        try:
            await store.head()
        except SepError as error:
            failure = error
    if failure is not None:
        raise failure
    return Answer(ProbeView(status="ok"))


@post(
    "/v1/drain",
    guards=[require_token],
    status_code=202,
    operation_id="drainEngine",
    operation_class=operation(problems=(400, 413, 422), body=Empty, body_required=False, guarded=True),
    tags=["probes"],
)
async def drain_engine(request: AnyRequest) -> Answer[DrainView]:
    """Takes in no new intents from here on; the engine ends when none is open. There is no way back."""
    no_parameters(request)
    await no_body(request)
    return Answer(kernel_of(request).end_when_idle(), status_code=202)


@get(
    "/metrics",
    operation_id="getMetrics",
    media_type="text/plain",
    operation_class=operation(),
    tags=["probes"],
)
async def get_metrics(request: AnyRequest) -> Response[str]:
    """Figures in the text format of Prometheus."""
    health = kernel_of(request).health()
    registry = CollectorRegistry()
    for name, text, value in (
        ("sep_log_position", "Last position of the log.", (await kernel_of(request).store.head()).pos),
        ("sep_open_intents", "Intents that have not ended.", health.open_intents),
        (
            "sep_unknown_effects",
            "Transactions and orders whose fate only evidence can tell.",
            health.in_doubt,
        ),
    ):
        Gauge(name, text, registry=registry).set(value)
    services = Gauge("sep_service_up", "1 while a service is well.", ["service"], registry=registry)
    for service, view in health.services.items():
        services.labels(service).set(view.status == "ok")
    figures = generate_latest(REGISTRY) + generate_latest(registry)
    return Response(figures.decode(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


@get("/", include_in_schema=False, media_type="text/html")
async def get_page(request: AnyRequest) -> Response[str]:
    """What this is, for somebody who opens it in a browser."""
    return Response(_PAGE.format(version=kernel_of(request).version))


ROUTES: Final = (get_health, get_liveness, get_readiness, drain_engine, get_metrics, get_page)
