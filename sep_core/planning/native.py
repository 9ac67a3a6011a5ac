"""The room's only door to the native core: networks of markets, best paths, plans with certificates."""

from sep_native.amm import OrderBook
from sep_native.decode import encode_call
from sep_native.route import Leg as NativeLeg
from sep_native.route import Limits, Network, PathProblem, PathSolution, Problem, Solution

__all__ = [
    "Limits",
    "NativeLeg",
    "Network",
    "OrderBook",
    "PathProblem",
    "PathSolution",
    "Problem",
    "Solution",
    "encode_call",
]
