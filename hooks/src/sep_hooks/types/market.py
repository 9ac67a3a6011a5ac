"""Markets and their states, one dataclass for each liquidity family."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from sep_hooks.types.asset import Address, AssetId, ChainRef
from sep_hooks.types.chain import BlockRef

MarketId = NewType("MarketId", str)
"""A market's name, unique over all venues: `<venue instance>/<what the venue calls it>`."""


class LiquidityFamily(StrEnum):
    """The mathematics that a market follows."""

    CONSTANT_PRODUCT = "constant_product"
    CONCENTRATED_LIQUIDITY = "concentrated_liquidity"


@dataclass(frozen=True, slots=True)
class Market:
    """One thing that can be traded through; `gas` is what one swap through it costs about."""

    id: MarketId
    venue: str
    chain: ChainRef
    family: LiquidityFamily
    address: Address
    asset0: AssetId
    asset1: AssetId
    fee_ppm: int
    gas: int


@dataclass(frozen=True, slots=True)
class ConstantProductState:
    """Reserves in base units of the market's two assets, in its own order."""

    market: MarketId
    block: BlockRef
    reserve0: int
    reserve1: int
    fee_ppm: int


@dataclass(frozen=True, slots=True)
class ConcentratedLiquidityState:
    """Price, liquidity in range and the initialised ticks (tick, net liquidity), ascending.

    Ticks are known inside `loaded` (inclusive) alone; a swap that leaves it has no answer.
    """

    market: MarketId
    block: BlockRef
    sqrt_price_x96: int
    tick: int
    liquidity: int
    fee_ppm: int
    tick_spacing: int
    ticks: tuple[tuple[int, int], ...]
    loaded: tuple[int, int]


type MarketState = ConstantProductState | ConcentratedLiquidityState
