"""Routes of what is: portfolio, plugins, chains, limits, time."""

from typing import Final

from litestar import get

from sep_core.api.answer import Answer, AnyRequest, kernel_of, reader_of
from sep_core.api.operation import operation
from sep_core.api.parameters import StateParameters, no_parameters, read_parameters
from sep_core.runtime.views import (
    ChainView,
    LimitsView,
    PluginView,
    PortfolioView,
    TimeView,
    View,
)


class PluginList(View):
    """All plugins."""

    items: list[PluginView]


class ChainList(View):
    """All chains."""

    items: list[ChainView]


_NOW = operation(problems=(400,))
_THEN = operation(problems=(404,), query=StateParameters)


@get(
    "/v1/portfolio",
    operation_id="getPortfolio",
    operation_class=operation(problems=(404,), query=StateParameters),
    tags=["state"],
)
async def get_portfolio(request: AnyRequest) -> Answer[PortfolioView]:
    """Balances by account, strategy and asset, with cost and profit."""
    asked = read_parameters(request, StateParameters)
    return Answer(await (await reader_of(request).queries(asked.as_of)).portfolio())


@get("/v1/plugins", operation_id="listPlugins", operation_class=_THEN, tags=["state"])
async def list_plugins(request: AnyRequest) -> Answer[PluginList]:
    """The plugins of this run, and what became of them; of the past all that the log tells of."""
    asked, kernel = read_parameters(request, StateParameters), kernel_of(request)
    source = kernel if asked.as_of is None else await kernel.queries(asked.as_of)
    return Answer(PluginList(items=source.plugins()))


@get("/v1/chains", operation_id="listChains", operation_class=_THEN, tags=["state"])
async def list_chains(request: AnyRequest) -> Answer[ChainList]:
    """The chains as seen now; of the past as the last start had found them."""
    asked, kernel = read_parameters(request, StateParameters), kernel_of(request)
    source = kernel if asked.as_of is None else await kernel.queries(asked.as_of)
    return Answer(ChainList(items=source.chains()))


@get("/v1/limits", operation_id="getLimits", operation_class=_THEN, tags=["state"])
async def get_limits(request: AnyRequest) -> Answer[LimitsView]:
    """The bounds that an intent must keep, and which table of the configuration says so; of the past, of that run."""
    asked, kernel = read_parameters(request, StateParameters), kernel_of(request)
    source = kernel if asked.as_of is None else await kernel.queries(asked.as_of)
    return Answer(source.limits())


@get("/v1/time", operation_id="getTime", operation_class=_NOW, tags=["state"])
async def get_time(request: AnyRequest) -> Answer[TimeView]:
    """The machine's time and the chains' own."""
    no_parameters(request)
    kernel = kernel_of(request)
    now = kernel.health().timestamp
    return Answer(
        TimeView(
            now=now,
            now_ms=int(now.timestamp() * 1000),
            chains={one.name: one.head_time for one in kernel.chains()},
        )
    )


ROUTES: Final = (get_portfolio, list_plugins, list_chains, get_limits, get_time)
