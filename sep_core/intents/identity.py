"""Who an intent is: a platform id that a retry repeats, and what makes two the same."""

from uuid import UUID, uuid5

from sep_hooks.types import Intent, IntentId

from sep_core.intents.errors import IntentConflict
from sep_core.intents.rules import PLATFORM_NAMESPACE
from sep_core.intents.state import IntentState


def intent_id(strategy_id: UUID, client_id: UUID, namespace: UUID = PLATFORM_NAMESPACE) -> IntentId:
    """The platform's id of a strategy's intent: the same for ever, whoever computes it."""
    return IntentId(uuid5(namespace, f"{strategy_id}|{client_id}"))


def same_content(one: Intent, other: Intent) -> bool:
    """Whether two intents say the same, whatever the account and inputs that the kernel noted with them."""
    return _said(one) == _said(other)


def is_duplicate(known: IntentState | None, intent: Intent) -> bool:
    """False for a new intent, True for an exact repeat. Raises `IntentConflict` for a reused id."""
    if known is None:
        return False
    if known.id != intent.id:
        raise ValueError(f"intents {known.id} and {intent.id} are compared, which are two")
    if not same_content(known.intent, intent):
        raise IntentConflict(intent.id)
    return True


def _said(intent: Intent) -> tuple[object, ...]:
    assets = tuple((part.asset.id, part.amount, part.percentage) for part in intent.assets)
    return intent.client_id, intent.strategy, intent.type, assets, intent.constraints, intent.deadline
