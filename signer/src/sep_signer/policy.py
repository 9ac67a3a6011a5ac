"""What may be signed: pure functions over a request, the rules, and what the database holds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sep_hooks.errors import SignerRefused
from sep_hooks.signer import PayloadKind, SignedEntry, SignRequest
from sep_hooks.types import Address, Transaction, address

from sep_signer.settings import NATIVE, AccountRules

_APPROVE = bytes.fromhex("095ea7b3")
_TRANSFER = bytes.fromhex("a9059cbb")
_UNLIMITED = 2**255

CHECK_LASTS: Final = timedelta(seconds=60)
"""How long the engine's checks before a signature hold; clocks may differ by as much."""


class Reason(StrEnum):
    """Why something is not signed; the label of `sep_signer_refusals_total`."""

    EPOCH = "epoch"
    KILL_SWITCH = "kill_switch"
    STALE_CHECK = "stale_check"
    BREAKER_EPOCH = "breaker_epoch"
    CHAIN = "chain"
    FEE = "fee"
    VALUE = "value"
    CALL = "call"
    RECIPIENT = "recipient"
    APPROVAL = "approval"
    SPEND = "spend"
    NONCE = "nonce"
    REPLACEMENT = "replacement"
    PLAN = "plan"
    UNKNOWN_ACCOUNT = "unknown_account"
    NOT_ALLOWED = "not_allowed"
    MALFORMED = "malformed"
    DATABASE = "database"


class Refusal(SignerRefused):
    """A refusal with its reason; nothing was signed."""

    def __init__(self, reason: Reason, message: str, *, next_step: str = "") -> None:
        super().__init__(f"{message}; nothing was signed", next_step=next_step)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Movement:
    """What a call does to money: what leaves by asset, and who receives it; None where no rule names a recipient."""

    spends: Mapping[str, int] = field(default_factory=dict)
    recipient: Address | None = None


def is_cancel(transaction: Transaction, own: Address) -> bool:
    """A call of the account itself without value and data: it only uses its nonce up."""
    return transaction.to == own and not transaction.value and not transaction.data


def check_fresh(request: SignRequest, now: datetime) -> None:
    """Raises `Refusal` where the engine's checks are older than a minute: it may have been paused since, and the market
    has moved on. A cancel needs none.
    """
    if request.kind is PayloadKind.CANCEL:
        return
    if request.checked_at is None:
        raise Refusal(Reason.STALE_CHECK, "the request does not say when it was checked")
    if abs(now - request.checked_at) > CHECK_LASTS:
        raise Refusal(
            Reason.STALE_CHECK,
            f"it was checked at {request.checked_at.isoformat()}, and it is {now.isoformat()} here",
            next_step="it is checked again; where that goes on, set the clocks of engine and signer",
        )


def movement_of(rules: AccountRules, transaction: Transaction, own: Address) -> Movement:
    """What the transaction moves, where the rules allow the call at all. Raises `Refusal`.

    Gas counts at the most that it can cost.
    """
    gas = transaction.gas_limit * transaction.max_fee_per_gas
    if transaction.chain_id not in rules.chains:
        raise Refusal(Reason.CHAIN, f"chain {transaction.chain_id} is not in chains {list(rules.chains)}")
    if gas > int(rules.max_gas_cost):
        raise Refusal(Reason.FEE, f"its gas may cost {gas} wei, max_gas_cost is {rules.max_gas_cost}")
    if is_cancel(transaction, own):
        return Movement({NATIVE: gas})
    native = {NATIVE: gas + transaction.value}
    if transaction.to in rules.tokens:
        return _token_movement(rules, transaction, native)
    return _called(rules, transaction, native)


def check_recipient(movement: Movement, own: Address, withdrawals: Collection[Address]) -> None:
    """Raises `Refusal` unless what leaves goes to the account or to an address of the withdrawal list."""
    if movement.recipient is not None and movement.recipient not in {own, *withdrawals}:
        raise Refusal(
            Reason.RECIPIENT,
            f"{movement.recipient} would receive, and is not on the withdrawal list",
            next_step="sep-signer recipient, if it should be",
        )


def check_spend(rules: AccountRules, spent: Mapping[str, int], movement: Movement) -> None:
    """Raises `Refusal` where what left in the last 24 hours and this together exceed a cap."""
    for asset, amount in movement.spends.items():
        cap = rules.daily.get(asset)
        if cap is None and asset == NATIVE:
            continue  # each call is capped by max_value and max_gas_cost
        if cap is None:
            raise Refusal(Reason.SPEND, f"{asset} has no cap in daily, so none of it may be spent")
        if spent.get(asset, 0) + amount > int(cap):
            raise Refusal(
                Reason.SPEND,
                f"{amount} of {asset} after {spent.get(asset, 0)} in 24 hours exceed the cap {cap}",
            )


def check_payload(before: Sequence[SignedEntry], request: SignRequest, own: Address) -> None:
    """Whether a payload that is new may stand at a nonce that has had `before`. Raises `Refusal`.

    The first is a step; each later one a declared bump or cancel of the same step, which pays more and names the
    payload that it replaces. Nothing follows a cancel but a dearer cancel.
    """
    place = f"nonce {request.transaction.nonce} on chain {request.transaction.chain_id}"
    if not before:
        if request.kind is not PayloadKind.EFFECT:
            raise Refusal(Reason.REPLACEMENT, f"nothing was signed at {place} that it could replace")
        return
    first, last = before[0].request, before[-1].request
    if request.kind is PayloadKind.EFFECT or _step(first) != _step(request):
        log = "" if first.store_id == request.store_id else f" of another log, {first.store_id}"
        raise Refusal(
            Reason.NONCE,
            f"{place} belongs to step {first.step_id} of intent {first.intent_id}{log}",
            next_step="reconcile the account: its log lacks a transaction that was signed",
        )
    old, new = last.transaction, request.transaction
    if request.kind is PayloadKind.CANCEL:
        same = is_cancel(new, own)
    else:
        same = last.kind is not PayloadKind.CANCEL and _carried(old) == _carried(new)
    dearer = (
        new.max_fee_per_gas > old.max_fee_per_gas
        and new.max_priority_fee_per_gas > old.max_priority_fee_per_gas
    )
    if not same or not dearer or request.replaces != before[-1].signed.hash:
        raise Refusal(
            Reason.REPLACEMENT,
            f"it is no {request.kind} of what was signed last at {place}",
            next_step="reconcile the account: log and signer disagree",
        )


def _step(request: SignRequest) -> tuple[object, ...]:
    return request.store_id, request.intent_id, request.step_id


def _carried(transaction: Transaction) -> tuple[object, ...]:
    return transaction.to, transaction.value, transaction.data, transaction.gas_limit


def _token_movement(rules: AccountRules, transaction: Transaction, native: Mapping[str, int]) -> Movement:
    selector, token = transaction.data[:4], transaction.to
    if transaction.value:
        raise Refusal(Reason.VALUE, f"it carries {transaction.value} wei to a token")
    if len(transaction.data) != 68 or selector not in (_APPROVE, _TRANSFER):
        raise Refusal(Reason.CALL, f"0x{selector.hex()} of token {token} is neither approve nor transfer")
    who, amount = _address_word(transaction.data, 0), _word(transaction.data, 1)
    if selector == _TRANSFER:
        return Movement({**native, token: amount}, who)
    if who not in rules.spenders:
        raise Refusal(Reason.APPROVAL, f"{who} is not in spenders")
    cap = min(int(rules.max_approval.get(token, _UNLIMITED - 1)), _UNLIMITED - 1)
    if amount > cap:
        raise Refusal(Reason.APPROVAL, f"an approval of {amount} of {token}, the most is {cap}")
    return Movement(native)


def _called(rules: AccountRules, transaction: Transaction, native: Mapping[str, int]) -> Movement:
    selector = "0x" + transaction.data[:4].hex()
    rule = next((one for one in rules.calls if (one.to, one.selector) == (transaction.to, selector)), None)
    if rule is None:
        raise Refusal(Reason.CALL, f"{selector} of {transaction.to} is not among calls")
    if transaction.value > int(rule.max_value):
        raise Refusal(Reason.VALUE, f"it carries {transaction.value} wei, max_value is {rule.max_value}")
    spends = dict(native)
    if rule.asset is not None and rule.amount is not None:
        spends[rule.asset] = _word(transaction.data, rule.amount)
    recipient = None if rule.recipient is None else _address_word(transaction.data, rule.recipient)
    return Movement(spends, recipient)


def _word(data: bytes, index: int) -> int:
    word = data[4 + 32 * index : 36 + 32 * index]
    if len(word) < 32:
        raise Refusal(Reason.CALL, f"the call has no argument word {index}")
    return int.from_bytes(word)


def _address_word(data: bytes, index: int) -> Address:
    value = _word(data, index)
    if value >> 160:
        raise Refusal(Reason.RECIPIENT, f"argument word {index} is no address")
    return address(f"0x{value:040x}")
