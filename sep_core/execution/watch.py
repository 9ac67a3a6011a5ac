"""Looks at the chain for the fate of a lane's open nonces, and reports evidence, never conclusions from silence."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import batched

from sep_hooks.errors import Permanent
from sep_hooks.signer import PayloadKind
from sep_hooks.types import Block, BlockRef, Receipt

from sep_core.execution.asking import ChainSilent, ask
from sep_core.execution.commands import (
    ExecutionCommand,
    RecordDoubt,
    RecordFinal,
    RecordLeak,
    RecordNonceConsumed,
    RecordReceipt,
    RecordReorg,
)
from sep_core.execution.doubt import DoubtReason
from sep_core.execution.errors import is_refusal
from sep_core.execution.lane import LaneState, NonceEntry
from sep_core.execution.ports import ExecutionChain, LaneDesk, LogReader, Witnesses
from sep_core.execution.reading import own_transfers
from sep_core.execution.sending import Sending
from sep_core.execution.status import EntryStatus
from sep_core.telemetry.crashpoints import crossing

MOST_IN_A_BATCH = 50


@dataclass(slots=True)
class Sight:
    """What one look at the chain found; answers are asked for once. `refused`: an observation that the log refuses."""

    head: Block
    final: Block | None
    latest_nonce: int
    final_nonce: int
    canonical: dict[int, str | None] = field(default_factory=dict)
    refused: Permanent | None = None


class Watch:
    """One look after another. Negative conclusions need a final nonce and `quorum` independent endpoints."""

    def __init__(
        self,
        chain: ExecutionChain,
        reader: LogReader,
        desk: LaneDesk,
        sending: Sending | None,
        witnesses: Witnesses,
        quorum: int,
    ) -> None:
        self._chain = chain
        self._reader = reader
        self._desk = desk
        self._sending = sending
        self._witnesses = witnesses
        self._quorum = quorum

    async def look(self, lane: LaneState, removed: frozenset[str], *, everywhere: bool = True) -> Sight:
        """Reports receipts, lost blocks, finality, doubt and foreign use of the account.

        `removed` are hashes of blocks that the head tracker saw leave the chain. Unless `everywhere`, blocks that
        are neither among them nor final yet are taken to stand. Raises `ChainSilent`.
        """
        sight = await self._sight(lane)
        entries = [
            entry
            for entry in lane.unfinished
            if entry.payloads and (everywhere or _wants_a_look(entry, sight, removed))
        ]
        hashes = [payload.hash for entry in entries for payload in entry.payloads]
        receipts: dict[str, Receipt | None] = {}
        # After the final nonce: a receipt that is missing now was missing when the nonce was consumed for good.
        for batch in batched(hashes, MOST_IN_A_BATCH, strict=False):
            answered = await ask("execution.watch.receipts", self._chain.receipts(batch))
            receipts.update(zip(batch, answered, strict=True))
        for entry in entries:
            try:
                own = [receipts[payload.hash] for payload in entry.payloads]
                await self._fate(lane, entry, [one for one in own if one is not None], sight, removed)
            except Permanent as error:
                if not is_refusal(error):
                    raise
                sight.refused = sight.refused or error  # what it says of the other nonces may be sound
        if sight.final_nonce > lane.next_nonce:
            await self._foreign(lane, sight)
        return sight

    async def _sight(self, lane: LaneState) -> Sight:
        owner = lane.key.address
        head = await ask("execution.watch.head", self._chain.head())
        latest = await ask("execution.watch.nonce", self._chain.nonce(owner))
        final, final_nonce = None, 0
        try:
            final = await ask("execution.watch.final", self._chain.final_block())
            if latest > lane.next_nonce or any(entry.nonce < latest for entry in lane.unfinished):
                final_nonce = await ask("execution.watch.final_nonce", self._chain.nonce(owner, final.ref))
        except ChainSilent:
            pass  # a young chain has no final block yet
        return Sight(head, final, latest, final_nonce)

    async def _fate(
        self,
        lane: LaneState,
        entry: NonceEntry,
        receipts: Sequence[Receipt],
        sight: Sight,
        removed: frozenset[str],
    ) -> None:
        for receipt in receipts:
            if await self._stands(receipt.block, sight):
                await self._included(lane, entry, receipt, sight)
                return
        await self._missing(lane, entry, sight, removed)

    async def _stands(self, block: BlockRef, sight: Sight) -> bool:
        """Whether the canonical block of that number is this one, by the chain's own answer."""
        return await self._canonical(block.number, sight) == block.hash

    async def _canonical(self, number: int, sight: Sight) -> str | None:
        if number not in sight.canonical:
            found: str | None = None
            if number <= sight.head.number:
                found = (await ask("execution.watch.block", self._chain.block(number))).hash
            sight.canonical[number] = found
        return sight.canonical[number]

    async def _included(self, lane: LaneState, entry: NonceEntry, receipt: Receipt, sight: Sight) -> None:
        if (entry.block, entry.landed) != (receipt.block, receipt.transaction_hash):
            step = self._desk.step(entry.intent_id, entry.step_id) if entry.intent_id is not None else None
            await self._record(
                RecordReceipt(
                    lane.key,
                    entry.nonce,
                    receipt,
                    own_transfers(self._reader.transfers(receipt.logs), lane.key.address, step),
                    self._reader.passes(step, receipt.logs) if step is not None and receipt.ok else (),
                )
            )
        if sight.final is not None and receipt.block.number <= sight.final.number:
            rule = self._chain.preset.finality.rule
            final = RecordFinal(lane.key, entry.nonce, receipt.transaction_hash, receipt.block, rule)
            await self._record(final)

    async def _missing(
        self, lane: LaneState, entry: NonceEntry, sight: Sight, removed: frozenset[str]
    ) -> None:
        if entry.block is not None:
            await self._lost(lane, entry, entry.block, sight, removed)
            return
        if entry.nonce < sight.latest_nonce:
            await self._consumed(lane, entry, sight)
            return
        await self._leaked(lane, entry)
        if (
            entry.status is EntryStatus.SUBMITTED
            and self._sending is not None
            and self._sending.overdue(entry, sight.head)
        ):
            await self._record(RecordDoubt(lane.key, entry.nonce, entry.hash, DoubtReason.STUCK))

    async def _leaked(self, lane: LaneState, entry: NonceEntry) -> None:
        if not entry.is_secret or entry.leaked or entry.reorgs:
            return  # what a block held everybody knows
        for payload in entry.payloads:
            if payload.kind is not PayloadKind.CANCEL and await ask(
                "execution.watch.waiting", self._chain.is_waiting(payload.hash)
            ):
                await self._record(RecordLeak(lane.key, entry.nonce, payload.hash))
                return

    async def _lost(
        self, lane: LaneState, entry: NonceEntry, block: BlockRef, sight: Sight, removed: frozenset[str]
    ) -> None:
        # A receipt that is not served is no evidence; a canonical block of another hash is.
        canonical = await self._canonical(block.number, sight)
        other = canonical is not None and canonical != block.hash
        if other or (block.hash in removed and canonical is None):
            await self._record(RecordReorg(lane.key, entry.nonce, entry.hash, block))

    async def _consumed(self, lane: LaneState, entry: NonceEntry, sight: Sight) -> None:
        if sight.final is not None and entry.nonce < sight.final_nonce:
            voices = self._quorum
            for payload in entry.payloads:
                seen = self._witnesses.without_receipt(payload.hash)
                voices = min(voices, await ask("execution.watch.witnesses", seen))
            if voices >= self._quorum:
                hashes = " or ".join(payload.hash for payload in entry.payloads)
                evidence = (
                    f"account nonce {sight.final_nonce} at final block {sight.final.number}"
                    f" {sight.final.hash}; {voices} endpoints hold no receipt of {hashes}"
                )
                await self._record(RecordNonceConsumed(lane.key, entry.nonce, evidence))
                return
        await self._record(RecordDoubt(lane.key, entry.nonce, entry.hash, DoubtReason.CONSUMED_UNSEEN))

    async def _foreign(self, lane: LaneState, sight: Sight) -> None:
        if lane.frozen is None and sight.final is not None:
            evidence = (
                f"account nonce {sight.final_nonce} at final block {sight.final.number} {sight.final.hash}"
            )
            await self._record(RecordNonceConsumed(lane.key, lane.next_nonce, evidence))

    async def _record(self, command: ExecutionCommand) -> None:
        await crossing(f"execution.watch.record.{type(command).__name__}", self._desk.record(command))


def _wants_a_look(entry: NonceEntry, sight: Sight, removed: frozenset[str]) -> bool:
    if entry.block is None or entry.block.hash in removed:
        return True
    return sight.final is not None and entry.block.number <= sight.final.number
