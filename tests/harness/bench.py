"""The world of an engine that tests kill: a simulated chain, a funded account, a configuration, intents."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from sep_hooks.types import Address, address
from sep_native.decode import checksum_address
from sep_native.sign import Keystore, Transaction1559
from sep_native.sim import SimChain, default_genesis

from sep_core.adapters.sim_venue import DEMO_ROUTER
from sep_core.runtime.settings import Settings, settings_of

STRATEGY: Final = "c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d"
NAMES: Final = UUID("3f0c1f0e-5a52-4a55-9a9b-0a4a1f3b6f11")
GENESIS: Final = json.loads(default_genesis(7))
CHAIN_ID: Final = int(GENESIS["chain_id"])
TOKENS: Final = {one["symbol"]: one for one in GENESIS["tokens"]}
KEY: Final = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
OWNER: Final[Address] = address(GENESIS["accounts"][0]["address"])
PASSWORD: Final = "for tests"
KEY_FILE: Final = "main.json"
SECOND_KEY: Final = bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
SECOND_OWNER: Final[Address] = address(GENESIS["accounts"][1]["address"])
SECOND_KEY_FILE: Final = "second.json"
DATA: Final = "data"
GWEI: Final = 10**9
UNLIMITED: Final = 2**256 - 1


@dataclass(frozen=True, slots=True)
class Wish:
    """One intent: its client id, and the body that asks for it."""

    client_id: UUID
    body: bytes


def acquire(name: str, amount: int = 10**17, *, window_ms: int = 600_000, slippage: str = "0.05") -> Wish:
    """A tenth of a WETH for USDC; the account has no allowance, so its plan approves, swaps and takes back."""
    return wish(name, "ACQUIRE", "WETH", amount, window_ms, slippage)


def dispose(name: str, amount: int = 10**17, *, window_ms: int = 600_000, slippage: str = "0.05") -> Wish:
    """A tenth of a WETH against USDC; one step where the account has an unlimited allowance."""
    return wish(name, "DISPOSE", "WETH", amount, window_ms, slippage)


def wish(
    name: str,
    kind: str,
    symbol: str,
    amount: int,
    window_ms: int,
    slippage: str,
    *,
    style: str = "IMMEDIATE",
    slicing: dict[str, Any] | None = None,
) -> Wish:
    """An intent of that name; the same name is the same intent."""
    token = TOKENS[symbol]
    client_id = uuid5(NAMES, name)
    body = {
        "id": str(client_id),
        "strategy_id": STRATEGY,
        "type": kind,
        "assets": [
            {
                "asset": {
                    "symbol": symbol,
                    "address": checksum_address(token["address"]),
                    "decimals": token["decimals"],
                    "chain_id": CHAIN_ID,
                },
                "amount": str(amount),
            }
        ],
        "constraints": {
            "max_slippage": slippage,
            "time_window_ms": window_ms,
            "execution_style": style,
            **({} if slicing is None else {"slicing": slicing}),
        },
    }
    return Wish(client_id, json.dumps(body).encode())


def twap(name: str, amount: int = 3 * 10**16 + 1, *, slices: int = 3, window_ms: int = 60_000) -> Wish:
    """WETH for USDC in equal slices; the amount does not divide evenly."""
    return wish(name, "DISPOSE", "WETH", amount, window_ms, "0.05", style="TWAP", slicing={"slices": slices})


def early_slices(name: str, count: int, amount: int = 10**16 + 1) -> Wish:
    """WETH for USDC in slices in the first minute of an hour, so that much time is left after them."""
    slicing = {"profile": ["1"] * count + ["0"] * (59 * count)}
    return wish(name, "DISPOSE", "WETH", amount, 3_600_000, "0.05", style="VWAP", slicing=slicing)


def rebalance(name: str, weights: Mapping[str, str], *, window_ms: int = 600_000) -> Wish:
    """All of these assets at these weights, in as many transactions as it takes."""
    client_id = uuid5(NAMES, name)
    body = json.loads(wish(name, "REBALANCE", "WETH", 1, window_ms, "0.05").body)
    body["assets"] = [
        {
            "asset": {
                "symbol": symbol,
                "address": checksum_address(TOKENS[symbol]["address"]),
                "decimals": TOKENS[symbol]["decimals"],
                "chain_id": CHAIN_ID,
            },
            "percentage": weight,
        }
        for symbol, weight in weights.items()
    ]
    return Wish(client_id, json.dumps(body).encode())


def new_key_file(folder: Path) -> Keystore:
    """The account's key file, quick to open."""
    return Keystore.import_key(folder / KEY_FILE, KEY, PASSWORD.encode(), scrypt_log_n=2)


def new_chain(folder: Path, *, approved: Sequence[str] = ("WETH",)) -> SimChain:
    """A chain on which the account has given the router unlimited allowances; its key file goes into `folder`."""
    chain = SimChain(default_genesis(7))
    keystore = new_key_file(folder)
    for nonce, symbol in enumerate(approved):
        data = (
            bytes.fromhex("095ea7b3")
            + bytes.fromhex(DEMO_ROUTER[2:]).rjust(32, b"\0")
            + UNLIMITED.to_bytes(32)
        )
        signed = keystore.sign_transaction(
            Transaction1559(CHAIN_ID, nonce, TOKENS[symbol]["address"], 0, data, 100_000, 10 * GWEI, GWEI)
        )
        chain.rpc("eth_sendRawTransaction", json.dumps(["0x" + signed.raw.hex()]))
        chain.rpc("sim_mine")
    return chain


def tables(chain: dict[str, Any], *, block_seconds: float = 0.02, **more: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a testnet engine on the simulated chain."""
    return {
        "mode": "testnet",
        "store": {"path": DATA},
        "chains": {"sim": {"use": "simulated", "block_time_seconds": block_seconds, **chain}},
        "venues": {"amm": {"use": "simulated-amm", "chain": "sim"}},
        "assets": {
            symbol: {
                "chain": "sim",
                "address": checksum_address(one["address"]),
                "decimals": one["decimals"],
            }
            for symbol, one in TOKENS.items()
        },
        "accounts": {
            "main": {
                "chain": "sim",
                "address": checksum_address(OWNER),
                "funding": ["USDC"],
                "signer": {"use": "keystore", "path": KEY_FILE, "password": {"env": "SEP_TEST_PASSWORD"}},
            }
        },
        "strategies": {"author": {"use": "external", "id": STRATEGY, "account": "main"}},
        "risk": {"limits": {"use": "limits", "numeraire": "USDC", "max_notional": "1000000000000"}},
        "plugins": {"enabled": ["sep-risk-limits"]},
        **more,
    }


def second_account(folder: Path) -> dict[str, Any]:
    """The table of another funded account, and its key file in `folder`."""
    Keystore.import_key(folder / SECOND_KEY_FILE, SECOND_KEY, PASSWORD.encode(), scrypt_log_n=2)
    return {
        "chain": "sim",
        "address": checksum_address(SECOND_OWNER),
        "funding": ["USDC"],
        "signer": {"use": "keystore", "path": SECOND_KEY_FILE, "password": {"env": "SEP_TEST_PASSWORD"}},
    }


ENVIRON: Final = {"SEP_TEST_PASSWORD": PASSWORD}


def settings(folder: Path, chain: dict[str, Any], **more: Any) -> Settings:
    """The settings of an engine whose data lies in `folder`."""
    return settings_of(tables(chain, **more), source="test", folder=folder)


def toml_text(values: dict[str, Any]) -> str:
    """A configuration as `sep.toml` has it."""
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    lines = [f"{key} = {_toml(value)}" for key, value in plain.items()]
    for key, table in values.items():
        if not isinstance(table, dict):
            continue
        flat = {name: value for name, value in table.items() if not isinstance(value, dict)}
        if flat:
            lines += [f"[{key}]", *(f"{name} = {_toml(value)}" for name, value in flat.items())]
        for name, inner in table.items():
            if isinstance(inner, dict):
                lines += [f"[{key}.{name}]", *(f"{one} = {_toml(value)}" for one, value in inner.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(str(value) if isinstance(value, Path) else value)
