"""What importing a plugin does, watched from inside a fresh process. Needs nothing but the standard library."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

CPU_LIMIT_SECONDS: Final = 0.15
"""The most CPU time that importing a plugin may take, beyond the contract itself."""

FORBIDDEN_MODULES: Final = (
    "sep_core", "sep_native", "litestar", "uvicorn", "web3", "asyncpg", "redis", "nats", "onnxruntime",
)  # fmt: skip
"""Modules that no plugin imports when it is itself imported: the kernel, and what takes long to load."""

_TRIES: Final = 3
_TIMEOUT_SECONDS: Final = 60.0
_MARK: Final = "SEP-IMPORT:"

_SCRIPT: Final = """
import importlib, json, os, sys, time
import sep_hooks, sep_hooks.config, sep_hooks.manifest, sep_hooks.specs, sep_hooks.types
import sep_hooks.chain, sep_hooks.risk, sep_hooks.signer, sep_hooks.store, sep_hooks.strategy, sep_hooks.venue
module, forbidden = sys.argv[1], sys.argv[2].split(",")
names = {
    "socket.__new__": "opens a socket", "socket.bind": "binds a socket", "socket.connect": "connects a socket",
    "socket.getaddrinfo": "resolves a host name", "subprocess.Popen": "starts a process", "os.fork": "forks",
    "os.forkpty": "forks", "os.posix_spawn": "starts a process", "os.system": "runs a shell",
    "os.exec": "replaces the process", "os.kill": "sends a signal",
    "_thread.start_new_thread": "starts a thread", "_thread.start_joinable_thread": "starts a thread",
    "os.remove": "removes a file", "os.rename": "renames a file", "os.mkdir": "makes a folder",
    "os.rmdir": "removes a folder", "os.truncate": "truncates a file", "os.chmod": "changes a file",
    "os.link": "links a file", "os.symlink": "links a file", "os.putenv": "changes the environment",
    "sqlite3.connect": "opens a database",
}
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
breaches, watching = [], True
def watch(event, arguments):
    if not watching:
        return
    if event in names:
        breaches.append(names[event] + " (" + event + ")")
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & writing:
        breaches.append("writes the file " + str(arguments[0]))
sys.addaudithook(watch)
before = set(sys.modules)
started = time.process_time()
error = ""
try:
    importlib.import_module(module)
except BaseException as raised:
    error = type(raised).__name__ + ": " + str(raised)
seconds = time.process_time() - started
watching = False
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
breaches += ["imports " + name for name in forbidden if name in tops]
os.write(1, ("\\nSEP-IMPORT:" + json.dumps([seconds, sorted(set(breaches)), error]) + "\\n").encode())
os._exit(0)
"""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What one import did. `breaches` lists, in words, what it must not do; `error` is what it raised."""

    module: str
    cpu_seconds: float
    breaches: tuple[str, ...]
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether the import is pure and quick."""
        return not self.breaches and not self.error


def measure_import(
    module: str,
    *,
    cpu_limit_seconds: float = CPU_LIMIT_SECONDS,
    forbidden: Sequence[str] = FORBIDDEN_MODULES,
) -> ImportReport:
    """Imports a module in a fresh process, at most three times: the quickest counts."""
    report = _measure(module, forbidden)
    for _ in range(_TRIES - 1):
        if report.cpu_seconds <= cpu_limit_seconds:
            break
        again = _measure(module, forbidden)
        if again.cpu_seconds < report.cpu_seconds:
            report = again
    if report.cpu_seconds <= cpu_limit_seconds:
        return report
    slow = f"takes {report.cpu_seconds * 1000:.0f} ms of CPU, allowed are {cpu_limit_seconds * 1000:.0f} ms"
    return replace(report, breaches=(*report.breaches, slow))


def _measure(module: str, forbidden: Sequence[str]) -> ImportReport:
    command = [sys.executable, "-P", "-B", "-c", _SCRIPT, module, ",".join(forbidden)]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return ImportReport(module, 0.0, (), f"does not come to an end within {_TIMEOUT_SECONDS:g} s")
    lines = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if not lines:
        last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        return ImportReport(module, 0.0, (), f"ends the process with code {done.returncode}: {last}")
    seconds, breaches, error = json.loads(lines[-1].removeprefix(_MARK))
    return ImportReport(module, float(seconds), tuple(str(one) for one in breaches), str(error))
