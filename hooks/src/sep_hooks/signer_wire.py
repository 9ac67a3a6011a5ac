"""What a signer in a process of its own is asked and answers: one JSON object a line, each on a connection of its own.

Amounts and fees are decimal strings, bytes are hex. Readers raise `KeyError`, `TypeError` or `ValueError` for what is
none of theirs.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sep_hooks.signer import PayloadKind, SignedEntry, SignRequest
from sep_hooks.types import Amount, IntentId, Json, SignedTransaction, Transaction, address

LINE_LIMIT_BYTES = 64 * 1024 * 1024


def request_json(request: SignRequest) -> dict[str, Json]:
    """A request as JSON."""
    transaction = request.transaction
    return {
        "store_id": str(request.store_id),
        "intent_id": str(request.intent_id),
        "step_id": request.step_id,
        "epoch": request.epoch,
        "plan_digest": request.plan_digest,
        "kind": request.kind.value,
        "replaces": request.replaces,
        "checked_at": None if request.checked_at is None else request.checked_at.isoformat(),
        "breaker_epoch": request.breaker_epoch,
        "chain_id": transaction.chain_id,
        "nonce": transaction.nonce,
        "to": transaction.to,
        "value": str(transaction.value),
        "data": transaction.data.hex(),
        "gas_limit": transaction.gas_limit,
        "max_fee_per_gas": str(transaction.max_fee_per_gas),
        "max_priority_fee_per_gas": str(transaction.max_priority_fee_per_gas),
    }


def request_of(fields: Mapping[str, Json]) -> SignRequest:
    """The request of a JSON object."""
    return SignRequest(
        intent_id=IntentId(UUID(_text(fields, "intent_id"))),
        step_id=_text(fields, "step_id"),
        epoch=_count(fields, "epoch"),
        plan_digest=_text(fields, "plan_digest"),
        transaction=Transaction(
            chain_id=_count(fields, "chain_id"),
            nonce=_count(fields, "nonce"),
            to=address(_text(fields, "to")),
            value=Amount(_decimal(fields, "value")),
            data=bytes.fromhex(_text(fields, "data")),
            gas_limit=_count(fields, "gas_limit"),
            max_fee_per_gas=_decimal(fields, "max_fee_per_gas"),
            max_priority_fee_per_gas=_decimal(fields, "max_priority_fee_per_gas"),
        ),
        store_id=UUID(_text(fields, "store_id")),
        kind=PayloadKind(_text(fields, "kind")),
        replaces=_text(fields, "replaces"),
        checked_at=None if fields.get("checked_at") is None else _moment(fields, "checked_at"),
        breaker_epoch=_count(fields, "breaker_epoch") if "breaker_epoch" in fields else 0,
    )


def signed_json(signed: SignedTransaction) -> dict[str, Json]:
    """Signed bytes as JSON."""
    return {"raw": signed.raw.hex(), "hash": signed.hash}


def signed_of(fields: Mapping[str, Json]) -> SignedTransaction:
    """The signed bytes of a JSON object."""
    return SignedTransaction(bytes.fromhex(_text(fields, "raw")), _text(fields, "hash"))


def entry_json(entry: SignedEntry) -> dict[str, Json]:
    """A remembered signature as JSON."""
    return {"request": request_json(entry.request), "signed": signed_json(entry.signed)}


def entry_of(fields: Json) -> SignedEntry:
    """The remembered signature of a JSON object."""
    request, signed = _object(fields)["request"], _object(fields)["signed"]
    return SignedEntry(request_of(_object(request)), signed_of(_object(signed)))


def _object(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise TypeError("not a JSON object")
    return value


def _text(fields: Mapping[str, Json], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value


def _moment(fields: Mapping[str, Json], name: str) -> datetime:
    moment = datetime.fromisoformat(_text(fields, name))
    if moment.tzinfo is None:
        raise ValueError(f"{name} names no time zone")
    return moment


def _count(fields: Mapping[str, Json], name: str) -> int:
    value = fields[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError(f"{name} is no integer from 0 to 2**63 - 1")
    return value


def _decimal(fields: Mapping[str, Json], name: str) -> int:
    text = _text(fields, name)
    if not (text.isascii() and text.isdecimal() and len(text) <= 78) or int(text) >= 2**256:
        raise ValueError(f"{name} is no decimal text below 2**256")
    return int(text)
