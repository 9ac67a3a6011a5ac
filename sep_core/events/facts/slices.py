"""Facts of an intent in slices: its schedule, and what becomes of its children; stream `intent:<id>`."""

from dataclasses import dataclass
from datetime import datetime

from sep_hooks.types import Amount, AssetId, ExecutionStyle, IntentId, IntentStatus

from sep_core.events.registry import Fact, fact

type Amounts = tuple[tuple[AssetId, Amount], ...]
"""How much of each asset."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of an amount that is not released yet, and when it will be."""

    ordinal: int
    at: datetime
    amount: Amount


@fact("SlicesScheduled")
class SlicesScheduled(Fact):
    """How what is not released yet is spread over time; each revision takes the place of the one before.

    `total` is the whole intent in base units of its asset. `seed` is what sizes and times were drawn from, so that
    anyone can draw them again; empty where nothing is random.
    """

    revision: int
    style: ExecutionStyle
    total: Amount
    seed: str
    slices: tuple[Slice, ...]
    reason: str


@fact("SliceReleased")
class SliceReleased(Fact):
    """A slice went its way as a child intent, accepted in the same append. `max_fee` is its share of the gas."""

    ordinal: int
    child: IntentId
    amount: Amount
    due: datetime
    max_fee: Amount | None


@fact("ReferenceFixed")
class ReferenceFixed(Fact):
    """The price at size zero that the slippage of the whole is measured from: output per input of one pair."""

    asset_in: AssetId
    asset_out: AssetId
    amount_in: Amount
    amount_out: Amount
    child: IntentId


@fact("ChildEnded")
class ChildEnded(Fact):
    """A child ended. `done` is how much of its slice it has done; the rest of it may be scheduled again."""

    ordinal: int
    child: IntentId
    status: IntentStatus
    done: Amount
    spent: Amounts
    received: Amounts
    gas_cost: Amount
    code: str
    reason: str


@fact("SlicingClosed")
class SlicingClosed(Fact):
    """No further slice will be released; the intent ends with its last open child."""

    code: str
    reason: str
