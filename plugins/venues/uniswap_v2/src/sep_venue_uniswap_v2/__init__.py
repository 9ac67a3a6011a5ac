"""Uniswap V2 and its forks as a venue of SEP."""
