"""The folder that `sep testnet up` fills: whose it is, what may be overwritten, and who holds it."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from .deployment import Deployment
from .errors import TestnetError

MARKER = "box.json"
_LOCK = ".sep-testnet.lock"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class BoxFile:
    """One file of a box; a secret one is for the user's eyes alone."""

    path: str
    text: str
    secret: bool = False


@dataclass(frozen=True, slots=True)
class BoxChain:
    """A running chain of a box: where its node answers, its process id, and what stands on it."""

    name: str
    rpc: str
    pid: int
    deployment: Deployment


class Box:
    """A folder held by this process. `fresh` says that an earlier box in it may be moved aside."""

    def __init__(self, folder: Path, *, fresh: bool) -> None:
        self.folder = folder
        if _is_used(folder) and not fresh:
            raise TestnetError(
                f"{folder} holds a box whose chain has ended; its log would not fit a new chain",
                next_step=f"sep testnet up {folder} --fresh moves the old data into {folder}/old-N,"
                " or choose another folder",
            )

    def fill(self, files: list[BoxFile], chains: Sequence[BoxChain]) -> Path | None:
        """Write a new box; give the folder that an earlier one was moved to, if there was one."""
        try:
            moved = self._move_old_aside()
            marker = {"format": _FORMAT, "chains": {chain.name: asdict(chain) for chain in chains}}
            # The marker goes first: a box that was left half written is still known to be ours.
            for file in [BoxFile(MARKER, json.dumps(marker, indent=2) + "\n"), *files]:
                _write(self.folder / file.path, file)
        except OSError as error:
            raise _unusable(self.folder, error) from error
        return moved

    def _move_old_aside(self) -> Path | None:
        if not _is_used(self.folder):
            return None
        number = 1
        while (old := self.folder / f"old-{number}").exists():
            number += 1
        old.mkdir(mode=0o700)
        # The marker goes last: until then the folder still counts as an old box.
        entries = sorted(_content(self.folder), key=lambda entry: entry.name == MARKER)
        for entry in entries:
            entry.rename(old / entry.name)
        return old


@contextmanager
def held_box(folder: Path, *, fresh: bool) -> Iterator[Box]:
    """Hold a folder that is new, empty or an earlier box. Raises `TestnetError` with what to do instead."""
    if folder.exists() and not folder.is_dir():
        raise TestnetError(f"{folder} is a file", next_step="name a folder that is new or empty")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        foreign = [entry.name for entry in _content(folder)]
        if foreign and not _is_used(folder):
            raise TestnetError(
                f"{folder} holds other things ({', '.join(sorted(foreign)[:3])}, …); nothing was touched",
                next_step="name a folder that is new or empty",
            )
        descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        if not _lock(descriptor):
            raise TestnetError(
                f"another `sep testnet up` is running in {folder}",
                next_step="use its chain, stop it with Ctrl-C, or name another folder",
            )
        yield Box(folder, fresh=fresh)
    finally:
        os.close(descriptor)


def _is_used(folder: Path) -> bool:
    return (folder / MARKER).is_file()


def _content(folder: Path) -> list[Path]:
    """List what is neither the lock nor an old box that was moved aside."""
    return [entry for entry in folder.iterdir() if entry.name != _LOCK and not _is_used_old(entry)]


def _is_used_old(entry: Path) -> bool:
    return entry.name.startswith("old-") and entry.is_dir()


def _write(path: Path, file: BoxFile) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, 0o600 if file.secret else 0o644), "w") as opened:
        opened.write(file.text)


def _unusable(folder: Path, error: OSError) -> TestnetError:
    return TestnetError(
        f"cannot write to {folder}: {error.strerror or error}",
        next_step="name a folder that this user can create or write",
    )


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
