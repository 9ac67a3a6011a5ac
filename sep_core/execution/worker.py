"""The worker of one nonce lane: watches, sends, prepares, in this order, whenever something happens."""

from collections.abc import Awaitable, Callable

import anyio
from sep_hooks.context import Clock, Log
from sep_hooks.errors import Permanent, SepError
from sep_hooks.signer import PayloadKind, SignedEntry, SignRequest
from sep_hooks.store import StoreBusy
from sep_hooks.types import ChainUpdate, IntentId, Json, SignedTransaction, chain_id_of

from sep_core.execution.asking import ChainSilent, ask
from sep_core.execution.commands import AdoptSigned, RecordPublished, RecordReplaced
from sep_core.execution.errors import ChainBehindLog, SignatureMismatch, is_refusal
from sep_core.execution.lane import MAX_IN_FLIGHT, LaneState, NonceEntry
from sep_core.execution.ports import (
    ExecutionChain,
    LaneDesk,
    LogReader,
    OneWitness,
    Pause,
    PrepareRequest,
    RelayPort,
    StalePlan,
    Witnesses,
)
from sep_core.execution.prepare import PartlySigned, Preparation, SignerSilent, SigningDesk
from sep_core.execution.remembered import check_taken, of_this_log
from sep_core.execution.replacing import Replacing
from sep_core.execution.sending import Sending
from sep_core.execution.signature import check_signature
from sep_core.execution.watch import Sight, Watch
from sep_core.telemetry.crashpoints import crossing

LONGEST_WAIT_SECONDS = 30.0
MOST_WORK_IN_A_ROW = 16
LOOK_EVERYWHERE_EACH = 16
"""Every so many looks, blocks that should still stand are looked at too: a tracker can miss a reorganisation."""


class LaneWorker:
    """One lane, one loop. Start, restart and take-over are the same: adopt, look, send, go on.

    No new work is prepared while anything of the lane is in doubt. Paper mode has no `signing`. `only_watches` says
    why nothing is signed or sent here at all, so that what was sent earlier is followed to its end and no further.
    `quorum` witnesses must agree before absence is evidence. What an attack could earn by goes through `relay`, where
    there is one, one transaction at a time.
    """

    def __init__(
        self,
        chain: ExecutionChain,
        reader: LogReader,
        desk: LaneDesk,
        signing: SigningDesk | None,
        clock: Clock,
        log: Log,
        *,
        quorum: int,
        pause: Pause = anyio.sleep,
        witnesses: Witnesses | None = None,
        relay: RelayPort | None = None,
        only_watches: str = "",
    ) -> None:
        self._relay = relay
        self._chain = chain
        self._desk = desk
        self._signing = signing
        self._log = log
        self._pause = pause
        self._sending = Sending(chain, desk, signing.vault, clock, relay) if signing is not None else None
        self._replacing: Replacing | None = None
        if signing is not None and self._sending is not None and not only_watches:
            self._replacing = Replacing(chain, desk, signing, self._sending, self._tell_of, clock)
        self._watch = Watch(chain, reader, desk, self._sending, witnesses or OneWitness(), quorum)
        self._preparation = Preparation(chain, reader, desk, signing, clock, relay)
        self._wake = anyio.Event()
        self._removed: set[str] = set()
        self._looks = 0
        self._adopted = self._taken_over = signing is None and not only_watches
        self._asked_for: IntentId | None = None
        self._blocked = ""
        self._only_watches = only_watches
        self._silent = False
        self._mistrust: SignatureMismatch | None = None

    @property
    def blocked(self) -> str:
        """Why no new work is prepared, empty where it is."""
        return self._blocked or self._only_watches

    @property
    def recovered(self) -> bool:
        """Whether the log has everything that the signer remembers for it."""
        return self._adopted

    def may_have_signed(self, intent_id: IntentId) -> bool:
        """Whether the signer may hold a signature for the intent that the log does not have."""
        return not self._taken_over or (not self._adopted and self._asked_for == intent_id)

    def chain_update(self, update: ChainUpdate) -> None:
        """The chain moved on."""
        self._removed.update(block.hash for block in update.removed)
        self._removed.difference_update(one.block.hash for one in update.added)
        self._wake.set()

    def chain_gap(self) -> None:
        """The chain moved on by more than the head tracker can tell: every block is looked at again."""
        self._looks = 0
        self._wake.set()

    def work_available(self) -> None:
        """A plan was approved for this lane, or something was recorded that it should look at."""
        self._wake.set()

    async def run(self) -> None:
        """Works until cancelled. Raises what the desk's store fails with."""
        while True:
            self._wake = anyio.Event()
            await self.turn()
            await self._rest()

    async def tell_breakers(self, breaker_epoch: int) -> None:
        """Has the signer refuse, from now on, what was checked before a breaker opened that stands in the log. Raises
        `ChainSilent` where it does not answer.
        """
        if self._signing is not None:
            desk = self._signing
            told = desk.signer.advance_epoch(desk.store_id, desk.epoch, breaker_epoch)
            await ask("execution.breakers.advance_epoch", told)

    async def turn(self) -> None:
        """Does all that can be done now."""
        try:
            await self._recovered()
            sight = await self._look()
            _check_not_behind(self._desk.lane(), sight)
            await self._send(sight)
            if sight is not None and sight.refused is not None:
                self._tell_refused(sight.refused)
            elif self._adopted:
                await self._replace(sight)
                await self._work(sight)
            elif self._only_watches:
                self._blocked = ""
            self._tell_answered()
        except (ChainSilent, SignerSilent, StoreBusy) as error:
            self._tell_silent(error.message)
        except Permanent as error:
            self._refuse(error)

    async def recover(self) -> None:
        """Takes over what the signer remembers for this log and the log lacks, and finishes half signed plans.

        Raises `SignedElsewhere` where what else the signer remembers could still be executed.
        """
        lane = self._desk.lane()
        if lane is None or self._signing is None:
            return
        signer, store_id = self._signing.signer, self._signing.store_id
        # First of all: from here on no engine that this one took over from gets anything signed.
        advanced = signer.advance_epoch(store_id, self._signing.epoch, self._desk.breaker_epoch)
        await ask("execution.recover.advance_epoch", advanced)
        remembered = await ask("execution.recover.list_signed", signer.list_signed())
        chain_id = chain_id_of(lane.key.chain)
        strange: list[SignedEntry] = []
        for entry in sorted(remembered, key=lambda one: one.request.transaction.nonce):
            request, lane = entry.request, self._desk.lane() or lane
            if request.transaction.chain_id != chain_id:
                continue
            if not of_this_log(entry, store_id, self._desk.knows):
                strange.append(entry)
                continue
            if request.transaction.nonce < lane.next_nonce and not _unknown(lane, entry.signed.hash):
                continue
            if request.transaction.nonce < min(lane.entries, default=lane.next_nonce):
                continue  # finished so long ago that only the log has it
            check_signature(
                self._signing.read, lane.key.address, request.step_id, request.transaction, entry.signed
            )
            sealed = self._signing.vault.seal(entry.signed.raw)
            adopt = _adoption(lane, request, entry.signed, sealed, self._way_of(request))
            await crossing("execution.recover.record", self._desk.record(adopt))
        lane = self._desk.lane() or lane
        if strange:
            stands = await ask("execution.recover.nonce", self._chain.nonce(lane.key.address))
            check_taken(lane, strange, stands, store_id)
        begun = [one.intent_id for one in lane.unfinished if one.recovered]
        for intent_id in dict.fromkeys(begun):
            if intent_id is None:
                continue
            half_signed = self._desk.approved(intent_id)
            if half_signed is not None:
                await self._prepare(half_signed)

    def _way_of(self, request: SignRequest) -> str:
        """The relay for what was signed before a crash: as what was decided then is lost, all exchanges take it."""
        step = self._desk.step(request.intent_id, request.step_id)
        return self._relay.name if self._relay is not None and step is not None and step.exchanges else ""

    async def _recovered(self) -> None:
        if self._adopted or self._only_watches or self._desk.lane() is None:
            return  # a lane that is not open yet is recovered once it is: the chain's nonce is known then
        if self._mistrust is not None:
            self._tell_refused(self._mistrust)
            return
        try:
            await self.recover()
            self._adopted = self._taken_over = True
        except Permanent as error:
            # Signer and log contradict each other: what is open is still watched, nothing new is signed.
            self._refuse(error)

    async def _look(self) -> Sight | None:
        lane = self._desk.lane()
        if lane is None:
            return None
        if self._signing is None and not self._only_watches:
            return None
        removed = frozenset(self._removed)
        everywhere = self._looks % LOOK_EVERYWHERE_EACH == 0
        sight = await self._watch.look(lane, removed, everywhere=everywhere)  # sep-ok: it crosses itself
        if sight.refused is None:
            self._removed -= removed
            self._looks += 1
        return sight

    async def _send(self, sight: Sight | None) -> None:
        lane = self._desk.lane()
        if self._sending is None or lane is None:
            return
        for entry in lane.unfinished:
            free = sight is None or entry.nonce >= sight.latest_nonce
            if (
                free and sight is not None and await self._published(entry, sight)
            ):  # sep-ok: it crosses itself
                continue
            if free and self._sending.due(entry):
                await self._sending.send(entry, sight.head if sight else None)  # sep-ok: it crosses itself
        self._sending.forget(lane.unfinished)

    async def _published(self, entry: NonceEntry, sight: Sight) -> bool:
        """Whether what a relay has left lying goes to all from now on: recorded, then sent."""
        lane = self._desk.lane()
        if lane is None or self._sending is None or entry.intent_id is None or entry.last is None:
            return False
        reason = self._sending.outstayed(entry, sight.head)
        if not reason or not self._desk.may_be_public(entry.intent_id):
            return False
        self._tell_of("transaction.published", entry, reason)
        publish = RecordPublished(lane.key, entry.nonce, entry.last.hash, reason)
        await crossing("execution.publish.record", self._desk.record(publish))
        self._sending.begin_again(entry)
        now = (self._desk.lane() or lane).entries[entry.nonce]
        await self._sending.send(now, sight.head)  # sep-ok: it crosses itself
        return True

    async def _replace(self, sight: Sight | None) -> None:
        """Has what is stuck replaced, one nonce at a time: it is sent, and may be looked at, before the next one."""
        lane = self._desk.lane()
        if self._replacing is None or lane is None or sight is None or lane.frozen is not None:
            return
        found = await self._replacing.stuck(lane, sight.head, sight.latest_nonce)  # sep-ok: it crosses itself
        if found is None:
            return
        # As with a plan: until the record the signer may know more than the log.
        self._adopted, self._asked_for = False, None
        made = await self._replacing.sign(lane, found)  # sep-ok: it crosses itself
        if made is not None:
            await crossing("execution.replace.record", self._desk.record(made))
        if isinstance(made, RecordReplaced):
            await self._send(sight)
        self._adopted = True

    async def _work(self, sight: Sight | None) -> None:
        self._blocked = ""
        for _ in range(MOST_WORK_IN_A_ROW):
            lane, request = self._desk.lane(), self._desk.next_work()
            if lane is None or request is None:
                return
            too_long = _too_long(request)
            if too_long is not None:
                await crossing("execution.withdraw.too_long", self._desk.withdraw(too_long))
                continue
            self._blocked = _obstacle(lane, sight, request)
            if self._blocked:
                return
            await self._prepare(request)
            if not self._adopted:
                self._wake.set()
                return
            await self._send(sight)

    async def _prepare(self, request: PrepareRequest) -> None:
        lane = self._desk.lane()
        if lane is None:
            return
        # From the first signature to its record the signer may know more than the log.
        self._adopted = self._signing is None
        self._asked_for = request.intent_id
        try:
            outcome = await self._preparation.prepare(request, lane)  # sep-ok: it crosses itself
        except PartlySigned as partly:
            await crossing("execution.withdraw.partly", self._desk.withdraw(partly.stale))
            return
        if isinstance(outcome, StalePlan):
            await crossing("execution.withdraw.stale", self._desk.withdraw(outcome))
        else:
            await crossing("execution.record.prepared", self._desk.record(outcome))
        self._adopted = True

    async def _rest(self) -> None:
        lane = self._desk.lane()
        wait = None
        if self._sending is not None and lane is not None:
            wait = self._sending.next_in_seconds(lane.unfinished)
        if self._silent:
            wait = 1.0
        await _first_of(self._wake.wait, lambda: self._pause(min(wait or 1e9, LONGEST_WAIT_SECONDS)))

    @property
    def _name(self) -> str:
        lane = self._desk.lane()
        return lane.name if lane is not None else ""

    def _tell_of(self, event: str, entry: NonceEntry, reason: str) -> None:
        self._log.warning(event, account=self._name, nonce=entry.nonce, step=entry.step_id, reason=reason)

    def _tell_silent(self, reason: str) -> None:
        self._blocked = reason
        if not self._silent:
            self._log.warning("lane.silent", account=self._name, reason=reason, **self._open())
        self._silent = True

    def _refuse(self, error: Permanent) -> None:
        """Keeps what was refused from ending the engine; a store that fails does end it."""
        if not is_refusal(error):
            raise error
        if isinstance(error, SignatureMismatch):
            self._mistrust = error
        self._tell_refused(error)

    def _tell_refused(self, error: SepError) -> None:
        # Nothing was recorded; the next look may see better.
        if self._blocked != str(error):
            self._log.warning("lane.refused", account=self._name, code=error.code, reason=str(error))
        self._blocked = str(error)

    def _tell_answered(self) -> None:
        if self._silent:
            self._log.info("lane.answered", account=self._name, **self._open())
        self._silent = False

    def _open(self) -> dict[str, Json]:
        lane = self._desk.lane()
        return {"open_nonces": len(lane.unfinished) if lane is not None else 0}


def _adoption(
    lane: LaneState, request: SignRequest, signed: SignedTransaction, sealed: str, relay: str
) -> AdoptSigned | RecordReplaced:
    """What the signer remembers, as the record that the log lacks."""
    transaction = request.transaction
    if request.kind is not PayloadKind.EFFECT:
        return RecordReplaced(
            lane.key,
            transaction.nonce,
            request.kind,
            request.replaces,
            transaction,
            signed,
            sealed,
            recovered=True,
        )
    return AdoptSigned(
        lane.key, request.intent_id, request.step_id, request.plan_digest, transaction, signed, sealed, relay
    )


def _unknown(lane: LaneState, transaction_hash: str) -> bool:
    return lane.carrying(transaction_hash) is None


def _check_not_behind(lane: LaneState | None, sight: Sight | None) -> None:
    """Whether the chain holds at least what is final here. Raises `ChainBehindLog`."""
    if lane is None or sight is None:
        return
    last = max((nonce for nonce, entry in lane.entries.items() if entry.status.finished), default=-1)
    if sight.latest_nonce <= last:
        raise ChainBehindLog(
            f"account {lane.name} stands at nonce {sight.latest_nonce} on chain, but nonce {last} is final in the log:"
            " the chain was replaced or its endpoint lags; nothing is signed or sent",
            next_step="compare the chain's endpoints with `sep doctor`; for a new chain use another data folder",
        )


def _too_long(request: PrepareRequest) -> StalePlan | None:
    """What keeps a plan from ever being signed, so that no other one waits behind it."""
    count = len(request.plan.steps)
    if count <= MAX_IN_FLIGHT:
        return None
    reason = (
        f"it has {count} transactions, at most {MAX_IN_FLIGHT} of an account may wait; nothing was signed"
    )
    return StalePlan(request.intent_id, request.plan.digest, "plan_too_long", reason)


def _obstacle(lane: LaneState, sight: Sight | None, request: PrepareRequest) -> str:
    """Why the plan may not be signed now; empty where it may."""
    if lane.frozen is not None:
        return f"account {lane.name} is frozen: {lane.frozen}; `sep account release {lane.name}` lets it go"
    if lane.in_doubt:
        nonces = ", ".join(str(entry.nonce) for entry in lane.in_doubt)
        return f"nonce {nonces} of account {lane.name} is in doubt; nothing new is signed until evidence ends that"
    secret = [entry for entry in lane.in_flight if entry.is_secret]
    if secret:
        return f"nonce {secret[0].nonce} of account {lane.name} waits at relay {secret[0].relay}, one at a time may"
    waiting = len(lane.in_flight)
    if waiting + len(request.plan.steps) > MAX_IN_FLIGHT:
        return f"{waiting} nonces of account {lane.name} wait for a block, at most {MAX_IN_FLIGHT} may"
    if any(not entry.status.finished for entry in lane.of_intent(request.intent_id)):
        return f"intent {request.intent_id} is bound to a nonce of account {lane.name} that is not final"
    if sight is not None and sight.latest_nonce > lane.next_nonce:
        return (
            f"account {lane.name} stands at nonce {sight.latest_nonce} on chain and at {lane.next_nonce} here:"
            " it is used outside; nothing is signed until that is final or gone"
        )
    return ""


async def _first_of(*waits: Callable[[], Awaitable[None]]) -> None:
    """Returns when the first of the waits does; the others are cancelled."""
    async with anyio.create_task_group() as group:

        async def one(wait: Callable[[], Awaitable[None]]) -> None:
            await wait()  # sep-ok: time or news
            group.cancel_scope.cancel()

        for wait in waits:
            group.start_soon(one, wait)
