"""The log in a database goes over to another key: one event and one row, in one transaction, while no engine writes."""

import asyncio
from pathlib import Path
from uuid import uuid4

import asyncpg
from sep_hooks.context import Clock
from sep_hooks.store import StoreUnavailable

from sep_core.adapters.data_folder import DataFolder
from sep_core.adapters.store_postgres.config import PostgresConfig
from sep_core.adapters.store_postgres.errors import LOST, unavailable
from sep_core.adapters.store_postgres.lead import Lead
from sep_core.adapters.store_postgres.log_rows import append, read_head, read_tail, stream_heads
from sep_core.adapters.store_postgres.session import connect, schema_version
from sep_core.events.appender import Sequencer
from sep_core.events.envelope import microseconds
from sep_core.events.rotation import STREAM, Rotation, rotation_append
from sep_core.events.signing import LogKey


def rotate_key(config: PostgresConfig, path: Path, clock: Clock) -> Rotation:
    """Gives the log of a database a new key; the old seed is gone from this data folder afterwards. Blocks.

    It needs a role that owns the schema. Raises `StoreLocked` while an engine leads, `StoreUnavailable`. Cut short, it
    is done by the next start with these keys, or by itself, repeated.
    """
    try:
        return asyncio.run(_rotate(config, DataFolder(path, config.keys), clock))
    except asyncpg.InsufficientPrivilegeError as error:
        raise StoreUnavailable(
            f"{config.place}: this role may not give the log another key; it has its old one",
            next_step="name a configuration whose role owns the schema, as for `sep store migrate`",
        ) from error
    except (asyncpg.PostgresError, *LOST) as error:
        raise unavailable(config.place, error) from error


async def _rotate(config: PostgresConfig, folder: DataFolder, clock: Clock) -> Rotation:
    await _check_there(config)
    lead = await Lead.open(config, folder, now=clock.now, new_id=uuid4, take_over=None)
    try:
        connection, before = lead.connection, lead.sequencer.head
        old, seed = folder.read_log_key(), folder.make_next_log_key()
        new = LogKey(before.store_id, seed)
        sequencer = Sequencer(before, await read_tail(connection, before.pos), new)
        sequencer.learn(await stream_heads(connection, [STREAM]))
        moved = rotation_append(lead.checkpoint, lead.epoch, uuid4(), old, seed)
        batch = sequencer.plan([moved], now=microseconds(clock.now()), known={})
        assert batch is not None
        async with connection.transaction():
            await connection.execute(
                "INSERT INTO sep.log_keys VALUES ($1, $2, $3)", new.key_id, new.public.text(), before.pos + 1
            )
            await append(connection, batch, new.key_id)
        folder.settle_log_key(new.public)
        return Rotation(before.pos + 1, lead.key.public, new.public)
    finally:
        await lead.close()


async def _check_there(config: PostgresConfig) -> None:
    """Whether the database holds a log: to lead one makes it."""
    connection = await connect(config, name="sep rotating")
    try:
        if not await schema_version(connection) or await read_head(connection, config.place) is None:
            raise StoreUnavailable(
                f"{config.place} holds no log", next_step="start SEP once: it makes the log and its key"
            )
    finally:
        connection.terminate()
