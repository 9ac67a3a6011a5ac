"""The signer's database, SQLite, fully synced: what was signed, epochs, kill switch, withdrawal list, refusals."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import apsw
from sep_hooks.errors import SepError
from sep_hooks.signer import SignedEntry, SignRequest
from sep_hooks.signer_wire import entry_json, entry_of
from sep_hooks.types import Address

from sep_signer.policy import Reason, Refusal

_BUSY_TIMEOUT_MS = 5_000
_DAY = timedelta(hours=24)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS signed (
    account TEXT NOT NULL, chain_id INTEGER NOT NULL, nonce INTEGER NOT NULL, ordinal INTEGER NOT NULL,
    step TEXT NOT NULL, call TEXT NOT NULL, at TEXT NOT NULL, spends TEXT NOT NULL, entry TEXT NOT NULL,
    PRIMARY KEY (account, chain_id, nonce, ordinal)
) STRICT;
CREATE INDEX IF NOT EXISTS signed_steps ON signed (account, step);
CREATE INDEX IF NOT EXISTS signed_times ON signed (account, chain_id, at);
CREATE TABLE IF NOT EXISTS epochs (store_id TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS breaker_epochs (store_id TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS kill_switch (
    ordinal INTEGER PRIMARY KEY, engaged INTEGER NOT NULL, by_uid INTEGER NOT NULL, reason TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS recipients (
    account TEXT NOT NULL, address TEXT NOT NULL, by_uid INTEGER NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (account, address, by_uid)
) STRICT;
CREATE TABLE IF NOT EXISTS refusals (
    ordinal INTEGER PRIMARY KEY, at TEXT NOT NULL, account TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL
) STRICT;
"""


class Ledger:
    """One connection, used by one thread at a time. Everything that is written is durable when the call returns."""

    def __init__(self, path: Path) -> None:
        """Opens the file, made with mode 0600 when absent. Raises `Refusal`."""
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            if path.stat().st_mode & 0o077:
                raise Refusal(Reason.DATABASE, f"{path} is open to others", next_step=f"chmod 600 {path}")
            self._db = apsw.Connection(str(path))
            self._db.set_busy_timeout(_BUSY_TIMEOUT_MS)
            self._db.execute("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON")
            self._db.execute(_SCHEMA)
        except (OSError, apsw.Error) as error:
            raise Refusal(
                Reason.DATABASE,
                f"the signer's database {path} cannot be used: {error}",
                next_step="it must stay what it was: restore it, or move the accounts to new keys",
            ) from error

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, alone. Raises `Refusal` where the disk does not take it."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except apsw.Error as error:
            self._undo()
            raise Refusal(
                Reason.DATABASE,
                f"the signer's database does not take it: {error}",
                next_step="check the disk and the rights of the signer's folder",
            ) from error
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def at_nonce(self, account: str, chain_id: int, nonce: int) -> Sequence[SignedEntry]:
        """What was signed at a nonce, in order."""
        rows = self._db.execute(
            "SELECT entry FROM signed WHERE (account, chain_id, nonce) = (?, ?, ?) ORDER BY ordinal",
            (account, chain_id, nonce),
        )
        return [entry_of(json.loads(str(text))) for (text,) in rows]

    def signed(self, account: str) -> Sequence[SignedEntry]:
        """All that an account signed, by chain and nonce."""
        rows = self._db.execute(
            "SELECT entry FROM signed WHERE account = ? ORDER BY chain_id, nonce, ordinal", (account,)
        )
        return [entry_of(json.loads(str(text))) for (text,) in rows]

    def calls_of_step(self, account: str, step: str) -> Sequence[str]:
        """The calls that were signed for one step of one plan, as texts."""
        rows = self._db.execute(
            "SELECT DISTINCT call FROM signed WHERE (account, step) = (?, ?)", (account, step)
        )
        return [str(text) for (text,) in rows]

    def spent(self, account: str, chain_id: int, nonce: int, now: datetime) -> Mapping[str, int]:
        """What may have left in the last 24 hours by asset, beside what stands at `nonce`: of the payloads at one
        nonce at most one takes effect, so each nonce counts at its dearest.
        """
        rows = self._db.execute(
            "SELECT nonce, spends FROM signed WHERE (account, chain_id) = (?, ?) AND at > ? AND nonce <> ?",
            (account, chain_id, (now - _DAY).isoformat(), nonce),
        )
        dearest: dict[tuple[object, str], int] = {}
        for at, text in rows:
            for asset, amount in json.loads(str(text)).items():
                dearest[at, asset] = max(dearest.get((at, asset), 0), int(amount))
        total: dict[str, int] = {}
        for (_, asset), amount in dearest.items():
            total[asset] = total.get(asset, 0) + amount
        return total

    def remember(
        self, account: str, entry: SignedEntry, step: str, call: str, spends: Mapping[str, int], now: datetime
    ) -> None:
        """Adds a payload at its nonce."""
        transaction = entry.request.transaction
        ordinal = len(self.at_nonce(account, transaction.chain_id, transaction.nonce))
        self._db.execute(
            "INSERT INTO signed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                account,
                transaction.chain_id,
                transaction.nonce,
                ordinal,
                step,
                call,
                now.isoformat(),
                json.dumps({asset: str(amount) for asset, amount in spends.items()}),
                json.dumps(entry_json(entry)),
            ),
        )

    def raise_epoch(self, store_id: UUID, epoch: int) -> None:
        """Remembers the epoch of a log. Raises `Refusal` for one older than the last."""
        row = self._db.execute("SELECT epoch FROM epochs WHERE store_id = ?", (str(store_id),)).fetchone()
        highest = 0 if row is None else int(str(row[0]))
        if epoch < highest:
            raise Refusal(
                Reason.EPOCH,
                f"epoch {epoch} is older than {highest}, another engine took over",
                next_step="stop this engine",
            )
        if epoch > highest:
            self._db.execute("INSERT OR REPLACE INTO epochs VALUES (?, ?)", (str(store_id), epoch))

    def check_breaker_epoch(self, store_id: UUID, epoch: int) -> None:
        """Raises `Refusal` where a breaker of the log has opened since `epoch`."""
        row = self._db.execute(
            "SELECT epoch FROM breaker_epochs WHERE store_id = ?", (str(store_id),)
        ).fetchone()
        if row is not None and epoch < int(str(row[0])):
            raise Refusal(
                Reason.BREAKER_EPOCH,
                f"it was checked before a breaker opened: breaker epoch {epoch} is older than {row[0]}",
                next_step="it is checked again",
            )

    def raise_breaker_epoch(self, store_id: UUID, epoch: int) -> None:
        """Remembers the breaker epoch of a log; an older one changes nothing."""
        self._db.execute(
            "INSERT INTO breaker_epochs VALUES (?, ?)"
            " ON CONFLICT (store_id) DO UPDATE SET epoch = max(epoch, excluded.epoch)",
            (str(store_id), epoch),
        )

    def killed(self) -> str | None:
        """Why the kill switch is engaged; None where it is not."""
        row = self._db.execute(
            "SELECT engaged, reason FROM kill_switch ORDER BY ordinal DESC LIMIT 1"
        ).fetchone()
        return str(row[1]) if row is not None and row[0] else None

    def switch(self, engaged: bool, by: int, reason: str, now: datetime) -> None:
        """Moves the kill switch; every move stays on record."""
        self._db.execute(
            "INSERT INTO kill_switch (engaged, by_uid, reason, at) VALUES (?, ?, ?, ?)",
            (engaged, by, reason, now.isoformat()),
        )

    def vote(self, account: str, recipient: Address, by: int, now: datetime) -> None:
        """An operator's word for a recipient; a second one of the same operator changes nothing."""
        self._db.execute(
            "INSERT OR IGNORE INTO recipients VALUES (?, ?, ?, ?)", (account, recipient, by, now.isoformat())
        )

    def recipients(self, account: str) -> Mapping[Address, tuple[int, datetime]]:
        """For each address how many operators want it, and since when the first does."""
        rows = self._db.execute(
            "SELECT address, count(*), min(at) FROM recipients WHERE account = ? GROUP BY address", (account,)
        )
        return {
            Address(str(one)): (int(str(votes)), datetime.fromisoformat(str(since)))
            for one, votes, since in rows
        }

    def refuse(self, account: str, reason: Reason, error: SepError, now: datetime) -> None:
        """Keeps a refusal."""
        self._db.execute(
            "INSERT INTO refusals (at, account, reason, message) VALUES (?, ?, ?, ?)",
            (now.isoformat(), account, reason.value, error.message[:500]),
        )

    def refusals(self) -> Mapping[str, int]:
        """How many refusals there were, by reason."""
        rows = self._db.execute("SELECT reason, count(*) FROM refusals GROUP BY reason ORDER BY reason")
        return {str(reason): int(str(count)) for reason, count in rows}


def step_text(request: SignRequest) -> str:
    """Which step of which plan of which log."""
    return f"{request.store_id} {request.intent_id} {request.plan_digest} {request.step_id}"


def call_text(request: SignRequest) -> str:
    """What is called, with what: the same at any nonce and fee."""
    transaction = request.transaction
    return f"{transaction.chain_id} {transaction.to} {transaction.value} {transaction.data.hex()}"
