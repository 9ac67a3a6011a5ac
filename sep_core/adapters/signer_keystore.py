"""Signs with an encrypted key file on this machine, under a policy of its own."""

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import anyio.to_thread
import apsw
from pydantic import Field, SecretStr
from sep_hooks.config import PluginConfig
from sep_hooks.context import SignerContext
from sep_hooks.errors import CheckTooOld, SignerRefused
from sep_hooks.signer import PayloadKind, SignedEntry, Signer, SignRequest
from sep_hooks.signer_wire import request_json, request_of
from sep_hooks.types import Address, SignedTransaction, Transaction, address
from sep_native.sign import Keystore, Transaction1559

_TRANSFERS = frozenset({bytes.fromhex("a9059cbb"), bytes.fromhex("23b872dd")})
_APPROVALS = frozenset({bytes.fromhex("095ea7b3"), bytes.fromhex("39509351")})
_UNLIMITED = 2**255
_BUSY_TIMEOUT_MS = 5_000

_NO_LOG = UUID(int=0)
"""Stands for the log of a request that was remembered before requests named theirs."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS signed (
    chain_id INTEGER NOT NULL, nonce INTEGER NOT NULL, epoch INTEGER NOT NULL, request TEXT NOT NULL,
    PRIMARY KEY (chain_id, nonce)
) STRICT;
CREATE TABLE IF NOT EXISTS replacements (
    chain_id INTEGER NOT NULL, nonce INTEGER NOT NULL, ordinal INTEGER NOT NULL, request TEXT NOT NULL,
    PRIMARY KEY (chain_id, nonce, ordinal)
) STRICT;
CREATE TABLE IF NOT EXISTS epochs (store_id TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS breaker_epochs (store_id TEXT PRIMARY KEY, epoch INTEGER NOT NULL) STRICT;
"""

_ALL = """
SELECT request FROM (
    SELECT chain_id, nonce, 0 AS ordinal, request FROM signed
    UNION ALL SELECT chain_id, nonce, ordinal, request FROM replacements
) ORDER BY chain_id, nonce, ordinal
"""


class KeystoreConfig(PluginConfig):
    """`path` is the key file, mode 0600. `chains` are the chain ids that may be signed for, by default
    the account's own alone.

    `max_value` is the most wei that a call may carry, `max_gas_cost` the most that its gas may cost, both decimal
    texts. `contracts`, where given, are the only addresses that may be called. `memory` is the file that remembers
    what was signed, beside the key file by default.
    """

    path: Path
    password: SecretStr
    chains: tuple[int, ...] | None = Field(None, min_length=1)
    max_value: str = Field("0", pattern=r"^(0|[1-9][0-9]{0,77})$")
    max_gas_cost: str = Field("1000000000000000000", pattern=r"^(0|[1-9][0-9]{0,77})$")
    contracts: tuple[str, ...] = ()
    memory: Path | None = None


def create_keystore(path: Path, password: str, *, scrypt_log_n: int = 18) -> Address:
    """Makes a key file with a new key, mode 0600, and names its address. Never overwrites."""
    return address(Keystore.create(path, password.encode(), scrypt_log_n).address)


class KeystoreSigner(Signer[KeystoreConfig]):
    """One step for each (chain, nonce), whichever log wants it, remembered durably before it is returned.

    Signatures are deterministic, so the memory holds requests alone: what was signed is signed again to be listed.
    """

    Config: ClassVar[type[PluginConfig]] = KeystoreConfig

    def __init__(self, config: KeystoreConfig, context: SignerContext) -> None:
        super().__init__(config, context)
        self._chains = config.chains or (context.chain_id,)
        self._contracts = frozenset(address(text) for text in config.contracts)
        self._keystore: Keystore | None = None
        self._memory: apsw.Connection | None = None
        self._lock = threading.Lock()

    async def open(self) -> Address:
        """See `Signer.open`; deriving the key takes about a second."""
        return await anyio.to_thread.run_sync(self._open)

    async def sign(self, request: SignRequest) -> SignedTransaction:
        """See `Signer.sign`."""
        return await anyio.to_thread.run_sync(self._sign, request)

    async def list_signed(self) -> Sequence[SignedEntry]:
        """See `Signer.list_signed`; by chain, then nonce."""
        return await anyio.to_thread.run_sync(self._list_signed)

    async def advance_epoch(self, store_id: UUID, epoch: int, breaker_epoch: int = 0) -> None:
        """See `Signer.advance_epoch`."""
        await anyio.to_thread.run_sync(self._advance_epoch, store_id, epoch, breaker_epoch)

    async def close(self) -> None:
        """Forgets the key; the memory stays."""
        await anyio.to_thread.run_sync(self._close)

    def _open(self) -> Address:
        with self._lock:
            password = self.config.password.get_secret_value().encode()
            keystore = Keystore.open(self.config.path, password)
            path = self.config.memory or self.config.path.with_name(self.config.path.name + ".signed")
            self._memory = _opened_memory(path)
            self._keystore = keystore
            return address(keystore.address)

    def _close(self) -> None:
        with self._lock:
            self._keystore = None
            if self._memory is not None:
                self._memory.close()
                self._memory = None

    def _sign(self, request: SignRequest) -> SignedTransaction:
        with self._lock:
            keystore, memory = self._ready()
            reason = self._refusal(request.transaction, address(keystore.address))
            if reason is not None:
                raise SignerRefused(f"step {request.step_id} is not signed: {reason}; nothing was signed")
            signed = _signed(keystore, request.transaction)
            try:
                _remember(memory, keystore, request)
            except apsw.Error as error:
                raise SignerRefused(
                    f"step {request.step_id} is not signed: its signature could not be remembered ({error})",
                    next_step="check the disk and the rights of the signer's memory file",
                ) from error
            return signed

    def _list_signed(self) -> Sequence[SignedEntry]:
        with self._lock:
            keystore, memory = self._ready()
            requests = [_request_of(str(text)) for (text,) in list(memory.execute(_ALL))]
            return [SignedEntry(request, _signed(keystore, request.transaction)) for request in requests]

    def _advance_epoch(self, store_id: UUID, epoch: int, breaker_epoch: int) -> None:
        with self._lock:
            _, memory = self._ready()
            memory.execute("BEGIN IMMEDIATE")
            try:
                _raise_epoch(memory, store_id, epoch, "epoch is not advanced")
                _raise_breaker_epoch(memory, store_id, breaker_epoch)
                memory.execute("COMMIT")
            except BaseException:
                if memory.in_transaction:
                    memory.execute("ROLLBACK")
                raise

    def _ready(self) -> tuple[Keystore, apsw.Connection]:
        if self._keystore is None or self._memory is None:
            raise SignerRefused("the signer is not open; nothing was signed")
        return self._keystore, self._memory

    def _refusal(self, transaction: Transaction, own: Address) -> str | None:
        """Why the policy refuses; None where it does not. A zero-value call of oneself, a cancel, is always allowed."""
        if transaction.chain_id not in self._chains:
            return f"chain {transaction.chain_id} is not in chains {list(self._chains)}"
        gas_cost = transaction.gas_limit * transaction.max_fee_per_gas
        if gas_cost > int(self.config.max_gas_cost):
            return f"its gas may cost {gas_cost} wei, max_gas_cost is {self.config.max_gas_cost}"
        if transaction.to == own and not transaction.value and not transaction.data:
            return None
        if transaction.value > int(self.config.max_value):
            return f"it carries {transaction.value} wei, max_value is {self.config.max_value}"
        if self._contracts and transaction.to not in self._contracts:
            return f"{transaction.to} is not in contracts"
        selector = transaction.data[:4]
        if len(selector) < 4:
            return "a call without a selector would only move money"
        if selector in _TRANSFERS:
            return "a token transfer takes money out of the account"
        if selector in _APPROVALS and int.from_bytes(transaction.data[36:68]) >= _UNLIMITED:
            return "an approval without limit"
        return None


def _signed(keystore: Keystore, transaction: Transaction) -> SignedTransaction:
    signed = keystore.sign_transaction(
        Transaction1559(
            chain_id=transaction.chain_id,
            nonce=transaction.nonce,
            to=transaction.to,
            value=transaction.value,
            data=transaction.data,
            gas_limit=transaction.gas_limit,
            max_fee_per_gas=transaction.max_fee_per_gas,
            max_priority_fee_per_gas=transaction.max_priority_fee_per_gas,
        )
    )
    return SignedTransaction(raw=signed.raw, hash="0x" + signed.hash.hex())


def _opened_memory(path: Path) -> apsw.Connection:
    """The memory, made with mode 0600. Raises `SignerRefused`."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if path.stat().st_mode & 0o077:
            raise SignerRefused(
                f"{path} is open to others; nothing was signed", next_step=f"chmod 600 {path}"
            )
        memory = apsw.Connection(str(path))
        memory.set_busy_timeout(_BUSY_TIMEOUT_MS)
        memory.execute("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON")
        memory.execute(_SCHEMA)
    except apsw.BusyError as error:
        raise SignerRefused(
            f"the signer's memory {path} is held by another engine, which may be paused; nothing was signed",
            next_step="let that engine go on, or end it; then start again",
        ) from error
    except (OSError, apsw.Error) as error:
        raise SignerRefused(
            f"the signer's memory {path} cannot be used: {error}; nothing was signed",
            next_step="it must stay what it was: restore it, or move the account to a new key",
        ) from error
    return memory


def _remember(memory: apsw.Connection, keystore: Keystore, request: SignRequest) -> None:
    """Commits the request at its nonce, or finds the same one there. Raises `SignerRefused`."""
    transaction = request.transaction
    memory.execute("BEGIN IMMEDIATE")
    try:
        _raise_epoch(memory, request.store_id, request.epoch, f"step {request.step_id} is not signed")
        place = (transaction.chain_id, transaction.nonce)
        known = [
            _request_of(str(text))
            for (text,) in memory.execute(
                "SELECT request FROM signed WHERE chain_id = ?1 AND nonce = ?2 UNION ALL SELECT request FROM"
                " (SELECT request FROM replacements WHERE chain_id = ?1 AND nonce = ?2 ORDER BY ordinal)",
                place,
            )
        ]
        if any(_identity(one) == _identity(request) for one in known):
            memory.execute("COMMIT")  # asked again: the same bytes
            return
        if request.kind is not PayloadKind.CANCEL:
            _check_breaker_epoch(memory, request)
        if request.kind is not PayloadKind.EFFECT:
            _check_replacement(known, keystore, request)
            memory.execute(
                "INSERT INTO replacements VALUES (?, ?, ?, ?)", (*place, len(known), _text_of(request))
            )
        elif known:
            raise _second_payload(known[0], request)
        else:
            memory.execute(
                "INSERT INTO signed VALUES (?, ?, ?, ?)", (*place, request.epoch, _text_of(request))
            )
        memory.execute("COMMIT")
    except BaseException:
        if memory.in_transaction:
            memory.execute("ROLLBACK")
        raise


def _raise_epoch(memory: apsw.Connection, store_id: UUID, epoch: int, outcome: str) -> None:
    """Remembers the epoch, inside the caller's transaction. Raises `SignerRefused` for one older than the last."""
    (highest,) = next(
        memory.execute("SELECT coalesce(max(epoch), 0) FROM epochs WHERE store_id = ?", (str(store_id),))
    )
    if epoch < int(str(highest)):
        raise SignerRefused(
            f"{outcome}: epoch {epoch} is older than {highest}, another engine took over",
            next_step="stop this engine",
        )
    memory.execute(
        "INSERT INTO epochs VALUES (?, ?) ON CONFLICT (store_id) DO UPDATE SET epoch = excluded.epoch",
        (str(store_id), epoch),
    )


def _check_breaker_epoch(memory: apsw.Connection, request: SignRequest) -> None:
    """Raises `CheckTooOld` where a breaker of the log has opened since the request was checked."""
    row = memory.execute(
        "SELECT epoch FROM breaker_epochs WHERE store_id = ?", (str(request.store_id),)
    ).fetchone()
    if row is not None and request.breaker_epoch < int(str(row[0])):
        raise CheckTooOld(
            f"step {request.step_id} is not signed: breaker epoch {request.breaker_epoch} is older than {row[0]}"
        )


def _raise_breaker_epoch(memory: apsw.Connection, store_id: UUID, epoch: int) -> None:
    memory.execute(
        "INSERT INTO breaker_epochs VALUES (?, ?)"
        " ON CONFLICT (store_id) DO UPDATE SET epoch = max(epoch, excluded.epoch)",
        (str(store_id), epoch),
    )


def _identity(request: SignRequest) -> tuple[object, ...]:
    return request.store_id, request.intent_id, request.step_id, request.kind, request.transaction


def _check_replacement(known: Sequence[SignRequest], keystore: Keystore, request: SignRequest) -> None:
    """Whether the request is a declared bump or cancel of the last payload of the same step. Raises `SignerRefused`."""
    first, last = (known[0], known[-1]) if known else (None, None)
    same = (request.store_id, request.intent_id, request.step_id)
    if first is None or last is None or (first.store_id, first.intent_id, first.step_id) != same:
        raise _second_payload(first, request)
    before, after = last.transaction, request.transaction
    own = address(keystore.address)
    wanted: tuple[object, ...] = (before.to, before.value, before.data, before.gas_limit)
    if request.kind is PayloadKind.CANCEL:
        wanted = (own, 0, b"", after.gas_limit)
    carries = (address(after.to), after.value, after.data, after.gas_limit)
    dearer = (
        after.max_fee_per_gas > before.max_fee_per_gas
        and after.max_priority_fee_per_gas > before.max_priority_fee_per_gas
    )
    follows = request.replaces == _signed(keystore, before).hash
    undone = last.kind is PayloadKind.CANCEL and request.kind is not PayloadKind.CANCEL
    if carries != wanted or not dearer or not follows or undone:
        raise SignerRefused(
            f"step {request.step_id} is not signed: it is no {request.kind} of what was signed last at nonce"
            f" {after.nonce} on chain {after.chain_id}",
            next_step="reconcile the account: log and signer disagree",
        )


def _second_payload(known: SignRequest | None, request: SignRequest) -> SignerRefused:
    place = f"nonce {request.transaction.nonce} on chain {request.transaction.chain_id}"
    if known is None:
        why = f"nothing was signed at {place} that it could replace"
    else:
        log = "" if known.store_id == request.store_id else f" of another log, {known.store_id}"
        why = f"{place} belongs to step {known.step_id} of intent {known.intent_id}{log}"
    return SignerRefused(
        f"step {request.step_id} is not signed: {why}",
        next_step="reconcile the account: its log lacks a transaction that was signed",
    )


def _text_of(request: SignRequest) -> str:
    return json.dumps(request_json(request))


def _request_of(text: str) -> SignRequest:
    """A remembered request; the first ones said less."""
    return request_of(
        {"store_id": str(_NO_LOG), "kind": PayloadKind.EFFECT.value, "replaces": "", **json.loads(text)}
    )
