"""What is known and what is not of an intent's transactions: the report behind `sep reconcile`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sep_hooks.signer import PayloadKind
from sep_hooks.types import IntentId

from sep_core.execution.doubt import DoubtReason
from sep_core.execution.lane import LaneState, NonceEntry
from sep_core.execution.status import EntryStatus


@dataclass(frozen=True, slots=True)
class Evidence:
    """One nonce: the evidence held, the evidence missing, where the money is, and what can be done."""

    account: str
    nonce: int
    step_id: str
    transaction_hash: str
    status: EntryStatus
    held: tuple[str, ...]
    missing: tuple[str, ...]
    money: str
    next_step: str


def reconcile(lane: LaneState, intent_id: IntentId) -> Sequence[Evidence]:
    """One entry for each nonce that is remembered of the intent, ascending."""
    return [_evidence(lane, entry) for entry in lane.of_intent(intent_id)]


def doubts(lane: LaneState) -> Sequence[Evidence]:
    """Every nonce of the lane of which nobody knows the outcome."""
    return [_evidence(lane, entry) for entry in lane.in_doubt]


def _evidence(lane: LaneState, entry: NonceEntry) -> Evidence:
    return Evidence(
        lane.name,
        entry.nonce,
        entry.step_id,
        entry.hash,
        entry.status,
        tuple(_held(entry)),
        tuple(_missing(entry)),
        _money(entry),
        _next_step(lane, entry),
    )


def _held(entry: NonceEntry) -> Sequence[str]:
    held = [f"nonce {entry.nonce} is reserved for step {entry.step_id}"] if entry.step_id else []
    for payload in entry.payloads:
        kind = "" if payload.kind is PayloadKind.EFFECT else f" as a {payload.kind}"
        effect = payload.kind is PayloadKind.EFFECT
        origin = "adopted from the signer after a crash" if entry.recovered and effect else "signed"
        way = f", for relay {entry.relay} alone" if effect and entry.relay else ""
        held.append(f"{payload.hash} was {origin}{kind}{way}")
    held += [f"{endpoint} answered: {kind}" for endpoint, kind in entry.answers]
    held += [f"the signer refused a {kind} of {name}: {reason}" for name, kind, reason in entry.refused]
    if entry.published:
        held.append(f"what relay {entry.relay} alone could see goes to every endpoint: the intent allows it")
    if entry.leaked:
        held.append(f"a public pool held what was given to relay {entry.relay} alone")
    held += [f"doubt: {_DOUBTS.get(reason, reason)}" for reason in entry.reasons]
    held += [f"block {block} was reorganised away {count} time(s)" for block, count in entry.reorgs]
    if entry.block is not None:
        outcome = "succeeded" if entry.ok else "reverted"
        if entry.is_cancelled:
            outcome = "cancelled the step"
        held.append(f"a receipt in block {entry.block.number} {entry.block.hash}: it {outcome}")
    if entry.evidence:
        held.append(f"final by: {entry.evidence}")
    return held


def _missing(entry: NonceEntry) -> Sequence[str]:
    if entry.status.finished:
        return []
    if entry.block is not None:
        return [f"finality of block {entry.block.number}"]
    receipt = f"a receipt of {' or '.join(one.hash for one in entry.payloads)} in a canonical block"
    proof = f"or a final account nonce above {entry.nonce} and independent endpoints that agree on no receipt"
    return [receipt, proof]


def _money(entry: NonceEntry) -> str:
    match entry.status:
        case EntryStatus.FINAL:
            return "moved, for good; it stands in the ledger"
        case EntryStatus.REVERTED:
            return "not moved but for gas, for good"
        case EntryStatus.INCLUDED if entry.is_cancelled:
            return "only gas, for a cancel, not final yet"
        case EntryStatus.INCLUDED:
            return "moved in a block that is not final yet" if entry.ok else "only gas, not final yet"
        case EntryStatus.CANCELLED:
            return "not moved but for the cancel's gas, for good"
        case EntryStatus.CONSUMED:
            return "not moved by this step; somebody else used the nonce"
        case EntryStatus.IN_DOUBT | EntryStatus.REORGED:
            return "in doubt: it may still move, once; it counts as exposure"
        case _:
            return "on its way; it may move, once"


def _next_step(lane: LaneState, entry: NonceEntry) -> str:
    if lane.frozen is not None:
        return (
            f"the account is frozen ({lane.frozen}): find out who else holds its key, then"
            f" `sep account release {lane.name} --reason TEXT`"
        )
    if entry.status.finished:
        return "nothing"
    if DoubtReason.RELAY_GONE in entry.reasons:
        return (
            f"put relay {entry.relay} back into the configuration and start again, or"
            f" `sep cancel {entry.intent_id}`: a cancel needs no relay"
        )
    if entry.status.in_doubt:
        return (
            "leave the engine running: it sends the bytes again, pays more for what is stuck and looks for receipts;"
            f" `sep cancel {entry.intent_id}` has a stuck exchange cancelled instead"
        )
    return "wait for the chain"


_DOUBTS: Mapping[str, str] = {
    DoubtReason.NO_ANSWER: "no endpoint answered; some node may hold the bytes",
    DoubtReason.UNCLEAR_ANSWER: "the answers are unclear; some node may hold the bytes",
    DoubtReason.NONCE_TOO_LOW: "an endpoint says that the nonce is used; the receipt is being looked for",
    DoubtReason.NONCE_HELD: "an endpoint's pool holds another transaction at this nonce",
    DoubtReason.RELAY_GONE: "its relay left the configuration; no other way may see it, so that nothing is sent",
    DoubtReason.STUCK: "no receipt within the time that one should take",
    DoubtReason.CONSUMED_UNSEEN: "the account's nonce moved past it, and no receipt was found",
}
