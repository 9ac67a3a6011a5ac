"""The room's only door to the native core: networks of market states."""

from collections.abc import Iterable

from sep_hooks.errors import SepError
from sep_hooks.types import ConcentratedLiquidityState, ConstantProductState, LeftOut, Market, MarketState
from sep_native.amm import ConcentratedLiquidity, ConstantProduct
from sep_native.route import Network

__all__ = ["Network", "network_of"]


def network_of(entries: Iterable[tuple[Market, MarketState]]) -> tuple[Network, list[LeftOut]]:
    """A network of these markets, and those whose state is none that the mathematics knows."""
    network = Network()
    left_out: list[LeftOut] = []
    for market, state in entries:
        try:
            _add(network, market, state)
        except (SepError, ValueError, OverflowError, TypeError) as error:
            left_out.append(LeftOut(market.id, f"its state is not usable: {error}"))
    return network, left_out


def _add(network: Network, market: Market, state: MarketState) -> None:
    first, second, *_ = market.assets
    match state:
        case ConstantProductState():
            pool = ConstantProduct(state.reserve0, state.reserve1, state.fee_ppm)
            network.set_constant_product(market.id, first, second, pool, market.gas)
        case ConcentratedLiquidityState():
            network.set_concentrated(
                market.id,
                first,
                second,
                ConcentratedLiquidity(
                    state.sqrt_price_x96,
                    state.tick,
                    state.liquidity,
                    state.fee_ppm,
                    state.tick_spacing,
                    list(state.ticks),
                    state.loaded,
                ),
                market.gas,
            )
        case _:
            raise ValueError(f"no mathematics for {state.family}")
