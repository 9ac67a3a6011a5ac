"""`sep testnet up`: what it writes works, what it refuses it explains, what it starts it ends."""

import json
import os
import re
import select
import shlex
import signal
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from eth_account import Account
from sep_testnet.chains import check_chain_plugin
from sep_testnet.command import main
from sep_testnet.errors import TestnetError
from sep_testnet.rpc import NodeRpc
from sep_testnet.transactor import read_contract

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = [pytest.mark.anvil, pytest.mark.usefixtures("testnet_artifacts")]

COMMAND = "import sys; from sep_testnet.command import main; sys.exit(main(sys.argv[1:]))"
PATIENCE_SECONDS = 60


class Up:
    """A running `sep testnet up`."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "up", str(folder), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.lines: list[str] = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.startswith("Ctrl-C"):
                break
        assert "ready" in self.lines, self.lines
        self.chain = json.loads((folder / "box.json").read_text())["chains"]["ethereum"]
        self.rpc = NodeRpc(int(self.chain["rpc"].rpartition(":")[2]))

    def end(self, number: int) -> int:
        """Send a signal, wait for the command and for its node, give the exit code."""
        node = os.pidfd_open(self.chain["pid"])
        try:
            self.process.send_signal(number)
            rest, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
            self.lines += rest.splitlines()
            assert select.select([node], [], [], PATIENCE_SECONDS)[0], "the node is still running"
        finally:
            os.close(node)
            self.rpc.close()
        return self.process.returncode


@contextmanager
def up(folder: Path, *arguments: str) -> Iterator[Up]:
    running = Up(folder, *arguments)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.end(signal.SIGTERM)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Up]:
    with up(tmp_path / "my box") as running:
        yield running


def test_what_is_written_fits_together(box: Up) -> None:
    config = tomllib.loads((box.folder / "sep.toml").read_text())
    assert config["mode"] == "testnet"
    assert config["chains"]["ethereum"] == {"use": "ethereum", "rpc": [box.chain["rpc"]]}
    account = config["accounts"]["main"]
    keystore = box.folder / account["signer"]["path"]
    password = box.folder / account["signer"]["password"]["file"]
    for path in (keystore, password):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    key = Account.decrypt(keystore.read_text(), password.read_text())
    assert Account.from_key(key).address == account["address"]

    intent = json.loads((box.folder / "intent.json").read_text())
    assert intent["strategy_id"] == config["strategies"]["quickstart"]["id"]
    (wanted,) = intent["assets"]
    assert wanted["asset"]["address"] == config["assets"]["WETH"]["address"]

    usdc = config["assets"]["USDC"]["address"]
    assert read_contract(box.rpc, usdc, "balanceOf(address)", ("uint256",), account["address"]) == (10**11,)
    assert box.rpc.number("eth_getBalance", account["address"], "latest") == 10**19
    venue = config["venues"]["uniswap-v3"]
    for pool in venue["pools"]:
        assert read_contract(box.rpc, pool, "factory()", ("address",)) == (venue["factory"],)
    (pair,) = config["venues"]["uniswap-v2"]["pools"]
    assert read_contract(box.rpc, pair, "factory()", ("address",)) == (
        config["venues"]["uniswap-v2"]["factory"],
    )
    balancer = config["venues"]["balancer"]
    for pool in balancer["pools"]:
        (vault,) = read_contract(box.rpc, pool, "getVault()", ("address",))
        assert vault == balancer["vault"]
    (stable,) = config["venues"]["curve"]["pools"]
    assert read_contract(box.rpc, stable, "coins(uint256)", ("address",), 1) == (usdc,)


def test_the_next_commands_are_runnable_words(box: Up) -> None:
    commands = [line.strip() for line in box.lines if line.startswith("  ")]
    assert [shlex.split(line)[0] for line in commands] == ["sep", "curl", "sep"]
    assert shlex.split(commands[0]) == ["sep", "serve", "--config", str(box.folder / "sep.toml")]
    assert f"@{box.folder / 'intent.json'}" in shlex.split(commands[1])
    shell = re.sub(r".*\$\((.*)\).*", r"\1", commands[1])
    assert shlex.split(shell) == ["cat", str(box.folder / "sep-data" / "api-token")]


def test_blocks_come_by_themselves_at_a_held_fee_and_grow_final(box: Up) -> None:
    start = box.rpc.number("eth_blockNumber")
    while box.rpc.number("eth_blockNumber") < start + 3:
        assert box.process.poll() is None
        select.select([], [], [], 0.05)
    blocks = [box.rpc.record("eth_getBlockByNumber", hex(start + index), False) for index in range(4)]
    assert {block["baseFeePerGas"] for block in blocks} == {hex(10**9)}
    times = [int(str(block["timestamp"]), 16) for block in blocks]
    assert all(later > earlier for earlier, later in pairwise(times))
    final = int(str(box.rpc.record("eth_getBlockByNumber", "finalized", False)["number"]), 16)
    assert final >= box.rpc.number("eth_blockNumber") - 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything(tmp_path: Path, number: int) -> None:
    with up(tmp_path / "box") as running:
        assert running.end(number) == 0
        assert running.lines[-1] == "stopped; nothing is left running"


def test_a_killed_command_takes_its_node_along(tmp_path: Path) -> None:
    with up(tmp_path / "box") as running:
        assert running.end(signal.SIGKILL) == -signal.SIGKILL


def test_a_node_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    with up(tmp_path / "box") as running:
        os.kill(running.chain["pid"], signal.SIGKILL)
        rest, _ = running.process.communicate(timeout=PATIENCE_SECONDS)
        assert running.process.returncode == 1
        assert "chain is gone" in rest or "did not answer" in rest
        assert "Traceback" not in rest
        running.rpc.close()


def test_an_old_log_never_meets_a_new_chain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "box"
    with up(folder) as first:
        first.end(signal.SIGINT)
    (folder / "sep-data").mkdir()
    (folder / "sep-data" / "log").write_text("precious")
    old_key = (folder / "keys/main.json").read_text()

    assert main(["up", str(folder)]) == 1
    assert "--fresh" in capsys.readouterr().err
    assert (folder / "keys/main.json").read_text() == old_key

    with up(folder, "--fresh") as second:
        assert (folder / "old-1/sep-data/log").read_text() == "precious"
        assert (folder / "old-1/keys/main.json").read_text() == old_key
        assert (folder / "keys/main.json").read_text() != old_key
        assert not (folder / "sep-data").exists()
        assert main(["up", str(folder), "--fresh"]) == 1
        assert "is running in" in capsys.readouterr().err
        second.end(signal.SIGINT)
    with up(folder, "--fresh") as third:
        assert sorted(path.name for path in folder.glob("old-*")) == ["old-1", "old-2"]
        third.end(signal.SIGINT)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["up", *arguments]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert "\nnext:  " in told
    return told


def test_other_peoples_folders_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("text")
    assert "nothing was touched" in refused(capsys, str(tmp_path))
    assert "nothing was touched" in refused(capsys, str(tmp_path), "--fresh")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    assert "is a file" in refused(capsys, str(tmp_path / "thesis.tex"))
    assert "cannot write to" in refused(capsys, str(tmp_path / "thesis.tex" / "box"))


def test_a_read_only_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cannot write to" in refused(capsys, "/proc/box")
    if os.geteuid() != 0:  # root may write anywhere else
        tmp_path.chmod(0o500)
        assert "cannot write to" in refused(capsys, str(tmp_path / "box"))
        assert "cannot write to" in refused(capsys, str(tmp_path))


def test_a_port_in_use_is_named_and_the_folder_stays_free(
    box: Up, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = box.chain["rpc"].rpartition(":")[2]
    assert f"port {port} of 127.0.0.1 is in use" in refused(capsys, str(tmp_path / "second"), "--port", port)
    with up(tmp_path / "second"):
        pass


@pytest.mark.parametrize(
    "arguments",
    [[], ["up"], ["up", "x", "--port", "70000"], ["up", "x", "--port", "no"], ["up", "x", "--chain", "2"]],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage: sep testnet" in capsys.readouterr().err


def test_a_chain_without_a_plugin_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sep_testnet.chains.entry_points", lambda group: ())
    check_chain_plugin(1)
    with pytest.raises(TestnetError, match="polygon"):
        check_chain_plugin(137)
