"""Networks drawn from a seed, and a peer to compare decoding with: for tests and measurements."""

from sep_native._native import DrawnNetwork, count_with_alloy, draw_network

__all__ = ["DrawnNetwork", "count_with_alloy", "draw_network"]
