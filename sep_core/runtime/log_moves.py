"""Work on a log that no engine has open: migrating its schema, copying it to another store. All of it blocks."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sep_hooks.context import Clock
from sep_hooks.store import StoreUnavailable

from sep_core.adapters.data_folder import DataFolder, FolderLock
from sep_core.events.archive import Archive
from sep_core.events.copying import CopySink, CopySource, copy_log
from sep_core.events.signing import LogKey
from sep_core.runtime.settings import Settings
from sep_core.runtime.settings_secrets import Secrets
from sep_core.runtime.stores import POSTGRES, check_store, postgres_config

if TYPE_CHECKING:
    from sep_core.adapters.migrated import Migrated
    from sep_core.events.appender import LogHead
    from sep_core.events.rotation import Rotation
    from sep_core.events.verify import Progress


def migrate_log(settings: Settings, secrets: Secrets, *, dry_run: bool) -> "Migrated":
    """Brings the schema of a log up to this release, or says what that would do.

    Raises `StoreUnavailable` for a newer schema, `StoreLocked` while an engine writes.
    """
    check_store(settings, secrets)
    if settings.store.use == POSTGRES:
        from sep_core.adapters.store_postgres import migrate_database

        return migrate_database(postgres_config(settings, secrets), dry_run=dry_run)
    from sep_core.adapters.store_sqlite import migrate

    return migrate(settings.store.path, dry_run=dry_run)


def rotate_log_key(settings: Settings, secrets: Secrets, clock: Clock) -> "Rotation":
    """Gives a log a new key, which the old one vouches for; the old seed is gone afterwards.

    Raises `StoreUnavailable` where there is no log, or the role may not, `StoreLocked` while an engine writes.
    """
    check_store(settings, secrets)
    if settings.store.use == POSTGRES:
        from sep_core.adapters import store_postgres

        return store_postgres.rotate_key(postgres_config(settings, secrets), settings.store.path, clock)
    from sep_core.adapters import store_sqlite

    return store_sqlite.rotate_key(settings.store.path, clock)


def copy_between(
    source: tuple[Settings, Secrets], target: tuple[Settings, Secrets], progress: "Progress | None" = None
) -> "LogHead":
    """Copies a whole log with its keys into a store that has none; gives its head.

    Neither may have an engine meanwhile. Raises `StoreUnavailable` or `StoreLocked`; then the target holds no log.
    """
    with _source(*source) as log, _sink(*target) as sink:
        folder = _folder(*target)
        folder.take_keys_of(_folder(*source))
        head = copy_log(log, sink, progress)
    folder.acknowledged.unlink(missing_ok=True)  # of a log that was here before
    return head


def restore_archive(
    archive: Archive, keys: Path, target: tuple[Settings, Secrets], progress: "Progress | None" = None
) -> "LogHead":
    """Fills a store that holds no log from an archive, with the secret keys of that log from a folder of keys; gives
    the log's head. Raises `StoreUnavailable` or `StoreLocked`; then the target holds no log.
    """
    own = DataFolder(keys, keys)
    mine = LogKey(archive.checkpoint.store_id, own.read_log_key()).public
    if mine != archive.key:
        raise StoreUnavailable(
            f"{keys} holds the keys of another log than that of the archive, {archive.checkpoint.store_id};"
            " nothing was restored",
            next_step="name the folder `keys` of the log that was archived",
        )
    with _sink(*target) as sink:
        folder = _folder(*target)
        folder.take_keys_of(own)
        head = copy_log(archive, sink, progress)
    folder.acknowledged.unlink(missing_ok=True)  # what the archive does not hold is lost knowingly
    return head


def _folder(settings: Settings, secrets: Secrets) -> DataFolder:
    keys = postgres_config(settings, secrets).keys if settings.store.use == POSTGRES else None
    return DataFolder(settings.store.path, keys)


@contextmanager
def _source(settings: Settings, secrets: Secrets) -> Iterator[CopySource]:
    check_store(settings, secrets)
    if settings.store.use == POSTGRES:
        from sep_core.adapters.store_postgres import DatabaseSource

        with DatabaseSource(postgres_config(settings, secrets), exclusive=True) as database:
            yield database
        return
    from sep_core.adapters.store_sqlite import file_source

    folder = DataFolder(settings.store.path)
    with file_source(folder.log) as file:
        lock = FolderLock(folder)
        try:
            yield file
        finally:
            lock.release()


def _sink(settings: Settings, secrets: Secrets) -> AbstractContextManager[CopySink]:
    check_store(settings, secrets)
    if settings.store.use == POSTGRES:
        from sep_core.adapters.store_postgres import DatabaseSink

        return DatabaseSink(postgres_config(settings, secrets))
    from sep_core.adapters.store_sqlite import FileSink

    return FileSink(DataFolder(settings.store.path))
