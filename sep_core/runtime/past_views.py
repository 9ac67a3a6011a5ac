"""What the log says of chains, venues, plugins and bounds at one place; what only a running engine sees is left out."""

from collections.abc import Iterator, Sequence

from sep_hooks.types import chain_id_of

from sep_core.events.facts import (
    BoundsInForce,
    PluginActivated,
    PluginFaulted,
    PluginQuarantined,
    PluginRejected,
    PluginReleased,
)
from sep_core.intents import SUPPORTED_TYPES
from sep_core.runtime.settings import Settings
from sep_core.runtime.submission import MAX_ASSETS, MAX_BODY_BYTES, MAX_NESTING
from sep_core.runtime.views import (
    ChainView,
    IntegerRangeView,
    IntentBoundsView,
    LimitsView,
    PluginView,
    RatioRangeView,
    VenueView,
)
from sep_core.runtime.world import PluginFact, World

_VENUES = {"venue", "order_venue"}


def limits_view(bounds: Sequence[BoundsInForce]) -> LimitsView:
    """The bounds of a run."""
    return LimitsView(
        intents=[
            IntentBoundsView(
                type=one.type,
                supported=one.type in SUPPORTED_TYPES,
                max_slippage=RatioRangeView(
                    least=format(one.min_slippage, "f"), most=format(one.max_slippage, "f")
                ),
                time_window_ms=IntegerRangeView(least=one.min_window_ms, most=one.max_window_ms),
                source=one.source,
            )
            for one in bounds
        ],
        body_bytes=MAX_BODY_BYTES,
        assets=MAX_ASSETS,
        nesting=MAX_NESTING,
    )


def past_chains(world: World) -> list[ChainView]:
    """The chains as the last start found them, with what was known to be final."""
    return [
        ChainView(
            name=fact.name,
            chain_id=chain_id_of(chain),
            status="recorded",
            head=fact.head.number,
            head_hash=fact.head.hash,
            head_time=None,
            final=None if chain not in world.finalized else world.finalized[chain].number,
            reason=None,
        )
        for chain, fact in world.connected.items()
    ]


def past_plugins(world: World) -> list[PluginView]:
    """What became of each plugin instance, by the last word about it."""
    return [view for _, view in _plugins(world)]


def past_venues(world: World, settings: Settings) -> list[VenueView]:
    """The venues with their standing; how they answered then is in no log."""
    return [_venue(plugin, world, settings) for kind, plugin in _plugins(world) if kind in _VENUES]


def _plugins(world: World) -> Iterator[tuple[str, PluginView]]:
    for facts in world.plugins.values():
        made = next(
            (one for one in reversed(facts) if isinstance(one, PluginActivated | PluginRejected)), None
        )
        if made is None:
            continue
        stage, reason = _stage(facts)
        yield (
            made.kind,
            PluginView(
                name=made.name,
                kind=made.kind,
                distribution=made.dist,
                version=made.version,
                stage=stage,
                reason=reason,
                instances=[made.instance],
            ),
        )


def _stage(facts: Sequence[PluginFact]) -> tuple[str, str | None]:
    """How far an instance had come, and why no further."""
    stage: tuple[str, str | None] = ("active", None)
    for fact in facts:
        match fact:
            case PluginActivated() | PluginReleased():
                stage = ("active", None)
            case PluginRejected():
                stage = ("rejected", fact.reason)
            case PluginQuarantined():
                stage = (fact.consequence, f"{fact.consequence} after {_last_fault(facts)}")
            case PluginFaulted():
                pass
    return stage


def _last_fault(facts: Sequence[PluginFact]) -> str:
    faults = [one for one in facts if isinstance(one, PluginFaulted)]
    return f"{faults[-1].call}: {faults[-1].error}" if faults else "no fault of its own"


def _venue(plugin: PluginView, world: World, settings: Settings) -> VenueView:
    (name,) = plugin.instances
    standing = world.venues.get(name)
    status, reason = (
        ("ok", "") if standing is None else (standing.standing, f"by {standing.by}: {standing.reason}")
    )
    if plugin.stage != "active":
        status, reason = "rejected" if plugin.stage == "rejected" else "circuit_open", plugin.reason or ""
    said = settings.venues.get(name) or settings.order_venues.get(name)
    return VenueView(
        name=name,
        implementation=plugin.name,
        chain=None if said is None else said.chain,
        status=status,
        reason=None if status == "ok" else reason,
        markets=None,
        left_out=[],
        block=None,
        circuit=None,
        faults=None,
        calls=None,
    )
