"""Ends what waits at a nonce and does not get into a block: the same call at higher fees, or a cancel in its place."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import anyio
from sep_hooks.context import Clock
from sep_hooks.errors import CheckTooOld, SepError, SignerRefused
from sep_hooks.signer import PayloadKind, SignRequest
from sep_hooks.types import Address, Amount, Block, FeeSuggestion, IntentId, Transaction

from sep_core.execution.asking import CALL_TIMEOUT_SECONDS, ask
from sep_core.execution.commands import RecordRefused, RecordReplaced
from sep_core.execution.lane import LaneState, NonceEntry, Payload
from sep_core.execution.ports import ExecutionChain, LaneDesk
from sep_core.execution.prepare import SignerSilent, SigningDesk
from sep_core.execution.sending import UNHURRIED, Sending
from sep_core.execution.signature import check_signature
from sep_core.telemetry.crashpoints import crossing

LEAST_RAISE: Final = (9, 8)
"""Pools take a replacement for an eighth more on both fees: geth asks a tenth, others an eighth."""

PAYLOADS_MAX: Final = 12
"""Signed at one nonce at most; each is another bearer instrument."""

GROWTH_MAX: Final = 10
"""How many times its first fee a payload may cost, where the intent sets no limit."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should take the nonce, and why."""

    kind: PayloadKind
    why: str


@dataclass(frozen=True, slots=True)
class Replacement:
    """What is to be signed at an entry's nonce in place of its `last` payload; fee and tip in wei per gas."""

    entry: NonceEntry
    last: Payload
    intent_id: IntentId
    wanted: Wanted
    fee: int
    tip: int


def wanted(
    entry: NonceEntry, last: Payload, head: Block, *, end_asked: bool, lags: bool, patient: bool
) -> Wanted | None:
    """What should replace an overdue payload. `lags`: the next block asks more than it pays; `patient`: it has waited
    much longer than a payload should that pays enough.
    """
    if last.kind is PayloadKind.CANCEL:
        return Wanted(PayloadKind.CANCEL, "the cancel is stuck") if lags or patient else None
    if end_asked:
        return Wanted(PayloadKind.CANCEL, "the intent's end was asked for")
    if entry.deadline is not None and head.timestamp > entry.deadline:
        return Wanted(PayloadKind.CANCEL, "its call is too late and could only revert")
    return Wanted(PayloadKind.BUMP, "it is stuck") if lags or patient else None


def raised(last: Payload, fees: FeeSuggestion) -> tuple[int, int]:
    """Fee and tip per gas that replace a payload everywhere and carry it into the next block."""
    up, down = LEAST_RAISE
    tip = max(-(-last.max_priority_fee_per_gas * up // down), fees.max_priority_fee_per_gas)
    fee = max(-(-last.max_fee_per_gas * up // down), fees.base_fee_high + tip)
    return fee, tip


def fee_limit(entry: NonceEntry, most_wei: int | None) -> int:
    """The most that a payload of the nonce may pay per gas."""
    first = entry.payloads[0]
    if most_wei is None:
        return first.max_fee_per_gas * GROWTH_MAX
    return max(first.max_fee_per_gas, most_wei // max(1, first.gas_limit))


class Replacing:
    """One lane's replacements. What the signer refused is not asked for again; what costs too much now may do later."""

    def __init__(
        self,
        chain: ExecutionChain,
        desk: LaneDesk,
        signing: SigningDesk,
        sending: Sending,
        tell: Callable[[str, NonceEntry, str], None],
        clock: Clock,
    ) -> None:
        self._chain = chain
        self._clock = clock
        self._desk = desk
        self._signing = signing
        self._sending = sending
        self._tell = tell
        self._refused: set[tuple[str, PayloadKind]] = set()
        self._told: set[tuple[str, PayloadKind]] = set()

    async def stuck(self, lane: LaneState, head: Block, latest_nonce: int) -> Replacement | None:
        """The first replacement that is due now. Raises `ChainSilent`."""
        overdue = [one for one in lane.unfinished if self._may(one, head, latest_nonce)]
        if not overdue:
            return None
        fees = await ask("execution.replace.fees", self._chain.fees())
        for entry in overdue:
            last, intent_id = entry.last, entry.intent_id
            if last is None or intent_id is None:
                continue
            # Behind another nonce that waits nothing can be stuck by its own fees.
            first = entry.nonce == latest_nonce
            found = wanted(
                entry,
                last,
                head,
                end_asked=self._desk.end_wanted(intent_id, entry.step_id),
                lags=first and _lags(last, fees),
                patient=first and self._sending.overdue(entry, head, UNHURRIED),
            )
            if found is None or (found.kind is PayloadKind.BUMP and self._sending.lacks_relay(entry)):
                continue
            replacement = Replacement(entry, last, intent_id, found, *raised(last, fees))
            if self._allowed(replacement):
                return replacement
        return None

    async def sign(self, lane: LaneState, found: Replacement) -> RecordReplaced | RecordRefused | None:
        """The replacement, signed, or that the signer refuses it; None where it wants it checked anew. Raises
        `SignerSilent`, `SignatureMismatch`.
        """
        desk, entry, last, kind = self._signing, found.entry, found.last, found.wanted.kind
        before = desk.read(desk.vault.open(last.sealed)).transaction
        transaction = _replacement(before, lane.key.address, found)
        request = SignRequest(
            found.intent_id,
            entry.step_id,
            desk.epoch,
            entry.plan_digest,
            transaction,
            desk.store_id,
            kind,
            last.hash,
            self._clock.now(),
            self._desk.breaker_epoch,
        )
        try:
            with anyio.fail_after(CALL_TIMEOUT_SECONDS):
                signed = await crossing("execution.replace.sign", desk.signer.sign(request))
        except TimeoutError:
            raise SignerSilent(
                f"no signature for a {kind} of step {entry.step_id} within {CALL_TIMEOUT_SECONDS:.0f} s;"
                " what the signer may have made is adopted before anything else is signed"
            ) from None
        except CheckTooOld as error:
            self._wait(found, f"the signer refuses a {kind}: {error.message}")
            return None
        except SignerRefused as error:
            self._refused.add((last.hash, kind))
            self._wait(found, f"the signer refuses a {kind}: {error.message}")
            return RecordRefused(lane.key, entry.nonce, last.hash, kind, error.message)
        except SepError as error:
            raise SignerSilent(
                f"the signer failed at a {kind} of step {entry.step_id}: {error.message};"
                " what it may have signed is adopted before anything else is"
            ) from error
        check_signature(desk.read, lane.key.address, entry.step_id, transaction, signed)
        self._tell(
            f"transaction.{kind}",
            entry,
            f"{found.wanted.why}; {signed.hash} pays {found.fee} wei per gas at most",
        )
        sealed = desk.vault.seal(signed.raw)
        return RecordReplaced(lane.key, entry.nonce, kind, last.hash, transaction, signed, sealed)

    def _may(self, entry: NonceEntry, head: Block, latest_nonce: int) -> bool:
        return entry.block is None and entry.nonce >= latest_nonce and self._sending.overdue(entry, head)

    def _allowed(self, found: Replacement) -> bool:
        entry, kind = found.entry, found.wanted.kind
        if (found.last.hash, kind) in self._refused:
            return False
        most = fee_limit(entry, self._desk.most_fee(found.intent_id, entry.step_id))
        why = ""
        if len(entry.payloads) >= PAYLOADS_MAX:
            why = f"{len(entry.payloads)} payloads are signed at its nonce already"
        elif found.fee > most:
            why = f"a {kind} would pay {found.fee} wei per gas, at most {most} may be paid"
        if why:
            self._wait(found, f"{found.wanted.why}, but {why}; the same bytes are sent on")
        return not why

    def _wait(self, found: Replacement, why: str) -> None:
        place = (found.last.hash, found.wanted.kind)
        if place not in self._told:
            self._told.add(place)
            self._tell("transaction.waits", found.entry, why)


def _lags(last: Payload, fees: FeeSuggestion) -> bool:
    return last.max_fee_per_gas < fees.base_fee_high + min(
        last.max_priority_fee_per_gas, fees.max_priority_fee_per_gas
    )


def _replacement(before: Transaction, own: Address, found: Replacement) -> Transaction:
    dearer = replace(before, max_fee_per_gas=found.fee, max_priority_fee_per_gas=found.tip)
    if found.wanted.kind is PayloadKind.BUMP:
        return dearer
    # What is not used of the gas limit costs nothing, and on some chains a call of oneself needs more than 21,000.
    return replace(dearer, to=own, value=Amount(0), data=b"")
