"""`sep-signer` as a process that tests start, ask and kill."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from sep_hooks.context import SignerContext
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.testing.signer import CHAIN_ID, CONTRACT, SELECTOR
from sep_hooks.types import Address
from sep_native.decode import selector
from sep_native.sign import Keystore

from sep_core.adapters.signer_process import ProcessConfig, ProcessSigner
from sep_core.adapters.sim_venue import DEMO_ROUTER, SWAP_EXACT_IN, SWAP_EXACT_OUT

from .bench import TOKENS

KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
OWNER = Address("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")
PASSWORD = "a canary of a password"
WAIT_SECONDS = 60.0

RULES = f"""
socket = "s.sock"
engines = [{os.getuid()}]
operators = [{os.getuid()}]

[accounts.main]
key = "main.json"
password_file = "password"
chains = [{CHAIN_ID}]

[[accounts.main.calls]]
to = "{CONTRACT}"
selector = "{SELECTOR}"
"""


def router_rules(account: str) -> str:
    """What the swaps of the simulated router need, paid out to the account alone."""
    calls = "\n".join(
        f"""
[[accounts.{account}.calls]]
to = "{DEMO_ROUTER}"
selector = "0x{selector(signature).hex()}"
recipient = 4
"""
        for signature in (SWAP_EXACT_IN, SWAP_EXACT_OUT)
    )
    tokens = ", ".join(f'"{token["address"]}"' for token in TOKENS.values())
    return f"""
socket = "s.sock"
engines = [{os.getuid()}]

[accounts.{account}]
key = "main.json"
password_file = "password"
chains = [{CHAIN_ID}]
tokens = [{tokens}]
spenders = ["{DEMO_ROUTER}"]
{calls}"""


def context() -> SignerContext:
    """What the kernel hands to a signer of the account `main`."""
    return SignerContext("main", FakeClock(), FakeLog(), CHAIN_ID)


class SignerProcess:
    """A signer with one key in a folder; `start` again after `kill` finds what it had signed."""

    def __init__(self, folder: Path, rules: str = RULES, key: bytes = KEY) -> None:
        folder.mkdir(mode=0o700, parents=True)
        self.folder, self.socket = folder, folder / "s.sock"
        Keystore.import_key(folder / "main.json", key, PASSWORD.encode(), scrypt_log_n=2)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o600)
        (folder / "signer.toml").write_text(rules)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    @property
    def command(self) -> str:
        """The console script."""
        return shutil.which("sep-signer", path=str(Path(sys.executable).parent)) or "sep-signer"

    def start(self) -> None:
        """Starts it, and returns once it answers."""
        self._process = subprocess.Popen(
            [self.command, "run", "--config", str(self.folder / "signer.toml")],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("ready"), line

    def kill(self) -> None:
        """Ends it with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=WAIT_SECONDS)
            self._process = None

    def verb(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a verb of its command line."""
        return subprocess.run(
            [self.command, *words, "--config", str(self.folder / "signer.toml")],
            capture_output=True,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
        )

    def ask(self, line: bytes, *, hang_up: bool = False) -> Any:
        """One raw exchange; `hang_up` leaves before the answer comes."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(WAIT_SECONDS)
            connection.connect(str(self.socket))
            connection.sendall(line)
            if hang_up:
                return None
            with connection.makefile("rb") as answers:
                return json.loads(answers.readline())


def client(process: SignerProcess) -> ProcessSigner:
    """What the engine has of the signer."""
    return ProcessSigner(ProcessConfig(socket=process.socket, account="main"), context())
