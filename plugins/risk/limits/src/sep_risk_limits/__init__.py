"""Limits on notional, share of holdings, slippage and lists of what is allowed."""

from sep_risk_limits.config import LimitsConfig
from sep_risk_limits.rule import Limits

__all__ = ["Limits", "LimitsConfig"]
