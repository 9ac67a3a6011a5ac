"""Facts of one intent's life; stream `intent:<id>`."""

from datetime import datetime
from typing import Literal

from sep_hooks.types import Amount, AssetId, Charge, Fill, Intent, Plan, PriceBook, Verdict

from sep_core.events.facts.old_ends import end_with_gas
from sep_core.events.facts.old_intents import kept_from_the_public
from sep_core.events.facts.old_plans import plan_with_flows
from sep_core.events.registry import Fact, fact


@fact("IntentReceived", version=2, older={1: kept_from_the_public})
class IntentReceived(Fact):
    """An intent as it arrived. `request` is the author's own bytes in base64, empty for a strategy in process."""

    intent: Intent
    source: Literal["api", "strategy", "command_line"]
    request: str
    received_at: datetime


@fact("IntentAccepted")
class IntentAccepted(Fact):
    """The intent is within bounds. `deadline` is the earlier of its own and acceptance plus window."""

    accepted_at: datetime
    deadline: datetime
    priority: int


@fact("IntentRejected")
class IntentRejected(Fact):
    """The intent will not be executed; nothing of it was sent."""

    stage: Literal["validation", "planning", "risk", "pre_sign"]
    code: str
    reason: str
    verdicts: tuple[Verdict, ...] = ()


@fact("IntentPlanned", version=2, older={1: plan_with_flows})
class IntentPlanned(Fact):
    """A plan was chosen on a snapshot, with the prices that risk is measured in."""

    plan: Plan
    prices: PriceBook | None
    attempt: int


@fact("PlanWithdrawn")
class PlanWithdrawn(Fact):
    """The plan no longer holds; nothing of it was sent, the intent is planned again."""

    reason: str


@fact("StepsReverted")
class StepsReverted(Fact):
    """What was sent is known to have had no effect: it reverted, for good; the intent is planned again.

    `gas_cost` in wei is what it cost all the same.
    """

    reason: str
    gas_cost: Amount


@fact("RiskApproved")
class RiskApproved(Fact):
    """All hard rules agree. `money` is what may leave, `charges` the limits held, until evidence frees them."""

    money: tuple[tuple[AssetId, Amount], ...]
    charges: tuple[Charge, ...]
    verdicts: tuple[Verdict, ...]
    price_digest: str
    limits_version: int


@fact("ExecutionStarted")
class ExecutionStarted(Fact):
    """The steps are signed and will be sent; in paper mode there are no hashes."""

    mode: Literal["paper", "testnet"]
    steps: tuple[str, ...]
    transaction_hashes: tuple[str, ...]


@fact("IntentDoubted")
class IntentDoubted(Fact):
    """The outcome of a step is not known; only evidence leads on."""

    step_id: str
    transaction_hash: str
    reason: str


@fact("IntentResumed")
class IntentResumed(Fact):
    """Evidence ended the doubt."""

    step_id: str
    evidence: str


@fact("FillRecorded")
class FillRecorded(Fact):
    """A final fill; `simulated` where it was never sent."""

    fill: Fill
    simulated: bool


@fact("IntentSettled")
class IntentSettled(Fact):
    """The wanted outcome is final. `gas_cost` in wei."""

    spent: Amount
    received: Amount
    gas_cost: Amount


@fact("IntentFailed", version=2, older={1: end_with_gas})
class IntentFailed(Fact):
    """A step failed for good, by evidence; what moved stands in the ledger.

    `gas_cost` in wei is what this last attempt cost, as in the other ends without effect.
    """

    code: str
    reason: str
    gas_cost: Amount = Amount(0)


@fact("IntentExpired", version=2, older={1: end_with_gas})
class IntentExpired(Fact):
    """The deadline passed before anything was sent, or what was sent is known to have had no effect."""

    reason: str
    gas_cost: Amount = Amount(0)


@fact("CancelRequested")
class CancelRequested(Fact):
    """Somebody wants the intent ended; what was sent runs to its evidence."""

    by: str


@fact("IntentCancelled", version=2, older={1: end_with_gas})
class IntentCancelled(Fact):
    """Ended on request before anything was sent, or where what was sent is known to have had no effect."""

    reason: str
    gas_cost: Amount = Amount(0)
