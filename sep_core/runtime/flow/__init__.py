"""The arrows between the boxes: what follows from one command in all rooms, as one append. Pure."""

from sep_core.runtime.flow.composition import Composition
from sep_core.runtime.flow.decide import decide

__all__ = ["Composition", "decide"]
