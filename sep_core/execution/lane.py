"""The nonce lane: all that is known of one sender on one chain, folded from its stream."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec.structs import replace
from sep_hooks.signer import PayloadKind
from sep_hooks.types import AnswerKind, BlockRef, IntentId, SwapFill

from sep_core.events.facts import (
    AccountFrozen,
    AccountOpened,
    AccountReleased,
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
    Transfer,
)
from sep_core.events.registry import Fact
from sep_core.events.state import State
from sep_core.execution.commands import LaneKey
from sep_core.execution.errors import LaneUnknown, UnknownEffect
from sep_core.execution.status import EntryStatus

FINISHED_KEPT: Final = 32
"""How many finished nonces stay in memory; older ones are in the log."""

MAX_IN_FLIGHT: Final = 8
"""How many nonces of one sender may wait for their block at once; parallelism comes from more accounts."""

_ANSWERED = frozenset({AnswerKind.ACCEPTED, AnswerKind.KNOWN})


class Payload(State, frozen=True):
    """One signed transaction at a nonce. `sealed` are its bytes, until the nonce is finished."""

    hash: str
    kind: PayloadKind
    sealed: str
    gas_limit: int
    max_fee_per_gas: int
    max_priority_fee_per_gas: int


class NonceEntry(State, frozen=True):
    """One nonce and the one step that it belongs to.

    `payloads` are all transactions that were ever signed for it, the last of which is sent, and `landed` is the hash
    of the one that `block` holds. `relay` alone may see them before, where it is named, until they are `published`;
    `leaked` where a public pool held one all the same. `reorgs` counts, for each block hash, how often it lost that
    block; `reasons` are the doubts voiced since it was last in no doubt. `refused` are replacements that the signer
    would not sign: of which payload, what, and why.
    """

    nonce: int
    intent_id: IntentId | None
    step_id: str
    status: EntryStatus
    payloads: tuple[Payload, ...] = ()
    landed: str = ""
    relay: str = ""
    leaked: bool = False
    published: bool = False
    refused: tuple[tuple[str, PayloadKind, str], ...] = ()
    plan_digest: str = ""
    recovered: bool = False
    deadline: int | None = None
    answers: tuple[tuple[str, AnswerKind], ...] = ()
    reasons: tuple[str, ...] = ()
    block: BlockRef | None = None
    ok: bool = False
    occurrence: int = 0
    gas_used: int = 0
    effective_gas_price: int = 0
    transfers: tuple[Transfer, ...] = ()
    passes: tuple[SwapFill, ...] = ()
    reorgs: tuple[tuple[str, int], ...] = ()
    evidence: str = ""

    @property
    def last(self) -> Payload | None:
        """What was signed last, which replaces what was signed before."""
        return self.payloads[-1] if self.payloads else None

    @property
    def hash(self) -> str:
        """The transaction that the chain holds, else the last one signed; empty where there is none."""
        return self.landed or (self.last.hash if self.last else "")

    @property
    def is_secret(self) -> bool:
        """Whether its relay alone may see the step."""
        return self.relay != "" and not self.published

    @property
    def is_cancelled(self) -> bool:
        """Whether a block holds a cancel in place of the step."""
        landed = self.payload(self.landed)
        return landed is not None and landed.kind is PayloadKind.CANCEL

    def payload(self, transaction_hash: str) -> Payload | None:
        """The transaction of that hash."""
        return next((one for one in self.payloads if one.hash == transaction_hash), None)

    @property
    def reason(self) -> str:
        """The latest doubt, empty where there is none."""
        return self.reasons[-1] if self.reasons else ""

    def reorgs_of(self, block_hash: str) -> int:
        """How often this transaction was thrown out of that block."""
        return next((count for known, count in self.reorgs if known == block_hash), 0)


class LaneState(State, frozen=True):
    """One lane. `entries` holds every open nonce and the last finished ones; `frozen` is the reason, or None."""

    key: LaneKey
    name: str
    next_nonce: int
    opened: BlockRef
    frozen: str | None = None
    entries: Mapping[int, NonceEntry] = msgspec.field(default_factory=lambda: MappingProxyType({}))
    planned: TransactionPlanned | None = None

    @property
    def unfinished(self) -> tuple[NonceEntry, ...]:
        """The nonces whose effect is not final, ascending."""
        return tuple(entry for _, entry in sorted(self.entries.items()) if not entry.status.finished)

    @property
    def in_flight(self) -> tuple[NonceEntry, ...]:
        """The open nonces that no block holds, ascending."""
        return tuple(entry for entry in self.unfinished if entry.block is None)

    @property
    def in_doubt(self) -> tuple[NonceEntry, ...]:
        """The open nonces of which nobody knows whether they took effect."""
        return tuple(entry for entry in self.unfinished if entry.status.in_doubt)

    def of_intent(self, intent_id: IntentId) -> tuple[NonceEntry, ...]:
        """What is remembered of one intent, by nonce."""
        return tuple(entry for _, entry in sorted(self.entries.items()) if entry.intent_id == intent_id)

    def carrying(self, transaction_hash: str) -> NonceEntry | None:
        """The nonce that carries this transaction."""
        return next((entry for entry in self.entries.values() if entry.payload(transaction_hash)), None)


def evolve_lane(state: LaneState | None, fact: Fact) -> LaneState:
    """The lane after one fact of its stream; the work does not grow with the lane's age."""
    if isinstance(fact, AccountOpened):
        return LaneState(LaneKey(fact.chain, fact.address), fact.name, fact.next_nonce, fact.block)
    if state is None:
        raise LaneUnknown(
            f"{type(fact).__name__} stands in the stream of an account that was never opened",
            next_step="run `sep verify`",
        )
    match fact:
        case TransactionPlanned():
            return replace(state, planned=fact)
        case NonceReserved():
            return _reserved(state, fact)
        case TransactionSigned():
            return _with(state, _signed(_entry(state, fact.nonce), fact))
        case TransactionBroadcast():
            return _with(state, _broadcast(_entry(state, fact.nonce), fact))
        case TransactionDoubted():
            entry = _entry(state, fact.nonce)
            return _with(
                state, replace(entry, status=EntryStatus.IN_DOUBT, reasons=(*entry.reasons, fact.reason))
            )
        case TransactionLeaked():
            return _with(state, replace(_entry(state, fact.nonce), leaked=True))
        case ReplacementRefused():
            entry = _entry(state, fact.nonce)
            refused = (*entry.refused, (fact.hash, fact.kind, fact.reason))
            return _with(state, replace(entry, refused=refused))
        case TransactionPublished():
            return _with(state, replace(_entry(state, fact.nonce), published=True))
        case TransactionIncluded():
            return _with(state, _included(_entry(state, fact.nonce), fact))
        case TransactionReorged():
            return _with(state, _reorged(_entry(state, fact.nonce), fact))
        case TransactionFinal():
            return _final(state, fact)
        case NonceConsumedExternally():
            return _consumed(state, fact)
        case AccountFrozen():
            return replace(state, frozen=fact.reason)
        case AccountReleased():
            return replace(state, frozen=None, next_nonce=fact.next_nonce)
        case _:
            return state


def _entry(state: LaneState, nonce: int) -> NonceEntry:
    entry = state.entries.get(nonce)
    if entry is None:
        raise UnknownEffect(
            f"the stream of {state.name} tells of nonce {nonce}, which was never reserved",
            next_step="run `sep verify`",
        )
    return entry


def _with(state: LaneState, entry: NonceEntry) -> LaneState:
    return replace(state, entries=MappingProxyType({**state.entries, entry.nonce: entry}))


def _finish(state: LaneState, entry: NonceEntry) -> LaneState:
    payloads = tuple(replace(one, sealed="") for one in entry.payloads)
    entries = {**state.entries, entry.nonce: replace(entry, payloads=payloads)}
    finished = sorted(nonce for nonce, one in entries.items() if one.status.finished)
    for nonce in finished[:-FINISHED_KEPT]:
        del entries[nonce]
    return replace(state, entries=MappingProxyType(entries))


def _reserved(state: LaneState, fact: NonceReserved) -> LaneState:
    planned = state.planned
    fits = planned is not None and (planned.intent_id, planned.step_id) == (fact.intent_id, fact.step_id)
    entry = NonceEntry(
        fact.nonce,
        fact.intent_id,
        fact.step_id,
        EntryStatus.RESERVED,
        deadline=planned.deadline if fits and planned is not None else None,
    )
    return replace(_with(state, entry), next_nonce=max(state.next_nonce, fact.nonce + 1), planned=None)


def _signed(entry: NonceEntry, fact: TransactionSigned) -> NonceEntry:
    payload = Payload(
        fact.hash,
        fact.kind,
        fact.sealed,
        fact.gas_limit,
        fact.max_fee_per_gas,
        fact.max_priority_fee_per_gas,
    )
    payloads = (*entry.payloads, payload)
    if fact.kind is not PayloadKind.EFFECT:
        return replace(entry, payloads=payloads, answers=())
    return replace(
        entry,
        status=EntryStatus.SIGNED,
        payloads=payloads,
        relay=fact.relay,
        plan_digest=fact.plan_digest,
        recovered=fact.recovered,
    )


def _broadcast(entry: NonceEntry, fact: TransactionBroadcast) -> NonceEntry:
    answers = tuple((answer.endpoint, answer.kind) for answer in fact.answers)
    taken = any(kind in _ANSWERED for _, kind in answers)
    # An endpoint that has the bytes does not end a doubt: it is no evidence of an outcome.
    status = EntryStatus.SUBMITTED if taken and entry.status is EntryStatus.SIGNED else entry.status
    return replace(entry, status=status, answers=answers)


def _included(entry: NonceEntry, fact: TransactionIncluded) -> NonceEntry:
    return replace(
        entry,
        status=EntryStatus.INCLUDED,
        landed=fact.hash,
        reasons=(),
        block=fact.block,
        ok=fact.ok,
        occurrence=fact.occurrence,
        gas_used=fact.gas_used,
        effective_gas_price=fact.effective_gas_price,
        transfers=fact.transfers,
        passes=fact.passes,
    )


def _reorged(entry: NonceEntry, fact: TransactionReorged) -> NonceEntry:
    counts = dict(entry.reorgs)
    counts[fact.block.hash] = counts.get(fact.block.hash, 0) + 1
    return replace(
        entry,
        status=EntryStatus.REORGED,
        landed="",
        block=None,
        ok=False,
        gas_used=0,
        effective_gas_price=0,
        transfers=(),
        passes=(),
        reorgs=tuple(counts.items()),
    )


def _final(state: LaneState, fact: TransactionFinal) -> LaneState:
    entry = _entry(state, fact.nonce)
    status = EntryStatus.FINAL if fact.ok else EntryStatus.REVERTED
    if entry.is_cancelled:
        status = EntryStatus.CANCELLED
    return _finish(state, replace(entry, status=status, evidence=fact.rule))


def _consumed(state: LaneState, fact: NonceConsumedExternally) -> LaneState:
    known = state.entries.get(fact.nonce) or NonceEntry(fact.nonce, None, "", EntryStatus.CONSUMED)
    after = _finish(state, replace(known, status=EntryStatus.CONSUMED, evidence=fact.evidence))
    return replace(after, next_nonce=max(state.next_nonce, fact.nonce + 1))
