"""The room's only door to the native core: the router."""

from sep_native.route import Network, Problem, Solution

__all__ = ["Network", "Problem", "Solution"]
