"""From values to the snapshot file."""

from typing import Any

from sep_hooks.types import (
    ConcentratedLiquidityState,
    ConstantProductState,
    LaneState,
    Market,
    MarketState,
    OrderBookState,
    SampledState,
    StableSwapState,
    WeightedProductState,
)

from .snapshot_data import ChainAt, SnapshotData
from .snapshot_format import FORMAT, VERSION


def snapshot_document(data: SnapshotData) -> dict[str, Any]:
    """The file's content: plain JSON values, markets and assets in the order of their ids."""
    markets = sorted(data.markets.values(), key=lambda one: one.id)
    return {
        "format": FORMAT,
        "version": VERSION,
        "digest": data.digest,
        "chains": [_chain(one) for one in data.chains],
        "assets": [
            {"id": one.id, "symbol": one.symbol, "decimals": one.decimals}
            for one in sorted(data.assets, key=lambda one: one.id)
        ],
        "markets": [_market(one, data.states[one.id]) for one in markets],
        "left_out": [{"name": one.name[:400], "reason": one.reason[:400]} for one in data.left_out],
    }


def _chain(at: ChainAt) -> dict[str, Any]:
    return {
        "chain": at.chain,
        "block": {"number": at.block.number, "hash": at.block.hash, "timestamp": at.timestamp},
        "fee_per_gas": None if at.fee_per_gas is None else str(at.fee_per_gas),
        "gas_asset": at.gas_asset,
    }


def _market(market: Market, state: MarketState) -> dict[str, Any]:
    return {
        "id": market.id,
        "venue": market.venue,
        "chain": market.chain,
        "family": market.family.value,
        "address": market.address,
        "assets": list(market.assets),
        "fee_ppm": market.fee_ppm,
        "gas": market.gas,
        "state": _state(state),
    }


def _state(state: MarketState) -> dict[str, Any]:
    match state:
        case ConstantProductState():
            return {
                "reserve0": str(state.reserve0),
                "reserve1": str(state.reserve1),
                "fee_ppm": state.fee_ppm,
            }
        case ConcentratedLiquidityState():
            return {
                "sqrt_price_x96": str(state.sqrt_price_x96),
                "tick": state.tick,
                "liquidity": str(state.liquidity),
                "fee_ppm": state.fee_ppm,
                "tick_spacing": state.tick_spacing,
                "ticks": [[tick, str(net)] for tick, net in state.ticks],
                "loaded": list(state.loaded),
            }
        case StableSwapState():
            return {
                "balances": _texts(state.balances),
                "rates": _texts(state.rates),
                "amplification": str(state.amplification),
                "fee": str(state.fee),
                "rule": state.rule.value,
            }
        case WeightedProductState():
            return {
                "balances": _texts(state.balances),
                "scaling": _texts(state.scaling),
                "weights": _texts(state.weights),
                "fee": str(state.fee),
            }
        case OrderBookState():
            return {
                "sequence": state.sequence,
                "bids": _pairs(state.bids),
                "asks": _pairs(state.asks),
                "lot": str(state.lot),
                "tick": str(state.tick),
                "taker_fee_ppm": state.taker_fee_ppm,
                "least_notional": str(state.least_notional),
            }
        case LaneState():
            return {
                "rate": _texts(state.rate),
                "fee_ppm": state.fee_ppm,
                "fixed_fee": str(state.fixed_fee),
                "capacity": str(state.capacity),
                "delay_seconds": state.delay_seconds,
            }
        case SampledState():
            return {
                "ladders": [
                    {
                        "asset_in": one.asset_in,
                        "asset_out": one.asset_out,
                        "samples": _pairs(one.samples),
                    }
                    for one in state.ladders
                ]
            }


def _texts(numbers: tuple[int, ...]) -> list[str]:
    return [str(one) for one in numbers]


def _pairs(pairs: tuple[tuple[int, int], ...]) -> list[list[str]]:
    return [_texts(pair) for pair in pairs]
