"""A real engine in paper mode on a simulated chain, behind a real HTTP server; for the tests of the interface."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import httpx
from sep_native.decode import checksum_address
from sep_native.sim import default_genesis

from sep_core.api import serve
from sep_core.runtime.api_token import ensure_token
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.settings import settings_of
from sep_core.runtime.start import running_kernel

STRATEGY = "c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d"
GENESIS = json.loads(default_genesis(7))
TOKENS = {one["symbol"]: one for one in GENESIS["tokens"]}


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that serves."""

    kernel: Kernel
    url: str
    token: str
    client: httpx.AsyncClient

    async def send(self, body: object, *, path: str = "/v1/intents", **headers: str) -> httpx.Response:
        """Posts a body with the token; bytes go as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {
            "authorization": f"Bearer {self.token}",
            "content-type": "application/json",
            **{key.replace("_", "-"): value for key, value in headers.items()},
        }
        return await self.client.post(path, content=content, headers=given)


def intent(**changes: object) -> dict[str, Any]:
    """The body of an intent that is taken: one tenth of a WETH, for USDC."""
    body = {
        "id": str(uuid4()),
        "strategy_id": STRATEGY,
        "type": "ACQUIRE",
        "assets": [
            {
                "asset": {
                    "symbol": "WETH",
                    "address": checksum_address(TOKENS["WETH"]["address"]),
                    "decimals": 18,
                    "chain_id": GENESIS["chain_id"],
                },
                "amount": "100000000000000000",
            }
        ],
        "constraints": {"max_slippage": 0.005, "time_window_ms": 60000, "execution_style": "ADAPTIVE"},
    }
    return {**body, **changes}


@asynccontextmanager
async def engine(folder: Path) -> AsyncIterator[Engine]:
    """Starts an engine with its data in a folder, and stops it."""
    settings = settings_of(tables(), source="test", folder=folder)
    _, token = ensure_token(settings.store.path)
    async with (
        running_kernel(settings, {}, SystemClock()) as kernel,
        serving(kernel, token) as url,
        httpx.AsyncClient(base_url=url, timeout=20) as client,
    ):
        with anyio.fail_after(20):
            while (await client.get("/health")).json()["status"] != "ok":
                pass
        yield Engine(kernel, url, token, client)


@asynccontextmanager
async def serving(kernel: Kernel, token: str) -> AsyncIterator[str]:
    """The address of a server that stops with the context."""
    found: list[str] = []
    ready = anyio.Event()

    def started(url: str) -> None:
        found.append(url)
        ready.set()

    async with anyio.create_task_group() as group:

        async def run() -> None:
            await serve(kernel, token, "127.0.0.1", 0, started=started)

        group.start_soon(run)
        with anyio.fail_after(10):
            await ready.wait()
        try:
            yield found[0]
        finally:
            group.cancel_scope.cancel()


def tables() -> dict[str, Any]:
    """The configuration."""
    return {
        "mode": "paper",
        "chains": {"sim": {"use": "simulated"}},
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
                "address": checksum_address(GENESIS["accounts"][0]["address"]),
                "funding": ["USDC"],
            }
        },
        "strategies": {"author": {"use": "external", "id": STRATEGY, "account": "main"}},
        "risk": {"limits": {"use": "limits", "numeraire": "USDC", "max_notional": "1000000000000"}},
        "plugins": {"enabled": ["sep-risk-limits"]},
    }
