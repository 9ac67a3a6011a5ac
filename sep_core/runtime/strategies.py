"""Strategies in process: started, fed with the log and with what each block brings, stopped."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import anyio
from anyio.abc import TaskGroup
from sep_hooks.errors import SepError
from sep_hooks.store import CaughtUp, EventFilter, EventStore
from sep_hooks.strategy import BlockTick, Quotes, QuoteTick
from sep_hooks.types import ChainUpdate, IntentId, chain_of

from sep_core.chains.tracker import Gap
from sep_core.events.registry import fact_of
from sep_core.runtime.guards import callback_guard
from sep_core.runtime.installation import ChainPart, Installation
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.native import marginal_price
from sep_core.runtime.strategy_desk import KernelStrategyDesk
from sep_core.strategies import InstanceSpec, StrategyHost
from sep_core.telemetry.log import NamedLog


@dataclass(slots=True)
class RunningStrategies:
    """The host at work."""

    host: StrategyHost
    ended: anyio.Event

    async def end(self) -> None:
        """Lets every instance finish its callback and record its end."""
        self.host.stop()
        await self.ended.wait()


def specs_of(installation: Installation, store_id: UUID) -> Sequence[InstanceSpec]:
    """What the host is given for each configured instance; the seed of a log is its own, for ever."""
    settings = installation.settings
    return [
        InstanceSpec(
            part.instance,
            settings.strategies[part.instance].id,
            part.cls,
            part.section.config,
            part.section.digest,
            int.from_bytes(hashlib.sha256(store_id.bytes).digest()[:6]),
            NamedLog(part.instance, installation.secrets.redact),
        )
        for part in installation.strategies.values()
    ]


async def run_strategies(
    kernel: Kernel, desk: KernelStrategyDesk, specs: Sequence[InstanceSpec], group: TaskGroup
) -> RunningStrategies:
    """Starts all instances; from then on they are fed until they are ended."""
    host = StrategyHost(specs, desk, kernel.clock, guard=callback_guard(kernel.installation))
    running = RunningStrategies(host, anyio.Event())
    head = (await kernel.store.head()).pos
    await group.start(_run, running, head)
    if host.resume_after is not None:
        group.start_soon(_feed_facts, kernel.store, host, host.resume_after)
        for watch in kernel.watches.values():
            watch.listen(_BlockFeed(kernel, host, watch.part))
    return running


async def _run(running: RunningStrategies, head: int, *, task_status: anyio.abc.TaskStatus[None]) -> None:
    try:
        await running.host.run(head, task_status=task_status)
    finally:
        running.ended.set()


async def _feed_facts(store: EventStore, host: StrategyHost, after: int) -> None:
    async for one in store.subscribe(after=after, filter=EventFilter(stream_prefixes=("intent:",))):
        if not isinstance(one, CaughtUp):
            intent_id = IntentId(UUID(one.stream.removeprefix("intent:")))
            host.fact(one.pos, intent_id, fact_of(one))


class _BlockFeed:
    """Tells strategies of a chain's new heads, and of the prices that they asked for."""

    def __init__(self, kernel: Kernel, host: StrategyHost, part: ChainPart) -> None:
        self._kernel = kernel
        self._host = host
        self._part = part

    def __call__(self, step: ChainUpdate | Gap) -> None:
        """A block arrived and the markets have moved with it."""
        head = step.head
        self._host.block(self._part.name, BlockTick(self._part.ref, head.ref, head.timestamp))
        for one in self._host.subscriptions:
            if isinstance(one, Quotes):
                tick = self._quote(one)
                if tick is not None:
                    self._host.quote(tick)

    def _quote(self, wanted: Quotes) -> QuoteTick | None:
        assets = self._kernel.installation.assets
        base, quote = assets.get(wanted.base), assets.get(wanted.quote)
        if base is None or quote is None or chain_of(base.id) != self._part.ref:
            return None
        try:
            snapshot = self._kernel.board.snapshot(self._part.ref)
            numerator, denominator = marginal_price(snapshot.network, base.id, quote.id, 10**base.decimals)
        except SepError:
            return None  # no path between them in this block
        return QuoteTick(base, quote, numerator, denominator, snapshot.block.ref, snapshot.block.timestamp)
