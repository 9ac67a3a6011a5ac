"""The sample of mainnet pools as a snapshot document; the sample itself stays outside the repository."""

import json
import os
from pathlib import Path
from typing import Any

SAMPLES = Path(os.environ.get("SEP_SAMPLE_DATA", Path(__file__).parents[3] / "shared" / "data"))
POOLS = SAMPLES / "pools" / "ethereum-mainnet-pools.json"
FEES = {"Lowest": 100, "Low": 500, "Medium": 3000, "High": 10_000}
GAS = {"UniswapV2State": 120_000, "UniswapV3State": 130_000}


def mainnet_document(fee_per_gas: int | None = 10**9) -> dict[str, Any]:
    """Nineteen pools; the sample names no block, so the block here is a mark without meaning."""
    entries = json.loads(POOLS.read_text())
    tokens = {token["address"]: token for entry in entries for token in entry["tokens"]}
    weth = next(_asset(address) for address, token in tokens.items() if token["symbol"] == "WETH")
    return {
        "format": "sep-snapshot",
        "version": 1,
        "chains": [
            {
                "chain": "eip155:1",
                "block": {"number": 1, "hash": "0x" + "01" * 32, "timestamp": 1_700_000_000},
                "fee_per_gas": None if fee_per_gas is None else str(fee_per_gas),
                "gas_asset": weth,
            }
        ],
        "assets": [
            {"id": _asset(address), "symbol": token["symbol"], "decimals": token["decimals"]}
            for address, token in tokens.items()
        ],
        "markets": [_market(number, entry) for number, entry in enumerate(entries)],
    }


def _market(number: int, entry: dict[str, Any]) -> dict[str, Any]:
    protocol, state = entry["state"]["protocol"], entry["state"]["state"]
    common = {
        "id": f"uni/{number:02}",
        "venue": "uni",
        "chain": "eip155:1",
        "address": f"0x{number + 1:040x}",
        "assets": [_asset(token["address"]) for token in entry["tokens"]],
        "gas": GAS[protocol],
    }
    if protocol == "UniswapV2State":
        reserves = {f"reserve{side}": str(int(state[f"reserve{side}"], 0)) for side in (0, 1)}
        return {
            **common,
            "family": "constant_product",
            "fee_ppm": 3000,
            "state": {**reserves, "fee_ppm": 3000},
        }
    fee = FEES[state["fee"]]
    return {
        **common,
        "family": "concentrated_liquidity",
        "fee_ppm": fee,
        "state": {
            "sqrt_price_x96": str(int(state["sqrt_price"], 0)),
            "tick": state["tick"],
            "liquidity": str(state["liquidity"]),
            "fee_ppm": fee,
            "tick_spacing": state["ticks"]["tick_spacing"],
            "ticks": [[tick["index"], str(tick["net_liquidity"])] for tick in state["ticks"]["ticks"]],
            "loaded": [-887_272, 887_272],
        },
    }


def _asset(address: str) -> str:
    return f"eip155:1/erc20:{address.lower()}"
