"""What a lane makes of a command: facts for its stream, or a refusal that guards an invariant.

Facts of intents and of the ledger that follow from the same command are decided by those rooms, in the same append.
"""

import hashlib
from collections.abc import Collection

from sep_hooks.signer import PayloadKind
from sep_hooks.types import Address, Amount, BlockRef, ChainRef, IntentId

from sep_core.events.decided import Decided
from sep_core.events.facts import (
    AccountFrozen,
    AccountOpened,
    AccountReleased,
    AssetsAdopted,
    ChainReorged,
    NonceConsumedExternally,
    NonceReserved,
    ReplacementRefused,
    TransactionBroadcast,
    TransactionDoubted,
    TransactionFinal,
    TransactionIncluded,
    TransactionLeaked,
    TransactionPlanned,
    TransactionPublished,
    TransactionReorged,
    TransactionSigned,
)
from sep_core.events.registry import Fact
from sep_core.events.streams import account_stream, chain_stream
from sep_core.execution.commands import (
    AdoptAssets,
    AdoptSigned,
    ExecutionCommand,
    LaneKey,
    OpenAccount,
    RecordBroadcast,
    RecordChainReorg,
    RecordDoubt,
    RecordFinal,
    RecordLeak,
    RecordNonceConsumed,
    RecordPaperFill,
    RecordPublished,
    RecordReceipt,
    RecordRefused,
    RecordReorg,
    RecordReplaced,
    RecordSigned,
    ReleaseAccount,
    SignedStep,
)
from sep_core.execution.doubt import doubt_of
from sep_core.execution.errors import (
    ContradictsFinality,
    FinalWithoutReceipt,
    ImpossibleReceipt,
    LaneFrozen,
    LaneUnknown,
    NonceBound,
    NonceGap,
    PayloadMismatch,
    ReleaseRefused,
    SecondPayload,
    UnknownEffect,
)
from sep_core.execution.identity import chain_fact_id
from sep_core.execution.lane import LaneState, NonceEntry
from sep_core.execution.status import EntryStatus


def decide(lane: LaneState | None, command: ExecutionCommand) -> tuple[Decided, ...]:
    """The facts that a command adds to the lane's stream; none where it says nothing new.

    Raises a `LaneError` where taking it in would break an invariant.
    """
    match command:
        case RecordPaperFill():
            return ()
        case RecordChainReorg():
            return _chain_reorg(command)
        case OpenAccount():
            return () if lane is not None else _opened(command)
    if lane is None:
        raise LaneUnknown(
            f"the account {command.lane.address} on {command.lane.chain} was never opened; nothing was recorded",
            next_step="let the engine read the account's nonce and balances first",
        )
    match command:
        case AdoptAssets():
            return _in(
                lane.key, AssetsAdopted(command.name, *_place(lane.key), command.block, command.balances)
            )
        case ReleaseAccount():
            return _released(lane, command)
        case RecordSigned():
            return _signed(lane, command)
        case AdoptSigned():
            return _adopted(lane, command)
        case RecordReplaced():
            return _replaced(lane, command)
        case RecordRefused():
            return _refused(lane, command)
        case RecordBroadcast():
            return _broadcast(lane, command)
        case RecordDoubt():
            return _doubted(lane, command.nonce, command.hash, command.reason)
        case RecordLeak():
            return _leaked(lane, command)
        case RecordPublished():
            return _published(lane, command)
        case RecordReceipt():
            return _receipt(lane, command)
        case RecordReorg():
            return _reorged(lane, command)
        case RecordFinal():
            return _final(lane, command)
        case RecordNonceConsumed():
            return _consumed(lane, command)


def calldata_digest(data: bytes) -> str:
    """How a plan and a log name calldata without holding it."""
    return "0x" + hashlib.sha256(data).hexdigest()


def _in(key: LaneKey, *facts: Fact) -> tuple[Decided, ...]:
    stream = account_stream(key.chain, key.address)
    return tuple(Decided(stream, fact) for fact in facts)


def _place(key: LaneKey) -> tuple[ChainRef, Address]:
    return key.chain, key.address


def _once(key: LaneKey, fact: Fact, block_hash: str, transaction_hash: str, occurrence: int) -> Decided:
    identity = chain_fact_id(
        key.chain, fact, block_hash=block_hash, transaction_hash=transaction_hash, occurrence=occurrence
    )
    return Decided(account_stream(key.chain, key.address), fact, identity)


def _opened(command: OpenAccount) -> tuple[Decided, ...]:
    key = command.lane
    return _in(
        key,
        AccountOpened(
            command.name, key.chain, key.address, command.next_nonce, command.block, command.balances
        ),
    )


def _released(lane: LaneState, command: ReleaseAccount) -> tuple[Decided, ...]:
    if lane.frozen is None:
        return ()
    if lane.unfinished:
        nonces = ", ".join(str(entry.nonce) for entry in lane.unfinished)
        raise ReleaseRefused(
            f"nonce {nonces} of account {lane.name} is not final yet; the account stays frozen",
            next_step="leave the engine running until it is; `sep reconcile` shows what is missing",
        )
    if command.next_nonce < lane.next_nonce:
        raise ReleaseRefused(
            f"account {lane.name} stands at nonce {command.next_nonce} in final block {command.block.number}, and at"
            f" {lane.next_nonce} here; the account stays frozen",
            next_step="wait for finality; where it does not come, compare the chain's endpoints with `sep doctor`",
        )
    return _in(
        lane.key,
        AccountReleased(command.next_nonce, command.block, command.balances, command.reason, command.by),
    )


def _signed(lane: LaneState, command: RecordSigned) -> tuple[Decided, ...]:
    # Steps that recovery adopted from the signer stand in the lane already; the others follow on them.
    fresh = [one for one in command.steps if not _repeats(lane, one)]
    if not fresh:
        return ()
    if lane.frozen is not None:
        raise LaneFrozen(
            f"account {lane.name} is frozen: {lane.frozen}; what was just signed was not recorded and not sent",
            next_step="look at the account on its chain, then `sep account release`",
        )
    check_unbound(
        lane,
        command.intent_id,
        [one.step.id for one in fresh],
        of_this_plan=[one.signed.hash for one in command.steps],
    )
    facts: list[Fact] = []
    for expected, one in enumerate(fresh, start=lane.next_nonce):
        _check_nonce(lane, one.transaction.nonce, one.signed.hash, expected)
        _check_payload(lane.key.chain, one)
        facts += _facts_of(command, one)
    return _in(lane.key, *facts)


def _repeats(lane: LaneState, one: SignedStep) -> bool:
    entry = lane.entries.get(one.transaction.nonce)
    return entry is not None and entry.payload(one.signed.hash) is not None


def check_unbound(
    lane: LaneState, intent_id: IntentId, steps: Collection[str], *, of_this_plan: Collection[str] = ()
) -> None:
    """Whether steps of an intent may take new nonces: none of its others is open, none of them took effect.

    `of_this_plan` are hashes that belong to the same plan and stand in the lane. Raises `NonceBound`. It is asked
    before signing too: what is signed and then refused here would be adopted from the signer later.
    """
    for entry in lane.of_intent(intent_id):
        if entry.status is EntryStatus.FINAL and entry.step_id in steps:
            raise NonceBound(
                f"step {entry.step_id} of intent {intent_id} took effect at nonce {entry.nonce} already",
                next_step=f"see `sep explain {intent_id}`",
            )
        of_another = all(one.hash not in of_this_plan for one in entry.payloads)
        if not entry.status.finished and of_another:
            raise NonceBound(
                f"intent {intent_id} is bound to nonce {entry.nonce} ({entry.status}) until that is final;"
                " a second nonce could execute it twice",
                next_step=f"see `sep reconcile {intent_id}`",
            )


def _check_nonce(lane: LaneState, nonce: int, transaction_hash: str, expected: int) -> None:
    if nonce < lane.next_nonce:
        raise SecondPayload(
            f"nonce {nonce} of account {lane.name} carries another transaction already;"
            f" {transaction_hash} was not recorded and not sent",
            next_step="see `sep reconcile`",
        )
    if nonce != expected:
        raise NonceGap(
            f"nonce {nonce} was signed for account {lane.name}, the next is {expected};"
            f" {transaction_hash} was not recorded and not sent",
            next_step="see `sep reconcile`",
        )


def _check_payload(chain: ChainRef, one: SignedStep) -> None:
    transaction, call = one.transaction, one.step.call
    carries = (transaction.to, transaction.data, transaction.value) == (call.to, call.data, call.value)
    if not carries or one.step.chain != chain or chain != f"eip155:{transaction.chain_id}":
        raise PayloadMismatch(
            f"the transaction {one.signed.hash} does not carry step {one.step.id}; it was not recorded and not sent",
            next_step="report this: signing and planning disagree",
        )


def _facts_of(command: RecordSigned, one: SignedStep) -> tuple[Fact, ...]:
    step, transaction = one.step, one.transaction
    spent, received = step.most_spent, step.least_received
    limit_in = spent[0][1] if spent else step.allowance
    return (
        TransactionPlanned(
            command.intent_id,
            step.id,
            step.call.to,
            calldata_digest(step.call.data),
            limit_in if limit_in is not None else transaction.value,
            received[0][1] if received else Amount(0),
            step.deadline,
        ),
        NonceReserved(transaction.nonce, command.intent_id, step.id),
        TransactionSigned(
            transaction.nonce,
            command.intent_id,
            step.id,
            one.signed.hash,
            one.sealed,
            transaction.gas_limit,
            _wei(transaction.max_fee_per_gas),
            _wei(transaction.max_priority_fee_per_gas),
            command.plan_digest,
            relay=one.relay,
        ),
    )


def _adopted(lane: LaneState, command: AdoptSigned) -> tuple[Decided, ...]:
    nonce, transaction = command.transaction.nonce, command.transaction
    entry = lane.entries.get(nonce)
    if entry is not None and entry.payload(command.signed.hash) is not None:
        return ()
    # Of a frozen account nonces before this one may have been used outside: its release takes them in.
    expected = lane.next_nonce if lane.frozen is None else max(lane.next_nonce, nonce)
    _check_nonce(lane, nonce, command.signed.hash, expected)
    siblings = [
        payload.hash
        for one in lane.of_intent(command.intent_id)
        if one.plan_digest == command.plan_digest and one.step_id != command.step_id
        for payload in one.payloads
    ]
    check_unbound(lane, command.intent_id, [command.step_id], of_this_plan=siblings)
    return _in(
        lane.key,
        NonceReserved(nonce, command.intent_id, command.step_id),
        TransactionSigned(
            nonce,
            command.intent_id,
            command.step_id,
            command.signed.hash,
            command.sealed,
            transaction.gas_limit,
            _wei(transaction.max_fee_per_gas),
            _wei(transaction.max_priority_fee_per_gas),
            command.plan_digest,
            recovered=True,
            relay=command.relay,
        ),
    )


def _replaced(lane: LaneState, command: RecordReplaced) -> tuple[Decided, ...]:
    nonce, transaction = command.nonce, command.transaction
    entry = lane.entries.get(nonce)
    if entry is None and any(kept > nonce for kept in lane.entries):
        return ()  # finished so long ago that only the log has it
    if entry is None or entry.intent_id is None or entry.last is None:
        raise UnknownEffect(
            f"{command.signed.hash} would replace what was never signed here at nonce {nonce} of account {lane.name};"
            " nothing was recorded",
            next_step="see `sep reconcile`",
        )
    if entry.status.finished or entry.payload(command.signed.hash) is not None:
        return ()
    if command.replaces != entry.last.hash or command.kind is PayloadKind.EFFECT:
        raise SecondPayload(
            f"{command.signed.hash} is no replacement of {entry.last.hash}, which was signed last at nonce {nonce} of"
            f" account {lane.name}; it was not recorded and not sent",
            next_step=f"see `sep reconcile {entry.intent_id}`",
        )
    return _in(
        lane.key,
        TransactionSigned(
            nonce,
            entry.intent_id,
            entry.step_id,
            command.signed.hash,
            command.sealed,
            transaction.gas_limit,
            _wei(transaction.max_fee_per_gas),
            _wei(transaction.max_priority_fee_per_gas),
            entry.plan_digest,
            command.recovered,
            command.kind,
            entry.relay if entry.is_secret and command.kind is not PayloadKind.CANCEL else "",
        ),
    )


def _refused(lane: LaneState, command: RecordRefused) -> tuple[Decided, ...]:
    entry = _ours(lane, command.nonce, command.hash)
    told = command.hash, command.kind, command.reason
    if entry is None or entry.status.finished or told in entry.refused:
        return ()
    return _in(lane.key, ReplacementRefused(command.nonce, *told))


def _broadcast(lane: LaneState, command: RecordBroadcast) -> tuple[Decided, ...]:
    entry = _ours(lane, command.nonce, command.hash)
    if entry is None or entry.status.finished or entry.status is EntryStatus.INCLUDED:
        return ()
    answers = tuple((answer.endpoint, answer.kind) for answer in command.answers)
    first = entry.status is EntryStatus.SIGNED
    told = _in(lane.key, TransactionBroadcast(command.nonce, command.hash, command.answers))
    repeated = not first and answers == entry.answers
    doubt = doubt_of(command.answers)
    doubted = () if doubt is None else _doubted(lane, command.nonce, command.hash, doubt)
    return doubted if repeated else told + doubted


def _doubted(lane: LaneState, nonce: int, transaction_hash: str, reason: str) -> tuple[Decided, ...]:
    entry = _ours(lane, nonce, transaction_hash)
    settled = entry is None or entry.status.finished or entry.status is EntryStatus.INCLUDED
    if entry is None or settled or reason in entry.reasons:
        return ()
    return _in(lane.key, TransactionDoubted(nonce, transaction_hash, str(reason)))


def _leaked(lane: LaneState, command: RecordLeak) -> tuple[Decided, ...]:
    entry = _ours(lane, command.nonce, command.hash)
    if entry is None or entry.leaked or entry.status.finished or entry.status is EntryStatus.INCLUDED:
        return ()
    return _in(lane.key, TransactionLeaked(command.nonce, command.hash))


def _published(lane: LaneState, command: RecordPublished) -> tuple[Decided, ...]:
    entry = _ours(lane, command.nonce, command.hash)
    if entry is None or entry.status.finished or not entry.is_secret:
        return ()
    return _in(lane.key, TransactionPublished(command.nonce, command.hash, command.reason))


def _receipt(lane: LaneState, command: RecordReceipt) -> tuple[Decided, ...]:
    receipt = command.receipt
    entry = _ours(lane, command.nonce, receipt.transaction_hash)
    if entry is None:
        return ()
    if entry.status.finished:
        seen = (entry.block, entry.landed) == (receipt.block, receipt.transaction_hash)
        if entry.status is EntryStatus.CONSUMED or not seen:
            raise _contradiction(lane, entry, f"a receipt in block {receipt.block.number}")
        return ()
    if (entry.block, entry.landed) == (receipt.block, receipt.transaction_hash):
        return ()
    paid = entry.payload(receipt.transaction_hash)
    assert paid is not None
    if receipt.gas_used > paid.gas_limit or receipt.effective_gas_price > paid.max_fee_per_gas:
        raise ImpossibleReceipt(
            f"a receipt of nonce {entry.nonce} of account {lane.name} says {receipt.gas_used} gas at"
            f" {receipt.effective_gas_price} wei, signed were at most {paid.gas_limit} at {paid.max_fee_per_gas}:"
            " an endpoint is wrong; nothing was recorded",
            next_step="compare the chain's endpoints with `sep doctor`",
        )
    decided = _lost(lane, entry, entry.block) if entry.block is not None else ()
    occurrence = entry.reorgs_of(receipt.block.hash)
    included = TransactionIncluded(
        command.nonce,
        receipt.transaction_hash,
        receipt.block,
        receipt.ok,
        receipt.gas_used,
        _wei(receipt.effective_gas_price),
        command.transfers,
        command.passes,
        occurrence,
    )
    return (
        *decided,
        _once(lane.key, included, receipt.block.hash, receipt.transaction_hash, occurrence),
    )


def _reorged(lane: LaneState, command: RecordReorg) -> tuple[Decided, ...]:
    entry = _ours(lane, command.nonce, command.hash)
    if entry is None or entry.block != command.block or entry.landed != command.hash:
        return ()
    if entry.status.finished:
        raise _contradiction(lane, entry, f"a reorganisation of block {command.block.number}")
    return _lost(lane, entry, command.block)


def _lost(lane: LaneState, entry: NonceEntry, block: BlockRef) -> tuple[Decided, ...]:
    fact = TransactionReorged(entry.nonce, entry.hash, block)
    return (_once(lane.key, fact, block.hash, entry.hash, entry.reorgs_of(block.hash)),)


def _final(lane: LaneState, command: RecordFinal) -> tuple[Decided, ...]:
    entry = _ours(lane, command.nonce, command.hash)
    if entry is None:
        return ()
    if entry.status.finished:
        if (entry.block, entry.landed) != (command.block, command.hash):
            raise _contradiction(lane, entry, f"finality of block {command.block.number}")
        return ()
    stands = (entry.block, entry.landed) == (command.block, command.hash)
    if entry.status is not EntryStatus.INCLUDED or not stands:
        raise FinalWithoutReceipt(
            f"block {command.block.number} was called final for nonce {entry.nonce} of {lane.name},"
            f" where no receipt stands; the nonce stays {entry.status}",
            next_step="record the receipt first",
        )
    fact = TransactionFinal(entry.nonce, entry.hash, command.block, entry.ok, command.rule)
    return (_once(lane.key, fact, command.block.hash, entry.hash, entry.reorgs_of(command.block.hash)),)


def _consumed(lane: LaneState, command: RecordNonceConsumed) -> tuple[Decided, ...]:
    entry = lane.entries.get(command.nonce)
    if entry is None and command.nonce != lane.next_nonce:
        if command.nonce < lane.next_nonce:
            return ()
        raise NonceGap(
            f"nonce {command.nonce} of {lane.name} was used outside this log, the next is {lane.next_nonce}",
            next_step="record the lowest nonce first",
        )
    if entry is not None and entry.status is EntryStatus.CONSUMED:
        return ()
    if entry is not None and entry.block is not None:
        raise _contradiction(lane, entry, "a claim that a foreign transaction used the nonce")
    decided = _in(lane.key, NonceConsumedExternally(command.nonce, command.evidence))
    if lane.frozen is None:
        reason = f"nonce {command.nonce} was used by a transaction that is not ours ({command.evidence})"
        decided += _in(lane.key, AccountFrozen(reason))
    return decided


def _chain_reorg(command: RecordChainReorg) -> tuple[Decided, ...]:
    if not command.removed:
        return ()
    fact = ChainReorged(command.chain, tuple(block.ref for block in command.removed), command.head.ref)
    return (Decided(chain_stream(command.chain), fact),)


def _ours(lane: LaneState, nonce: int, transaction_hash: str) -> NonceEntry | None:
    """The entry that an observation is about; None where it finished so long ago that only the log has it."""
    entry = lane.entries.get(nonce)
    if entry is None:
        if nonce < lane.next_nonce and any(kept > nonce for kept in lane.entries):
            return None
        raise UnknownEffect(
            f"nonce {nonce} of account {lane.name} was never reserved here; nothing was recorded",
            next_step="see `sep reconcile`",
        )
    if entry.payload(transaction_hash) is None:
        raise UnknownEffect(
            f"{transaction_hash} was never signed here at nonce {nonce} of account {lane.name};"
            f" {', '.join(one.hash for one in entry.payloads)} was; nothing was recorded",
            next_step="see `sep reconcile`",
        )
    return entry


def _contradiction(lane: LaneState, entry: NonceEntry, claim: str) -> ContradictsFinality:
    where = f" in block {entry.block.number}" if entry.block is not None else ""
    return ContradictsFinality(
        f"nonce {entry.nonce} of account {lane.name} is {entry.status}{where}, yet there is {claim};"
        " nothing was recorded",
        next_step="compare the chain's endpoints with `sep doctor`",
    )


def _wei(value: int) -> Amount:
    return Amount(value)
