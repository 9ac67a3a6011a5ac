"""What the kernel can be told, besides what execution's workers report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from sep_core.events.registry import Fact
from sep_core.execution.commands import ExecutionCommand
from sep_hooks.types import Intent, IntentDraft, IntentId, Plan, PriceBook


@dataclass(frozen=True, slots=True)
class SubmitIntent:
    """An intent that passed validation, with the author's own bytes in base64."""

    intent: Intent
    source: Literal["api", "strategy", "command_line"]
    request: str = ""


@dataclass(frozen=True, slots=True)
class RecordPlan:
    """The planner's answer to one attempt."""

    intent_id: IntentId
    plan: Plan
    prices: PriceBook | None


@dataclass(frozen=True, slots=True)
class RecordPlanFailure:
    """No plan within the constraints."""

    intent_id: IntentId
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class WithdrawPlan:
    """The plan went stale before anything was sent; its hold is released and the intent is planned again."""

    intent_id: IntentId
    reason: str


@dataclass(frozen=True, slots=True)
class CancelIntent:
    """Somebody wants the intent ended."""

    intent_id: IntentId
    by: str


@dataclass(frozen=True, slots=True)
class ExpireIntent:
    """The deadline passed before anything was sent."""

    intent_id: IntentId
    reason: str


@dataclass(frozen=True, slots=True)
class AdvanceStrategy:
    """One callback's outcome: state, timers and intents, recorded together."""

    instance: str
    trigger: str
    state: str
    inputs_digest: str
    timers: tuple[tuple[str, datetime], ...] = ()
    submissions: tuple[tuple[IntentDraft, UUID], ...] = ()
    cancels: tuple[IntentId, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """Facts that need no decision: starts and stops of the kernel, of chains, plugins and strategies."""

    facts: tuple[tuple[str, Fact], ...]
    meta: Mapping[str, str] = field(default_factory=dict)


type KernelCommand = (
    ExecutionCommand
    | SubmitIntent
    | RecordPlan
    | RecordPlanFailure
    | WithdrawPlan
    | CancelIntent
    | ExpireIntent
    | AdvanceStrategy
    | RecordFacts
)
