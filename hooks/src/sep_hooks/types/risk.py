"""What risk rules say and what the kernel holds for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
    """

    account: str
    strategy: str
    prices: PriceBook | None
    free: Mapping[AssetId, Amount]
    total: Mapping[AssetId, Amount]
    held: Mapping[tuple[str, str], int] = field(default_factory=dict)
    limits_version: int = 1
