"""The network of markets: the best single path on exact amounts, and the best plan with its certificate.

`NoRoute` says why there is none; `left_out` names every market that was not considered to the end. No search holds
the interpreter's lock.
"""

from sep_native._native import (
    BestPath,
    Leg,
    Limits,
    Network,
    PathProblem,
    PathSolution,
    Problem,
    Solution,
    Verified,
)

__all__ = [
    "BestPath",
    "Leg",
    "Limits",
    "Network",
    "PathProblem",
    "PathSolution",
    "Problem",
    "Solution",
    "Verified",
]
