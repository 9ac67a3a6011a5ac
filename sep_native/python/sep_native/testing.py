"""Networks drawn from a seed, for tests and measurements."""

from sep_native._native import DrawnNetwork, draw_network

__all__ = ["DrawnNetwork", "draw_network"]
