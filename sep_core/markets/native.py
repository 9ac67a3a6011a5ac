"""The room's only door to the native core: networks of market states."""

from collections.abc import Iterable

from sep_hooks.errors import SepError
from sep_hooks.types import (
    ConcentratedLiquidityState,
    ConstantProductState,
    LaneState,
    LeftOut,
    Market,
    MarketState,
    OrderBookState,
    SampledState,
    StableSwapState,
    WeightedProductState,
)
from sep_native.amm import (
    ConcentratedLiquidity,
    ConstantProduct,
    Lane,
    OrderBook,
    Sampled,
    StableSwap,
    WeightedProduct,
)
from sep_native.route import Network

__all__ = ["Network", "network_of", "pool_of"]

type Pool = (
    ConstantProduct | ConcentratedLiquidity | StableSwap | WeightedProduct | OrderBook | Lane | Sampled
)


def network_of(entries: Iterable[tuple[Market, MarketState]]) -> tuple[Network, list[LeftOut]]:
    """A network of these markets, and those whose state is none that the mathematics knows."""
    network = Network()
    left_out: list[LeftOut] = []
    for market, state in entries:
        try:
            network.set(market.id, market.assets, pool_of(market, state), market.gas)
        except (SepError, ValueError, OverflowError, TypeError) as error:
            left_out.append(LeftOut(market.id, f"its state is not usable: {error}"))
    return network, left_out


def pool_of(market: Market, state: MarketState) -> Pool:
    """A state as the mathematics takes it. Raises `ValueError` for one that cannot be."""
    match state:
        case ConstantProductState():
            return ConstantProduct(state.reserve0, state.reserve1, state.fee_ppm)
        case ConcentratedLiquidityState():
            return ConcentratedLiquidity(
                state.sqrt_price_x96,
                state.tick,
                state.liquidity,
                state.fee_ppm,
                state.tick_spacing,
                list(state.ticks),
                state.loaded,
            )
        case StableSwapState():
            return StableSwap(state.rule, state.balances, state.rates, state.amplification, state.fee)
        case WeightedProductState():
            return WeightedProduct(state.balances, state.scaling, state.weights, state.fee)
        case OrderBookState():
            return OrderBook(
                state.bids, state.asks, state.lot, state.tick, state.taker_fee_ppm, state.least_notional
            )
        case LaneState():
            return Lane(state.rate, state.fixed_fee, state.fee_ppm, state.capacity, state.delay_seconds)
        case SampledState():
            places = {asset: place for place, asset in enumerate(market.assets)}
            return Sampled(
                len(market.assets),
                [(places[one.asset_in], places[one.asset_out], one.samples) for one in state.ladders],
            )
