"""What the kernel can be told, besides what execution's workers report."""

from dataclasses import dataclass
from typing import Literal

from sep_hooks.types import Amount, Intent, IntentId, Plan, PriceBook

from sep_core.events.facts import StrategyStopped
from sep_core.events.registry import Fact
from sep_core.execution.commands import ExecutionCommand
from sep_core.execution.orders import OrderCommand
from sep_core.strategies import Advance


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
    """The plan went stale before anything was sent; its hold is released.

    `retryable`: the intent is planned again; otherwise it is rejected with `code`.
    """

    intent_id: IntentId
    code: str
    reason: str
    retryable: bool = True


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
class ReleaseSlices:
    """The clock says that a slice of an intent is due."""

    intent_id: IntentId


@dataclass(frozen=True, slots=True)
class RecordSlicing:
    """Into how many slices planning finds that what is left of an ADAPTIVE intent of `amount` is best cut, and why."""

    intent_id: IntentId
    amount: Amount
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class StopStrategy:
    """An instance ended, and which of its intents shall end with it."""

    instance: str
    fact: StrategyStopped
    cancels: tuple[IntentId, ...]


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """Facts that need no decision: starts and stops of the kernel, of chains, plugins and strategies."""

    facts: tuple[tuple[str, Fact], ...]


type KernelCommand = (
    ExecutionCommand
    | OrderCommand
    | SubmitIntent
    | RecordPlan
    | RecordPlanFailure
    | WithdrawPlan
    | CancelIntent
    | ExpireIntent
    | ReleaseSlices
    | RecordSlicing
    | Advance
    | StopStrategy
    | RecordFacts
)
