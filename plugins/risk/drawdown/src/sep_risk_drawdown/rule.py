"""The rule: how far a unit value lies below its high, and below a day ago."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

from sep_hooks.risk import RiskRule
from sep_hooks.types import (
    BreakerAction,
    Equity,
    Gauge,
    Need,
    Plan,
    Quantity,
    RiskStage,
    RiskView,
    Verdict,
)

from sep_risk_drawdown.config import DrawdownConfig

_PPM = 1_000_000


class Drawdown(RiskRule[DrawdownConfig]):
    """Loss is 1 - unit value / reference, rounded up to parts per million; what was never realised counts as well."""

    Config = DrawdownConfig
    version = "1"
    needs = frozenset({Need.EQUITY})

    def numeraire(self) -> str | None:
        """The symbol that holdings are valued in."""
        return self.config.numeraire

    def watch(self, equity: Equity) -> Sequence[Gauge]:
        """One gauge for each limit."""
        return tuple(self._gauges(equity))

    def assess(self, plan: Plan, view: RiskView, stage: RiskStage) -> Sequence[Verdict]:
        """Nothing of a single plan: its breakers speak for the rule."""
        return ()

    def _gauges(self, equity: Equity) -> Iterator[Gauge]:
        yield _gauge("reduce", self.config.reduce, equity.unit_value, equity.high, "its high", latched=False)
        yield _gauge("halt", self.config.halt, equity.unit_value, equity.high, "its high", latched=True)
        since, worst = "0:00 UTC", equity.day_start
        if equity.day_ago > worst:
            since, worst = "24 hours ago", equity.day_ago
        yield _gauge("daily_loss", self.config.daily_loss, equity.unit_value, worst, since, latched=True)


def _gauge(
    metric: str, allowed: Decimal, unit_value: int, reference: int, since: str, *, latched: bool
) -> Gauge:
    lost = max(0, reference - unit_value)
    used = -(-lost * _PPM // reference) if reference else 0
    limit = max(1, int(Fraction(allowed) * _PPM))
    detail = f"a unit has lost {Decimal(used) / 10_000:f} % since {since}, {Decimal(limit) / 10_000:f} % are allowed"
    return Gauge(metric, "ppm", Quantity(used), Quantity(limit), BreakerAction.REDUCE_ONLY, latched, detail)
