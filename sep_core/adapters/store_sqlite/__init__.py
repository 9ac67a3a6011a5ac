"""The event store in one SQLite file."""

from sep_core.adapters.store_sqlite.audit import verify_store
from sep_core.adapters.store_sqlite.connection import SqliteOptions
from sep_core.adapters.store_sqlite.folder import DataFolder
from sep_core.adapters.store_sqlite.read_model import SqliteReadModel
from sep_core.adapters.store_sqlite.store import SqliteStore, open_store

__all__ = ["DataFolder", "SqliteOptions", "SqliteReadModel", "SqliteStore", "open_store", "verify_store"]
