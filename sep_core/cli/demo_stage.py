"""The demonstration's stage: keys, a chain of its own, a configuration, all in one folder."""

import json
import os
import secrets
import shutil
import subprocess
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
STOP_SECONDS = 5.0
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

    def wait(self) -> None:
        """Waits until the chain answers. Raises `ChainDidNotStart`."""
        assert self.chain.stdout is not None
        if "ready" not in self.chain.stdout.readline():
            log = self.folder / "chain.log"
            raise ChainDidNotStart("the simulated chain did not start", next_step=f"see {log}")

    def stop(self) -> None:
        """Ends the chain; the folder stays."""
        self.chain.terminate()
        try:
            self.chain.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.chain.kill()
            self.chain.wait()
        if self.chain.stdout is not None:
            self.chain.stdout.close()
        shutil.rmtree(self.socket.parent, ignore_errors=True)


def free_folder(wanted: Path) -> Path:
    """The wanted folder, or the first numbered one beside it that does not exist."""
    folder, number = wanted, 1
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def build(folder: Path, seed: int) -> Stage:
    """Makes the folder and starts the chain; `Stage.wait` says when it answers. Raises `OSError`."""
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
    # Not in the folder: the name of a Unix socket may have about a hundred characters.
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
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )


def _write(path: Path, text: str, *, mode: int = 0o644) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
