"""Markets: what can be traded through, by the mathematics that it follows."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from sep_hooks.types.asset import Address, AssetId, ChainRef

MarketId = NewType("MarketId", str)
"""A market's name, unique over all venues: `<venue instance>/<what the venue calls it>`."""

MOST_MARKET_ASSETS = 8
"""The most assets that one market can have."""


class LiquidityFamily(StrEnum):
    """The mathematics that a market follows."""

    CONSTANT_PRODUCT = "constant_product"
    CONCENTRATED_LIQUIDITY = "concentrated_liquidity"
    STABLE_SWAP = "stable_swap"
    WEIGHTED_PRODUCT = "weighted_product"
    ORDER_BOOK = "order_book"
    LANE = "lane"
    SAMPLED = "sampled"


@dataclass(frozen=True, slots=True)
class Market:
    """One thing that can be traded through; `gas` is what one swap through it costs about.

    `address` is its contract; None where it has none of its own. `assets` are 2 to 8, in the market's own order.
    `emitters` are contracts that other markets share and whose logs tell of it; see `VenueAdapter.market_of`.
    """

    id: MarketId
    venue: str
    chain: ChainRef
    family: LiquidityFamily
    address: Address | None
    assets: tuple[AssetId, ...]
    fee_ppm: int
    gas: int
    emitters: tuple[Address, ...] = ()
