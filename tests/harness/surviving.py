"""What survives when a process dies: its files and the chain, kept as they were at each crash point it passed.

One process runs on while copies of its surviving state are put aside; each copy is then what a killed engine would
have left behind. A commit and a signature are atomic for a kill, so copies are taken before or after them.
"""

import json
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch
from uuid import UUID

import apsw
from sep_native.sim import SimChain

from sep_core.adapters.signer_keystore import KeystoreSigner

from .bench import DATA, KEY_FILE, OWNER

LOG_FILE = "log.sqlite3"
LOCK_SECONDS = 30.0

type StateKey = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Surviving:
    """One state that a death leaves: a folder, a chain, and which intents had been acknowledged by then."""

    point: str
    occurrence: int
    folder: Path
    chain: SimChain
    acknowledged: frozenset[UUID]
    deaths: int

    @property
    def name(self) -> str:
        """Where the process died."""
        return f"{self.point}#{self.occurrence}"


class Disturb(Protocol):
    """What happens on the chain while an engine passes a crash point."""

    def __call__(self, point: str, chain: SimChain) -> None:
        """May change the chain."""
        ...


@dataclass
class Recorder:
    """Passed to `armed`: counts the places, and keeps every new surviving state where it `keeps`."""

    folder: Path
    chain: SimChain
    store_in: Path
    seen: set[StateKey]
    deaths: int = 1
    keeps: bool = True
    disturb: Disturb = lambda point, chain: None
    acknowledged: set[UUID] = field(default_factory=set)
    passed: Counter[str] = field(default_factory=Counter)
    found: list[Surviving] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __call__(self, point: str) -> None:
        """The engine is at a crash point, on its loop's thread or on the store's."""
        if point == "store.before_commit":
            # From here to `store.after_commit` the file changes under whoever would copy it.
            self._hold()
        with self._lock:
            self.passed[point] += 1
            self.disturb(point, self.chain)
            if self.keeps:
                self._keep(point)
        if point == "store.after_commit":
            self._lock.release()

    def _hold(self) -> None:
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            raise AssertionError("a commit before this one never ended")

    def _keep(self, point: str) -> None:
        chain = self.chain.copy()
        key = state_key(self.folder, chain, frozenset(self.acknowledged))
        if key in self.seen:
            return
        self.seen.add(key)
        target = self.store_in / f"{len(self.seen)}"
        shutil.copytree(self.folder, target)
        self.found.append(
            Surviving(point, self.passed[point], target, chain, frozenset(self.acknowledged), self.deaths)
        )

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keeps copies apart from signatures that are being remembered on another thread."""
        sign = KeystoreSigner._sign
        lock = self._lock

        def one_at_a_time(self: KeystoreSigner, request: Any) -> Any:
            with lock:
                return sign(self, request)

        with patch.object(KeystoreSigner, "_sign", one_at_a_time):
            yield


def state_key(folder: Path, chain: SimChain, acknowledged: frozenset[UUID]) -> StateKey:
    """What tells surviving states apart: all of the log that decides about effects, what was signed, the chain."""
    return (
        _told(folder / DATA / LOG_FILE),
        _signed(folder / f"{KEY_FILE}.signed"),
        _chain(chain),
        acknowledged,
    )


def _told(log: Path) -> tuple[object, ...]:
    if not log.is_file() or not log.stat().st_size:
        return ()
    connection = apsw.Connection(str(log), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return tuple(
            connection.execute(
                "SELECT stream, type FROM events WHERE stream GLOB 'intent:*' OR stream GLOB 'account:*'"
                " OR stream GLOB 'ledger:*' OR stream GLOB 'risk:*' ORDER BY pos"
            )
        )
    except apsw.SQLError:
        return ()  # the schema itself is not there yet
    finally:
        connection.close()


def _signed(memory: Path) -> tuple[object, ...]:
    if not memory.is_file() or not memory.stat().st_size:
        return ()
    connection = apsw.Connection(str(memory), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return tuple(connection.execute("SELECT chain_id, nonce FROM signed ORDER BY nonce"))
    except apsw.SQLError:
        return ()
    finally:
        connection.close()


def _chain(chain: SimChain) -> tuple[object, ...]:
    def ask(method: str, *params: object) -> Any:
        return json.loads(chain.rpc(method, json.dumps(params)))

    counters = ask("sim_counters")
    return (
        ask("eth_getTransactionCount", OWNER, "latest"),
        ask("eth_getTransactionCount", OWNER, "finalized"),
        counters["pool"],
        counters["branches"],
        counters["faults"],
    )
