"""Local Ethereum nodes with genuine Uniswap contracts: a testnet in a box."""

from .deployment import Deployment, V2Pair, V3Pool
from .errors import TestnetError, TestnetUnavailable
from .node import Account, NodeOptions
from .open import open_testnet
from .pools import RandomPools
from .testnet import Testnet

__all__ = [
    "Account",
    "Deployment",
    "NodeOptions",
    "RandomPools",
    "Testnet",
    "TestnetError",
    "TestnetUnavailable",
    "V2Pair",
    "V3Pool",
    "open_testnet",
]
