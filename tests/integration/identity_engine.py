"""Engines on one simulated chain, restarted with changed tables; for the tests of what a log is bound to."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import anyio
from sep_hooks.context import Clock
from sep_hooks.types import Address, IntentId
from sep_native.decode import checksum_address
from sep_native.sim import SimChain, default_genesis

from sep_core.adapters.signer_keystore import create_keystore
from sep_core.adapters.sim_chain import share
from sep_core.adapters.store_sqlite import open_store
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.settings import settings_of
from sep_core.runtime.start import running_kernel
from sep_core.runtime.submission import parse_submission

PASSWORD = "for tests"
GENESIS = json.loads(default_genesis(7))
TOKENS = {one["symbol"]: one for one in GENESIS["tokens"]}
IDS = {"one": str(UUID(int=1)), "two": str(UUID(int=2)), "renamed": str(UUID(int=1))}
WAIT_SECONDS = 20.0


@dataclass
class Stage:
    """A folder with two funded keys, the chain that they live on, and the tables of an engine that uses them."""

    folder: Path
    name: str
    owners: list[Address] = field(default_factory=list)
    chain: SimChain | None = None
    tables: dict[str, Any] = field(default_factory=dict)

    def new_chain(self, *, blocks: int = 0, **genesis: Any) -> SimChain:
        """Puts a chain that begins anew under the name that the tables say."""
        document = {**json.loads((self.folder / "genesis.json").read_text()), **genesis}
        self.chain = SimChain(json.dumps(document))
        share(self.name, self.chain)
        self.ask("sim_setAutomine", True)
        self.ask("sim_setFinality", 0)
        for _ in range(blocks):
            self.ask("sim_mine")
        return self.chain

    def ask(self, method: str, *params: object) -> Any:
        """One call of the chain."""
        assert self.chain is not None
        return json.loads(self.chain.rpc(method, json.dumps(params)))

    def nonce(self, owner: int = 0) -> int:
        """How many transactions of an owner the chain has."""
        return int(self.ask("eth_getTransactionCount", self.owners[owner], "latest"), 16)

    def account(self, owner: int) -> dict[str, Any]:
        """The table of an account."""
        signer = {"use": "keystore", "path": f"key{owner}.json", "password": {"file": "password"}}
        address = checksum_address(self.owners[owner])
        return {"chain": "sim", "address": address, "funding": ["USDC"], "signer": signer}

    def changed(self, **tables: Any) -> dict[str, Any]:
        """The tables with some of them exchanged."""
        return {**deepcopy(self.tables), **tables}

    @asynccontextmanager
    async def engine(
        self, tables: dict[str, Any] | None = None, clock: Clock | None = None
    ) -> AsyncIterator[Kernel]:
        """An engine with these tables."""
        made = settings_of(tables or self.tables, source="test", folder=self.folder)
        async with running_kernel(made, {}, clock or SystemClock()) as kernel:
            yield kernel

    async def log_length(self) -> int:
        """How many facts the log holds."""
        store = open_store(self.folder / "data", writable=False, clock=SystemClock(), ids=uuid4)
        try:
            return (await store.head()).pos
        finally:
            await store.close()


@contextmanager
def stage(folder: Path, first_owner: Address | None = None) -> Iterator[Stage]:
    """Two strategies with an account each, in testnet mode; `first_owner` has its key elsewhere."""
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o600)
    one = Stage(folder, f"chain of {folder}")
    one.owners = [
        create_keystore(folder / f"key{number}.json", PASSWORD, scrypt_log_n=4) for number in range(2)
    ]
    if first_owner is not None:
        one.owners[0] = first_owner
    holds = {TOKENS["WETH"]["address"]: str(10**19), TOKENS["USDC"]["address"]: str(30_000 * 10**6)}
    accounts = [{"address": owner, "balance": str(10**19), "tokens": holds} for owner in one.owners]
    (folder / "genesis.json").write_text(json.dumps({**GENESIS, "accounts": accounts}))
    one.new_chain()
    one.tables = {
        "mode": "testnet",
        "store": {"path": "data"},
        "chains": {"sim": {"use": "simulated", "shared": one.name, "genesis": "genesis.json"}},
        "venues": {"amm": {"use": "simulated-amm", "chain": "sim"}},
        "assets": {
            symbol: {
                "chain": "sim",
                "address": checksum_address(token["address"]),
                "decimals": token["decimals"],
            }
            for symbol, token in TOKENS.items()
        },
        "accounts": {"first": one.account(0), "second": one.account(1)},
        "strategies": {"one": strategy("one", "first"), "two": strategy("two", "second")},
        "risk": {"limits": {"use": "limits", "numeraire": "USDC", "max_notional": "1000000000000"}},
        "plugins": {"enabled": ["sep-risk-limits"]},
    }
    try:
        yield one
    finally:
        share(one.name, None)


def strategy(name: str, account: str) -> dict[str, Any]:
    """The table of an external strategy."""
    return {"use": "external", "id": IDS[name], "account": account}


async def submit(kernel: Kernel, name: str = "one", **constraints: object) -> IntentId:
    """Asks for a tenth of a WETH in the name of a strategy."""
    token = {
        "symbol": "WETH",
        "address": checksum_address(TOKENS["WETH"]["address"]),
        "decimals": 18,
        "chain_id": GENESIS["chain_id"],
    }
    body = {
        "id": str(uuid4()),
        "strategy_id": IDS[name],
        "type": "ACQUIRE",
        "assets": [{"asset": token, "amount": str(10**17)}],
        "constraints": {
            "max_slippage": "0.05",
            "time_window_ms": 600_000,
            "execution_style": "IMMEDIATE",
            **constraints,
        },
    }
    request = json.dumps(body).encode()
    receipt = await kernel.submit(parse_submission(request), source="api", request=request)
    return IntentId(receipt.intent_id)


async def settle(kernel: Kernel, name: str = "one") -> None:
    """One intent, to its good end."""
    view = await kernel.wait_until_ended(await submit(kernel, name), WAIT_SECONDS)
    assert view.status == "SETTLED", view


async def until(true: Callable[[], bool]) -> None:
    """Returns once something is true."""
    with anyio.fail_after(WAIT_SECONDS):
        while not true():  # noqa: ASYNC110 (no event tells of it)
            await anyio.sleep(0.01)
