"""Facts about the worth of holdings; stream `equity:<scope>`."""

from dataclasses import dataclass
from datetime import datetime

from sep_hooks.types import AssetId, Quantity

from sep_core.events.registry import Fact, fact


@dataclass(frozen=True, slots=True)
class EquityLine:
    """What is held of one asset, final and provisional, and its worth in base units of the numéraire, rounded down.

    `inflow` is all that ever came from outside, less what went there.
    """

    asset: AssetId
    quantity: Quantity
    value: Quantity
    inflow: Quantity


@fact("EquityMarked")
class EquityMarked(Fact):
    """A scope's holdings at marginal prices: recorded when money came or went, at new highs, and each quarter hour.

    `value` = `units` x `unit_value` / 10**18, up to rounding. `restarted`: a new series of unit values begins here.
    """

    scope: str
    at: datetime
    numeraire: AssetId
    value: Quantity
    units: Quantity
    unit_value: Quantity
    high: Quantity
    lines: tuple[EquityLine, ...]
    restarted: bool
