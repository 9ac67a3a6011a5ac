"""Connections to one SQLite file, every pragma explicit. Never the interpreter's own `sqlite3`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

import apsw
from sep_hooks.store import StoreUnavailable

from sep_core.adapters.store_sqlite.schema import APPLICATION_ID, SCHEMA_VERSION
from sep_core.events.native import LogWriter
from sep_native import _native

SAFE_SQLITE: Final = 3_051_003
"""From this release on, two connections cannot damage a log in WAL mode by resetting it at once."""


@dataclass(frozen=True, slots=True)
class SqliteOptions:
    """How SQLite is used. `synchronous` below FULL and another `vfs` are for tests: they lose money."""

    synchronous: Literal["FULL", "NORMAL", "OFF"] = "FULL"
    vfs: str | None = None
    busy_timeout_milliseconds: int = 10_000
    checkpoint_pages: int = 4000
    """Pages in the write-ahead log before they are copied into the file: hot pages reach it once, not once for each
    of their versions."""


def open_writer(path: Path, options: SqliteOptions) -> apsw.Connection:
    """The one connection that writes and checkpoints."""
    if apsw.SQLITE_VERSION_NUMBER < SAFE_SQLITE:
        raise StoreUnavailable(
            f"SQLite {apsw.sqlite_lib_version()} can damage logs in WAL mode", next_step="upgrade apsw"
        )
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    connection = apsw.Connection(str(path), flags=flags, vfs=options.vfs, statementcachesize=128)
    connection.set_busy_timeout(options.busy_timeout_milliseconds)
    for pragma in (
        "foreign_keys = ON",
        "recursive_triggers = ON",  # REPLACE must meet the triggers that forbid deleting
        "trusted_schema = OFF",
        f"synchronous = {options.synchronous}",
        f"fullfsync = {'ON' if sys.platform == 'darwin' else 'OFF'}",
        "temp_store = MEMORY",
        "cache_size = -65536",
        f"wal_autocheckpoint = {options.checkpoint_pages}",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def load_native(connection: apsw.Connection) -> None:
    """Lets native code work on the connection, through the SQLite that opened it; see `LogWriter.attach`."""
    enable = apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION
    connection.config(enable, 1)
    try:
        connection.load_extension(_native.__file__, LogWriter.entry_point)
    finally:
        connection.config(enable, 0)


def use_wal(connection: apsw.Connection) -> None:
    """Turns the write-ahead log on; a file system that cannot do it is refused."""
    mode = connection.pragma("journal_mode", "wal")
    if mode != "wal":
        raise StoreUnavailable(
            f"SQLite cannot keep a write-ahead log here (journal mode {mode})",
            next_step="move the data folder to a local disk",
        )


def open_reader(path: Path, options: SqliteOptions) -> apsw.Connection:
    """A connection that cannot write. On a read-only disk a cleanly closed log opens as immutable."""
    connection = _open_read_only(path, options, immutable=False)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        connection.close()
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size > 0:
            raise
        connection = _open_read_only(path, options, immutable=True)
    return connection


def _open_read_only(path: Path, options: SqliteOptions, *, immutable: bool) -> apsw.Connection:
    name = path.absolute().as_uri() + ("?mode=ro&immutable=1" if immutable else "?mode=ro")
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(name, flags=flags, vfs=options.vfs)
    connection.set_busy_timeout(options.busy_timeout_milliseconds)
    connection.execute("PRAGMA query_only = ON").fetchall()
    connection.execute("PRAGMA trusted_schema = OFF").fetchall()
    return connection


def check_identity(connection: apsw.Connection, path: Path) -> None:
    """Raises `StoreUnavailable` for a file that is no log of ours, or one of a newer release."""
    application = cast(int, connection.pragma("application_id"))
    version = cast(int, connection.pragma("user_version"))
    if application != APPLICATION_ID:
        raise StoreUnavailable(
            f"{path} is a SQLite file, but not a SEP log", next_step="point `[store]` at a SEP data folder"
        )
    if version > SCHEMA_VERSION:
        raise StoreUnavailable(
            f"{path} was written by a newer release (schema {version}, this one knows {SCHEMA_VERSION})",
            next_step="upgrade SEP; nothing was changed",
        )


UNUSABLE: Final = (apsw.Error, ValueError, TypeError)
"""What SQLite says of a file that it cannot use, and what reading a row ends with where its bytes are none of ours."""


def unavailable(path: Path, error: apsw.Error | ValueError | TypeError) -> StoreUnavailable:
    """What an error while opening means."""
    if isinstance(error, apsw.NotADBError):
        return StoreUnavailable(f"{path} is not a SQLite file", next_step="restore it from a backup")
    if isinstance(error, apsw.CorruptError | apsw.SQLError | ValueError | TypeError):
        return StoreUnavailable(
            f"{path} is damaged ({error})", next_step="run `sep verify`, then restore a backup"
        )
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError):
        return StoreUnavailable(
            f"{path} cannot be opened or written ({error})", next_step="check the permissions of its folder"
        )
    if isinstance(error, apsw.FullError):
        return StoreUnavailable(f"no space is left for {path}", next_step="free space, then start again")
    return StoreUnavailable(f"{path} cannot be used ({error})", next_step="run `sep doctor`")
