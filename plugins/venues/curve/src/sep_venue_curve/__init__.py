"""Plain StableSwap pools of Curve as a venue of SEP."""

from .config import CurveConfig
from .venue import Curve

__all__ = ["Curve", "CurveConfig"]
