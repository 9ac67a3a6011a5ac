"""Bringing a log file up to this release: forward only, all in one transaction."""

from pathlib import Path

import apsw
from sep_hooks.store import StoreUnavailable

from sep_core.adapters.data_folder import DataFolder, FolderLock
from sep_core.adapters.migrated import Migrated
from sep_core.adapters.store_sqlite.connection import SqliteOptions, check_identity, open_writer, unavailable
from sep_core.adapters.store_sqlite.schema import MIGRATIONS, SCHEMA_VERSION


def migrate(path: Path, *, dry_run: bool = False) -> Migrated:
    """Applies what a data folder's log lacks, all or nothing; with `dry_run` only says it.

    Raises `StoreUnavailable` for a newer schema or where there is no log, `StoreLocked` while an engine writes.
    """
    folder = DataFolder(path)
    if not folder.log.is_file():
        raise StoreUnavailable(
            f"{path} holds no log", next_step="start SEP once: it makes the log with this schema"
        )
    lock = FolderLock(folder)
    try:
        connection = open_writer(folder.log, SqliteOptions())
        try:
            return _migrate(connection, folder.log, dry_run=dry_run)
        finally:
            connection.close()
    except apsw.Error as error:
        raise unavailable(folder.log, error) from error
    finally:
        lock.release()


def _migrate(connection: apsw.Connection, file: Path, *, dry_run: bool) -> Migrated:
    check_identity(connection, file)
    before = int(str(connection.pragma("user_version")))
    steps = [one for one in MIGRATIONS if one.version > before]
    if steps and not dry_run:
        with connection:
            for one in steps:
                connection.execute(one.statements).fetchall()
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}").fetchall()
    return Migrated(before, SCHEMA_VERSION, tuple([f"{one.version}: {one.what}" for one in steps]))
