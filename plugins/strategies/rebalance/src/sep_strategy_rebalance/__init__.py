"""Keeps two or more assets at their weights."""

from sep_strategy_rebalance.config import RebalanceConfig
from sep_strategy_rebalance.strategy import Rebalance, RebalanceState

__all__ = ["Rebalance", "RebalanceConfig", "RebalanceState"]
