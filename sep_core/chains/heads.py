"""Follows the heads of one chain: the thin rim around the pure tracker."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import anyio
from sep_hooks.context import Log
from sep_hooks.errors import SepError
from sep_hooks.types import Block, ChainUpdate

from .reads import ChainReads
from .tracker import Answer, Cursor, Gap, Look, Need, NeedHeader, NeedHeaders, NeedLogs, Step, begin, follow

KEPT_HEADERS = 512
LONGEST_POLL_SECONDS = 1.0
LONGEST_BACKOFF_SECONDS = 10.0
LOOKS_BEFORE_ROLLBACK = 3


@dataclass(frozen=True, slots=True)
class HeadHealth:
    """How following goes: the tip handed over last, looks that failed in a row, and the last reason."""

    tip: Block | None
    failures: int
    error: str


class HeadFollower:
    """Hands over the canonical chain step by step, each again until it is acknowledged.

    Start it from a stored `cursor` and no block is skipped or doubled over a restart. `patience` is how often a head
    below the tip must be seen before it counts as a rollback and not as a node that lags.
    """

    def __init__(
        self,
        reads: ChainReads,
        log: Log,
        *,
        cursor: Cursor | None = None,
        poll_seconds: float | None = None,
        patience: int = 1,
    ) -> None:
        self._reads = reads
        self._log = log
        self._cursor = cursor
        self._pending: Step | None = None
        self._poll_seconds = poll_seconds or min(reads.preset.block_time_seconds / 2, LONGEST_POLL_SECONDS)
        self._patience = patience
        self._lower_looks = 0
        self._failures = 0
        self._error = ""

    @property
    def cursor(self) -> Cursor | None:
        """What to store with the effects of the last acknowledged step."""
        return self._cursor

    @property
    def health(self) -> HeadHealth:
        """How following goes."""
        return HeadHealth(self._cursor.tip if self._cursor else None, self._failures, self._error)

    async def next(self) -> ChainUpdate | Gap:
        """Waits for the next step. A node that fails is asked again, for as long as it takes."""
        while (step := await self.poll()) is None:
            backoff = min(self._poll_seconds * 2**self._failures, LONGEST_BACKOFF_SECONDS)
            await anyio.sleep(max(backoff, self._poll_seconds))
        return step

    async def poll(self) -> ChainUpdate | Gap | None:
        """One look: the next step, or None where nothing changed or the node failed."""
        if self._pending is None:
            try:
                self._pending = await self._step()
            except SepError as error:
                if not error.retryable:
                    raise
                self._failures += 1
                self._error = str(error)
                self._log.warning("chain_look_failed", chain=self._reads.preset.name, reason=str(error))
                return None
            self._failures, self._error = 0, ""
        return None if self._pending is None else self._pending[0]

    def acknowledge(self, sequence: int) -> None:
        """Moves the cursor past the pending step, once its effects are durable."""
        if self._pending is None or self._pending[0].sequence != sequence:
            raise ValueError(f"step {sequence} is not the one handed over")
        self._cursor = self._pending[1]
        self._pending = None

    async def _step(self) -> Step | None:
        look = await self._reads.look()
        if self._cursor is None:
            return begin(look)
        if self._waits_for_a_lagging_node(look):
            return None
        return await self._drive(follow(self._cursor, look, KEPT_HEADERS))

    def _waits_for_a_lagging_node(self, look: Look) -> bool:
        assert self._cursor is not None
        lower = any(block.hash == look.latest.hash for block in self._cursor.kept[:-1])
        self._lower_looks = self._lower_looks + 1 if lower else 0
        return lower and self._lower_looks < self._patience

    async def _drive(self, machine: Generator[Need, Answer, Step | None]) -> Step | None:
        answer: Answer = None
        while True:
            try:
                need = machine.send(answer)
            except StopIteration as stop:
                result: Step | None = stop.value
                return result
            answer = await self._answer(need)

    async def _answer(self, need: Need) -> Answer:
        match need:
            case NeedHeader(hash=block_hash):
                header = await self._reads.by_hash(block_hash)
                return None if header is None else header.block
            case NeedHeaders(first=first, last=last):
                headers = await self._reads.by_numbers(first, last)
                return [header.block for header in headers]
            case NeedLogs(blocks=blocks):
                return await self._reads.logs(blocks)


def patience_for(endpoints: Sequence[str]) -> int:
    """One endpoint's rollback is believed at once; among several, one may merely lag."""
    return 1 if len(endpoints) <= 1 else LOOKS_BEFORE_ROLLBACK
