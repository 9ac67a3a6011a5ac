"""The life of an intent: identity, validation, priority, and what may follow what."""

from sep_core.intents.decisions import (
    doubted,
    execution_started,
    expire,
    failed,
    fill_recorded,
    plan_chosen,
    plan_failed,
    receive,
    refuse,
    request_cancel,
    resumed,
    risk_approved,
    risk_rejected,
    settled,
    withdraw_plan,
)
from sep_core.intents.errors import IllegalTransition, IntentConflict
from sep_core.intents.evolve import MAY_FOLLOW, evolve, fold
from sep_core.intents.identity import intent_id, is_duplicate, same_content
from sep_core.intents.priority import QueueKey, priority, queue_key
from sep_core.intents.rules import PLATFORM_NAMESPACE, Bounds, IntentRules, KnownAccount, Roster
from sep_core.intents.slicing import slice_count, slices_reason
from sep_core.intents.state import BEFORE_EXECUTION, IntentState, Source
from sep_core.intents.validation import Problem, validate

__all__ = [
    "BEFORE_EXECUTION",
    "MAY_FOLLOW",
    "PLATFORM_NAMESPACE",
    "Bounds",
    "IllegalTransition",
    "IntentConflict",
    "IntentRules",
    "IntentState",
    "KnownAccount",
    "Problem",
    "QueueKey",
    "Roster",
    "Source",
    "doubted",
    "evolve",
    "execution_started",
    "expire",
    "failed",
    "fill_recorded",
    "fold",
    "intent_id",
    "is_duplicate",
    "plan_chosen",
    "plan_failed",
    "priority",
    "queue_key",
    "receive",
    "refuse",
    "request_cancel",
    "resumed",
    "risk_approved",
    "risk_rejected",
    "same_content",
    "settled",
    "slice_count",
    "slices_reason",
    "validate",
    "withdraw_plan",
]
