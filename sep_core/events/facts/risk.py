"""Facts of the risk book, stream `risk:book`, and of breakers, stream `risk:breakers`."""

from datetime import datetime

from sep_hooks.types import Amount, AssetId, BreakerAction, Charge, IntentId, Quantity

from sep_core.events.registry import Fact, fact


@fact("HoldPlaced")
class HoldPlaced(Fact):
    """Money and limits are held for an intent from its approval on."""

    intent_id: IntentId
    account: str
    strategy: str
    money: tuple[tuple[AssetId, Amount], ...]
    charges: tuple[Charge, ...]


@fact("HoldConverted")
class HoldConverted(Fact):
    """The settling journal entry takes the hold's place, in the same append."""

    intent_id: IntentId


@fact("HoldReleased")
class HoldReleased(Fact):
    """Evidence shows that nothing of the intent can move money any more."""

    intent_id: IntentId
    evidence: str


@fact("BreakerOpened")
class BreakerOpened(Fact):
    """From now on plans of the scope are refused as `action` says. A latched breaker is closed by a person alone.

    `used` of `limit`, in `unit`, is what the guarded metric stood at.
    """

    breaker: str
    scope: str
    action: BreakerAction
    latched: bool
    unit: str
    used: Quantity
    limit: Quantity
    reason: str
    at: datetime


@fact("BreakerClosed")
class BreakerClosed(Fact):
    """The breaker holds nothing up any more. `by` is `engine`, or the face through which a person closed it; then the
    scope's unit values begin anew, and what was lost before is not counted again.
    """

    breaker: str
    scope: str
    reason: str
    by: str
    at: datetime
