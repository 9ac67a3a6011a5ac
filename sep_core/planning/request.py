"""What the planner is asked, and what it answers."""

from dataclasses import dataclass
from datetime import datetime

from sep_hooks.types import Address, Amount, AssetId, Intent, MarketId, Plan, PriceBook, Quantity

from sep_core.planning.progress import Progress


@dataclass(frozen=True, slots=True)
class Reference:
    """A price that slippage is measured from besides the present one: output per input of a pair, before fees."""

    asset_in: AssetId
    asset_out: AssetId
    amount_in: Amount
    amount_out: Amount


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """An accepted intent to be planned. `funding` is what the account may spend, the first what it sells into.

    `deadline` is the intent's effective one; `attempt` counts its plans from 1 and names the steps. `references`
    are prices that the slippage of the whole is measured from, of which the intent is a part. `executor` is the
    account's own contract for several trades in one transaction; `progress` is what earlier ones have done,
    `used` the markets that they passed, `moved` what they exchanged of a rebalance.
    """

    intent: Intent
    account: Address
    account_name: str
    funding: tuple[AssetId, ...]
    deadline: datetime
    attempt: int = 1
    references: tuple[Reference, ...] = ()
    executor: Address | None = None
    progress: Progress | None = None
    used: frozenset[MarketId] = frozenset()
    moved: tuple[tuple[AssetId, Quantity], ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """The best plan that was found, with the prices that risk is measured in (None without a numéraire)."""

    plan: Plan
    prices: PriceBook | None


@dataclass(frozen=True, slots=True)
class Sliced:
    """No plan of the whole: `amount` base units of the intent's asset are best cut into `count` slices, and why."""

    amount: Amount
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class PlanRefused:
    """No plan. `retryable`: the next block may bring one; nothing was sent either way."""

    code: str
    reason: str
    retryable: bool = False


class NoPlan(Exception):
    """Carries a refusal to the planner's door."""

    def __init__(self, code: str, reason: str, *, retryable: bool = False) -> None:
        super().__init__(reason)
        self.refused = PlanRefused(code, reason, retryable)
