"""Uniswap V3 as a venue of SEP."""
