"""Balancer V2 as a venue of SEP: weighted and composable stable pools."""

from .config import BalancerConfig
from .venue import Balancer

__all__ = ["Balancer", "BalancerConfig"]
