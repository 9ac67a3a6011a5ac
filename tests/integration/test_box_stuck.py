"""A8: on a genuine node: blocks ask more than a swap pays, the node drops it, and a bump at its nonce settles it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sep_testnet.artifacts import load_artifacts
from sep_testnet.box_files import API_PORT
from sep_testnet.errors import TestnetUnavailable

from .command import running, sep
from .test_box_bundle import ask, free_port

pytestmark = pytest.mark.anvil

WAIT_SECONDS = 240
FINALITY_BLOCKS = 100


@contextmanager
def dear_blocks(rpc: str, base_fee: int) -> Iterator[None]:
    """Blocks each second, every one of which asks this base fee."""
    over = threading.Event()

    def hold() -> None:
        while not over.wait(0.1):
            ask(rpc, "anvil_setNextBlockBaseFeePerGas", hex(base_fee))

    ask(rpc, "anvil_setNextBlockBaseFeePerGas", hex(base_fee))
    thread = threading.Thread(target=hold)
    thread.start()
    ask(rpc, "evm_setIntervalMining", 1)
    try:
        yield
    finally:
        over.set()
        thread.join()


def waiting(rpc: str, owner: str) -> dict[int, Any]:
    """The owner's transactions in the node's pool, by nonce."""
    pool = ask(rpc, "txpool_content")
    found = {**pool["pending"], **pool["queued"]}
    mine = next((txs for who, txs in found.items() if who.lower() == owner.lower()), {})
    return {int(nonce): one for nonce, one in mine.items()}


def test_a_swap_that_the_node_dropped_is_bumped_and_settles(tmp_path: Path) -> None:
    try:
        load_artifacts()
    except TestnetUnavailable as error:
        pytest.skip(f"the local testnet is not available: {error}")
    with running(["testnet", "up", "box"], tmp_path, "ready"):
        config = tmp_path / "box" / "sep.toml"
        rpc = json.loads((tmp_path / "box" / "box.json").read_text())["chains"]["ethereum"]["rpc"]
        config.write_text(config.read_text().replace(f"port = {API_PORT}", f"port = {free_port()}"))
        intent = tmp_path / "box" / "intent.json"
        body = json.loads(intent.read_text())
        body["constraints"]["time_window_ms"] = 600_000  # what is too late would be cancelled instead
        intent.write_text(json.dumps(body))
        account = config.read_text().split("[accounts.main]\n")[1]
        owner = next(line.split('"')[1] for line in account.splitlines() if line.startswith("address = "))
        nonce = int(ask(rpc, "eth_getTransactionCount", owner, "latest"), 16)
        with running(["serve", "--config", "box/sep.toml"], tmp_path, "ready") as served:
            ask(rpc, "evm_setIntervalMining", 0)
            taken = sep("submit", "box/intent.json", "--config", "box/sep.toml", "--json", cwd=tmp_path)
            intent_id = taken.json["intent_id"]
            deadline = time.monotonic() + WAIT_SECONDS
            while not (first := waiting(rpc, owner)):
                assert time.monotonic() < deadline, "nothing was sent"
            paid = max(int(one["maxFeePerGas"], 16) for one in first.values())
            with dear_blocks(rpc, 2 * paid):
                while int(ask(rpc, "eth_getTransactionCount", owner, "latest"), 16) < nonce + len(first):
                    assert time.monotonic() < deadline, waiting(rpc, owner)
                    time.sleep(0.1)
            ask(rpc, "anvil_mine", hex(FINALITY_BLOCKS))
            # The same file again is the same intent: this waits for its end.
            told = sep("submit", "box/intent.json", "--config", "box/sep.toml", "--wait", "55", cwd=tmp_path)
            assert told.code == 0, told
            evidence = sep("reconcile", intent_id, "--config", "box/sep.toml", "--json", cwd=tmp_path).json
            assert served.stop() == 0
    bumped = [one for one in evidence if any("was signed as a bump" in held for held in one["held"])]
    assert bumped, evidence
    assert all(one["status"] == "FINAL" for one in evidence), evidence
    assert [one["nonce"] for one in evidence] == list(range(nonce, nonce + len(evidence)))
