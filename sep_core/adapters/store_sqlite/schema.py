"""The tables of a log in SQLite. Columns beside `record` are derived from it; `sep verify` compares them."""

from typing import Final, NamedTuple

APPLICATION_ID: Final = 0x53455031  # "SEP1"

TABLES: Final = """
CREATE TABLE log_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    store_id BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    pos INTEGER NOT NULL,
    peaks BLOB NOT NULL,
    last_rec INTEGER NOT NULL
) STRICT;

CREATE TABLE log_keys (
    key_id TEXT PRIMARY KEY,
    verifier TEXT NOT NULL,
    first_size INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE streams (
    stream TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    last_hash BLOB NOT NULL,
    archived INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    pos INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    id BLOB NOT NULL,
    type TEXT NOT NULL,
    sv INTEGER NOT NULL,
    rec INTEGER NOT NULL,
    corr BLOB,
    cause BLOB,
    record BLOB NOT NULL,
    leaf_hash BLOB NOT NULL,
    UNIQUE (stream, version)
) STRICT;

CREATE TABLE event_ids (
    id BLOB PRIMARY KEY,
    pos INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE log_checkpoints (
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL,
    note TEXT NOT NULL,
    key_id TEXT NOT NULL
) STRICT;

CREATE TABLE merkle_nodes (
    level INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshots (
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    fold_hash BLOB NOT NULL,
    schema_hash BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (stream, version, fold_hash, schema_hash)
) STRICT, WITHOUT ROWID;
"""

_FROZEN: Final = ("events", "event_ids", "log_checkpoints", "log_keys")

TRIGGERS: Final = "".join(
    f"""
CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;
"""
    for table in _FROZEN
    for verb in ("UPDATE", "DELETE")
)


class Migration(NamedTuple):
    """A step from one version of the schema to the next; applied once, never changed, never undone."""

    version: int
    what: str
    statements: str


MIGRATIONS: Final = (Migration(1, "tables and append-only triggers", TABLES + TRIGGERS),)

SCHEMA_VERSION: Final = MIGRATIONS[-1].version

READ_MODEL: Final = """
CREATE TABLE IF NOT EXISTS consumer (
    name TEXT PRIMARY KEY,
    store_id BLOB NOT NULL,
    pos INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
