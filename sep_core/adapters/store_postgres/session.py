"""Connections to the database of a log, and what the leader's own connection must be."""

from dataclasses import dataclass
from typing import Final, cast

import asyncpg
from sep_hooks.store import StoreLocked, StoreUnavailable

from sep_core.adapters.store_postgres.config import PostgresConfig
from sep_core.adapters.store_postgres.schema import SCHEMA_VERSION

OLDEST_SERVER: Final = 160_000
CONNECT_SECONDS: Final = 10.0
LEADER_LOCK: Final = 0x5345_5031
"""The session advisory lock of whoever writes this database's log."""

_SETTINGS: Final = {
    "application_name": "sep",
    "search_path": "sep",
    "synchronous_commit": "on",
    "enable_seqscan": "off",  # plans are kept for a session, tables grow meanwhile
    "jit": "off",
    "timezone": "UTC",
    # A leader whose machine is gone must not hold the lock for hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


async def connect(config: PostgresConfig, *, name: str = "sep") -> asyncpg.Connection:
    """One connection of its own. Raises what asyncpg raises."""
    connection = await asyncpg.connect(
        config.dsn.get_secret_value(),
        timeout=CONNECT_SECONDS,
        command_timeout=config.command_timeout,
        server_settings=_SETTINGS | {"application_name": name},
    )
    await prepare(connection)
    return connection


def pool(config: PostgresConfig) -> asyncpg.Pool:
    """The connections of readers; awaiting it opens the first ones."""
    return asyncpg.create_pool(
        config.dsn.get_secret_value(),
        min_size=config.min_size,
        max_size=config.max_size,
        max_inactive_connection_lifetime=config.max_inactive_connection_lifetime,
        command_timeout=config.command_timeout,
        timeout=CONNECT_SECONDS,
        server_settings=_SETTINGS | {"default_transaction_read_only": "on"},
        init=prepare,
    )


async def prepare(connection: asyncpg.Connection) -> None:
    """Ids travel as the sixteen bytes that they are."""
    await connection.set_type_codec(
        "uuid", schema="pg_catalog", encoder=bytes, decoder=bytes, format="binary"
    )


async def check_server(connection: asyncpg.Connection, place: str, *, writable: bool) -> None:
    """Raises `StoreUnavailable` for a server that cannot keep a log, or a way to it that hides who leads."""
    number, fsync, pages, recovering, pid = await connection.fetchrow(
        "SELECT current_setting('server_version_num')::int, current_setting('fsync'),"
        " current_setting('full_page_writes'), pg_is_in_recovery(), pg_backend_pid()"
    )
    if number < OLDEST_SERVER:
        raise StoreUnavailable(
            f"{place} is PostgreSQL {number // 10_000}; a log needs 16 or newer",
            next_step="upgrade the server",
        )
    if not writable:
        return
    if recovering:
        raise StoreUnavailable(
            f"{place} is a replica, which nothing can be written to",
            next_step="lead store.dsn to the primary",
        )
    if fsync != "on" or pages != "on":
        raise StoreUnavailable(
            f"{place} runs with fsync = {fsync} and full_page_writes = {pages}: a power cut would lose the log",
            next_step="turn both on in postgresql.conf",
        )
    if pid != connection.get_server_pid():
        raise StoreUnavailable(
            f"{place} is reached through a pooler, behind which nobody can hold the lock of the leader",
            next_step="lead store.dsn to the server itself",
        )


async def schema_version(connection: asyncpg.Connection) -> int:
    """The version of the schema, 0 where there is none."""
    if await connection.fetchval("SELECT to_regclass('sep.schema_versions')") is None:
        return 0
    return cast(int, await connection.fetchval("SELECT coalesce(max(version), 0) FROM sep.schema_versions"))


def check_version(version: int, place: str) -> None:
    """Raises `StoreUnavailable` for a schema that this release does not know, or that must be migrated first."""
    if version > SCHEMA_VERSION:
        raise StoreUnavailable(
            f"{place} was written by a newer release (schema {version}, this one knows {SCHEMA_VERSION})",
            next_step="upgrade SEP; nothing was changed",
        )
    if 0 < version < SCHEMA_VERSION:
        raise StoreUnavailable(
            f"{place} has schema {version}, this release works with {SCHEMA_VERSION}",
            next_step="make a backup, then run `sep store migrate`",
        )


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock of the leader."""

    pid: int
    name: str
    address: str | None


async def lock(connection: asyncpg.Connection) -> bool:
    """Takes the lock of the leader for as long as the connection lives; False where another session holds it."""
    return cast(bool, await connection.fetchval("SELECT pg_try_advisory_lock($1)", LEADER_LOCK))


async def holder(connection: asyncpg.Connection) -> Holder | None:
    """Who holds the lock of the leader, where anybody does."""
    row = await connection.fetchrow(
        "SELECT pid, coalesce(application_name, ''), client_addr::text FROM pg_locks"
        " LEFT JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = 0 AND objid = $1"
        " AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        LEADER_LOCK,
    )
    return None if row is None else Holder(*row)


async def end_holder(connection: asyncpg.Connection, one: Holder) -> bool:
    """Ends the session of a leader that is silent or lost its connection; False where this role may not."""
    try:
        return cast(bool, await connection.fetchval("SELECT pg_terminate_backend($1, 5000)", one.pid))
    except asyncpg.InsufficientPrivilegeError:
        return False


def locked(place: str, one: Holder | None) -> StoreLocked:
    """The refusal of a second leader."""
    who = (
        ""
        if one is None
        else f" ({one.name}, session {one.pid}" + (f" from {one.address})" if one.address else ")")
    )
    return StoreLocked(
        f"another engine writes to {place}{who}",
        process_id=None,
        next_step="stop it first, start this one as a standby, or use a reading command",
    )
