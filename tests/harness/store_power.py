"""A disk that forgets: an APSW VFS that can show every file as a power loss would leave it."""

import random
import threading
from collections.abc import Callable
from pathlib import Path

import apsw


class ForgetfulDisk(apsw.VFS):
    """Passes everything through, and remembers what each file held at its last sync and what was written since.

    `after_power_loss` gives the files as they may be found: synced content, and of the writes since then any part,
    in any order, each of them whole or cut. `before_change` is called before each write and sync, and may raise what a
    disk that fails makes of it.
    """

    def __init__(self, name: str) -> None:
        self.vfs_name = name
        self.before_change: Callable[[], None] = lambda: None
        self.files: dict[str, _Remembered] = {}
        self.lock = threading.RLock()
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "ForgetfulFile":
        return ForgetfulFile(self, name, flags)

    def remembered(self, name: str) -> "_Remembered":
        """What is known of a file; one that stood there before this disk is synced."""
        if name not in self.files:
            path = Path(name)
            self.files[name] = _Remembered(path.read_bytes() if path.is_file() else b"")
        return self.files[name]

    def xDelete(self, filename: str, syncdir: bool) -> None:
        with self.lock:
            super().xDelete(filename, syncdir)
            self.files.pop(filename, None)

    def after_power_loss(self, target: Path, chance: random.Random | None) -> None:
        """Writes the files into another folder. Without `chance` everything since the last sync is gone."""
        target.mkdir(exist_ok=True)
        with self.lock:
            found = {name: remembered.found(chance) for name, remembered in self.files.items()}
        for name, content in found.items():
            (target / Path(name).name).write_bytes(content)


class _Remembered:
    def __init__(self, synced: bytes) -> None:
        self.synced = synced
        self.since: list[tuple[int, bytes] | int] = []
        """Writes (offset, data) and truncations (size)."""

    def sync(self, everything: bytes) -> None:
        self.synced = everything
        self.since.clear()

    def found(self, chance: random.Random | None) -> bytes:
        content = bytearray(self.synced)
        if chance is None:
            return bytes(content)
        kept = [change for change in self.since if chance.random() < 0.5]
        chance.shuffle(kept)
        for change in kept:
            if isinstance(change, int):
                del content[change:]
                continue
            offset, data = change
            if chance.random() < 0.3:
                data = data[: chance.randrange(len(data) + 1) // 512 * 512]
            if len(content) < offset:
                content.extend(bytes(offset - len(content)))
            content[offset : offset + len(data)] = data
        return bytes(content)


class ForgetfulFile(apsw.VFSFile):
    """A file of a disk that forgets."""

    def __init__(self, disk: ForgetfulDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._lock = disk.lock
        self._remembered = disk.remembered(self._name) if self._name else _Remembered(b"")
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.before_change()
        with self._lock:
            super().xWrite(data, offset)
            self._remembered.since.append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        with self._lock:
            super().xTruncate(newsize)
            self._remembered.since.append(newsize)

    def xSync(self, flags: int) -> None:
        self._disk.before_change()
        with self._lock:
            super().xSync(flags)
            size = self.xFileSize()
            self._remembered.sync(bytes(self.xRead(size, 0)) if size else b"")
