"""Uniswap V2 as a venue of SEP."""

from .config import UniswapV2Config
from .venue import UniswapV2

__all__ = ["UniswapV2", "UniswapV2Config"]
