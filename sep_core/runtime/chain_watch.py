"""Follows one chain and lets everybody know: market states first, then those who act on them."""

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
from sep_hooks.context import Log
from sep_hooks.errors import SepError
from sep_hooks.types import Block, ChainUpdate

from sep_core.chains.heads import HeadFollower
from sep_core.chains.tracker import Gap
from sep_core.execution.commands import RecordChainReorg
from sep_core.markets.board import MarketBoard
from sep_core.runtime.desk import Desk
from sep_core.runtime.installation import ChainPart
from sep_core.telemetry.crashpoints import crossing

RETRY_SECONDS = 1.0


@dataclass(slots=True)
class ChainSight:
    """What is known of a chain now."""

    head: Block | None = None
    final: int | None = None
    reason: str = ""
    reorganisations: int = 0


@dataclass(slots=True)
class ChainWatch:
    """One chain's follower. Listeners run after the market states have moved; they must not wait.

    `ready` is set once the first step was taken in.
    """

    part: ChainPart
    follower: HeadFollower
    board: MarketBoard
    desk: Desk
    log: Log
    listeners: list[Callable[[ChainUpdate | Gap], None]] = field(default_factory=list)
    sight: ChainSight = field(default_factory=ChainSight)
    ready: anyio.Event = field(default_factory=anyio.Event)
    _last: ChainUpdate | Gap | None = None

    async def run(self) -> None:
        """Follows until cancelled; a chain that does not answer is asked again for as long as it takes."""
        while True:
            step = await self.follower.next()  # sep-ok: reads, and begins anew after a death
            await self._take_in(step)
            self.follower.acknowledge(step.sequence)
            self.sight.head = step.head
            self.sight.final = step.finalized.number
            self._last = step
            for listener in self.listeners:
                listener(step)
            self.ready.set()

    def listen(self, listener: Callable[[ChainUpdate | Gap], None]) -> None:
        """Calls `listener` for each step from now on, and for the present one at once."""
        self.listeners.append(listener)
        if self._last is not None:
            listener(self._last)

    async def _take_in(self, step: ChainUpdate | Gap) -> None:
        if isinstance(step, ChainUpdate) and step.removed:
            self.sight.reorganisations += 1
            await self.desk.record(RecordChainReorg(self.part.ref, step.removed, step.head))
        while self.part.ref in self.board.chains:
            try:
                await self._move_markets(step)
            except SepError as error:
                if not error.retryable:
                    raise
                self.sight.reason = error.message
                self.log.warning("markets.wait", chain=self.part.name, reason=error.message)
                await anyio.sleep(RETRY_SECONDS)
                continue
            self.sight.reason = ""
            return

    async def _move_markets(self, step: ChainUpdate | Gap) -> None:
        if isinstance(step, Gap):
            await crossing("chain.load", self.board.load(self.part.ref, step.head, step.sequence))
        else:
            await crossing("chain.apply", self.board.apply(self.part.ref, step))
