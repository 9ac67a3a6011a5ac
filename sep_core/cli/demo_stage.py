"""The demonstration's stage: keys, a chain of its own, a configuration, all in one folder."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sep_hooks.errors import Retryable

from sep_core.adapters.signer_keystore import create_keystore
from sep_core.adapters.sim_host import host_command
from sep_core.cli.simulated import assets_of, genesis

BLOCK_MILLISECONDS = 60
LIFETIME_SECONDS = 180
SCRYPT_LOG_N = 4
CLIENT = UUID("0b9d3a52-6f1e-4c55-9c0e-3d5a1f6b7c80")

_CONFIG = """\
mode = "testnet"

[plugins]
enabled = ["sep-risk-limits", "sep-strategy-rebalance"]

[chains.simulated]
use = "simulated"
genesis = "genesis.json"
socket = "{socket}"
block_time_seconds = 0.06

[venues.sim-amm]
use = "simulated-amm"
chain = "simulated"

[accounts.fund]
chain = "simulated"
address = "{fund}"
funding = ["USDC"]
signer = {{ use = "keystore", path = "keys/fund.json", password = {{ file = "secrets/demo" }} }}

[accounts.desk]
chain = "simulated"
address = "{desk}"
funding = ["USDC"]
signer = {{ use = "keystore", path = "keys/desk.json", password = {{ file = "secrets/demo" }} }}

{assets}[risk.limits]
use = "limits"
numeraire = "USDC"
max_notional = "20000000000"        # 20,000 USDC

[strategies.rebalance]
use = "rebalance"
account = "fund"
base = "WETH"
quote = "USDC"
weight = "0.52"
band = "0.01"
pause_seconds = 1
time_window_ms = 600000             # of the chain, whose time runs faster than the clock

[strategies.desk]
use = "external"
id = "{client}"
account = "desk"
"""


class ChainDidNotStart(Retryable):
    """The simulated chain's process ended before it was ready."""

    code = "chain_did_not_start"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is."""

    folder: Path
    config: Path
    socket: Path
    chain: "subprocess.Popen[str]"

    def stop(self) -> None:
        """Ends the chain; the folder stays."""
        self.chain.terminate()
        self.chain.wait(timeout=10)
        self.socket.unlink(missing_ok=True)
        self.socket.parent.rmdir()


def free_folder(wanted: Path) -> Path:
    """The wanted folder, or the first numbered one beside it that does not exist."""
    folder, number = wanted, 1
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def build(folder: Path, seed: int) -> Stage:
    """Makes the folder and starts the chain. Raises `ChainDidNotStart`."""
    for part in (folder, folder / "keys", folder / "secrets"):
        part.mkdir(mode=0o700, parents=True)
    password = secrets.token_hex(16)
    _write(folder / "secrets" / "demo", password, mode=0o600)
    fund = create_keystore(folder / "keys" / "fund.json", password, scrypt_log_n=SCRYPT_LOG_N)
    desk = create_keystore(folder / "keys" / "desk.json", password, scrypt_log_n=SCRYPT_LOG_N)
    document = genesis(seed)
    tokens = {token["symbol"]: token["address"] for token in document["tokens"]}
    document["accounts"] = [
        {
            "address": owner,
            "balance": str(10 * 10**18),
            "tokens": {tokens["WETH"]: str(10 * 10**18), tokens["USDC"]: str(30_000 * 10**6)},
        }
        for owner in (fund, desk)
    ]
    _write(folder / "genesis.json", json.dumps(document, indent=1))
    socket = Path(tempfile.mkdtemp(prefix="sep-")) / "chain"
    config = folder / "sep.toml"
    _write(
        config, _CONFIG.format(socket=socket, fund=fund, desk=desk, assets=assets_of(document), client=CLIENT)
    )
    return Stage(folder, config, socket, _start_chain(folder, socket))


def _start_chain(folder: Path, socket: Path) -> "subprocess.Popen[str]":
    command = host_command(
        socket,
        genesis=folder / "genesis.json",
        block_interval_ms=BLOCK_MILLISECONDS,
        lifetime_seconds=LIFETIME_SECONDS,
    )
    with (folder / "chain.log").open("w") as log:
        chain = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    line = chain.stdout.readline() if chain.stdout is not None else ""
    if "ready" not in line:
        raise ChainDidNotStart("the simulated chain did not start", next_step=f"see {folder / 'chain.log'}")
    return chain


def _write(path: Path, text: str, *, mode: int = 0o644) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def engine_command(config: Path, act: str) -> list[str]:
    """How an act of the demonstration is run, in a process of its own."""
    return [sys.executable, "-P", "-m", "sep_core.cli.demo_engine", str(config), act]
