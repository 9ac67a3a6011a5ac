"""Risk rules: pure functions of a plan and a view that say why."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from sep_hooks.config import PluginConfig
from sep_hooks.context import PluginContext
from sep_hooks.types import Charge, Need, Plan, RiskStage, RiskView, Verdict


class RiskRule[ConfigT: PluginConfig](ABC):
    """Synchronous and pure: no I/O, no clock, no state. Raising, or a missing need, rejects the intent."""

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

    @abstractmethod
    def assess(self, plan: Plan, view: RiskView, stage: RiskStage) -> Sequence[Verdict]:
        """One verdict for each limit looked at, passing ones included."""
