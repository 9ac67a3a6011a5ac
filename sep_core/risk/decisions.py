"""What is said on the risk book; each goes into the append of the intent's own fact."""

from sep_hooks.types import IntentId

from sep_core.events.decided import Decided
from sep_core.events.facts import HoldConverted, HoldPlaced, HoldReleased
from sep_core.events.streams import RISK_BOOK
from sep_core.risk.engine import RiskDecision


def hold(intent_id: IntentId, account: str, strategy: str, decision: RiskDecision) -> Decided:
    """Holds what an approval promised, with `RiskApproved`. Raises `ValueError` for a refusal."""
    if not decision.approved:
        raise ValueError(f"intent {intent_id} was refused ({decision.code}): nothing may be held for it")
    return Decided(RISK_BOOK, HoldPlaced(intent_id, account, strategy, decision.money, decision.charges))


def convert_hold(intent_id: IntentId) -> Decided:
    """The settling journal entry, in the same append, takes the hold's place."""
    return Decided(RISK_BOOK, HoldConverted(intent_id))


def release_hold(intent_id: IntentId, evidence: str) -> Decided:
    """Evidence shows that nothing of the intent can move money any more. Time alone is no evidence."""
    return Decided(RISK_BOOK, HoldReleased(intent_id, evidence))
