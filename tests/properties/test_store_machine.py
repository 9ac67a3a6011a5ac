"""The SQLite store against a dict."""

import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

from hypothesis import HealthCheck, settings
from sep_hooks.testing.store import SteppedClock, StoreMachine, StorePlace

from sep_core.adapters.store_sqlite import SqliteOptions, SqliteStore, open_store, verify_store


class _Place(StorePlace):
    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="sep-machine-"))

    async def open(self, *, writable: bool = True, clock: object = None) -> SqliteStore:
        # NORMAL: the machine asks for right answers, other tests for durable ones.
        options = SqliteOptions(synchronous="NORMAL")
        return open_store(self.path, writable=writable, clock=SteppedClock(), ids=uuid4, options=options)

    async def displace(self) -> SqliteStore:
        raise TypeError("the machine displaces nobody")


class SqliteMachine(StoreMachine):
    """Each run in a fresh folder, which verifies at the end."""

    def fresh_place(self) -> StorePlace:
        self.fresh = _Place()
        return self.fresh

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "fresh"):
            report = verify_store(self.fresh.path)
            shutil.rmtree(self.fresh.path)
            assert report.first_bad is None


SqliteMachine.TestCase.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSqliteMachine = SqliteMachine.TestCase
