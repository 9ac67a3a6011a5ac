"""Uniswap V3 as a venue of SEP."""

from .config import UniswapV3Config
from .venue import UniswapV3

__all__ = ["UniswapV3", "UniswapV3Config"]
