"""A box from start to end with an executor: deployed by the verb, named in the file, and used by a real intent."""

import json
import socket
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sep_testnet.artifacts import load_artifacts
from sep_testnet.box_files import API_PORT, MAX_NOTIONAL_USDC, STRATEGY_ID
from sep_testnet.deployment import TOKEN_DECIMALS
from sep_testnet.encoding import decode_result, encode_call
from sep_testnet.errors import TestnetUnavailable

from .command import refused, running, sep

pytestmark = pytest.mark.anvil

SECONDS = 60
ETHER = 10**18


@dataclass(frozen=True, slots=True)
class Box:
    """A box whose engine serves: its folder, its node, its account and that one's executor."""

    folder: Path
    rpc: str
    deployment: dict[str, Any]
    owner: str
    executor: str

    def balance(self, symbol: str, of: str) -> int:
        """What somebody holds, past the engine."""
        data = "0x" + encode_call("balanceOf(address)", of).hex()
        answer = ask(self.rpc, "eth_call", {"to": self.deployment[symbol.lower()], "data": data}, "latest")
        return int(str(decode_result(("uint256",), bytes.fromhex(answer[2:]))[0]))


def ask(rpc: str, method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(rpc, body, {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        told = json.load(answer)
    assert "error" not in told, told
    return told["result"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def give_ether_as_weth(rpc: str, weth: str, payer: str, owner: str, amount: int) -> None:
    ask(rpc, "anvil_setBalance", payer, hex(amount + 10 * ETHER))
    for data, value in (
        (encode_call("deposit()"), amount),
        (encode_call("transfer(address,uint256)", owner, amount), 0),
    ):
        sent = ask(
            rpc,
            "eth_sendTransaction",
            {"from": payer, "to": weth, "data": "0x" + data.hex(), "value": hex(value), "gas": hex(200_000)},
        )
        while (receipt := ask(rpc, "eth_getTransactionReceipt", sent)) is None:
            pass
        assert receipt["status"] == "0x1"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A chain, an executor deployed by the verb, and an engine, as commands of the user's."""
    try:
        load_artifacts()
    except TestnetUnavailable as error:
        pytest.skip(f"the local testnet is not available: {error}")
    folder = tmp_path_factory.mktemp("bundle")
    with ExitStack() as stack:
        node = stack.enter_context(running(["testnet", "up", "box"], folder, "ready"))
        config = folder / "box" / "sep.toml"
        told = json.loads((folder / "box" / "box.json").read_text())
        chain = told["chains"]["ethereum"]
        text = config.read_text()
        account = text.split("[accounts.main]\n")[1]
        owner = next(line.split('"')[1] for line in account.splitlines() if line.startswith("address = "))
        payer = ask(chain["rpc"], "eth_accounts")[5]
        absent = sep("executor", "check", owner, "--rpc", chain["rpc"], cwd=folder)
        assert absent.code == 1
        assert "nothing stands" in absent.err
        made = sep("executor", "deploy", owner, "--rpc", chain["rpc"], "--unlocked", payer, cwd=folder)
        assert made.code == 0, made
        executor = sep("executor", "address", owner, cwd=folder).out.strip()
        give_ether_as_weth(chain["rpc"], chain["deployment"]["weth"], payer, owner, 500 * ETHER)
        text = text.replace(f"port = {API_PORT}", f"port = {free_port()}")
        text = text.replace(str(MAX_NOTIONAL_USDC), str(10**13))
        text = text.replace("[accounts.main]\n", f'[accounts.main]\nexecutor = "{executor}"\n')
        config.write_text(text)
        served = stack.enter_context(running(["serve", "--config", "box/sep.toml"], folder, "ready"))
        yield Box(folder, chain["rpc"], chain["deployment"], owner, executor)
        assert served.stop() == 0
        assert node.stop() == 0


def submitted(box: Box, kind: str, symbol: str, amount: int) -> dict[str, Any]:
    """Submits an intent of one asset and gives its explanation once it has ended."""
    return sent(box, kind, [{"asset": asset_of(box, symbol), "amount": str(amount)}])


def asset_of(box: Box, symbol: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "address": box.deployment[symbol.lower()],
        "decimals": TOKEN_DECIMALS[symbol],
        "chain_id": 1,
    }


def sent(box: Box, kind: str, assets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    body = {
        "id": str(uuid.uuid4()),
        "strategy_id": STRATEGY_ID,
        "type": kind,
        "assets": list(assets),
        "constraints": {"max_slippage": 0.1, "time_window_ms": 60000, "execution_style": "IMMEDIATE"},
    }
    file = box.folder / f"{body['id']}.json"
    file.write_text(json.dumps(body))
    answer = sep("submit", file, "--config", "box/sep.toml", "--wait", "55", cwd=box.folder)
    told: dict[str, Any] = sep(
        "explain", str(body["id"]), "--config", "box/sep.toml", "--json", cwd=box.folder
    ).json
    assert answer.code == 0, (answer, told)
    return told


def test_a_large_sale_is_one_bundle_that_the_books_follow(box: Box) -> None:
    before = {symbol: box.balance(symbol, box.owner) for symbol in ("WETH", "USDC", "DAI")}
    told = submitted(box, "DISPOSE", "WETH", 400 * ETHER)
    plan, (fill,) = told["plan"], told["intent"]["fills"]
    assert plan["mode"] == "BUNDLE", plan["mode_reason"]
    assert {leg["market"].split("/")[0] for step in plan["steps"] for leg in step["legs"]} >= {
        "uniswap-v3",
        "uniswap-v2",
        "balancer",
    }
    after = {symbol: box.balance(symbol, box.owner) for symbol in before}
    assert before["WETH"] - after["WETH"] == 400 * ETHER == int(fill["spent"]["amount"])
    assert after["USDC"] - before["USDC"] == int(fill["received"]["amount"])
    assert int(fill["received"]["amount"]) == int(plan["receives"]["amount"])
    assert after["DAI"] == before["DAI"]
    assert [box.balance(symbol, box.executor) for symbol in before] == [0, 0, 0]
    proof = plan["certificate"]
    assert 0 <= float(proof["gap_before_gas_ratio"]) < 1e-6
    assert int(proof["single_path"]["receives"]["amount"]) < int(fill["received"]["amount"])
    assert int(plan["sandwich"]["bound"]["amount"]) > 0
    reconciled = sep("status", "--config", "box/sep.toml", cwd=box.folder)
    assert reconciled.code == 0, reconciled


def test_exact_out_is_bought_by_a_bundle_too(box: Box) -> None:
    before = box.balance("WETH", box.owner)
    told = submitted(box, "ACQUIRE", "WETH", 200 * ETHER)
    assert told["plan"]["mode"] == "BUNDLE", told["plan"]["mode_reason"]
    assert box.balance("WETH", box.owner) - before == 200 * ETHER
    words = sep("explain", told["intent"]["id"], "--config", "box/sep.toml", cwd=box.folder).out
    for word in ("BUNDLE", "gap", "single path", "sandwich", "left out"):
        assert word in words, words


def test_a_rebalance_of_four_assets_is_one_transaction(box: Box) -> None:
    weights = {"WETH": "0.4", "USDC": "0.29", "DAI": "0.3", "WBTC": "0.01"}
    before = {symbol: box.balance(symbol, box.owner) for symbol in weights}
    wanted = [{"asset": asset_of(box, symbol), "percentage": weight} for symbol, weight in weights.items()]
    told = sent(box, "REBALANCE", wanted)
    intent, plan = told["intent"], told["plan"]
    assert intent["status"] == "SETTLED", intent["reason"]
    assert plan["mode"] == "BUNDLE", plan["mode_reason"]
    assert len(intent["fills"]) == 1
    changes = {one["asset"]["symbol"]: int(one["quantity"]) for one in intent["changes"]}
    after = {symbol: box.balance(symbol, box.owner) for symbol in weights}
    assert {symbol: after[symbol] - before[symbol] for symbol in weights} == {
        symbol: changes.get(symbol, 0) for symbol in weights
    }
    assert len(changes) >= 3
    # What the plan's own prices make of it: shares as wanted, but for rounding and what the trades cost.
    prices = prices_of(box, intent["id"])
    worths = {symbol: after[symbol] * prices[box.deployment[symbol.lower()].lower()] for symbol in weights}
    whole = sum(worths.values())
    for symbol, weight in weights.items():
        assert abs(worths[symbol] / whole - float(weight)) < 0.001, (symbol, worths[symbol] / whole)
    assert [box.balance(symbol, box.executor) for symbol in weights] == [0, 0, 0, 0]


def prices_of(box: Box, intent_id: str) -> dict[str, float]:
    """Of a base unit of each asset, in the reference prices that the plan's event holds."""
    said = sep(
        "events", "--stream", f"intent:{intent_id}", "--json", "--config", "box/sep.toml", cwd=box.folder
    )
    (planned,) = [
        one["body"] for one in map(json.loads, said.out.splitlines()) if one["type"] == "IntentPlanned"
    ]
    worth = {
        one["asset"].rpartition(":")[2]: int(one["value"]) / int(one["amount"])
        for one in planned["prices"]["prices"]
    }
    worth[planned["prices"]["numeraire"].rpartition(":")[2]] = 1.0
    return worth


def test_an_executor_that_is_the_account_itself_is_a_mistake_of_the_file(box: Box) -> None:
    config = box.folder / "wrong.toml"
    text = (box.folder / "box" / "sep.toml").read_text()
    config.write_text(text.replace(f'executor = "{box.executor}"', f'executor = "{box.owner}"'))
    answer = sep("check", "--config", "wrong.toml", cwd=box.folder)
    refused(answer, 3, "executor", "is the account itself")


def test_an_executor_that_is_somebody_else_s_stops_the_start(box: Box) -> None:
    """Another contract, and an address where nothing stands: nothing is allowed to either."""
    config = box.folder / "box" / "strange.toml"
    text = (box.folder / "box" / "sep.toml").read_text()
    token, nobody = box.deployment["weth"], "0x" + "12" * 20
    for stranger, found in ((token, "another contract stands"), (nobody, "nothing stands")):
        changed = text.replace(f'executor = "{box.executor}"', f'executor = "{stranger}"')
        config.write_text(changed.replace('path = "sep-data"', 'path = "strange-data"'))
        refused(
            sep("run", "--config", "box/strange.toml", cwd=box.folder), 3, "executor", found, stranger.lower()
        )
        checked = sep("check", "--config", "box/strange.toml", cwd=box.folder)
        assert checked.code != 0
        assert found in checked.out + checked.err
    good = sep("check", "--config", "box/sep.toml", cwd=box.folder)
    assert f"{box.executor} is its executor" in good.out
