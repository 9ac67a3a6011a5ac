"""A data folder: the keys of a log, the lock that one engine holds, and the log itself where SQLite keeps it."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nacl.utils import random as secure_random
from sep_hooks.store import StoreLocked, StoreUnavailable

from sep_core.events.signing import SEED_BYTES, PublicKey, public_key_of
from sep_core.events.vault import KEY_BYTES

LOG_NAME: Final = "log.sqlite3"
_NEXT_KEY: Final = (
    "restore it from a backup; where the log was never under it, `sep verify` says so, delete it"
)


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Where things stand inside a data folder."""

    path: Path
    keys_elsewhere: Path | None = None
    """Where the keys are instead, if they are not the folder's own."""

    @property
    def keys(self) -> Path:
        """The folder of the keys."""
        return self.keys_elsewhere or self.path / "keys"

    @property
    def log(self) -> Path:
        """The SQLite file of the log."""
        return self.path / LOG_NAME

    @property
    def log_key(self) -> Path:
        """The seed that signs checkpoints."""
        return self.keys / "log.key"

    @property
    def next_log_key(self) -> Path:
        """The seed that a rotation of the key leads to, until it has taken the place of the one before."""
        return self.keys / "log.key.next"

    @property
    def log_verifier(self) -> Path:
        """The public half of the log key, for whoever checks the log from outside."""
        return self.keys / "log.pub"

    @property
    def vault_key(self) -> Path:
        """The key that seals parts of event bodies."""
        return self.keys / "vault.key"

    @property
    def lock(self) -> Path:
        """The file whose lock the writing engine holds; it says the engine's process id."""
        return self.path / "lock"

    @property
    def acknowledged(self) -> Path:
        """The file that says how far the log was acknowledged; see `AcknowledgedMark`."""
        return self.path / "acknowledged"

    def prepare(self) -> None:
        """Makes the folders, private to their owner."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreUnavailable(
                f"the data folder {self.path} cannot be made or written ({error.strerror})",
                next_step="choose another folder, or mend its permissions",
            ) from error

    def read_log_key(self) -> bytes:
        """The seed of the log key."""
        return _read_secret(self.log_key, SEED_BYTES)

    def read_vault_key(self) -> bytes:
        """The key of the vault."""
        return _read_secret(self.vault_key, KEY_BYTES)

    def make_keys(self) -> None:
        """Makes the keys that are missing; the log does not exist yet."""
        for path, size in ((self.log_key, SEED_BYTES), (self.vault_key, KEY_BYTES)):
            if not path.exists():
                write_durably(path, secure_random(size).hex().encode() + b"\n", mode=0o600)

    def make_next_log_key(self) -> bytes:
        """The seed that the log's key is changed to; that of a change that did not come about, where there is one."""
        if not self.next_log_key.exists():
            write_durably(self.next_log_key, secure_random(SEED_BYTES).hex().encode() + b"\n", mode=0o600)
        return _read_secret(self.next_log_key, SEED_BYTES, _NEXT_KEY)

    def settle_log_key(self, verifier: PublicKey) -> None:
        """Puts the next key in its place where the log is under that one already: a change that was cut short."""
        if not self.next_log_key.exists():
            return
        seed = _read_secret(self.next_log_key, SEED_BYTES, _NEXT_KEY)
        if public_key_of(verifier.store_id, seed) == verifier:
            self.next_log_key.replace(self.log_key)
            sync_folder(self.keys)
            self.publish_verifier(verifier.text())

    def take_keys_of(self, other: "DataFolder") -> None:
        """Copies the keys of another folder. Raises `StoreUnavailable` where they are missing, or others stand here."""
        self.prepare()
        for path, source in ((self.log_key, other.log_key), (self.vault_key, other.vault_key)):
            secret = _read_secret(source, SEED_BYTES if path == self.log_key else KEY_BYTES)
            if path.exists() and _read_secret(path, len(secret)) != secret:
                raise StoreUnavailable(
                    f"{path} is the key of another log; nothing was copied",
                    next_step="name a fresh data folder",
                )
            if not path.exists():
                write_durably(path, secret.hex().encode() + b"\n", mode=0o600)
        if other.log_verifier.is_file():
            self.publish_verifier(other.log_verifier.read_text().strip())

    def publish_verifier(self, text: str) -> None:
        """Writes the public key beside the secret one."""
        if not self.log_verifier.exists() or self.log_verifier.read_text().strip() != text:
            write_durably(self.log_verifier, text.encode() + b"\n", mode=0o644)


class FolderLock:
    """An exclusive hold on a data folder, gone with the process."""

    def __init__(self, folder: DataFolder) -> None:
        try:
            self._descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(
                f"the data folder {folder.path} cannot be written ({error.strerror})",
                next_step="open it for reading only, or mend its permissions",
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            text = os.read(self._descriptor, 32).decode(errors="replace").strip()
            os.close(self._descriptor)
            process_id = int(text) if text.isdigit() else None
            raise StoreLocked(
                f"another engine writes to {folder.path}"
                + (f" (process {process_id})" if process_id is not None else ""),
                process_id=process_id,
                next_step="stop it first, or use a reading command",
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets another engine in."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def write_durably(path: Path, data: bytes, *, mode: int) -> None:
    """Replaces a small file so that after a power loss it is the old or the new one, never half of either."""
    temporary = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Makes the names inside a folder survive a power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def released_on_error(lock: FolderLock) -> Iterator[None]:
    """Gives the lock back when what follows fails."""
    try:
        yield
    except BaseException:
        lock.release()
        raise


def _read_secret(path: Path, size: int, next_step: str = "restore it from a backup") -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            raise StoreUnavailable(
                f"{path} is open to other users of this machine", next_step=f"chmod 600 {path}"
            )
        secret = bytes.fromhex(path.read_text().strip())
    except FileNotFoundError as error:
        raise StoreUnavailable(
            f"the key {path} is missing",
            next_step="restore it from a backup; without it nothing can be written",
        ) from error
    except (OSError, ValueError) as error:
        raise StoreUnavailable(f"the key {path} cannot be read", next_step=next_step) from error
    if len(secret) != size:
        raise StoreUnavailable(f"the key {path} is damaged", next_step=next_step)
    return secret
