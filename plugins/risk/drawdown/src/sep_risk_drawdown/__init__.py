"""Stops a strategy, or all of them, when what they hold has lost too much."""

from sep_risk_drawdown.config import DrawdownConfig
from sep_risk_drawdown.rule import Drawdown

__all__ = ["Drawdown", "DrawdownConfig"]
