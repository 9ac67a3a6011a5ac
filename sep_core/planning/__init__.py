"""How an intent becomes a plan."""

from sep_core.planning.planner import UNFORESEEN, Planner, unforeseen
from sep_core.planning.ports import (
    DirectVenueGuard,
    Holdings,
    Markets,
    MarketSnapshot,
    PlanningChain,
    TransferReader,
    VenueGuard,
)
from sep_core.planning.progress import Progress
from sep_core.planning.request import Planned, PlanRefused, PlanRequest, Reference, Sliced
from sep_core.planning.venues import Venues

__all__ = [
    "UNFORESEEN",
    "DirectVenueGuard",
    "Holdings",
    "MarketSnapshot",
    "Markets",
    "PlanRefused",
    "PlanRequest",
    "Planned",
    "Planner",
    "PlanningChain",
    "Progress",
    "Reference",
    "Sliced",
    "TransferReader",
    "VenueGuard",
    "Venues",
    "unforeseen",
]
