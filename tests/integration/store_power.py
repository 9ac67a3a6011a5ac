"""A disk that forgets: an APSW VFS that can show every file as a power loss would leave it."""

import random
import threading
from pathlib import Path

import apsw


class ForgetfulDisk(apsw.VFS):
    """Passes everything through, and remembers what each file held at its last sync and what was written since.

    `after_power_loss` gives the files as they may be found: synced content, and of the writes since then any part,
    in any order, each of them whole or cut.
    """

    def __init__(self, name: str) -> None:
        self.vfs_name = name
        self.files: dict[str, _Remembered] = {}
        self.lock = threading.RLock()
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "_File":
        return _File(self, name, flags)

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
    def __init__(self) -> None:
        self.synced = b""
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


class _File(apsw.VFSFile):
    def __init__(self, disk: ForgetfulDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._lock = disk.lock
        self._remembered = disk.files.setdefault(self._name, _Remembered()) if self._name else _Remembered()
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        with self._lock:
            super().xWrite(data, offset)
            self._remembered.since.append((offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        with self._lock:
            super().xTruncate(newsize)
            self._remembered.since.append(newsize)

    def xSync(self, flags: int) -> None:
        with self._lock:
            super().xSync(flags)
            size = self.xFileSize()
            self._remembered.sync(bytes(self.xRead(size, 0)) if size else b"")
