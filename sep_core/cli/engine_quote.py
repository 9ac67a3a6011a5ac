"""A quote from the engine that works on a configuration, where one does."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sep_hooks.types import Asset, chain_id_of, chain_of, erc20, token_address

from sep_core.cli.engine import ENGINE_FILE, Engine, NoEngine

if TYPE_CHECKING:
    from sep_core.runtime.quote_view import QuoteView
    from sep_core.runtime.settings import Settings

LONGEST_SEARCH_MS = 2_000
"""The most that an engine searches for one quote."""


def engine_of(settings: "Settings") -> Engine | None:
    """The engine that left its note in the data folder and answers; None where there is none."""
    if not (settings.store.path / ENGINE_FILE).exists():
        return None
    engine = Engine(settings)
    try:
        engine.call("GET", "/v1/limits")
    except NoEngine:
        return None
    return engine


def engine_assets(engine: Engine, settings: "Settings") -> list[Asset]:
    """The configuration's assets, with the chains' ids as the engine knows them."""
    chains = {str(one["name"]): int(one["chain_id"]) for one in engine.call("GET", "/v1/chains")["items"]}
    return [
        Asset(erc20(chains[one.chain], one.address), one.symbol, one.decimals)
        for one in settings.assets.values()
        if one.chain in chains
    ]


def engine_quote(
    engine: Engine,
    sold: tuple[Asset, int | None],
    bought: tuple[Asset, int | None],
    limits: Mapping[str, Any],
    *,
    with_snapshot: bool,
) -> "QuoteView":
    """What the engine answers. Raises what `Engine.call` raises."""
    from sep_core.runtime.quote_view import QuoteView

    body = {
        "spend": [_said(*sold)],
        "receive": _said(*bought),
        **limits,
        "time_ms": min(int(limits["time_ms"]), LONGEST_SEARCH_MS),
        "include_snapshot": with_snapshot,
    }
    return QuoteView.model_validate(engine.call("POST", "/v1/quotes", json.dumps(body).encode()))


def _said(asset: Asset, amount: int | None) -> dict[str, Any]:
    named = {"chain_id": chain_id_of(chain_of(asset.id)), "address": token_address(asset.id)}
    return {"asset": named} if amount is None else {"asset": named, "amount": str(amount)}
