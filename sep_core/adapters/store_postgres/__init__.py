"""The event store in PostgreSQL 16 or newer, with or without TimescaleDB."""

from sep_core.adapters.store_postgres.audit import DatabaseSource, verify_store
from sep_core.adapters.store_postgres.config import PostgresConfig
from sep_core.adapters.store_postgres.copy_sink import DatabaseSink
from sep_core.adapters.store_postgres.migrate import migrate_database
from sep_core.adapters.store_postgres.rotate import rotate_key
from sep_core.adapters.store_postgres.store import PostgresStore, leader_silence, open_store

__all__ = [
    "DatabaseSink",
    "DatabaseSource",
    "PostgresConfig",
    "PostgresStore",
    "leader_silence",
    "migrate_database",
    "open_store",
    "rotate_key",
    "verify_store",
]
