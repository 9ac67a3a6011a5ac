"""Exact venue mathematics: amounts equal those of Uniswap V2, V3 and their forks to the last unit.

Amounts are in base units, fees in parts per million, square-root prices times 2^96. States are values: `quote`
changes nothing, `after` and the `with_` methods return the next one. `NeedTicks` means that the loaded ticks do
not reach, `InsufficientLiquidity` that the pool does not.
"""

from sep_native._native import (
    ConcentratedLiquidity,
    ConstantProduct,
    Quote,
    sqrt_price_at_tick,
    tick_at_sqrt_price,
)

__all__ = [
    "ConcentratedLiquidity",
    "ConstantProduct",
    "Quote",
    "sqrt_price_at_tick",
    "tick_at_sqrt_price",
]
