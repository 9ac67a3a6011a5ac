"""One instance: one callback at a time, one append for all that it changes."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import anyio
from sep_hooks.context import Clock
from sep_hooks.errors import Retryable, SepError
from sep_hooks.store import IdConflict, InvalidEvent, WrongExpectedVersion
from sep_hooks.strategy import Blocks, Quotes, Strategy, Subscription

from sep_core.events.facts import StrategyStarted, StrategyStopped
from sep_core.strategies.advance import Advance
from sep_core.strategies.context import CallbackContext
from sep_core.strategies.identity import digest_after
from sep_core.strategies.inbox import Inbox
from sep_core.strategies.life import StrategyLife, StrategyStatus
from sep_core.strategies.ports import CallbackFailed, CallbackGuard, StrategyDesk
from sep_core.strategies.spec import InstanceSpec
from sep_core.strategies.state_codec import StateCodec, StateInvalid
from sep_core.strategies.triggers import (
    BlockArrived,
    Filled,
    IntentMoved,
    QuoteArrived,
    Started,
    Stopping,
    TimerDue,
    Trigger,
)
from sep_core.telemetry.crashpoints import crossing

CALLBACK_TIMEOUT_SECONDS = 30.0
MOST_RETRIES = 5
MOST_RETRIES_WHILE_BUSY = 100
LONGEST_PAUSE_SECONDS = 0.5
LONGEST_REASON = 500

# The log did not take what was said; memory is what the log holds, so that it can be said again.
_REFUSED = (Retryable, WrongExpectedVersion, IdConflict)


class Actor:
    """Runs one strategy from its start to its end. What it knows beyond its state is in its inbox."""

    def __init__(
        self,
        spec: InstanceSpec,
        desk: StrategyDesk,
        clock: Clock,
        guard: CallbackGuard,
        *,
        callback_timeout_seconds: float = CALLBACK_TIMEOUT_SECONDS,
    ) -> None:
        self.spec = spec
        self.inbox = Inbox(clock.now)
        self.subscriptions: tuple[Subscription, ...] = ()
        self.position = 0
        self._desk = desk
        self._clock = clock
        self._guard = guard
        self._timeout = callback_timeout_seconds
        self._strategy: Strategy[Any, Any] | None = None
        self._codec: StateCodec | None = None
        self._saved = ""
        self._digest = ""
        self._seed = spec.seed
        self._life = 0

    @property
    def instance(self) -> str:
        """Its name in the configuration."""
        return self.spec.instance

    async def start(self, head: int) -> bool:
        """Begins a life: records it, restores state, timers and place in the log. False where it cannot run.

        `head` is where a new instance begins to read the log. A quarantine ends with other code or configuration.
        """
        before = self._desk.life(self.instance)
        same = before is not None and (before.implementation, before.config_digest) == (
            self.spec.implementation_name,
            self.spec.config_digest,
        )
        if before is not None and same and before.status is StrategyStatus.QUARANTINED:
            self.spec.log.warning("strategy_in_quarantine", instance=self.instance, reason=before.reason)
            return False
        self._seed = self.spec.seed if before is None else before.seed
        fact = StrategyStarted(
            self.spec.implementation_name, self.spec.config_digest, self._seed, before is not None
        )
        await self._say("strategy.start", lambda: self._desk.started(self.instance, fact))
        self.position = head
        try:
            self._restore()
            self.subscriptions = self._subscriptions()
        except (SepError, CallbackFailed) as error:
            await self._end("faulted", str(error))
            return False
        return True

    async def run(self) -> None:
        """Calls the strategy until it is stopped or fails."""
        if not await self._handle(Started(self._life, self._life > 1), self._clock.now()):
            return
        while (waiting := await self.inbox.next()) is not None:
            trigger, arrived = waiting
            if isinstance(trigger, Filled | IntentMoved) and not self.wants_fact(trigger):
                continue
            if isinstance(trigger, BlockArrived | QuoteArrived) and self._has_seen(trigger):
                continue
            if not await self._handle(trigger, arrived):
                return
        if await self._handle(Stopping(self._life), self._clock.now()):
            await self._end("stopped", "on request")

    def wants_fact(self, trigger: Filled | IntentMoved) -> bool:
        """Whether it has a callback for it, and has not been called with it."""
        cls, base = self.spec.implementation, Strategy
        if trigger.position <= self.position:
            return False
        if isinstance(trigger, Filled):
            return cls.on_fill is not base.on_fill
        return cls.on_intent is not base.on_intent

    def wants_chain(self, chain: str) -> bool:
        """Whether it subscribes to a chain's heads."""
        return any(isinstance(one, Blocks) and one.chain == chain for one in self.subscriptions)

    def wants_quote(self, base: str, quote: str) -> bool:
        """Whether it subscribes to a pair."""
        return any(
            isinstance(one, Quotes) and (one.base, one.quote) == (base, quote) for one in self.subscriptions
        )

    def _has_seen(self, trigger: BlockArrived | QuoteArrived) -> bool:
        """Whether the state took it in already: the head at a restart, or one that came back after a reorg.

        Its submissions would bear the same client ids again, whatever the state now makes of it.
        """
        life = self._desk.life(self.instance)
        return life is not None and any(name == trigger.name for _, name in life.seen)

    async def _handle(self, trigger: Trigger, arrived: datetime) -> bool:
        """Calls back and records the outcome; where the log refused it, once more from what the log holds."""
        for attempt in range(1, MOST_RETRIES_WHILE_BUSY + 1):
            try:
                if attempt > 1:
                    self._restore()
                await self._call(trigger, arrived)
            except (CallbackFailed, StateInvalid) as error:
                quarantined = isinstance(error, CallbackFailed) and error.quarantined
                await self._end("quarantined" if quarantined else "faulted", str(error))
                return False
            except _REFUSED as error:
                self.spec.log.warning(
                    "strategy_outcome_refused", instance=self.instance, error=str(error), attempt=attempt
                )
                await _pause(error, attempt)
            else:
                return True
        return False

    async def _call(self, trigger: Trigger, arrived: datetime) -> None:
        strategy = self._strategy
        assert strategy is not None
        timers = dict(self.inbox.timers)
        if isinstance(trigger, TimerDue) and timers.get(trigger.timer) == trigger.due:
            del timers[trigger.timer]
        ctx = CallbackContext(
            self.spec,
            self._desk,
            trigger.name,
            arrived,
            self._seed,
            timers,
            ending=isinstance(trigger, Stopping),
        )
        try:
            await self._guard(self.instance, trigger.name, lambda: trigger.call(strategy, ctx), self._timeout)
        finally:
            ctx.close()
        await self._record(trigger, ctx, strategy)

    async def _record(self, trigger: Trigger, ctx: CallbackContext, strategy: Strategy[Any, Any]) -> None:
        assert self._codec is not None
        state = self._codec.dump(strategy.state)
        digest = digest_after(self._digest, trigger.name, trigger.content)
        is_fact = isinstance(trigger, Filled | IntentMoved)
        position = trigger.position if isinstance(trigger, Filled | IntentMoved) else self.position
        changed = (
            state != self._saved
            or ctx.timers != self.inbox.timers
            or bool(ctx.submissions)
            or bool(ctx.cancels)
        )
        # Data that changed nothing leaves no trace: it is not facts, and blocks would flood the log.
        if changed or is_fact or isinstance(trigger, Started | Stopping):
            advance = Advance(
                self.instance,
                trigger.name,
                state,
                digest,
                position,
                tuple(sorted(ctx.timers.items())),
                tuple(ctx.submissions),
                tuple(ctx.cancels),
            )
            try:
                await crossing("strategy.advance", self._desk.advance(advance))
            except (InvalidEvent, AttributeError, TypeError, ValueError) as error:
                text = f"the outcome of {trigger.name} cannot be recorded: {error}"
                raise CallbackFailed(text, quarantined=False) from error
        self._saved, self._digest, self.position = state, digest, position
        self.inbox.timers = ctx.timers

    def _restore(self) -> None:
        """Makes the strategy afresh from what the log holds. Raises `SepError`."""
        life = self._desk.life(self.instance)
        assert life is not None
        cls = self.spec.implementation
        self._codec = StateCodec(cls.State)
        state = self._codec.initial() if life.state is None else self._codec.load(life.state)
        self._strategy = self._plugin("the constructor", lambda: cls(self.spec.config, state))
        self._take(life)

    def _take(self, life: StrategyLife) -> None:
        self._saved = life.state or ""
        self._digest = life.inputs_digest
        self._life = life.starts
        self.inbox.timers = dict(life.timers)
        if life.ordinal:
            self.position = life.position

    def _subscriptions(self) -> tuple[Subscription, ...]:
        strategy = self._strategy
        assert strategy is not None
        wanted = self._plugin("subscriptions", lambda: tuple(strategy.subscriptions()))
        for one in wanted:
            if not isinstance(one, Blocks | Quotes):
                raise CallbackFailed(
                    f"subscriptions of {self.instance} names {one!r}, which is no subscription",
                    quarantined=False,
                )
        return wanted

    def _plugin[T](self, what: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            text = f"{what} of {self.instance} raised {type(error).__name__}: {error}"[:500]
            raise CallbackFailed(text, quarantined=False) from error

    async def _end(self, outcome: str, reason: str) -> None:
        policy = self.spec.on_stop if outcome == "stopped" else self.spec.on_fault
        cancels = tuple(self._desk.open_intents(self.instance)) if policy == "cancel" else ()
        reason = _printable(reason)
        if outcome != "stopped":
            self.spec.log.warning("strategy_ended", instance=self.instance, outcome=outcome, reason=reason)
        fact = StrategyStopped(outcome, reason)  # type: ignore[arg-type]
        await self._say("strategy.stop", lambda: self._desk.stopped(self.instance, fact, cancels))

    async def _say(self, name: str, say: Callable[[], Awaitable[object]]) -> None:
        for attempt in range(1, MOST_RETRIES_WHILE_BUSY + 1):
            try:
                await crossing(name, say())
            except _REFUSED as error:
                await _pause(error, attempt)
            else:
                return


async def _pause(error: Exception, attempt: int) -> None:
    """Waits before the next attempt; a busy log is given most of a minute. Raises the error after the last one."""
    most = MOST_RETRIES_WHILE_BUSY if isinstance(error, Retryable) else MOST_RETRIES
    if attempt >= most:
        raise error
    await anyio.sleep(min(LONGEST_PAUSE_SECONDS, 0.02 * 2**attempt))


def _printable(text: str) -> str:
    # What a strategy says of its end may hold anything; the log takes well-formed text of bounded length.
    return text[:LONGEST_REASON].encode("utf-8", "backslashreplace").decode()[:LONGEST_REASON]
