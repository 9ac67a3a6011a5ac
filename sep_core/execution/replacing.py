"""Ends what waits at a nonce and does not get into a block: the same call at higher fees, or a cancel in its place."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import anyio
from sep_hooks.errors import SepError, SignerRefused
from sep_hooks.signer import PayloadKind, SignRequest
from sep_hooks.types import Address, Amount, Block, FeeSuggestion, Transaction

from sep_core.execution.asking import CALL_TIMEOUT_SECONDS, ask
from sep_core.execution.commands import RecordReplaced
from sep_core.execution.lane import LaneState, NonceEntry, Payload
from sep_core.execution.ports import ExecutionChain, LaneDesk
from sep_core.execution.prepare import SignerSilent, SigningDesk
from sep_core.execution.sending import Sending
from sep_core.execution.signature import check_signature
from sep_core.telemetry.crashpoints import crossing

LEAST_RAISE: Final = (9, 8)
"""Pools take a replacement for an eighth more on both fees: geth asks a tenth, others an eighth."""

PAYLOADS_MAX: Final = 12
"""Signed at one nonce at most; each is another bearer instrument."""

GROWTH_MAX: Final = 10
"""How many times its first fee a payload may cost, where the intent sets no limit."""

UNHURRIED: Final = 4
"""How many times the usual patience a payload waits whose fees would do."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should take the nonce, and why."""

    kind: PayloadKind
    why: str


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
    ) -> None:
        self._chain = chain
        self._desk = desk
        self._signing = signing
        self._sending = sending
        self._tell = tell
        self._refused: set[tuple[str, PayloadKind]] = set()
        self._told: set[tuple[str, PayloadKind]] = set()

    async def stuck(
        self, lane: LaneState, head: Block, latest_nonce: int
    ) -> tuple[NonceEntry, Wanted] | None:
        """The first open nonce that should be replaced now. Raises `ChainSilent`."""
        overdue = [one for one in lane.unfinished if self._may(one, head, latest_nonce)]
        if not overdue:
            return None
        fees = await ask("execution.replace.fees", self._chain.fees())
        for entry in overdue:
            assert entry.last is not None
            assert entry.intent_id is not None
            ends = self._desk.end_wanted(entry.intent_id, entry.step_id)
            # Behind another nonce that waits nothing can be stuck by its own fees.
            first = entry.nonce == latest_nonce
            found = wanted(
                entry,
                entry.last,
                head,
                end_asked=ends,
                lags=first and _lags(entry.last, fees),
                patient=first and self._sending.overdue(entry, head, UNHURRIED),
            )
            if found is not None and self._allowed(entry, entry.last, found, fees):
                return entry, found
        return None

    async def sign(self, lane: LaneState, entry: NonceEntry, found: Wanted) -> RecordReplaced | None:
        """The replacement, signed; None where the signer refuses it. Raises `SignerSilent`, `SignatureMismatch`."""
        desk, last = self._signing, entry.last
        assert last is not None
        assert entry.intent_id is not None
        fees = await ask("execution.replace.sign_fees", self._chain.fees())
        fee, tip = raised(last, fees)
        before = desk.read(desk.vault.open(last.sealed)).transaction
        transaction = _replacement(before, lane.key.address, found.kind, fee, tip)
        request = SignRequest(
            entry.intent_id,
            entry.step_id,
            desk.epoch,
            entry.plan_digest,
            transaction,
            desk.store_id,
            found.kind,
            last.hash,
        )
        try:
            with anyio.fail_after(CALL_TIMEOUT_SECONDS):
                signed = await crossing("execution.replace.sign", desk.signer.sign(request))
        except TimeoutError:
            raise SignerSilent(
                f"no signature for a {found.kind} of step {entry.step_id} within {CALL_TIMEOUT_SECONDS:.0f} s;"
                " what the signer may have made is adopted before anything else is signed"
            ) from None
        except SignerRefused as error:
            self._refused.add((last.hash, found.kind))
            self._wait(entry, last, found, f"the signer refuses a {found.kind}: {error.message}")
            return None
        except SepError as error:
            raise SignerSilent(
                f"the signer failed at a {found.kind} of step {entry.step_id}: {error.message};"
                " what it may have signed is adopted before anything else is"
            ) from error
        check_signature(desk.read, lane.key.address, entry.step_id, transaction, signed)
        self._tell(
            f"transaction.{found.kind}", entry, f"{found.why}; {signed.hash} pays {fee} wei per gas at most"
        )
        sealed = desk.vault.seal(signed.raw)
        return RecordReplaced(lane.key, entry.nonce, found.kind, last.hash, transaction, signed, sealed)

    def _may(self, entry: NonceEntry, head: Block, latest_nonce: int) -> bool:
        return (
            entry.block is None
            and entry.intent_id is not None
            and entry.nonce >= latest_nonce
            and entry.last is not None
            and self._sending.overdue(entry, head)
        )

    def _allowed(self, entry: NonceEntry, last: Payload, found: Wanted, fees: FeeSuggestion) -> bool:
        assert entry.intent_id is not None
        if (last.hash, found.kind) in self._refused:
            return False
        fee, _ = raised(last, fees)
        most = fee_limit(entry, self._desk.most_fee(entry.intent_id, entry.step_id))
        if fee <= most and len(entry.payloads) < PAYLOADS_MAX:
            return True
        why = f"{found.why}, but a {found.kind} would pay {fee} wei per gas, at most {most} may be paid"
        if len(entry.payloads) >= PAYLOADS_MAX:
            why = f"{found.why}, but {len(entry.payloads)} payloads are signed at its nonce already"
        self._wait(entry, last, found, f"{why}; the same bytes are sent on")
        return False

    def _wait(self, entry: NonceEntry, last: Payload, found: Wanted, why: str) -> None:
        if (last.hash, found.kind) not in self._told:
            self._told.add((last.hash, found.kind))
            self._tell("transaction.waits", entry, why)


def _lags(last: Payload, fees: FeeSuggestion) -> bool:
    return last.max_fee_per_gas < fees.base_fee_high + min(
        last.max_priority_fee_per_gas, fees.max_priority_fee_per_gas
    )


def _replacement(before: Transaction, own: Address, kind: PayloadKind, fee: int, tip: int) -> Transaction:
    dearer = replace(before, max_fee_per_gas=fee, max_priority_fee_per_gas=tip)
    if kind is PayloadKind.BUMP:
        return dearer
    # What is not used of the gas limit costs nothing, and on some chains a call of oneself needs more than 21,000.
    return replace(dearer, to=own, value=Amount(0), data=b"")
