"""Risk rules: pure functions of a plan and a view that say why."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from sep_hooks.config import PluginConfig
from sep_hooks.context import PluginContext
from sep_hooks.types import Charge, Equity, Gauge, Need, Plan, RiskStage, RiskView, Verdict


class RiskRule[ConfigT: PluginConfig](ABC):
    """Synchronous and pure: no I/O, no clock, no state. Raising, or a missing need, rejects the intent.

    A rule that needs `EQUITY` is shown what holdings are worth at each block and each second, whatever strategies do;
    where that cannot be measured, or the rule raises, a breaker of the scope opens.
    """

    Config: ClassVar[type[PluginConfig]]
    version: ClassVar[str]
    needs: ClassVar[frozenset[Need]] = frozenset()

    def __init__(self, config: ConfigT, context: PluginContext) -> None:
        self.config = config
        self.context = context

    def numeraire(self) -> str | None:
        """The configured symbol that prices shall be given in, where the rule needs them."""
        return None

    def charges(self, plan: Plan, view: RiskView) -> Sequence[Charge]:
        """Additive claims that the kernel holds from approval until evidence frees them."""
        return ()

    def watch(self, equity: Equity) -> Sequence[Gauge]:
        """The metrics that breakers guard, each with its limit; asked where the rule needs `EQUITY`."""
        return ()

    @abstractmethod
    def assess(self, plan: Plan, view: RiskView, stage: RiskStage) -> Sequence[Verdict]:
        """One verdict for each limit looked at, passing ones included."""
