"""A small process that kills a node when the process that started it is gone, however it went."""

import subprocess
import sys
from pathlib import Path

# Reads until the pipe from the parent closes: the kernel closes it even on SIGKILL.
_SCRIPT = """
import os, shutil, sys
sys.stdin.read()
try:
    os.kill(int(sys.argv[1]), 9)
except OSError:
    pass
shutil.rmtree(sys.argv[2], ignore_errors=True)
"""


class Watchdog:
    """Guards one process id and the folder that goes with it, until it is dismissed."""

    def __init__(self, pid: int, folder: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter on a fixed script
            [sys.executable, "-I", "-S", "-c", _SCRIPT, str(pid), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """End the guard without touching what it guarded."""
        self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
