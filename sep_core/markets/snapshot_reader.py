"""From the snapshot file to values; nothing in it is taken on trust."""

from collections.abc import Iterable
from typing import Final

from pydantic import ValidationError
from sep_hooks.errors import SepError
from sep_hooks.types import (
    Address,
    Amount,
    Asset,
    AssetId,
    BlockRef,
    ChainRef,
    ConcentratedLiquidityState,
    ConstantProductState,
    Ladder,
    LaneState,
    LeftOut,
    LiquidityFamily,
    Market,
    MarketId,
    MarketState,
    OrderBookState,
    SampledState,
    StableSwapState,
    WeightedProductState,
    chain_of,
    token_address,
)

from .native import network_of
from .snapshot_data import ChainAt, SnapshotData
from .snapshot_format import (
    FORMAT,
    VERSION,
    AssetPart,
    ChainPart,
    ConcentratedLiquidityMarket,
    ConstantProductMarket,
    LaneMarket,
    MarketPart,
    OrderBookMarket,
    SnapshotFile,
    StableSwapMarket,
    WeightedProductMarket,
)
from .sound import market_trouble, state_trouble
from .strict_json import FileRefused, decode_strictly, pointer_of, printable

_FAMILIES: Final = frozenset(family.value for family in LiquidityFamily)


def read_snapshot(content: bytes, what: str) -> SnapshotData:
    """The snapshot in a file's bytes; `what` names the file. Raises `FileRefused`."""
    return snapshot_of(decode_strictly(content, what), what)


def snapshot_of(document: object, what: str, at: str = "") -> SnapshotData:
    """The snapshot in a JSON value that stands at the pointer `at` of its file. Raises `FileRefused`."""
    if not isinstance(document, dict):
        raise FileRefused(f"{what}: a {type(document).__name__} is no snapshot", pointer=at)
    told = document.get("format"), document.get("version")
    if told != (FORMAT, VERSION) or type(told[1]) is not int:
        raise FileRefused(
            f"{what} says that it is {printable(told[0])!r}, version {printable(told[1])};"
            f" this release reads {FORMAT!r}, version {VERSION}",
            pointer=at,
        )
    try:
        file = SnapshotFile.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = at + pointer_of(_without_tags(first["loc"]))
        more = error.error_count() - 1
        rest = f" (and {more} more)" if more else ""
        raise FileRefused(
            f"{what}: {place}: {first['msg'].removeprefix('Value error, ')}{rest}", pointer=place
        ) from None
    return _Reader(what, at).read(file)


def _without_tags(place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A place without the name of the family that was chosen on the way."""
    if len(place) > 2 and place[0] == "markets" and place[2] in _FAMILIES:
        return (*place[:2], *place[3:])
    return place


class _Reader:
    def __init__(self, what: str, at: str) -> None:
        self._what = what
        self._at = at

    def read(self, file: SnapshotFile) -> SnapshotData:
        assets = self._assets(file.assets)
        chains = self._chains(file.chains, assets)
        markets: dict[MarketId, Market] = {}
        states: dict[MarketId, MarketState] = {}
        for place, part in enumerate(file.markets):
            pointer = f"/markets/{place}"
            at = chains.get(ChainRef(part.chain))
            if at is None:
                raise self._refused(
                    f"{pointer}/chain", f"{printable(part.chain)} is none of the file's chains"
                )
            market = _market(part)
            if market.id in markets:
                raise self._refused(f"{pointer}/id", f"the market {printable(market.id)} stands twice")
            for number, asset in enumerate(market.assets):
                if asset not in assets:
                    told = f"{printable(asset)} is none of the file's assets"
                    raise self._refused(f"{pointer}/assets/{number}", told)
            state = _state(part, market.id, at.block)
            trouble = market_trouble(market) or state_trouble(market, state)
            if trouble:
                raise self._refused(pointer, f"the market {printable(market.id)} cannot be: {trouble}")
            markets[market.id], states[market.id] = market, state
        network, unusable = network_of((markets[one], states[one]) for one in markets)
        if unusable:
            first = unusable[0]
            place = list(markets).index(MarketId(first.name))
            raise self._refused(f"/markets/{place}/state", f"{printable(first.name)}: {first.reason}")
        data = SnapshotData(
            tuple(chains.values()),
            tuple(assets.values()),
            markets,
            states,
            tuple(LeftOut(one.name, one.reason) for one in file.left_out),
            network,
        )
        if file.digest is not None and file.digest != data.digest:
            raise self._refused(
                "/digest", f"the markets have the digest {data.digest}, the file says {file.digest}"
            )
        return data

    def _assets(self, parts: Iterable[AssetPart]) -> dict[AssetId, Asset]:
        found: dict[AssetId, Asset] = {}
        for place, part in enumerate(parts):
            asset = AssetId(part.id)
            if asset in found:
                raise self._refused(f"/assets/{place}/id", f"the asset {printable(asset)} stands twice")
            try:
                chain_of(asset)
                token_address(asset)
            except SepError as error:
                raise self._refused(f"/assets/{place}/id", printable(error.message)) from None
            if not part.symbol.isprintable() or part.symbol != part.symbol.strip():
                raise self._refused(
                    f"/assets/{place}/symbol", "a symbol is printable, without blanks around it"
                )
            found[asset] = Asset(asset, part.symbol, part.decimals)
        return found

    def _chains(self, parts: Iterable[ChainPart], assets: dict[AssetId, Asset]) -> dict[ChainRef, ChainAt]:
        found: dict[ChainRef, ChainAt] = {}
        for place, part in enumerate(parts):
            chain = ChainRef(part.chain)
            if chain in found:
                raise self._refused(f"/chains/{place}/chain", f"the chain {printable(chain)} stands twice")
            if part.gas_asset is not None and part.gas_asset not in assets:
                told = f"{printable(part.gas_asset)} is none of the file's assets"
                raise self._refused(f"/chains/{place}/gas_asset", told)
            block = part.block
            found[chain] = ChainAt(
                chain,
                BlockRef(block.number, block.hash),
                block.timestamp,
                None if part.fee_per_gas is None else Amount(part.fee_per_gas),
                None if part.gas_asset is None else AssetId(part.gas_asset),
            )
        return found

    def _refused(self, pointer: str, message: str) -> FileRefused:
        place = self._at + pointer
        return FileRefused(f"{self._what}: {place}: {message}", pointer=place)


def _market(part: MarketPart) -> Market:
    return Market(
        id=MarketId(part.id),
        venue=part.venue,
        chain=ChainRef(part.chain),
        family=LiquidityFamily(part.family),
        address=None if part.address is None else Address(part.address),
        assets=tuple(AssetId(one) for one in part.assets),
        fee_ppm=part.fee_ppm,
        gas=part.gas,
    )


def _state(part: MarketPart, market: MarketId, block: BlockRef) -> MarketState:
    match part:
        case ConstantProductMarket(state=state):
            return ConstantProductState(market, block, state.reserve0, state.reserve1, state.fee_ppm)
        case ConcentratedLiquidityMarket(state=ticked):
            return ConcentratedLiquidityState(
                market,
                block,
                ticked.sqrt_price_x96,
                ticked.tick,
                ticked.liquidity,
                ticked.fee_ppm,
                ticked.tick_spacing,
                tuple(ticked.ticks),
                ticked.loaded,
            )
        case StableSwapMarket(state=stable):
            return StableSwapState(
                market,
                block,
                tuple(stable.balances),
                tuple(stable.rates),
                stable.amplification,
                stable.fee,
                stable.rule,
            )
        case WeightedProductMarket(state=weighted):
            return WeightedProductState(
                market,
                block,
                tuple(weighted.balances),
                tuple(weighted.scaling),
                tuple(weighted.weights),
                weighted.fee,
            )
        case OrderBookMarket(state=book):
            return OrderBookState(
                market,
                block,
                book.sequence,
                tuple(book.bids),
                tuple(book.asks),
                book.lot,
                book.tick,
                book.taker_fee_ppm,
                book.least_notional,
            )
        case LaneMarket(state=lane):
            return LaneState(
                market, block, lane.rate, lane.fee_ppm, lane.fixed_fee, lane.capacity, lane.delay_seconds
            )
        case _:
            return SampledState(
                market,
                block,
                tuple(
                    Ladder(AssetId(one.asset_in), AssetId(one.asset_out), tuple(one.samples))
                    for one in part.state.ladders
                ),
            )
