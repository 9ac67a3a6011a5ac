"""Where one intent stands, folded from its stream."""

from datetime import datetime
from typing import Literal

from sep_hooks.types import (
    AssetId,
    Charge,
    Fill,
    Flow,
    Intent,
    IntentId,
    IntentStatus,
    Plan,
    PriceBook,
    Verdict,
)
from sep_hooks.types.amount import Amount

from sep_core.events.state import State
from sep_core.intents.slices import Slices

type Source = Literal["api", "strategy", "command_line"]
"""By which door an intent came in."""

BEFORE_EXECUTION = frozenset(
    {IntentStatus.RECEIVED, IntentStatus.ACCEPTED, IntentStatus.PLANNED, IntentStatus.RISK_APPROVED}
)
"""Where nothing has been signed under the present plan."""

_PLANNABLE = frozenset({IntentStatus.ACCEPTED, IntentStatus.PARTIALLY_FILLED})


class IntentState(State, frozen=True):
    """All that decisions about an intent need. `version` counts the facts of its stream.

    REJECTED, EXPIRED and CANCELLED mean that nothing was exchanged: `fills` is empty there. `ends` are what is
    spent and what is received; plans of a rest may pass through other assets, `spent` and `received` speak of these.
    `whole` is what the first of several transactions set out to do; `attempts_before` counts the plans up to the last
    fill; `first_prices`, and `first_marginal` between the `ends`, are those of the plan whose fill was the first.
    """

    intent: Intent
    source: Source
    received_at: datetime
    status: IntentStatus = IntentStatus.RECEIVED
    version: int = 1
    accepted_at: datetime | None = None
    deadline: datetime | None = None
    priority: int = 0
    plan: Plan | None = None
    prices: PriceBook | None = None
    attempt: int = 0
    verdicts: tuple[Verdict, ...] = ()
    money: tuple[tuple[AssetId, Amount], ...] = ()
    charges: tuple[Charge, ...] = ()
    mode: Literal["paper", "testnet"] | None = None
    steps: tuple[str, ...] = ()
    transaction_hashes: tuple[str, ...] = ()
    fills: tuple[Fill, ...] = ()
    ends: tuple[AssetId, AssetId] | None = None
    whole: tuple[Flow, Flow] | None = None
    attempts_before: int = 0
    first_prices: PriceBook | None = None
    first_marginal: tuple[Amount, Amount] | None = None
    doubted_steps: frozenset[str] = frozenset()
    cancel_requested: bool = False
    code: str = ""
    reason: str = ""
    spent: Amount = Amount(0)
    received: Amount = Amount(0)
    gas_cost: Amount = Amount(0)
    slices: Slices | None = None

    @property
    def id(self) -> IntentId:
        """The platform's id."""
        return self.intent.id

    @property
    def open(self) -> bool:
        """Whether anything can still happen."""
        return not self.status.terminal

    @property
    def tries(self) -> int:
        """How many plans there were since something of it was exchanged last."""
        return self.attempt - self.attempts_before

    @property
    def between(self) -> bool:
        """Whether a part is exchanged and nothing is under way: the rest waits for a plan of its own."""
        waits = self.plan is None or bool(self.plan.later)
        return self.status is IntentStatus.PARTIALLY_FILLED and self.slices is None and waits

    @property
    def plannable(self) -> bool:
        """Whether it wants a plan of its own now."""
        return self.status in _PLANNABLE and self.slices is None

    @property
    def expires(self) -> bool:
        """Whether its deadline ends anything of it: what was signed runs to its evidence."""
        if self.slices is not None:
            return self.open and not self.slices.closed
        return self.status in BEFORE_EXECUTION or self.status is IntentStatus.PARTIALLY_FILLED

    @property
    def filled(self) -> bool:
        """Whether every exchange of the plan has its final fill and nothing of it is left to a later one."""
        if self.plan is None:
            return False
        done = {fill.step_id for fill in self.fills}
        return not self.plan.later and all(step.id in done for step in self.plan.steps if step.exchanges)
