"""Risk: what open intents hold, what rules see, and what they decide together."""

from sep_core.risk.book import Hold, IllegalHold, RiskBook, evolve_book, fold_book
from sep_core.risk.breakers import (
    BREAKER_OPEN,
    BreakerHolds,
    Reading,
    Watchkeeping,
    breaker_name,
    check_may_close,
    concerning,
    evolve_breakers,
    reduces,
    why_stopped,
)
from sep_core.risk.checks import KERNEL_RULE, money_of
from sep_core.risk.decisions import convert_hold, hold, release_hold
from sep_core.risk.engine import UNAVAILABLE, RiskDecision, RiskEngine, RuleCall, RuleFault, WatchFailed
from sep_core.risk.view import build_view

__all__ = [
    "BREAKER_OPEN",
    "KERNEL_RULE",
    "UNAVAILABLE",
    "BreakerHolds",
    "Hold",
    "IllegalHold",
    "Reading",
    "RiskBook",
    "RiskDecision",
    "RiskEngine",
    "RuleCall",
    "RuleFault",
    "WatchFailed",
    "Watchkeeping",
    "breaker_name",
    "build_view",
    "check_may_close",
    "concerning",
    "convert_hold",
    "evolve_book",
    "evolve_breakers",
    "fold_book",
    "hold",
    "money_of",
    "reduces",
    "release_hold",
    "why_stopped",
]
