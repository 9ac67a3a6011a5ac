"""The README's tutorial, run as written: its own code blocks, a real node, genuine contracts."""

import json
import re
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sep_testnet.artifacts import load_artifacts
from sep_testnet.encoding import decode_result, encode_call
from sep_testnet.errors import TestnetUnavailable

from .command import SEP, environment, running, sep

pytestmark = pytest.mark.anvil

README = Path(__file__).parents[2] / "README.md"
PORT = 8765
CLIENT_ID = "a3a2e9a8-1b3c-4d5e-8f6a-7b8c9d0e1f2a"
QUOTE = "quoteExactOutputSingle((address,address,uint256,uint24,uint160))"
QUOTED = ["uint256", "uint160", "uint32", "uint256"]


@dataclass(frozen=True, slots=True)
class Told:
    """What the commands of the tutorial said, in its order."""

    folder: Path
    posted: dict[str, Any]
    again: dict[str, Any]
    status: str
    explained: str
    verified: str
    box: dict[str, Any]

    def call(self, to: str, signature: str, *arguments: Any, block: int | None = None) -> bytes:
        """Reads the chain, past the engine."""
        data = "0x" + encode_call(signature, *arguments).hex()
        result = self.ask("eth_call", {"to": to, "data": data}, "latest" if block is None else hex(block))
        return bytes.fromhex(result[2:])

    def ask(self, method: str, *params: object) -> str:
        """One JSON-RPC call."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(
            self.box["rpc"], body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(json.load(answer)["result"])


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Runs the tutorial once, in a folder of its own, and leaves node and engine running for the checks."""
    try:
        load_artifacts()
    except TestnetUnavailable as error:
        pytest.skip(f"the local testnet is not available: {error}")
    folder = tmp_path_factory.mktemp("tutorial")
    port = _free_port()
    up, serve, post, status, explain, verify = (block.replace(str(PORT), str(port)) for block in _blocks())
    with ExitStack() as stack:
        node = stack.enter_context(running(up.split()[1:], folder, "ready"))
        if port != PORT:
            config = folder / "box" / "sep.toml"
            config.write_text(config.read_text().replace(f"port = {PORT}", f"port = {port}"))
        engine = stack.enter_context(running(serve.split()[1:], folder, "ready"))
        posted = json.loads(_shell(post, folder))
        follow = ["events", "--follow", "--after", "0", "--type", "IntentSettled", "--config", "box/sep.toml"]
        stack.enter_context(running(follow, folder, "IntentSettled"))
        shown = _shell(status, folder)
        before = _events(folder)
        again = json.loads(_shell(post, folder))
        assert _events(folder) == before
        box = json.loads((folder / "box" / "box.json").read_text())["chains"]["ethereum"]
        yield Told(folder, posted, again, shown, _shell(explain, folder), _shell(verify, folder), box)
        assert engine.stop() == 0
        assert node.stop() == 0
        assert "nothing is left running" in node.lines[-1]


def test_it_ends_settled(told: Told) -> None:
    """The receipt is one of acceptance; the status says what became of it."""
    assert told.posted["client_id"] == CLIENT_ID
    assert not told.posted["duplicate"]
    assert re.search(rf"^{told.posted['intent_id'][:8]} .*SETTLED", told.status, re.MULTILINE)


def test_posting_it_again_changes_nothing(told: Told) -> None:
    """The same receipt, marked as a repeat."""
    for key in ("intent_id", "position", "leaf_hash", "store_id"):
        assert told.again[key] == told.posted[key]
    assert told.again["duplicate"]
    assert told.again["status"] == "SETTLED"


def test_the_fill_is_what_contract_and_native_core_had_quoted(told: Told) -> None:
    """To the wei: QuoterV2 asked past the engine, on the plan's own block; our quote; what the chain executed."""
    told_json = sep("explain", CLIENT_ID, "--config", "box/sep.toml", "--json", cwd=told.folder).json
    (fill,), plan = told_json["intent"]["fills"], told_json["plan"]
    (swap,) = [step for step in plan["steps"] if step["legs"]]
    (leg,) = swap["legs"]
    (pool,) = [
        one
        for one in told.box["deployment"]["v3_pools"]
        if one["address"].lower() == leg["market"].rpartition("/")[2]
    ]
    question = (
        plan["spends"]["asset"]["address"],
        plan["receives"]["asset"]["address"],
        int(plan["receives"]["amount"]),
        pool["fee"],
        0,
    )
    answer = told.call(told.box["deployment"]["quoter_v2"], QUOTE, question, block=plan["block_number"])
    amount_in = decode_result(QUOTED, answer)[0]
    assert int(fill["spent"]["amount"]) == amount_in
    assert int(plan["quoted"]["amount"]) == amount_in
    assert int(plan["spends"]["amount"]) == amount_in
    assert int(fill["received"]["amount"]) == 10**17


def test_the_books_equal_the_chain(told: Told) -> None:
    """Every balance of the account, ether for gas included."""
    said = sep("status", "--config", "box/sep.toml", "--json", cwd=told.folder).json
    balances = {one["asset"]["symbol"]: int(one["total"]) for one in said["portfolio"]["balances"]}
    owner = re.search(
        'address = "(0x[0-9a-fA-F]{40})"\nfunding', (told.folder / "box" / "sep.toml").read_text()
    )
    assert owner is not None
    for symbol, token in (("WETH", "weth"), ("USDC", "usdc")):
        held = told.call(told.box["deployment"][token], "balanceOf(address)", owner[1])
        assert balances.pop(symbol) == int.from_bytes(held)
    assert balances.pop("ETH") == int(told.ask("eth_getBalance", owner[1], "latest"), 16)
    assert not any(balances.values())


def test_it_is_explained_and_proven(told: Told) -> None:
    """In words that fit a terminal; by hashes and signatures."""
    assert "Settled: " in told.explained
    assert "quote on chain" in told.explained
    assert "final" in told.explained
    assert max(map(len, told.explained.splitlines())) <= 100
    assert told.verified.startswith("verified  ")


def test_the_first_commands_are_the_ones_that_exist() -> None:
    """`make demo`, then `make test`."""
    first = re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)[0].splitlines()
    assert [line.split("#")[0].strip() for line in first] == ["make demo", "make test"]
    verbs = (README.parent / "Makefile").read_text()
    assert "\ndemo:" in verbs
    assert "\ntest:" in verbs


def test_the_first_configuration_is_one_that_starts(tmp_path: Path) -> None:
    """The commands under "A first configuration", to the last but one; the last is the engine."""
    section = README.read_text().partition("## A first configuration")[2]
    lines = section.partition("```sh\n")[2].partition("```")[0].splitlines()
    assert lines[-1] == "sep run"
    said = _shell("\n".join(["set -e", *lines[:-1]]), tmp_path)
    assert "mode paper   next  sep run" in said
    with running(["run"], tmp_path / lines[0].split()[-1], "ready") as engine:
        assert engine.stop() == 0


def _blocks() -> list[str]:
    tutorial = README.read_text().partition("## Tutorial")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", tutorial, re.DOTALL)


def _shell(commands: str, folder: Path) -> str:
    """Runs a code block as a user's shell does, with the checkout's commands on the PATH."""
    path = f"{Path(SEP).parent}:{environment()['PATH']}"
    done = subprocess.run(
        ["sh", "-c", commands],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment({"PATH": path}),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _events(folder: Path) -> list[str]:
    words = ["events", "--after", "0", "--limit", "500", "--json", "--config", "box/sep.toml"]
    return sep(*words, cwd=folder).out.splitlines()


def _free_port() -> int:
    """The tutorial's port, or another where somebody else has it."""
    for port in (PORT, 0):
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(one.getsockname()[1])
    raise AssertionError("no port is free")
