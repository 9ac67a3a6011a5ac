"""A box from start to end: intents over HTTP and from a file trade through Curve and Balancer, to the wei."""

import json
import socket
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sep_testnet.artifacts import load_artifacts
from sep_testnet.box_files import API_PORT, STRATEGY_ID
from sep_testnet.deployment import TOKEN_DECIMALS
from sep_testnet.encoding import decode_result, encode_call
from sep_testnet.errors import TestnetUnavailable

from .command import running, sep

pytestmark = pytest.mark.anvil

SECONDS = 60
QUERY = "querySwap((bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool))"
NOBODY = ("0x" + "00" * 20, False, "0x" + "00" * 20, False)


@dataclass(frozen=True, slots=True)
class Running:
    """A box whose engine serves, and how to speak to both."""

    folder: Path
    port: int
    box: dict[str, Any]

    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Submits an intent over HTTP."""
        token = (self.folder / "box" / "sep-data" / "api-token").read_text().strip()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{self.port}/intents/submit"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            posted: dict[str, Any] = json.load(answer)
            return posted

    def read(self, to: str, signature: str, *arguments: Any, block: int) -> int:
        """Reads a number from the chain at a block, past the engine."""
        data = "0x" + encode_call(signature, *arguments).hex()
        call = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "eth_call",
            "params": [{"to": to, "data": data}, hex(block)],
        }
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.box["rpc"], json.dumps(call).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            result = json.load(answer)["result"]
        return int(str(decode_result(("uint256",), bytes.fromhex(result[2:]))[0]))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A chain with the contracts and an engine on it, as two commands of the user's."""
    try:
        load_artifacts()
    except TestnetUnavailable as error:
        pytest.skip(f"the local testnet is not available: {error}")
    folder = tmp_path_factory.mktemp("pools")
    port = free_port()
    with ExitStack() as stack:
        node = stack.enter_context(running(["testnet", "up", "box"], folder, "ready"))
        config = folder / "box" / "sep.toml"
        config.write_text(config.read_text().replace(f"port = {API_PORT}", f"port = {port}"))
        served = stack.enter_context(running(["serve", "--config", "box/sep.toml"], folder, "ready"))
        box = json.loads((folder / "box" / "box.json").read_text())["chains"]["ethereum"]
        yield Running(folder, port, box)
        assert served.stop() == 0
        assert node.stop() == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def intent(engine: Running, kind: str, symbol: str, amount: int, venue: str) -> dict[str, Any]:
    """An intent about one asset at one venue alone; USDC is what it is paid with or for."""
    asset = {
        "symbol": symbol,
        "address": engine.box["deployment"][symbol.lower()],
        "decimals": TOKEN_DECIMALS[symbol],
        "chain_id": 1,
    }
    return {
        "id": str(uuid.uuid4()),
        "strategy_id": STRATEGY_ID,
        "type": kind,
        "assets": [{"asset": asset, "amount": str(amount), "percentage": 1.0}],
        "constraints": {
            "max_slippage": 0.01,
            "time_window_ms": 60000,
            "execution_style": "IMMEDIATE",
            "venues": [venue],
        },
    }


def settled(engine: Running, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Waits for the intent's end, by submitting the same file again, and gives its fill and its plan."""
    file = engine.folder / f"{body['id']}.json"
    file.write_text(json.dumps(body))
    answer = sep("submit", file, "--config", "box/sep.toml", "--wait", "55", cwd=engine.folder)
    assert answer.code == 0, answer
    told = sep("explain", body["id"], "--config", "box/sep.toml", "--json", cwd=engine.folder).json
    assert told["intent"]["status"] == "SETTLED", told
    (fill,) = told["intent"]["fills"]
    return fill, told["plan"]


def amounts(fill: dict[str, Any]) -> tuple[int, int]:
    return int(fill["spent"]["amount"]), int(fill["received"]["amount"])


def test_curve_is_bought_from_exactly_and_sold_to(engine: Running) -> None:
    """DAI bought for a computed input that `get_dy` confirms, over HTTP; then sold, from a file."""
    wanted = 1_000 * 10**18
    body = intent(engine, "ACQUIRE", "DAI", wanted, "curve")
    assert not engine.post(body)["duplicate"]
    fill, plan = settled(engine, body)
    spent, received = amounts(fill)
    pool = engine.box["deployment"]["stable_pools"][0]["address"]
    block = plan["block_number"]
    get_dy = "get_dy(int128,int128,uint256)"
    assert received >= wanted
    assert engine.read(pool, get_dy, 1, 0, spent, block=block) == received
    assert engine.read(pool, get_dy, 1, 0, spent - 1, block=block) < wanted

    sold, plan = settled(engine, intent(engine, "DISPOSE", "DAI", wanted // 2, "curve"))
    assert amounts(sold) == (
        wanted // 2,
        engine.read(pool, get_dy, 0, 1, wanted // 2, block=plan["block_number"]),
    )


@pytest.mark.parametrize(
    ("symbol", "kind", "amount"), [("DAI", "stable", 2_000 * 10**18), ("WETH", "weighted", 10**17)]
)
def test_balancer_gives_exactly_what_is_asked_for(
    engine: Running, symbol: str, kind: str, amount: int
) -> None:
    """Bought through the vault at what its own queries ask for, on the plan's block."""
    deployment = engine.box["deployment"]
    fill, plan = settled(engine, intent(engine, "ACQUIRE", symbol, amount, "balancer"))
    (pool,) = [one for one in deployment["balancer_pools"] if one["kind"] == kind]
    single = (
        bytes.fromhex(pool["pool_id"][2:]),
        1,
        deployment["usdc"],
        deployment[symbol.lower()],
        amount,
        b"",
    )
    asked = engine.read(deployment["balancer_queries"], QUERY, single, NOBODY, block=plan["block_number"])
    assert amounts(fill) == (asked, amount)
