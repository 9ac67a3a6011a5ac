"""Answers what the socket brings: who asks is known by the kernel's word, what is done stands in the database first."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import apsw
from sep_hooks.errors import SepError
from sep_hooks.signer import PayloadKind, SignedEntry, SignRequest
from sep_hooks.signer_wire import entry_json, request_of, signed_json
from sep_hooks.types import Address, Json, SignedTransaction, Transaction, address
from sep_native.sign import Keystore, Transaction1559

from sep_signer.ledger import Ledger, call_text, step_text
from sep_signer.policy import (
    Reason,
    Refusal,
    check_fresh,
    check_payload,
    check_recipient,
    check_spend,
    is_cancel,
    movement_of,
)
from sep_signer.settings import AccountRules, SignerSettings

VOTES = 2
"""How many operators must want a recipient."""


@dataclass(frozen=True, slots=True)
class Account:
    """One key, unlocked in native code, and its rules."""

    name: str
    rules: AccountRules
    keystore: Keystore

    @property
    def address(self) -> Address:
        """Whose transactions the key signs."""
        return address(self.keystore.address)


class Desk:
    """All that the signer does, one request at a time. `refused` hears each refusal's reason."""

    def __init__(
        self,
        settings: SignerSettings,
        accounts: Mapping[str, Account],
        ledger: Ledger,
        now: Callable[[], datetime],
        refused: Callable[[Reason], None] = lambda reason: None,
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._ledger = ledger
        self._now = now
        self._refused = refused
        self._lock = threading.Lock()
        self._verbs: Mapping[str, Callable[[int, Mapping[str, Json]], Json]] = {
            "open": self._open,
            "sign": self._sign,
            "list_signed": self._list_signed,
            "advance_epoch": self._advance_epoch,
            "kill_switch": self._kill_switch,
            "propose_recipient": self._vote,
            "status": self._status,
        }

    def answer(self, uid: int, line: bytes) -> dict[str, Json]:
        """The answer to one request of a process of user `uid`: `{"ok": …}` or `{"refused": …}`; raises nothing that a
        request can cause.
        """
        account = ""
        with self._lock:
            try:
                try:
                    asked = json.loads(line)
                    account = str(asked.get("account", ""))[:63]
                    verb = self._verbs[asked["do"]]
                    return {"ok": verb(uid, asked)}
                except Refusal:
                    raise
                except apsw.Error as error:
                    raise Refusal(
                        Reason.DATABASE, f"the signer's database cannot be read: {error}"
                    ) from error
                except (KeyError, TypeError, ValueError, AttributeError, RecursionError, SepError) as error:
                    raise Refusal(
                        Reason.MALFORMED, f"the request cannot be read: {type(error).__name__} {error}"
                    ) from error
            except Refusal as refusal:
                self._keep(account, refusal)
                return {
                    "refused": {
                        "reason": refusal.reason.value,
                        "message": refusal.message,
                        "next_step": refusal.next_step,
                    }
                }

    def _keep(self, account: str, refusal: Refusal) -> None:
        self._refused(refusal.reason)
        if refusal.reason is not Reason.DATABASE:
            try:
                with self._ledger.transaction():
                    self._ledger.refuse(account, refusal.reason, refusal, self._now())
            except Refusal:
                self._refused(Reason.DATABASE)  # the refusal itself stands; it could only not be kept

    def _account(self, uid: int, asked: Mapping[str, Json]) -> Account:
        if uid not in self._settings.engines:
            raise Refusal(Reason.NOT_ALLOWED, f"user {uid} is not in engines")
        account = self._accounts.get(str(asked["account"]))
        if account is None:
            raise Refusal(
                Reason.UNKNOWN_ACCOUNT,
                f"the signer has no account {str(asked['account'])[:63]!r}",
                next_step="add it to signer.toml, or name the account as the signer does",
            )
        return account

    def _operator(self, uid: int) -> None:
        if uid not in self._settings.operators:
            raise Refusal(Reason.NOT_ALLOWED, f"user {uid} is not in operators")

    def _open(self, uid: int, asked: Mapping[str, Json]) -> Json:
        return {"address": self._account(uid, asked).address}

    def _list_signed(self, uid: int, asked: Mapping[str, Json]) -> Json:
        account = self._account(uid, asked)
        return [entry_json(entry) for entry in self._ledger.signed(account.name)]

    def _advance_epoch(self, uid: int, asked: Mapping[str, Json]) -> Json:
        self._account(uid, asked)
        epoch, breaker_epoch = _epoch(asked["epoch"]), _epoch(asked.get("breaker_epoch", 0))
        with self._ledger.transaction():
            self._ledger.raise_epoch(UUID(str(asked["store_id"])), epoch)
            self._ledger.raise_breaker_epoch(UUID(str(asked["store_id"])), breaker_epoch)
        return {}

    def _sign(self, uid: int, asked: Mapping[str, Json]) -> Json:
        account = self._account(uid, asked)
        described = asked["request"]
        if not isinstance(described, Mapping):
            raise TypeError("request is no JSON object")
        request, now = request_of(described), self._now()
        place = request.transaction
        with self._ledger.transaction():
            self._ledger.raise_epoch(request.store_id, request.epoch)
            before = self._ledger.at_nonce(account.name, place.chain_id, place.nonce)
            for known in before:
                if _payload(known.request) == _payload(request):
                    return signed_json(known.signed)  # its answer was lost: the same bytes again
            self._check_switch(request, account.address)
            check_fresh(request, now)
            if request.kind is not PayloadKind.CANCEL:
                self._ledger.check_breaker_epoch(request.store_id, request.breaker_epoch)
            movement = movement_of(account.rules, place, account.address)
            check_recipient(movement, account.address, self._withdrawals(account.name, now))
            check_payload(before, request, account.address)
            self._check_plan(account.name, request)
            spent = self._ledger.spent(account.name, place.chain_id, place.nonce, now)
            if request.kind is not PayloadKind.CANCEL:
                check_spend(account.rules, spent, movement)
            entry = SignedEntry(request, _signed(account.keystore, place))
            self._ledger.remember(
                account.name, entry, step_text(request), call_text(request), movement.spends, now
            )
        return signed_json(entry.signed)

    def _check_switch(self, request: SignRequest, own: Address) -> None:
        why = self._ledger.killed()
        if why is not None and not (
            request.kind is PayloadKind.CANCEL and is_cancel(request.transaction, own)
        ):
            raise Refusal(
                Reason.KILL_SWITCH,
                f"the kill switch is engaged ({why}); only cancels are signed",
                next_step="sep-signer kill-switch off, by an operator, once the cause is gone",
            )

    def _check_plan(self, account: str, request: SignRequest) -> None:
        """One step of one plan is one call, at whatever nonce it stands."""
        if request.kind is PayloadKind.CANCEL:
            return
        known = self._ledger.calls_of_step(account, step_text(request))
        if known and call_text(request) not in known:
            raise Refusal(
                Reason.PLAN,
                f"step {request.step_id} of plan {request.plan_digest} was signed as another call",
                next_step="look at the engine: a plan never changes under its digest",
            )

    def _withdrawals(self, account: str, now: datetime) -> frozenset[Address]:
        delay = timedelta(hours=self._settings.recipient_delay_hours)
        recipients = self._ledger.recipients(account)
        return frozenset(
            one for one, (votes, since) in recipients.items() if votes >= VOTES and now - since >= delay
        )

    def _vote(self, uid: int, asked: Mapping[str, Json]) -> Json:
        self._operator(uid)
        name, recipient = str(asked["account"]), address(str(asked["address"]))
        if name not in self._accounts:
            raise Refusal(Reason.UNKNOWN_ACCOUNT, f"the signer has no account {name[:63]!r}")
        with self._ledger.transaction():
            self._ledger.vote(name, recipient, uid, self._now())
            votes, since = self._ledger.recipients(name)[recipient]
        counts_from = since + timedelta(hours=self._settings.recipient_delay_hours)
        return {"votes": votes, "needed": VOTES, "not_before": counts_from.isoformat()}

    def _kill_switch(self, uid: int, asked: Mapping[str, Json]) -> Json:
        engage, reason = asked["engaged"], str(asked["reason"])[:500]
        if not isinstance(engage, bool):
            raise TypeError("engaged is neither true nor false")
        # Whoever may have something signed may also stop all signing; only an operator lets it go on.
        if not engage or uid not in self._settings.engines:
            self._operator(uid)
        with self._ledger.transaction():
            self._ledger.switch(engage, uid, reason, self._now())
        return {"engaged": engage}

    def _status(self, uid: int, asked: Mapping[str, Json]) -> Json:
        if uid not in self._settings.engines:
            self._operator(uid)
        now = self._now()
        return {
            "kill_switch": self._ledger.killed(),
            "refusals": self._ledger.refusals(),
            "accounts": {
                name: {
                    "address": account.address,
                    "signed": len(self._ledger.signed(name)),
                    "withdrawals": sorted(self._withdrawals(name, now)),
                }
                for name, account in sorted(self._accounts.items())
            },
        }


def _epoch(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError("epoch is no integer from 0 to 2**63 - 1")
    return value


def _payload(request: SignRequest) -> tuple[object, ...]:
    return request.store_id, request.intent_id, request.step_id, request.kind, request.transaction


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
