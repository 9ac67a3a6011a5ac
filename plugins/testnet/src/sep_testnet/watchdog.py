"""A small process that kills a node when the process that started it is gone, however it went."""

import subprocess
import sys

# Reads until the pipe from the parent closes: the kernel closes it even on SIGKILL.
_SCRIPT = (
    "import os,sys\npid=int(sys.argv[1])\nsys.stdin.read()\ntry:\n os.kill(pid,9)\nexcept OSError:\n pass"
)


class Watchdog:
    """Guards one process id; must be dismissed before that process has been waited for by anyone else."""

    def __init__(self, pid: int) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter on a fixed script
            [sys.executable, "-I", "-S", "-c", _SCRIPT, str(pid)],
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
