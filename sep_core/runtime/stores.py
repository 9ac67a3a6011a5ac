"""Which store keeps the log: the one place that knows their names. Each is imported only where it is configured."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import anyio.to_thread
from sep_hooks.config import PluginConfig
from sep_hooks.context import Clock
from sep_hooks.errors import ConfigurationError

from sep_core.events.log_store import LogStore
from sep_core.runtime.settings import Settings
from sep_core.runtime.settings_secrets import Secrets, load_section

if TYPE_CHECKING:
    from sep_core.adapters.store_postgres import PostgresConfig
    from sep_core.events.signing import PublicKey
    from sep_core.events.verify import Progress, VerifyReport

SQLITE, POSTGRES = "sqlite", "postgres"
STORES = (SQLITE, POSTGRES)


class SqliteConfig(PluginConfig):
    """`[store]` with `use = "sqlite"`: the data folder says it all."""


def check_store(settings: Settings, secrets: Secrets) -> str:
    """Where the log is, in words, after a look at the whole table; connects nothing. Raises `ConfigurationError`."""
    if settings.store.use == POSTGRES:
        return postgres_config(settings, secrets).place
    if settings.store.use != SQLITE:
        raise ConfigurationError(
            f'store.use is "{settings.store.use}"; a log is kept in {" or ".join(STORES)}',
            pointer="store.use",
        )
    load_section(
        "store", settings.store.rest, SqliteConfig, secrets, source=settings.source, folder=settings.folder
    )
    return f"SQLite in {settings.store.path}"


async def open_log(
    settings: Settings, secrets: Secrets, clock: Clock, *, writable: bool, take_over: int | None = None
) -> LogStore:
    """Opens the log of a configuration; for writing it is made when absent and taken over under a new epoch.

    `take_over` is the epoch of a leader of a PostgreSQL log that is silent, and fenced now. Raises
    `ConfigurationError`, `StoreLocked`, `Fenced` where that leader was displaced already, or `StoreUnavailable`.
    """
    check_store(settings, secrets)
    path = settings.store.path
    if settings.store.use == POSTGRES:
        from sep_core.adapters import store_postgres

        config = postgres_config(settings, secrets)
        return await store_postgres.open_store(
            config, path, writable=writable, clock=clock, ids=uuid4, take_over=take_over
        )
    from sep_core.adapters import store_sqlite

    return await anyio.to_thread.run_sync(
        lambda: store_sqlite.open_store(path, writable=writable, clock=clock, ids=uuid4)
    )


async def leader_silence(settings: Settings, secrets: Secrets) -> tuple[str, int, float] | None:
    """Who led the log last, under which epoch, and for how many seconds it has said nothing.

    None where the store has no such word, or no leader ever said one. Raises `StoreUnavailable`.
    """
    if settings.store.use != POSTGRES:
        return None
    from sep_core.adapters import store_postgres

    return await store_postgres.leader_silence(postgres_config(settings, secrets))


def verify_log(
    settings: Settings,
    secrets: Secrets,
    *,
    verifier: "PublicKey | None" = None,
    anchors: Sequence[str] = (),
    progress: "Progress | None" = None,
) -> "VerifyReport":
    """Checks the log of a configuration, also while an engine writes to it. Blocks. Raises `StoreUnavailable`."""
    check_store(settings, secrets)
    if settings.store.use == POSTGRES:
        from sep_core.adapters import store_postgres

        config = postgres_config(settings, secrets)
        return store_postgres.verify_store(
            config, settings.store.path, verifier=verifier, anchors=anchors, progress=progress
        )
    return verify_folder(settings.store.path, verifier=verifier, anchors=anchors, progress=progress)


def verify_folder(
    path: Path,
    *,
    verifier: "PublicKey | None" = None,
    anchors: Sequence[str] = (),
    progress: "Progress | None" = None,
) -> "VerifyReport":
    """Checks a data folder or a log file. Blocks. Raises `StoreUnavailable`."""
    from sep_core.adapters.store_sqlite import verify_store

    return verify_store(path, verifier=verifier, anchors=anchors, progress=progress)


def postgres_config(settings: Settings, secrets: Secrets) -> "PostgresConfig":
    """The table of a log in PostgreSQL. Raises `ConfigurationError`."""
    try:
        from sep_core.adapters.store_postgres import PostgresConfig
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f'store.use is "{POSTGRES}", which needs {error.name}',
            pointer="store.use",
            next_step="pip install 'sep-core[postgres]'",
        ) from error
    return load_section(
        "store", settings.store.rest, PostgresConfig, secrets, source=settings.source, folder=settings.folder
    ).config
