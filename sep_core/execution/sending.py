"""Hands stored bytes to the chain, as often as it takes: the same bytes at the same nonce have one effect."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sep_hooks.context import Clock
from sep_hooks.relay import PrivateTransaction
from sep_hooks.signer import PayloadKind
from sep_hooks.types import Block, BroadcastAnswer

from sep_core.execution.asking import ChainSilent, ask
from sep_core.execution.commands import RecordBroadcast, RecordDoubt
from sep_core.execution.doubt import DoubtReason
from sep_core.execution.lane import NonceEntry, Payload
from sep_core.execution.ports import ExecutionChain, LaneDesk, RelayPort, VaultPort
from sep_core.execution.status import EntryStatus
from sep_core.telemetry.crashpoints import crossing

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0
PATIENCE_BLOCKS = 4
LEAST_PATIENCE_SECONDS = 3.0
UNHURRIED: Final = 4
"""How many times the usual patience a payload waits that could still come by itself."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """When bytes were first and last sent in this run, and how often; `chain_time` is the head's of the first time."""

    times: int
    since: datetime
    chain_time: int
    at: datetime

    @property
    def retry_at(self) -> datetime:
        """When the same bytes may be sent again."""
        seconds = min(LONGEST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** min(self.times - 1, 10))
        return self.at + timedelta(seconds=seconds)


class Sending:
    """Sends the bytes of one lane. What it remembers only paces it; losing it loses nothing.

    What is signed for a relay goes to that one, with later blocks each time, and nowhere else, unless its intent allows
    that it is published in the end.
    """

    def __init__(
        self,
        chain: ExecutionChain,
        desk: LaneDesk,
        vault: VaultPort,
        clock: Clock,
        relay: RelayPort | None = None,
    ) -> None:
        self._relay = relay
        self._chain = chain
        self._desk = desk
        self._vault = vault
        self._clock = clock
        self._attempts: dict[str, Attempt] = {}

    async def send(self, entry: NonceEntry, head: Block | None) -> None:
        """Broadcasts what was signed last for the nonce and reports the answers; none at all is a report too."""
        lane = self._desk.lane()
        last = entry.last
        if lane is None or last is None:
            return
        now, before = self._clock.now(), self._attempts.get(last.hash)
        if before is None:
            before = Attempt(0, now, head.timestamp if head else 0, now)
        self._attempts[last.hash] = replace(before, times=before.times + 1, at=now)
        if self.lacks_relay(entry):
            gone = RecordDoubt(lane.key, entry.nonce, last.hash, DoubtReason.RELAY_GONE)
            await crossing("execution.send.relay_gone", self._desk.record(gone))
            return
        answers: tuple[BroadcastAnswer, ...] = ()
        with suppress(ChainSilent):  # no answer is no failure: some node may hold the bytes
            answers = await self._hand_over(entry, last, head)
        await crossing(
            "execution.send.record",
            self._desk.record(RecordBroadcast(lane.key, entry.nonce, last.hash, answers)),
        )

    async def _hand_over(
        self, entry: NonceEntry, last: Payload, head: Block | None
    ) -> tuple[BroadcastAnswer, ...]:
        raw, relay = self._vault.open(last.sealed), self._relay
        if relay is not None and _is_secret(entry, last):
            if head is None:
                head = await ask("execution.send.head", self._chain.head())
            next_block = head.number + 1
            private = PrivateTransaction(raw, last.hash, next_block, head.number + relay.most_blocks)
            return (await ask("execution.send.relay", relay.send(private)),)
        answers = tuple(await ask("execution.send.broadcast", self._chain.broadcast(raw)))
        if relay is not None and entry.relay == relay.name and last.kind is PayloadKind.CANCEL:
            with suppress(ChainSilent):  # it need not hear of a cancel: the chain decides
                for payload in entry.payloads[:-1]:
                    await ask("execution.send.withdraw", relay.withdraw(payload.hash))
        return answers

    def lacks_relay(self, entry: NonceEntry) -> bool:
        """Whether what was signed last may go to a relay alone that is not there any more."""
        is_secret = entry.last is not None and _is_secret(entry, entry.last)
        return is_secret and (self._relay is None or self._relay.name != entry.relay)

    def outstayed(self, entry: NonceEntry, head: Block) -> str:
        """Why what only its relay could see may be published, where its intent allows it; empty where not yet."""
        if entry.last is None or entry.block is not None or not _is_secret(entry, entry.last):
            return ""
        if self.lacks_relay(entry):
            return f"relay {entry.relay} left the configuration"
        if self.overdue(entry, head, UNHURRIED):
            return f"relay {entry.relay} brought it into no block up to {head.number}"
        return ""

    def begin_again(self, entry: NonceEntry) -> None:
        """What was sent so far counts no more: its patience begins with the next time."""
        if entry.last is not None:
            self._attempts.pop(entry.last.hash, None)

    def due(self, entry: NonceEntry) -> bool:
        """Whether the entry's bytes should go out now, if its nonce is free.

        What an earlier life of the engine sent is sent again once: it may have died before the bytes arrived.
        """
        if entry.block is not None or entry.status.finished:
            return False
        last = self._last(entry)
        if last is None or entry.status is EntryStatus.SIGNED:
            return True
        return entry.status.in_doubt and self._clock.now() >= last.retry_at

    def overdue(self, entry: NonceEntry, head: Block, times: int = 1) -> bool:
        """Whether a receipt should have come by now, or so many times as long ago, by the chain's time or by ours."""
        sent = self._last(entry)
        if sent is None:
            return False
        waited, patience = (self._clock.now() - sent.since).total_seconds(), times * self._patience
        return head.timestamp - sent.chain_time > patience or waited > 2 * patience

    def next_in_seconds(self, entries: tuple[NonceEntry, ...]) -> float | None:
        """How long until one of the entries wants a look without any news from the chain; None: only news help."""
        now = self._clock.now()
        waits = [self._wait(entry, now) for entry in entries if entry.block is None]
        return min(waits, default=None)

    @property
    def _patience(self) -> float:
        return max(LEAST_PATIENCE_SECONDS, PATIENCE_BLOCKS * self._chain.preset.block_time_seconds)

    def _wait(self, entry: NonceEntry, now: datetime) -> float:
        last = self._last(entry)
        if last is None or entry.status is EntryStatus.SIGNED:
            return FIRST_RETRY_SECONDS
        if entry.status.in_doubt:
            return max(FIRST_RETRY_SECONDS, (last.retry_at - now).total_seconds())
        return max(FIRST_RETRY_SECONDS, 2 * self._patience - (now - last.at).total_seconds())

    def _last(self, entry: NonceEntry) -> Attempt | None:
        return self._attempts.get(entry.last.hash) if entry.last is not None else None

    def forget(self, open_entries: Iterable[NonceEntry]) -> None:
        """Drops what was remembered of all other nonces."""
        keep = {payload.hash for entry in open_entries for payload in entry.payloads}
        self._attempts = {name: one for name, one in self._attempts.items() if name in keep}


def _is_secret(entry: NonceEntry, last: Payload) -> bool:
    """A cancel tells nobody anything, and must come everywhere: only a used nonce ends what a relay may hold."""
    return entry.is_secret and last.kind is not PayloadKind.CANCEL
