"""One local Ethereum node: a process of its own, stopped by its process id, never left running."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .errors import TestnetError, TestnetUnavailable
from .rpc import NodeRpc
from .watchdog import Watchdog

GENESIS_TIMESTAMP = 1_700_000_000
START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 15.0
_LOG_LIMIT_BYTES = 16 * 1024 * 1024
_POLL_SECONDS = 0.005
_ACCOUNT = re.compile(r"^\((\d+)\) (0x[0-9a-fA-F]{40}) ", re.MULTILINE)
_PRIVATE_KEY = re.compile(r"^\((\d+)\) (0x[0-9a-f]{64})$", re.MULTILINE)
_LISTENING = re.compile(r"^Listening on 127\.0\.0\.1:(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Account:
    """A funded, unlocked account of the node; its key is public knowledge, good for tests alone."""

    address: str
    private_key: str


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """How a node is started; `timestamp` is the genesis block's and excludes `load_state`."""

    chain_id: int
    port: int = 0
    timestamp: int | None = None
    load_state: Path | None = None
    dump_state: Path | None = None
    slots_in_an_epoch: int = 32
    mines_by_itself: bool = True

    def arguments(self) -> list[str]:
        """Give the node's command line."""
        words = ["--host", "127.0.0.1", "--port", str(self.port), "--chain-id", str(self.chain_id)]
        words += ["--enable-tx-gas-limit", "--slots-in-an-epoch", str(self.slots_in_an_epoch)]
        if self.timestamp is not None:
            words += ["--timestamp", str(self.timestamp)]
        if self.load_state is not None:
            words += ["--load-state", str(self.load_state)]
        if self.dump_state is not None:
            words += ["--dump-state", str(self.dump_state)]
        if not self.mines_by_itself:
            words += ["--no-mining"]
        return words


class Node:
    """A running node; `start` gives one, `stop` ends it, the end of this process ends it too."""

    def __init__(self, process: subprocess.Popen[bytes], options: NodeOptions, folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._watchdog = Watchdog(process.pid, folder)
        self.options = options
        try:
            self.port, banner = _await_listening(process, options, self.log_path)
        except BaseException:
            self._end()
            raise
        self.rpc = NodeRpc(self.port)
        keys = dict(_PRIVATE_KEY.findall(banner))
        self.accounts = tuple(
            Account(address, keys[index]) for index, address in _ACCOUNT.findall(banner) if index in keys
        )

    @classmethod
    def start(cls, anvil: Path, options: NodeOptions) -> Self:
        """Start a node and wait until it listens. Raises `TestnetError` with the node's own words."""
        folder = Path(tempfile.mkdtemp(prefix="sep-testnet-node-"))
        try:
            with (folder / "node.log").open("ab") as log:
                process = subprocess.Popen(  # noqa: S603 - a verified binary
                    [str(anvil), *options.arguments()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    start_new_session=True,
                )
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise TestnetUnavailable(
                f"the test node {anvil} cannot run on this machine: {error.strerror}",
                next_step="check that the cache folder allows programs to run (no noexec mount)",
            ) from error
        try:
            return cls(process, options, folder)
        except BaseException:
            process.kill()
            process.wait()
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @property
    def url(self) -> str:
        """The address of its JSON-RPC over HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def websocket_url(self) -> str:
        """The address of its JSON-RPC over WebSocket."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """The file that holds what it printed, until it is stopped."""
        return self._folder / "node.log"

    def is_running(self) -> bool:
        """Say whether its process lives."""
        return self._process.poll() is None

    def trim_log(self) -> None:
        """Empty a log that has grown large; the node goes on appending."""
        if self.log_path.stat().st_size > _LOG_LIMIT_BYTES:
            os.truncate(self.log_path, 0)

    def stop(self) -> None:
        """End the process, by force when it does not end in time; safe to call twice."""
        self.rpc.close()
        self._end()

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._watchdog.dismiss()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def running_node(anvil: Path, options: NodeOptions) -> Iterator[Node]:
    """Run a node for the length of a block."""
    node = Node.start(anvil, options)
    try:
        yield node
    finally:
        node.stop()


def _await_listening(process: subprocess.Popen[bytes], options: NodeOptions, log: Path) -> tuple[int, str]:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        ended = process.poll() is not None
        banner = log.read_text(errors="replace")
        found = _LISTENING.search(banner)
        if found is not None and not ended:
            return int(found[1]), banner
        if ended:
            raise _start_failure(options, banner)
        if time.monotonic() > deadline:
            raise TestnetError(f"the test node did not listen within {START_TIMEOUT_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def _start_failure(options: NodeOptions, banner: str) -> TestnetError:
    if "already in use" in banner:
        return TestnetError(
            f"port {options.port} of 127.0.0.1 is in use by another program",
            next_step="choose another port, or --port 0 for any free one",
        )
    lines = banner.strip().splitlines() or ["it said nothing"]
    told = next((line for line in lines if line.lower().startswith("error")), lines[-1])
    return TestnetError(f"the test node ended at its start: {told}")
