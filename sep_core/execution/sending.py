"""Hands stored bytes to the chain, as often as it takes: the same bytes at the same nonce have one effect."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sep_hooks.context import Clock
from sep_hooks.types import Block, BroadcastAnswer

from sep_core.execution.asking import ChainSilent, ask
from sep_core.execution.commands import RecordBroadcast
from sep_core.execution.lane import NonceEntry
from sep_core.execution.ports import ExecutionChain, LaneDesk, VaultPort
from sep_core.execution.status import EntryStatus
from sep_core.telemetry.crashpoints import crossing

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0
PATIENCE_BLOCKS = 4
LEAST_PATIENCE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """The last time that a nonce's bytes were sent in this run, and how often before."""

    times: int
    at: datetime
    chain_time: int

    @property
    def retry_at(self) -> datetime:
        """When the same bytes may be sent again."""
        seconds = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(self.times - 1, 10))
        return self.at + timedelta(seconds=seconds)


class Sending:
    """Sends the bytes of one lane. What it remembers only paces it; losing it loses nothing."""

    def __init__(self, chain: ExecutionChain, desk: LaneDesk, vault: VaultPort, clock: Clock) -> None:
        self._chain = chain
        self._desk = desk
        self._vault = vault
        self._clock = clock
        self._attempts: dict[int, Attempt] = {}

    async def send(self, entry: NonceEntry, head: Block | None) -> None:
        """Broadcasts the entry's own bytes and reports the answers; none at all is a report too."""
        lane = self._desk.lane()
        if lane is None or not entry.sealed:
            return
        before = self._attempts.get(entry.nonce)
        self._attempts[entry.nonce] = Attempt(
            before.times + 1 if before else 1, self._clock.now(), head.timestamp if head else 0
        )
        answers: tuple[BroadcastAnswer, ...] = ()
        try:
            raw = self._vault.open(entry.sealed)
            answers = tuple(await ask("execution.send.broadcast", self._chain.broadcast(raw)))
        except ChainSilent:
            pass  # no answer is no failure: some node may hold the bytes
        await crossing(
            "execution.send.record",
            self._desk.record(RecordBroadcast(lane.key, entry.nonce, entry.hash, answers)),
        )

    def due(self, entry: NonceEntry) -> bool:
        """Whether the entry's bytes should go out now, if its nonce is free."""
        if entry.status is EntryStatus.SIGNED:
            return True
        if not entry.status.in_doubt:
            return False
        last = self._attempts.get(entry.nonce)
        return last is None or self._clock.now() >= last.retry_at

    def overdue(self, entry: NonceEntry, head: Block) -> bool:
        """Whether a receipt should have come by now, by the chain's time or by ours."""
        last = self._attempts.get(entry.nonce)
        if last is None:
            return True
        patience = max(LEAST_PATIENCE_SECONDS, PATIENCE_BLOCKS * self._chain.preset.block_time_seconds)
        waited = (self._clock.now() - last.at).total_seconds()
        return head.timestamp - last.chain_time > patience or waited > 2 * patience

    def next_in_seconds(self, entries: tuple[NonceEntry, ...]) -> float | None:
        """How long until one of the entries wants a look without any news from the chain."""
        if not entries:
            return None
        now = self._clock.now()
        waits = [
            (last.retry_at - now).total_seconds()
            for entry in entries
            if (last := self._attempts.get(entry.nonce)) is not None
        ]
        return max(FIRST_RETRY_SECONDS / 4, min(waits)) if waits else FIRST_RETRY_SECONDS

    def forget(self, keep: frozenset[int]) -> None:
        """Drops what was remembered of nonces that are finished."""
        self._attempts = {nonce: one for nonce, one in self._attempts.items() if nonce in keep}
