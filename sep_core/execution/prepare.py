"""From an approved plan to signed bytes: looks once more, numbers the steps from the lane, signs, seals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import anyio
from sep_hooks.context import Clock
from sep_hooks.errors import CheckTooOld, Retryable, SepError, SignerRefused
from sep_hooks.signer import SignedEntry, SignRequest
from sep_hooks.types import (
    Amount,
    Block,
    Call,
    CallResult,
    FeeSuggestion,
    Fill,
    Plan,
    Quantity,
    Step,
    SwapFill,
    Transaction,
    chain_id_of,
)

from sep_core.execution.asking import CALL_TIMEOUT_SECONDS, ask
from sep_core.execution.commands import RecordPaperFill, RecordSigned, SignedStep
from sep_core.execution.decide import check_unbound
from sep_core.execution.fills import fill
from sep_core.execution.lane import LaneState
from sep_core.execution.native import read_signed
from sep_core.execution.ports import (
    ExecutionChain,
    LaneDesk,
    LogReader,
    PrepareRequest,
    ReadSigned,
    RelayPort,
    SignerPort,
    StalePlan,
    VaultPort,
)
from sep_core.execution.presign import call_trouble, fee_trouble, price_trouble
from sep_core.execution.privacy import is_secret
from sep_core.execution.reading import own_transfers
from sep_core.execution.signature import check_signature
from sep_core.telemetry.crashpoints import crossing

TOLERANCE_PPM = 500
"""How much worse than the plan the last simulation may be before the intent is planned again."""


@dataclass(frozen=True, slots=True)
class SigningDesk:
    """Who signs and seals, under which epoch of which log. Paper mode has none: no signer is constructed.

    What the signer says of its bytes is checked by what `read` finds in them.
    """

    signer: SignerPort
    vault: VaultPort
    epoch: int
    store_id: UUID
    read: ReadSigned = read_signed


@dataclass(frozen=True, slots=True)
class Checked:
    """When the checks before a signature began, and how often a breaker had opened or closed by then."""

    at: datetime
    breaker_epoch: int


class SignerSilent(Retryable):
    """The signer gave no answer; it may have signed."""

    code = "signer_silent"


class PartlySigned(Exception):
    """The signer refused a later step of a plan of which earlier ones are signed; they must be adopted."""

    def __init__(self, stale: StalePlan) -> None:
        super().__init__(stale.reason)
        self.stale = stale


class Preparation:
    """One preparation at a time per lane. Nonces come from the lane, never from the node."""

    def __init__(
        self,
        chain: ExecutionChain,
        reader: LogReader,
        desk: LaneDesk,
        signing: SigningDesk | None,
        clock: Clock,
        relay: RelayPort | None,
    ) -> None:
        self._clock = clock
        self._relay = relay
        self._chain = chain
        self._reader = reader
        self._desk = desk
        self._signing = signing

    async def prepare(
        self, request: PrepareRequest, lane: LaneState
    ) -> RecordSigned | RecordPaperFill | StalePlan:
        """Everything but the record. A crash after signing is healed by adoption from the signer.

        Raises `ChainSilent` where the chain does not answer, `SignerSilent` where the signer fails,
        `PartlySigned` where it refuses half way, `SignatureMismatch` where its bytes are others than those asked
        for, `NonceBound` before anything is signed.
        """
        checked = Checked(self._clock.now(), self._desk.breaker_epoch)
        signed = await self._adopted(request, lane)
        rest = tuple(step for step in request.plan.steps if all(step.id != done.step.id for done in signed))
        head = await ask("execution.prepare.head", self._chain.head())
        fees = await ask("execution.prepare.fees", self._chain.fees())
        # Once the swap itself is signed there is no way back: what belongs to it follows unconditionally.
        committed = any(done.step.exchanges for done in signed)
        results: Sequence[CallResult] = ()
        trouble: StalePlan | None = None
        if rest and not committed:
            results = await self._simulate(lane, rest, head)
            # Asked last: between this and the first signature nobody else has a turn.
            trouble = self._trouble(request, lane, rest, results, head, fees) or self._desk.objection(request)
        if self._signing is None:
            return await self._on_paper(request, lane, rest, results, head, fees, trouble)
        if trouble is not None:
            return trouble
        return await self._sign(self._signing, request, lane, signed, rest, fees, checked)

    async def _adopted(self, request: PrepareRequest, lane: LaneState) -> tuple[SignedStep, ...]:
        """Steps of this very plan that were signed before a crash and adopted since."""
        own = [entry for entry in lane.of_intent(request.intent_id) if entry.recovered]
        hashes = {
            entry.payloads[0].hash: entry.payloads[0].sealed
            for entry in own
            if entry.plan_digest == request.plan.digest
        }
        if self._signing is None or not hashes:
            return ()
        remembered = await ask("execution.prepare.list_signed", self._signing.signer.list_signed())
        steps = {step.id: step for step in request.plan.steps}
        adopted: list[SignedStep] = []
        for one in sorted(remembered, key=lambda one: one.request.transaction.nonce):
            asked = one.request
            if one.signed.hash in hashes and asked.step_id in steps:
                check_signature(
                    self._signing.read, lane.key.address, asked.step_id, asked.transaction, one.signed
                )
                adopted.append(_signed_step(steps[asked.step_id], one, hashes[one.signed.hash]))
        return tuple(adopted)

    async def _simulate(self, lane: LaneState, steps: Sequence[Step], head: Block) -> Sequence[CallResult]:
        """The steps on the latest state, after what is signed and not yet in the chain."""
        consumed = await ask("execution.prepare.nonce", self._chain.nonce(lane.key.address, head.ref))
        waiting: list[Call] = []
        for entry in lane.unfinished:
            if entry.nonce >= consumed and entry.intent_id is not None:
                step = self._desk.step(entry.intent_id, entry.step_id)
                if step is not None:
                    waiting.append(step.call)
        calls = [*waiting, *(step.call for step in steps)]
        results = await ask("execution.prepare.simulate", self._chain.simulate(calls, lane.key.address))
        return results[len(waiting) :]

    def _trouble(
        self,
        request: PrepareRequest,
        lane: LaneState,
        steps: Sequence[Step],
        results: Sequence[CallResult],
        head: Block,
        fees: FeeSuggestion,
    ) -> StalePlan | None:
        plan = request.plan

        def stale(code: str, reason: str) -> StalePlan:
            return StalePlan(request.intent_id, plan.digest, code, f"{reason}; nothing was signed")

        too_late = deadline_trouble(steps, head, self._chain.preset.block_time_seconds)
        if too_late is not None:
            return stale("deadline_passed", too_late)
        dear = fee_trouble(plan, fees)
        if dear is not None:
            return stale("fees_rose", dear)
        failing = call_trouble(steps, results)
        if failing is not None:
            return stale("simulation_failed", failing)
        transfers = self._reader.transfers([log for result in results for log in result.logs])
        for step in steps:
            if step.exchanges:
                moved = price_trouble(plan, step, lane.key.address, transfers, TOLERANCE_PPM)
                if moved is not None:
                    return stale("market_moved", moved)
        return None

    async def _on_paper(
        self,
        request: PrepareRequest,
        lane: LaneState,
        steps: Sequence[Step],
        results: Sequence[CallResult],
        head: Block,
        fees: FeeSuggestion,
        trouble: StalePlan | None,
    ) -> RecordPaperFill | StalePlan:
        plan, owner = request.plan, lane.key.address
        price = min(plan.max_fee_per_gas, fees.base_fee_high + fees.max_priority_fee_per_gas)
        swap = next(step for step in plan.steps if step.exchanges)
        if trouble is None:
            logs = [log for result in results for log in result.logs]
            made = fill(
                request.intent_id,
                swap,
                owner,
                own_transfers(self._reader.transfers(logs), owner, swap),
                self._reader.passes(swap, logs),
                gas_cost=price * sum(result.gas_used for result in results),
                block=head.ref,
            )
            return RecordPaperFill(request.intent_id, () if made is None else (made,))
        if trouble.code != "simulation_failed":
            return trouble
        assets = tuple(flow.asset for flow in plan.spends)
        held = await ask("execution.prepare.balances", self._chain.balances(owner, assets))
        if all(held[flow.asset] >= flow.limit for flow in plan.spends):
            return trouble
        predicted = predicted_fill(request, swap, gas_cost=price * plan.gas_limit, block=head)
        return RecordPaperFill(request.intent_id, (predicted,), "prediction")

    async def _sign(
        self,
        desk: SigningDesk,
        request: PrepareRequest,
        lane: LaneState,
        signed: tuple[SignedStep, ...],
        rest: Sequence[Step],
        fees: FeeSuggestion,
        checked: Checked,
    ) -> RecordSigned | StalePlan:
        done = list(signed)
        check_unbound(
            lane,
            request.intent_id,
            [step.id for step in rest],
            of_this_plan=[one.signed.hash for one in signed],
        )
        tip = max(1, min(fees.max_priority_fee_per_gas, request.plan.max_fee_per_gas))
        for nonce, step in enumerate(rest, start=lane.next_nonce):
            transaction = Transaction(
                chain_id_of(lane.key.chain),
                nonce,
                step.call.to,
                step.call.value,
                step.call.data,
                step.gas_limit,
                request.plan.max_fee_per_gas,
                tip,
            )
            sign = SignRequest(
                request.intent_id,
                step.id,
                desk.epoch,
                request.plan.digest,
                transaction,
                desk.store_id,
                checked_at=checked.at,
                breaker_epoch=checked.breaker_epoch,
            )
            try:
                with anyio.fail_after(CALL_TIMEOUT_SECONDS):
                    made = await crossing("execution.prepare.sign", desk.signer.sign(sign))
            except TimeoutError:
                raise SignerSilent(
                    f"no signature for step {step.id} within {CALL_TIMEOUT_SECONDS:.0f} s; nothing was sent,"
                    " what the signer may have made is adopted before anything else is signed"
                ) from None
            except CheckTooOld as error:
                why = f"the signer refuses step {step.id}: {error.message}"
                if not done:
                    return StalePlan(request.intent_id, request.plan.digest, error.code, why)
                raise SignerSilent(f"{why}; what it has signed of the plan is adopted first") from error
            except SignerRefused as error:
                stale = StalePlan(
                    request.intent_id,
                    request.plan.digest,
                    "signer_refused",
                    f"the signer refuses step {step.id}: {error.message}",
                    retryable=False,
                )
                if not done:
                    return stale
                raise PartlySigned(stale) from error
            except SepError as error:
                raise SignerSilent(
                    f"the signer failed at step {step.id}: {error.message}; nothing was sent, what it may have"
                    " signed is adopted before anything else is"
                ) from error
            check_signature(desk.read, lane.key.address, step.id, transaction, made)
            done.append(
                SignedStep(
                    step, transaction, made, desk.vault.seal(made.raw), self._way(request.plan, step, fees)
                )
            )
        return RecordSigned(lane.key, request.intent_id, request.plan.digest, tuple(done))

    def _way(self, plan: Plan, step: Step, fees: FeeSuggestion) -> str:
        """The relay that alone may see the step before a block holds it; empty where all may."""
        if self._relay is None or not is_secret(plan, step, self._chain.preset.wrapped_native, fees):
            return ""
        return self._relay.name


def deadline_trouble(steps: Sequence[Step], head: Block, block_time_seconds: float) -> str | None:
    """Why the calls' own deadline leaves no next block to be included in, by the chain's time."""
    for step in steps:
        if step.deadline is not None and head.timestamp + block_time_seconds > step.deadline:
            return (
                f"the call is valid until chain time {step.deadline}, the latest block is at {head.timestamp}"
            )
    return None


def predicted_fill(request: PrepareRequest, swap: Step, *, gas_cost: int, block: Block) -> Fill:
    """The plan's exact prediction as a fill: for balances that exist on paper only. Gas is taken at its limit."""
    plan = request.plan
    return Fill(
        request.intent_id,
        swap.id,
        " + ".join(plan.venues),
        plan.asset_in,
        plan.expected_in,
        plan.asset_out,
        plan.expected_out,
        tuple(
            SwapFill(leg.market, leg.asset_in, leg.amount_in, leg.asset_out, leg.amount_out, ordinal)
            for ordinal, leg in enumerate(plan.legs)
        ),
        Amount(gas_cost),
        block.ref,
        "",
        (
            *((flow.asset, Quantity(-flow.expected)) for flow in plan.spends[1:]),
            *((flow.asset, Quantity(flow.expected)) for flow in plan.receives[1:]),
        ),
    )


def _signed_step(step: Step, entry: SignedEntry, sealed: str) -> SignedStep:
    return SignedStep(step, entry.request.transaction, entry.signed, sealed)
