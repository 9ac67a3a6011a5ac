"""Exact venue mathematics: amounts equal those of Uniswap V2, V3, Curve, Balancer and their forks to the last unit.

Amounts are in base units, square-root prices times 2^96; each family says in what its fees are counted. States are
values: `quote` changes nothing, `after` and the `with_` methods return the next one. `NeedTicks` means that the loaded
ticks do not reach, `InsufficientLiquidity` that the market does not.
"""

from sep_native._native import (
    ConcentratedLiquidity,
    ConstantProduct,
    Lane,
    OrderBook,
    Quote,
    Sampled,
    StableSwap,
    WeightedProduct,
    sqrt_price_at_tick,
    tick_at_sqrt_price,
)

__all__ = [
    "ConcentratedLiquidity",
    "ConstantProduct",
    "Lane",
    "OrderBook",
    "Quote",
    "Sampled",
    "StableSwap",
    "WeightedProduct",
    "sqrt_price_at_tick",
    "tick_at_sqrt_price",
]
