"""The snapshot file: markets of every family with their states, as JSON that anybody can write and read.

Described in docs/snapshot.md; the schema beside this module is made of these models.
"""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from sep_hooks.types import AMOUNT_PATTERN, MAX_AMOUNT, MOST_MARKET_ASSETS, StableRule

FORMAT: Final = "sep-snapshot"
VERSION: Final = 1
MOST_MARKETS: Final = 100_000
MOST_TICKS: Final = 200_000
MOST_LEVELS: Final = 50_000
_AMOUNT: Final = re.compile(r"0|[1-9][0-9]{0,77}")
_SIGNED: Final = re.compile(r"0|-?[1-9][0-9]{0,77}")


def _whole(value: object) -> int:
    if not isinstance(value, str) or _AMOUNT.fullmatch(value) is None or int(value) > MAX_AMOUNT:
        raise ValueError("write it as a string of digits without leading zeros, at most 2^256 - 1")
    return int(value)


def _signed(value: object) -> int:
    if not isinstance(value, str) or _SIGNED.fullmatch(value) is None or abs(int(value)) > MAX_AMOUNT:
        raise ValueError(
            "write it as a string of digits without leading zeros, with - where it is below zero"
        )
    return int(value)


Whole = Annotated[
    int,
    BeforeValidator(_whole),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": AMOUNT_PATTERN}),
]
Signed = Annotated[
    int,
    BeforeValidator(_signed),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(0|-?[1-9][0-9]{0,77})$"}),
]
_Ppm = Annotated[int, Field(strict=True, ge=0, lt=1_000_000)]
_Tick = Annotated[int, Field(strict=True, ge=-887_272, le=887_272)]
_Count = Annotated[int, Field(strict=True, ge=0, le=2**63 - 1)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]
_AssetName = Annotated[str, Field(min_length=1, max_length=120)]
_Each = Annotated[list[Whole], Field(min_length=2, max_length=MOST_MARKET_ASSETS)]
_Levels = Annotated[list[tuple[Whole, Whole]], Field(max_length=MOST_LEVELS)]


class Part(BaseModel):
    """A part of the file: closed, so that nothing in it goes unread."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BlockPart(Part):
    """A block of a chain."""

    number: _Count
    hash: Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]
    timestamp: _Count


class ChainPart(Part):
    """A chain at the one block that all of its states belong to.

    With `fee_per_gas` (wei) and the asset that its gas is paid in (wrapped), gas has a price in a quote.
    """

    chain: _AssetName
    block: BlockPart
    fee_per_gas: Whole | None = None
    gas_asset: _AssetName | None = None


class AssetPart(Part):
    """An asset, its symbol and decimals. Within one file a symbol may stand for several assets."""

    id: _AssetName
    symbol: Annotated[str, Field(min_length=1, max_length=32)]
    decimals: Annotated[int, Field(strict=True, ge=0, le=77)]


class ConstantProductPart(Part):
    """Reserves in base units, in the order of the market's assets."""

    reserve0: Whole
    reserve1: Whole
    fee_ppm: _Ppm


class ConcentratedLiquidityPart(Part):
    """Square-root price times 2^96, tick, liquidity, and the initialised ticks with their net liquidity, ascending.

    Ticks are known inside `loaded` (inclusive) alone.
    """

    sqrt_price_x96: Whole
    tick: _Tick
    liquidity: Whole
    fee_ppm: _Ppm
    tick_spacing: Annotated[int, Field(strict=True, ge=1, le=16_384)]
    ticks: Annotated[list[tuple[_Tick, Signed]], Field(max_length=MOST_TICKS)]
    loaded: tuple[_Tick, _Tick]


class StableSwapPart(Part):
    """Balances in base units; a balance times its rate over 10^18 is the balance at 18 decimals.

    CURVE counts amplification times 100 and the fee in parts of 10^10, BALANCER times 1000 and in parts of 10^18.
    """

    balances: _Each
    rates: _Each
    amplification: Whole
    fee: Whole
    rule: StableRule


class WeightedProductPart(Part):
    """Balances in base units; a balance times its `scaling` over 10^18 has 18 decimals. Weights and fee are parts of
    10^18.
    """

    balances: _Each
    scaling: _Each
    weights: _Each
    fee: Whole


class OrderBookPart(Part):
    """Levels (price in ticks, size in lots), best first; `bids` buy the market's first asset, `asks` sell it.

    A lot is `lot` base units of the first asset; at a price of one tick it costs `tick` base units of the second.
    """

    sequence: _Count
    bids: _Levels
    asks: _Levels
    lot: Whole
    tick: Whole
    taker_fee_ppm: _Ppm
    least_notional: Whole


class LanePart(Part):
    """A fixed rate (numerator, denominator) from the first asset to the second, after a fixed fee and `fee_ppm`."""

    rate: tuple[Whole, Whole]
    fee_ppm: _Ppm
    fixed_fee: Whole
    capacity: Whole
    delay_seconds: _Count


class LadderPart(Part):
    """Quotes of one direction at growing sizes: amount in, amount out."""

    asset_in: _AssetName
    asset_out: _AssetName
    samples: _Levels


class SampledPart(Part):
    """Ladders, one for each direction that the market trades."""

    ladders: Annotated[list[LadderPart], Field(max_length=MOST_MARKET_ASSETS * (MOST_MARKET_ASSETS - 1))]


class _MarketPart(Part):
    """What markets of all families have; `gas` is what one swap through it costs about."""

    id: _Name
    venue: _Name
    chain: _AssetName
    address: Annotated[str, Field(pattern=r"^0x[0-9a-f]{40}$")] | None
    assets: Annotated[list[_AssetName], Field(min_length=2, max_length=MOST_MARKET_ASSETS)]
    fee_ppm: _Ppm
    gas: Annotated[int, Field(strict=True, ge=0, le=2**32)]


class ConstantProductMarket(_MarketPart):
    """Two reserves whose product never falls."""

    family: Literal["constant_product"]
    state: ConstantProductPart


class ConcentratedLiquidityMarket(_MarketPart):
    """Liquidity between ticks."""

    family: Literal["concentrated_liquidity"]
    state: ConcentratedLiquidityPart


class StableSwapMarket(_MarketPart):
    """Balances near one price."""

    family: Literal["stable_swap"]
    state: StableSwapPart


class WeightedProductMarket(_MarketPart):
    """Balances with weights."""

    family: Literal["weighted_product"]
    state: WeightedProductPart


class OrderBookMarket(_MarketPart):
    """Price levels."""

    family: Literal["order_book"]
    state: OrderBookPart


class LaneMarket(_MarketPart):
    """A fixed rate up to a capacity."""

    family: Literal["lane"]
    state: LanePart


class SampledMarket(_MarketPart):
    """Quotes at a ladder of sizes."""

    family: Literal["sampled"]
    state: SampledPart


type MarketPart = Annotated[
    ConstantProductMarket
    | ConcentratedLiquidityMarket
    | StableSwapMarket
    | WeightedProductMarket
    | OrderBookMarket
    | LaneMarket
    | SampledMarket,
    Field(discriminator="family"),
]


class LeftOutPart(Part):
    """A market or venue that is not in the file, and why."""

    name: Annotated[str, Field(max_length=400)]
    reason: Annotated[str, Field(max_length=400)]


class SnapshotFile(Part):
    """Everything that one plan can be computed from. `digest` is the network's; left out, nothing is compared."""

    format: Literal["sep-snapshot"]
    version: Literal[1]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    chains: Annotated[list[ChainPart], Field(min_length=1, max_length=64)]
    assets: Annotated[list[AssetPart], Field(max_length=MOST_MARKETS)]
    markets: Annotated[list[MarketPart], Field(max_length=MOST_MARKETS)]
    left_out: list[LeftOutPart] = []


def snapshot_schema() -> dict[str, Any]:
    """The JSON Schema of the file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "SEP snapshot",
        **SnapshotFile.model_json_schema(mode="validation"),
    }


if __name__ == "__main__":
    import json
    from pathlib import Path

    text = json.dumps(snapshot_schema(), indent=2) + "\n"
    Path(__file__).with_name("snapshot.schema.json").write_text(text)
