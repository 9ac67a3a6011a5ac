"""What survives when a process dies: its files and the chain, kept as they were at each crash point it passed.

One process runs on while copies of its surviving state are put aside; each copy is then what a killed engine would
have left behind. A commit and a signature are atomic for a kill, so copies are taken before or after them.
"""

import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol
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


class OnChain(NamedTuple):
    """What the chain has of the account, and what was done to the chain."""

    included: int
    final: int
    pool: int
    branches: int
    faults: int


@dataclass
class Recorder:
    """Passed to `armed`: counts the places, and keeps every new surviving state where it `keeps`.

    `foreign` is how many transactions the account had before the engine.
    """

    folder: Path
    chain: SimChain
    store_in: Path
    seen: set[StateKey]
    foreign: int
    deaths: int = 1
    keeps: bool = True
    disturb: Disturb = lambda point, chain: None
    acknowledged: set[UUID] = field(default_factory=set)
    passed: Counter[str] = field(default_factory=Counter)
    found: list[Surviving] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
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
        told, sent = events_told(self.folder), on_chain(chain)
        acknowledged = frozenset(self.acknowledged)
        key = (told, nonces_signed(self.folder), sent, acknowledged)
        if key in self.seen:
            return
        self._check_durable_before_send(point, told, sent)
        self.seen.add(key)
        target = self.store_in / f"{len(self.seen)}"
        shutil.copytree(self.folder, target)
        self.found.append(Surviving(point, self.passed[point], target, chain, acknowledged, self.deaths))

    def _check_durable_before_send(self, point: str, told: Sequence[tuple[str, str]], sent: OnChain) -> None:
        durable = sum(kind == "TransactionSigned" for _, kind in told)
        left = sent.included + sent.pool - self.foreign
        if left > durable:
            self.broken.append(f"at {point}: {left} transactions left, {durable} of them stand in the log")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keeps copies apart from what the signer is writing on another thread."""
        lock = self._lock

        def one_at_a_time(write: Callable[..., Any]) -> Callable[..., Any]:
            def locked(*arguments: Any) -> Any:
                with lock:
                    return write(*arguments)

            return locked

        writes = {name: one_at_a_time(getattr(KeystoreSigner, name)) for name in ("_sign", "_advance_epoch")}
        with patch.multiple(KeystoreSigner, **writes):
            yield


def events_told(folder: Path) -> tuple[tuple[str, str], ...]:
    """Stream and type of each event in the log that decides about effects."""
    rows = _rows(
        folder / DATA / LOG_FILE,
        "SELECT stream, type FROM events WHERE stream GLOB 'intent:*' OR stream GLOB 'account:*'"
        " OR stream GLOB 'ledger:*' OR stream GLOB 'risk:*' ORDER BY pos",
    )
    return tuple((str(stream), str(kind)) for stream, kind in rows)


def nonces_signed(folder: Path) -> tuple[object, ...]:
    """The nonces that the signer remembers, one for each payload."""
    payloads = "SELECT chain_id, nonce FROM signed UNION ALL SELECT chain_id, nonce FROM replacements"
    return tuple(_rows(folder / f"{KEY_FILE}.signed", f"{payloads} ORDER BY nonce"))


def _rows(path: Path, query: str) -> Sequence[tuple[Any, ...]]:
    if not path.is_file() or not path.stat().st_size:
        return ()
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(connection.execute(query))
    except apsw.SQLError:
        return ()  # the schema itself is not there yet
    finally:
        connection.close()


def on_chain(chain: SimChain) -> OnChain:
    """What the chain has of the account."""

    def ask(method: str, *params: object) -> Any:
        return json.loads(chain.rpc(method, json.dumps(params)))

    counters = ask("sim_counters")
    return OnChain(
        int(ask("eth_getTransactionCount", OWNER, "latest"), 16),
        int(ask("eth_getTransactionCount", OWNER, "finalized"), 16),
        counters["pool"],
        counters["branches"],
        counters["faults"],
    )
