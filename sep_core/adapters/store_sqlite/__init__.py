"""The event store in one SQLite file."""

from sep_core.adapters.store_sqlite.connection import SqliteOptions
from sep_core.adapters.store_sqlite.folder import DataFolder
from sep_core.adapters.store_sqlite.store import SqliteStore, open_store

__all__ = ["DataFolder", "SqliteOptions", "SqliteStore", "open_store"]
