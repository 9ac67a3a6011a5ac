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
    retry,
    risk_approved,
    risk_rejected,
    settled,
    withdraw_plan,
)
from sep_core.intents.errors import IllegalTransition, IntentConflict
from sep_core.intents.evolve import MAY_FOLLOW, evolve, fold
from sep_core.intents.identity import intent_id, is_duplicate, same_content
from sep_core.intents.priority import QueueKey, priority, queue_key
from sep_core.intents.problem import Problem
from sep_core.intents.rules import (
    MOST_ATTEMPTS,
    PLATFORM_NAMESPACE,
    Bounds,
    IntentRules,
    KnownAccount,
    Roster,
)
from sep_core.intents.slice_decisions import (
    child_ended,
    child_intent,
    close_slicing,
    conclude,
    fix_references,
    flows,
    progress,
    release,
    schedule,
)
from sep_core.intents.slices import Child, Slices, child_id
from sep_core.intents.slicing import slice_count, slices_reason
from sep_core.intents.state import BEFORE_EXECUTION, IntentState, Source
from sep_core.intents.validation import SUPPORTED_TYPES, validate

__all__ = [
    "BEFORE_EXECUTION",
    "MAY_FOLLOW",
    "MOST_ATTEMPTS",
    "PLATFORM_NAMESPACE",
    "SUPPORTED_TYPES",
    "Bounds",
    "Child",
    "IllegalTransition",
    "IntentConflict",
    "IntentRules",
    "IntentState",
    "KnownAccount",
    "Problem",
    "QueueKey",
    "Roster",
    "Slices",
    "Source",
    "child_ended",
    "child_id",
    "child_intent",
    "close_slicing",
    "conclude",
    "doubted",
    "evolve",
    "execution_started",
    "expire",
    "failed",
    "fill_recorded",
    "fix_references",
    "flows",
    "fold",
    "intent_id",
    "is_duplicate",
    "plan_chosen",
    "plan_failed",
    "priority",
    "progress",
    "queue_key",
    "receive",
    "refuse",
    "release",
    "request_cancel",
    "resumed",
    "retry",
    "risk_approved",
    "risk_rejected",
    "same_content",
    "schedule",
    "settled",
    "slice_count",
    "slices_reason",
    "validate",
    "withdraw_plan",
]
