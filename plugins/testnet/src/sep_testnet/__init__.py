"""Local Ethereum nodes with genuine Uniswap and Balancer contracts: a testnet in a box."""

from .deployment import BalancerPool, Deployment, StablePool, V2Pair, V3Pool
from .errors import TestnetError, TestnetUnavailable
from .node import Account, NodeOptions
from .open import open_testnet
from .pools import RandomPools
from .testnet import Testnet

__all__ = [
    "Account",
    "BalancerPool",
    "Deployment",
    "NodeOptions",
    "RandomPools",
    "StablePool",
    "Testnet",
    "TestnetError",
    "TestnetUnavailable",
    "V2Pair",
    "V3Pool",
    "open_testnet",
]
