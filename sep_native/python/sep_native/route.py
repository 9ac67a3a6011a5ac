"""The network of markets and the best single path through it, on exact amounts.

A path visits no asset twice. `NoRoute` says why there is none; `Solution.left_out` names every market that was
not considered to the end.
"""

from sep_native._native import Leg, Network, Problem, Solution

__all__ = ["Leg", "Network", "Problem", "Solution"]
