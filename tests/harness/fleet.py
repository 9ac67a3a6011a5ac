"""Several engines of one log in PostgreSQL, each a process of its own; chain, signer and keys are theirs in common."""

import http.client
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sep_core.adapters.sim_host import host_command

from .bench import tables, toml_text
from .json_rpc import SocketChain
from .killing import Serving


@contextmanager
def chain_of_its_own(socket: Path) -> Iterator[SocketChain]:
    """A simulated chain as a process, which outlives engines."""
    command = host_command(socket, block_interval_ms=60)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as host:
        try:
            assert host.stdout is not None
            assert host.stdout.readline() == "ready\n"
            yield SocketChain(socket)
        finally:
            host.kill()


def configured(folder: Path, name: str, chain: Path, dsn: str, signer: Path) -> Path:
    """The configuration of one engine: a data folder of its own; log, its keys, chain and signer in common."""
    said: dict[str, Any] = tables({"socket": str(chain)})
    said["accounts"]["main"]["signer"] = {"use": "process", "socket": str(signer)}
    said["store"] = {"use": "postgres", "path": f"data-{name}", "dsn": dsn, "keys": "keys"}
    config = folder / f"{name}.toml"
    config.write_text(toml_text(said))
    return config


class Fleet:
    """Engines by name, one of which leads. Those that end are started again as standbys, as a supervisor would."""

    def __init__(self, configs: Mapping[str, Path], environ: Mapping[str, str]) -> None:
        self._configs, self._environ = configs, environ
        self.engines: dict[str, Serving] = {}
        self.paused: set[str] = set()
        self.starts = 0
        for name in configs:
            self.start(name)

    def start(self, name: str) -> None:
        """Starts one, which waits for its turn."""
        config = self._configs[name]
        self.engines[name] = Serving(config, config.parent / f"data-{name}", self._environ, "--standby")
        self.starts += 1

    def revive(self) -> list[int]:
        """Starts what has ended; the exit codes."""
        gone = {name: one.process.poll() for name, one in self.engines.items()}
        for name, code in gone.items():
            if code is not None:
                self.paused.discard(name)
                self.start(name)
        return [code for code in gone.values() if code is not None]

    def leader(self) -> str | None:
        """The name of the one that leads and may answer, as far as it is known."""
        for name, one in self.engines.items():
            if name not in self.paused and one.ready.is_set() and one.process.poll() is None:
                return name
        return None

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any] | None:
        """What the leader answers; None where nobody does."""
        name = self.leader()
        if name is not None:
            with suppress(OSError, http.client.HTTPException, ValueError):
                return self.engines[name].call(method, path, body)
        return None

    def pause(self, name: str) -> None:
        """Stops a process where it stands."""
        self.engines[name].process.send_signal(signal.SIGSTOP)
        self.paused.add(name)

    def wake(self, name: str) -> None:
        """Lets it go on. Where another leads by now, it finds that out, and ends."""
        self.engines[name].process.send_signal(signal.SIGCONT)
        self.paused.discard(name)

    def end(self) -> None:
        """Ends all of them, paused ones too."""
        for one in self.engines.values():
            one.process.send_signal(signal.SIGCONT)
            one.kill()
