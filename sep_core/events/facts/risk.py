"""Facts of the risk book; stream `risk:book`."""

from sep_hooks.types import Amount, AssetId, Charge, IntentId

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
