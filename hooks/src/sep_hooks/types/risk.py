"""What risk rules say and what the kernel holds for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sep_hooks.types.amount import Amount, Quantity
from sep_hooks.types.asset import AssetId
from sep_hooks.types.price import PriceBook


class RiskStage(StrEnum):
    """When a rule is asked."""

    PLAN = "plan"
    PRE_SIGN = "pre_sign"


class Need(StrEnum):
    """What a rule wants handed over, pinned; a need that cannot be met rejects."""

    PRICES = "prices"
    HOLDINGS = "holdings"
    EQUITY = "equity"


class BreakerAction(StrEnum):
    """What an open breaker leaves of its scope: plans that turn holdings into the numéraire alone, or none."""

    REDUCE_ONLY = "reduce_only"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Equity:
    """What a strategy's holdings, or those of all, are worth at one moment, by unit.

    Whatever comes from outside makes units at the unit value of its moment, and what goes there ends them, so that
    neither is gain or loss. `scope` is `strategy:<name>` or `global`; `value` is in base units of the numéraire; unit
    values are in parts of 10**18, the first one of a series is 10**18. `high` is the highest since the series began,
    `day_start` that of the last 0:00 UTC, `day_ago` that of 24 hours ago, each the first one of a shorter series.
    """

    scope: str
    numeraire: AssetId
    at: datetime
    value: Quantity
    unit_value: int
    high: int
    day_start: int
    day_ago: int


@dataclass(frozen=True, slots=True)
class Gauge:
    """A metric that a breaker guards: it opens when `used` reaches `limit`.

    A latched breaker is closed by a person alone; another one closes when `used` has stayed at half the limit or less
    for some minutes. `detail` says in words what was measured.
    """

    metric: str
    unit: str
    used: Quantity
    limit: Quantity
    action: BreakerAction
    latched: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Charge:
    """An additive claim on a limit that the kernel holds until evidence frees it."""

    metric: str
    scope: str
    amount: Quantity


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's answer with its numbers; `hard` verdicts that are not `ok` reject."""

    rule: str
    version: str
    code: str
    scope: str
    metric: str
    unit: str
    used: Quantity
    held: Quantity
    asked: Quantity
    limit: Quantity
    hard: bool
    ok: bool
    detail: str = ""

    @property
    def headroom(self) -> Quantity:
        """What the limit still leaves after this plan."""
        return Quantity(self.limit - self.used - self.held - self.asked)


@dataclass(frozen=True, slots=True)
class RiskView:
    """All that a rule may look at, with all other holds counted on their worst side.

    `free` and `total` are base units per asset of the account; `held` sums the open charges by (metric, scope).
    `breakers` are the open ones of the account's strategy, and of all, by name.
    """

    account: str
    strategy: str
    prices: PriceBook | None
    free: Mapping[AssetId, Amount]
    total: Mapping[AssetId, Amount]
    held: Mapping[tuple[str, str], int] = field(default_factory=dict)
    limits_version: int = 1
    breakers: Mapping[str, BreakerAction] = field(default_factory=dict)
