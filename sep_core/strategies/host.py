"""The host: all strategies of the process, fed with data and with facts of the log."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import anyio
from anyio.abc import TaskStatus
from sep_hooks.context import Clock
from sep_hooks.strategy import BlockTick, IntentUpdate, QuoteTick, Subscription
from sep_hooks.types import IntentId, IntentStatus

from sep_core.events.facts import (
    ExecutionStarted,
    FillRecorded,
    IntentAccepted,
    IntentCancelled,
    IntentDoubted,
    IntentExpired,
    IntentFailed,
    IntentPlanned,
    IntentRejected,
    IntentResumed,
    IntentSettled,
    PlanWithdrawn,
    RiskApproved,
    SliceReleased,
    StepsReverted,
)
from sep_core.events.registry import Fact
from sep_core.strategies.actor import CALLBACK_TIMEOUT_SECONDS, Actor
from sep_core.strategies.guard import plain_guard
from sep_core.strategies.ports import CallbackGuard, StrategyDesk
from sep_core.strategies.spec import InstanceSpec
from sep_core.strategies.triggers import BlockArrived, FactTrigger, Filled, IntentMoved, QuoteArrived

_STATUS_AFTER: dict[type[Fact], IntentStatus] = {
    IntentAccepted: IntentStatus.ACCEPTED,
    IntentRejected: IntentStatus.REJECTED,
    IntentPlanned: IntentStatus.PLANNED,
    PlanWithdrawn: IntentStatus.ACCEPTED,
    RiskApproved: IntentStatus.RISK_APPROVED,
    ExecutionStarted: IntentStatus.EXECUTING,
    SliceReleased: IntentStatus.EXECUTING,
    StepsReverted: IntentStatus.ACCEPTED,
    IntentDoubted: IntentStatus.IN_DOUBT,
    IntentResumed: IntentStatus.EXECUTING,
    IntentSettled: IntentStatus.SETTLED,
    IntentFailed: IntentStatus.FAILED,
    IntentExpired: IntentStatus.EXPIRED,
    IntentCancelled: IntentStatus.CANCELLED,
}


class StrategyHost:
    """Runs strategies as actors. Data conflates to the latest, facts come each once, in the order of the log.

    `on_ready` is told the subscriptions once all instances have started.
    """

    def __init__(
        self,
        specs: Sequence[InstanceSpec],
        desk: StrategyDesk,
        clock: Clock,
        *,
        guard: CallbackGuard = plain_guard,
        callback_timeout_seconds: float = CALLBACK_TIMEOUT_SECONDS,
        on_ready: Callable[[Sequence[Subscription]], None] = lambda subscriptions: None,
    ) -> None:
        self._desk = desk
        self._on_ready = on_ready
        self._actors = {
            spec.instance: Actor(spec, desk, clock, guard, callback_timeout_seconds=callback_timeout_seconds)
            for spec in specs
        }
        self._running: dict[str, Actor] = {}

    @property
    def running(self) -> Sequence[str]:
        """The instances that run now."""
        return tuple(self._running)

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        """What data the running instances want, each once."""
        wanted = (one for actor in self._running.values() for one in actor.subscriptions)
        return tuple(dict.fromkeys(wanted))

    @property
    def resume_after(self) -> int | None:
        """The position behind which the log must be read for all to miss nothing; None where nothing runs."""
        return min((actor.position for actor in self._running.values()), default=None)

    async def run(self, head: int, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Starts every instance and runs them until `stop`, or until none is left.

        `head` is the log's last position: a new instance sees what comes after. Ready once all have started.
        """
        for actor in self._actors.values():
            if await actor.start(head):
                self._running[actor.instance] = actor
        self._on_ready(self.subscriptions)
        task_status.started()
        async with anyio.create_task_group() as group:
            for actor in tuple(self._running.values()):
                group.start_soon(self._run_one, actor)

    def stop(self) -> None:
        """Lets every instance end its present callback, call `on_stop` and record its end."""
        for actor in self._running.values():
            actor.inbox.close()

    async def idle(self) -> None:
        """Returns when every instance has dealt with all it was given and waits for more."""
        for actor in tuple(self._running.values()):
            await actor.inbox.idle()

    def wake(self) -> None:
        """Looks at the clock again: it was moved by hand."""
        for actor in self._running.values():
            actor.inbox.wake()

    def block(self, chain: str, tick: BlockTick) -> None:
        """A new head of the chain that the configuration calls so."""
        for actor in self._running.values():
            if actor.wants_chain(chain):
                actor.inbox.data(BlockArrived(tick))

    def quote(self, tick: QuoteTick) -> None:
        """A new price of a pair, by its symbols."""
        for actor in self._running.values():
            if actor.wants_quote(tick.base.symbol, tick.quote.symbol):
                actor.inbox.data(QuoteArrived(tick))

    def fact(self, position: int, intent_id: IntentId, fact: Fact) -> None:
        """A committed fact of an intent's stream; handed over in the order of the log, repeats are passed over.

        Of a child only its fills are told, as fills of the intent that it is a part of.
        """
        instance = self._desk.strategy_of(intent_id)
        actor = None if instance is None else self._running.get(instance)
        trigger = _trigger_of(position, intent_id, self._desk.author_intent(intent_id), fact)
        if actor is not None and trigger is not None and actor.wants_fact(trigger):
            actor.inbox.fact(trigger)

    def skipped(self, instance: str) -> int:
        """How much data was replaced by newer data before the instance saw it."""
        return self._actors[instance].inbox.skipped

    async def _run_one(self, actor: Actor) -> None:
        try:
            await actor.run()
        finally:
            self._running.pop(actor.instance, None)
            actor.inbox.end()


def _trigger_of(position: int, intent_id: IntentId, author: IntentId, fact: Fact) -> FactTrigger | None:
    if isinstance(fact, FillRecorded):
        return Filled(position, fact.fill if author == intent_id else replace(fact.fill, intent_id=author))
    if author != intent_id:
        return None
    status = _STATUS_AFTER.get(type(fact))
    if status is None or (isinstance(fact, SliceReleased) and fact.ordinal > 0):
        return None
    reason = str(getattr(fact, "reason", ""))
    return IntentMoved(position, IntentUpdate(intent_id, status, reason))
