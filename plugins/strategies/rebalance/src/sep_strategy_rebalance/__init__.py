"""Keeps two assets at a weight by acquiring and disposing."""

from sep_strategy_rebalance.config import RebalanceConfig
from sep_strategy_rebalance.strategy import Rebalance, RebalanceState

__all__ = ["Rebalance", "RebalanceConfig", "RebalanceState"]
