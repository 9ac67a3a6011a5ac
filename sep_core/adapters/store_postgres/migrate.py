"""Bringing the schema of a database up to this release: forward only, all in one transaction."""

import asyncio
from typing import cast

import asyncpg

from sep_core.adapters.migrated import Migrated
from sep_core.adapters.store_postgres.config import PostgresConfig
from sep_core.adapters.store_postgres.errors import LOST, unavailable
from sep_core.adapters.store_postgres.schema import MIGRATIONS, VERSIONS, append_only
from sep_core.adapters.store_postgres.session import (
    check_server,
    check_version,
    connect,
    holder,
    lock,
    locked,
    schema_version,
)

CHUNK_POSITIONS = 1_000_000
"""How many positions one chunk of a hypertable holds."""


def migrate_database(config: PostgresConfig, *, dry_run: bool = False) -> Migrated:
    """`migrate` on a connection of its own. Blocks."""

    async def work() -> Migrated:
        connection = await connect(config, name="sep migrating")
        try:
            return await migrate(connection, config.place, dry_run=dry_run)
        finally:
            connection.terminate()

    try:
        return asyncio.run(work())
    except (asyncpg.PostgresError, *LOST) as error:
        raise unavailable(config.place, error) from error


async def migrate(connection: asyncpg.Connection, place: str, *, dry_run: bool = False) -> Migrated:
    """Applies what is missing, all or nothing. Raises `StoreUnavailable` for a newer schema, `StoreLocked` while an
    engine writes."""
    await check_server(connection, place, writable=True)
    before = await schema_version(connection)
    steps = [one for one in MIGRATIONS if one.version > before]
    if not steps:
        check_version(before, place)
    if not await lock(connection):
        raise locked(place, await holder(connection))
    try:
        async with connection.transaction():
            if steps and not dry_run:
                await connection.execute(VERSIONS)
                for one in steps:
                    await connection.execute(one.statements)
                    await connection.execute(
                        "INSERT INTO sep.schema_versions (version, what) VALUES ($1, $2)",
                        one.version,
                        one.what,
                    )
            chunks, notes = await _chunks(connection, there=not steps or not dry_run, dry_run=dry_run)
            notes += await _roles(connection, there=not steps or not dry_run)
    finally:
        await connection.execute("SELECT pg_advisory_unlock_all()")
    named = [f"{one.version}: {one.what}" for one in steps] + chunks
    return Migrated(before, MIGRATIONS[-1].version, tuple(named), tuple(notes))


async def _chunks(
    connection: asyncpg.Connection, *, there: bool, dry_run: bool
) -> tuple[list[str], list[str]]:
    """Cuts the table of events into chunks where TimescaleDB is in this database; says what its licence leaves out."""
    row = await connection.fetchrow(
        "SELECT extversion, extnamespace::regnamespace::text, current_setting('timescaledb.license', true)"
        " FROM pg_extension WHERE extname = 'timescaledb'"
    )
    if row is None:
        offered = await connection.fetchval(
            "SELECT true FROM pg_available_extensions WHERE name = 'timescaledb'"
        )
        hint = "TimescaleDB is on this server; `CREATE EXTENSION timescaledb` and another migration put it to use"
        return [], [hint] if offered else []
    version, schema, licence = row
    steps, notes = [], []
    known = there and await connection.fetchval(
        "SELECT true FROM timescaledb_information.hypertables"
        " WHERE hypertable_schema = 'sep' AND hypertable_name = 'events'"
    )
    if not known:
        steps.append(
            f"events as a hypertable of TimescaleDB {version}, {CHUNK_POSITIONS:,} positions a chunk"
        )
        if not dry_run:
            # Rows that are there move into chunks, which leaves the table itself empty.
            await connection.execute(
                "DROP TRIGGER append_only ON sep.events;"
                f"SELECT {schema}.create_hypertable('sep.events', {schema}.by_range('pos', {CHUNK_POSITIONS}),"
                " create_default_indexes => false, migrate_data => true);" + append_only("events")
            )
    if licence != "timescale":
        notes.append(f"TimescaleDB {version} has the licence {licence!r}: no compression, no policies")
    elif not (there and await _compressed(connection)):
        steps.append("compression of chunks behind the newest two")
        if not dry_run:
            await connection.execute(
                "ALTER TABLE sep.events SET (timescaledb.compress, timescaledb.compress_orderby = 'pos');"  # noqa: S608
                "CREATE OR REPLACE FUNCTION sep.log_end() RETURNS bigint LANGUAGE sql STABLE"
                " AS 'SELECT pos FROM sep.log_head';"
                f"SELECT {schema}.set_integer_now_func('sep.events', 'sep.log_end', replace_if_exists => true);"
                f"SELECT {schema}.add_compression_policy('sep.events', {2 * CHUNK_POSITIONS}::bigint,"
                " if_not_exists => true)"
            )
    return steps, notes


async def _compressed(connection: asyncpg.Connection) -> bool:
    found = await connection.fetchval(
        "SELECT compression_enabled FROM timescaledb_information.hypertables"
        " WHERE hypertable_schema = 'sep' AND hypertable_name = 'events'"
    )
    return bool(found)


async def _roles(connection: asyncpg.Connection, *, there: bool) -> list[str]:
    if not there:
        return []
    missing = await connection.fetch(
        "SELECT name FROM unnest(ARRAY['sep_appender', 'sep_reader']) AS name"
        " WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)"
    )
    names = ", ".join(cast(str, row[0]) for row in missing)
    if not names:
        return []
    return [
        f"this role may not make {names}: only the owner of the tables can use the log until somebody does"
    ]
