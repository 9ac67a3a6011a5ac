"""Ethereum for SEP: preset and family of the chain."""

from .chain import Ethereum
from .config import EthereumConfig

__all__ = ["Ethereum", "EthereumConfig"]
