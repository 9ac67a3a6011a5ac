"""Risk: what open intents hold, what rules see, and what they decide together."""

from sep_core.risk.book import Hold, IllegalHold, RiskBook, evolve_book, fold_book
from sep_core.risk.checks import KERNEL_RULE, money_of
from sep_core.risk.decisions import convert_hold, hold, release_hold
from sep_core.risk.engine import UNAVAILABLE, RiskDecision, RiskEngine, RuleCall, RuleFault
from sep_core.risk.view import build_view

__all__ = [
    "KERNEL_RULE",
    "UNAVAILABLE",
    "Hold",
    "IllegalHold",
    "RiskBook",
    "RiskDecision",
    "RiskEngine",
    "RuleCall",
    "RuleFault",
    "build_view",
    "convert_hold",
    "evolve_book",
    "fold_book",
    "hold",
    "money_of",
    "release_hold",
]
