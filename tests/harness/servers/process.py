"""A server's process: started until it says that it is ready, killed, paused, started again on the same data."""

import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

NOBODY = 65534
START_SECONDS = 30.0
STOP_SECONDS = 20.0
_LINES_KEPT = 200


class ServerAbsent(Exception):
    """A server is not installed on this machine; the message says how to get it."""


def free_port() -> int:
    """A port of the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str) -> str:
    """Where a server's program is. Raises `ServerAbsent`."""
    found = shutil.which(name)
    if found is None:
        raise ServerAbsent(f"{name} is not installed: `apt-get install {name}`, or `.ci/servers` as root")
    return found


class ServerProcess(ABC):
    """One server on `port` of the loopback, with its data in `folder`; a context manager that leaves nothing behind."""

    ready_words: str
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        # Short, because a socket's path may have 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="sep-", dir="/tmp"))
        self.port = free_port()
        self.told: deque[str] = deque(maxlen=_LINES_KEPT)
        self._process: subprocess.Popen[str] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The command line that serves in the foreground."""

    def prepare(self) -> None:
        """Makes the data that the first start needs."""

    def spawn(self, words: Sequence[str]) -> subprocess.Popen[str]:
        """A process of this server, its words in one stream."""
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=self.folder,
            start_new_session=True,
        )

    def start(self) -> None:
        """Starts it on the data that is there; returns when it serves, raises `RuntimeError` with its last words."""
        assert self._process is None
        process = self._process = self.spawn(self.command())
        ready = threading.Event()
        threading.Thread(target=self._listen, args=(process, ready), daemon=True).start()
        if not ready.wait(START_SECONDS) or process.poll() is not None:
            self.kill()
            raise RuntimeError(f"{self.command()[0]} did not start:\n" + "\n".join(self.told))

    def _listen(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                self.told.append(line.rstrip())
                if self.ready_words in line:
                    ready.set()
        ready.set()

    @property
    def pid(self) -> int:
        """The process that serves."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """`kill -9` for the process and all that it started; the data stays."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ends it in order; the data stays."""
        self._end(self.stop_signal)

    def pause(self) -> None:
        """SIGSTOP for all of it: it answers nothing, and its connections stay open."""
        _signal(_family(self.pid), signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        _signal(_family(self.pid), signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None and number is not signal.SIGKILL:
            _signal(_family(process.pid), signal.SIGCONT)
            process.send_signal(number)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _kill(_family(process.pid))
        elif process.poll() is None:
            _kill(_family(process.pid))
        process.wait()

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def remove(self) -> None:
        """Kills it and deletes its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _family(pid: int) -> list[int]:
    """A process and its descendants, parents first; children may have sessions of their own."""
    family = [pid]
    for member in family:
        try:
            children = Path(f"/proc/{member}/task/{member}/children").read_text().split()
        except OSError:  # gone meanwhile
            continue
        family.extend(int(child) for child in children)
    return family


def _signal(family: Sequence[int], number: signal.Signals) -> None:
    for member in family:
        with suppress(ProcessLookupError):
            os.kill(member, number)


def _kill(family: Sequence[int]) -> None:
    """Kills and waits until each is gone: what still lives holds memory and files that a new start wants."""
    handles = []
    for member in family:
        with suppress(ProcessLookupError):
            handles.append(os.pidfd_open(member))
    _signal(family, signal.SIGKILL)
    for handle in handles:
        select.select([handle], [], [], STOP_SECONDS)
        os.close(handle)
