"""A real engine on a simulated chain in this process, with an account rich enough for thousands of swaps."""

import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import anyio
from sep_native.decode import checksum_address
from sep_native.sign import Keystore, Transaction1559
from sep_native.sim import SimChain, default_genesis

from sep_core.adapters.sim_chain import share
from sep_core.adapters.sim_venue import DEMO_ROUTER
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.settings import settings_of
from sep_core.runtime.start import running_kernel
from sep_core.telemetry.log import configure_logging

STRATEGY: Final = "c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d"
GENESIS: Final = json.loads(default_genesis(7))
TOKENS: Final = {one["symbol"]: one for one in GENESIS["tokens"]}
OWNER: Final = checksum_address(GENESIS["accounts"][0]["address"])
KEY: Final = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
GWEI: Final = 10**9


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder on the disk under test."""
    with tempfile.TemporaryDirectory(prefix="sep-bench-", dir=os.environ.get("SEP_BENCH_DIR")) as path:
        yield Path(path)


def body(kind: str = "DISPOSE", amount: int = 10**14, **constraints: object) -> bytes:
    """An intent that is new each time: some WETH, against USDC. Small, so that thousands do not move the price."""
    token = TOKENS["WETH"]
    bounds = {"max_slippage": "0.05", "time_window_ms": 600_000, "execution_style": "IMMEDIATE"}
    asset = {
        "symbol": "WETH",
        "address": checksum_address(token["address"]),
        "decimals": token["decimals"],
        "chain_id": GENESIS["chain_id"],
    }
    said = {
        "id": str(uuid4()),
        "strategy_id": STRATEGY,
        "type": kind,
        "assets": [{"asset": asset, "amount": str(amount)}],
        "constraints": {**bounds, **constraints},
    }
    return json.dumps(said).encode()


@contextmanager
def shared_chain(path: Path) -> Iterator[str]:
    """A chain under a name, with an account that has given the router an unlimited allowance; each transaction makes
    its own block. The account's key file goes into `path`.
    """
    chain = SimChain(default_genesis(7))
    keystore = Keystore.import_key(path / "main.json", KEY, b"bench", scrypt_log_n=2)
    approve = bytes.fromhex("095ea7b3") + bytes.fromhex(DEMO_ROUTER[2:]).rjust(32, b"\0") + b"\xff" * 32
    signed = keystore.sign_transaction(
        Transaction1559(
            GENESIS["chain_id"], 0, TOKENS["WETH"]["address"], 0, approve, 100_000, 10 * GWEI, GWEI
        )
    )
    chain.rpc("eth_sendRawTransaction", json.dumps(["0x" + signed.raw.hex()]))
    chain.rpc("sim_mine")
    chain.rpc("sim_setAutomine", "[true]")
    chain.rpc("sim_setFinality", "[0]")
    name = f"bench {path}"
    share(name, chain)
    try:
        yield name
    finally:
        share(name, None)


@asynccontextmanager
async def engine_on(
    chain: str, path: Path, mode: str, *, block_seconds: float = 0.01
) -> AsyncIterator[Kernel]:
    """An engine on a shared chain, once it is well."""
    configure_logging(path / "log.jsonl", quiet=True)
    settings = settings_of(_tables(mode, chain, block_seconds), source="bench", folder=path)
    async with running_kernel(settings, {"SEP_BENCH_PASSWORD": "bench"}, SystemClock()) as kernel:
        await until(lambda: kernel.health().status == "ok", 20)
        yield kernel


@asynccontextmanager
async def engine(path: Path, mode: str, *, block_seconds: float = 0.01) -> AsyncIterator[Kernel]:
    """An engine with a chain of its own."""
    with shared_chain(path) as chain:
        async with engine_on(chain, path, mode, block_seconds=block_seconds) as kernel:
            yield kernel


async def until(true: Callable[[], bool], seconds: float) -> bool:
    """Looks until something is true, or the time is over; says which."""
    due = time.perf_counter() + seconds
    for _ in iter(lambda: true() or time.perf_counter() > due, True):
        await anyio.sleep(0.002)
    return true()


def _tables(mode: str, shared: str, block_seconds: float) -> dict[str, Any]:
    signer = {"use": "keystore", "path": "main.json", "password": {"env": "SEP_BENCH_PASSWORD"}}
    account: dict[str, Any] = {"chain": "sim", "address": OWNER, "funding": ["USDC"]}
    return {
        "mode": mode,
        "store": {"path": "data"},
        "chains": {"sim": {"use": "simulated", "block_time_seconds": block_seconds, "shared": shared}},
        "venues": {"amm": {"use": "simulated-amm", "chain": "sim"}},
        "assets": {
            symbol: {
                "chain": "sim",
                "address": checksum_address(one["address"]),
                "decimals": one["decimals"],
            }
            for symbol, one in TOKENS.items()
        },
        "accounts": {"main": account | ({"signer": signer} if mode == "testnet" else {})},
        "strategies": {"author": {"use": "external", "id": STRATEGY, "account": "main"}},
        "risk": {"limits": {"use": "limits", "numeraire": "USDC", "max_notional": "1000000000000"}},
        "plugins": {"enabled": ["sep-risk-limits"]},
    }
