"""States of markets, one dataclass for each liquidity family."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from sep_hooks.types.asset import AssetId
from sep_hooks.types.chain import BlockRef
from sep_hooks.types.market import LiquidityFamily, MarketId


@dataclass(frozen=True, slots=True)
class ConstantProductState:
    """Reserves in base units of the market's two assets, in its own order."""

    family: ClassVar[LiquidityFamily] = LiquidityFamily.CONSTANT_PRODUCT

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

    family: ClassVar[LiquidityFamily] = LiquidityFamily.CONCENTRATED_LIQUIDITY

    market: MarketId
    block: BlockRef
    sqrt_price_x96: int
    tick: int
    liquidity: int
    fee_ppm: int
    tick_spacing: int
    ticks: tuple[tuple[int, int], ...]
    loaded: tuple[int, int]


class StableRule(StrEnum):
    """Whose rounding, fee and precision a stable pool has."""

    CURVE = "curve"
    """Fee on the output in parts of 10^10; amplification times 100."""
    BALANCER = "balancer"
    """Fee on the input in parts of 10^18; amplification times 1000."""


@dataclass(frozen=True, slots=True)
class StableSwapState:
    """Balances in base units, in the order of the market's assets; amplification and fee as `rule` counts them.

    A balance times its rate over 10^18 is the balance at 18 decimals, the rate of a token's wrapper included.
    """

    family: ClassVar[LiquidityFamily] = LiquidityFamily.STABLE_SWAP

    market: MarketId
    block: BlockRef
    balances: tuple[int, ...]
    rates: tuple[int, ...]
    amplification: int
    fee: int
    rule: StableRule


@dataclass(frozen=True, slots=True)
class WeightedProductState:
    """Balances in base units, in the order of the market's assets.

    A balance times its `scaling` over 10^18 is the balance at 18 decimals. Weights and fee are parts of 10^18; the
    weights sum to exactly 10^18.
    """

    family: ClassVar[LiquidityFamily] = LiquidityFamily.WEIGHTED_PRODUCT

    market: MarketId
    block: BlockRef
    balances: tuple[int, ...]
    scaling: tuple[int, ...]
    weights: tuple[int, ...]
    fee: int


@dataclass(frozen=True, slots=True)
class OrderBookState:
    """Levels (price in ticks, size in lots), best first; `bids` buy the market's first asset, `asks` sell it.

    A lot is `lot` base units of the first asset; at a price of one tick it costs `tick` base units of the second.
    An order below `least_notional` base units of the second asset is refused. `sequence` is the book's own count;
    `block` the chain's block at which it was taken.
    """

    family: ClassVar[LiquidityFamily] = LiquidityFamily.ORDER_BOOK

    market: MarketId
    block: BlockRef
    sequence: int
    bids: tuple[tuple[int, int], ...]
    asks: tuple[tuple[int, int], ...]
    lot: int
    tick: int
    taker_fee_ppm: int
    least_notional: int = 0


@dataclass(frozen=True, slots=True)
class LaneState:
    """A way from the market's first asset to its second, one direction, at a fixed rate.

    Fixed fee and then `fee_ppm` are taken from what goes in; the rest times `rate` (numerator, denominator) comes
    out. No more than `capacity` base units go in; the output arrives `delay_seconds` later.
    """

    family: ClassVar[LiquidityFamily] = LiquidityFamily.LANE

    market: MarketId
    block: BlockRef
    rate: tuple[int, int]
    fee_ppm: int
    fixed_fee: int
    capacity: int
    delay_seconds: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """What a venue answered for growing amounts in of one direction: (amount in, amount out), ascending."""

    asset_in: AssetId
    asset_out: AssetId
    samples: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class SampledState:
    """Quotes of a venue that tells nothing else, at a ladder of sizes for each direction that it trades."""

    family: ClassVar[LiquidityFamily] = LiquidityFamily.SAMPLED

    market: MarketId
    block: BlockRef
    ladders: tuple[Ladder, ...]


type MarketState = (
    ConstantProductState
    | ConcentratedLiquidityState
    | StableSwapState
    | WeightedProductState
    | OrderBookState
    | LaneState
    | SampledState
)
