"""The event store in one SQLite file."""

from sep_core.adapters.data_folder import DataFolder
from sep_core.adapters.store_sqlite.audit import file_source, verify_store
from sep_core.adapters.store_sqlite.connection import SqliteOptions
from sep_core.adapters.store_sqlite.copy_sink import FileSink
from sep_core.adapters.store_sqlite.migrate import migrate
from sep_core.adapters.store_sqlite.read_model import SqliteReadModel
from sep_core.adapters.store_sqlite.rotate import rotate_key
from sep_core.adapters.store_sqlite.store import SqliteStore, open_store

__all__ = [
    "DataFolder",
    "FileSink",
    "SqliteOptions",
    "SqliteReadModel",
    "SqliteStore",
    "file_source",
    "migrate",
    "open_store",
    "rotate_key",
    "verify_store",
]
