"""The host over a log in memory: one append for each outcome, death at any of them, faults, feeds, timers."""

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import anyio
import pytest
from sep_hooks.config import PluginConfig
from sep_hooks.errors import ConfigurationError
from sep_hooks.store import Exact, StoreBusy, WrongExpectedVersion
from sep_hooks.strategy import (
    Accepted,
    Blocks,
    BlockTick,
    IntentUpdate,
    Quotes,
    QuoteTick,
    Refused,
    Strategy,
    StrategyContext,
    Subscription,
)
from sep_hooks.testing.risk import swap_plan
from sep_hooks.testing.strategy import STRATEGY_ID, Bench, walk
from sep_hooks.types import (
    Amount,
    Asset,
    AssetId,
    BlockRef,
    Constraints,
    ExecutionStyle,
    Fill,
    Intent,
    IntentAsset,
    IntentDraft,
    IntentId,
    IntentStatus,
    IntentType,
    Json,
    erc20,
    evm_chain,
)

from sep_core.events import codec
from sep_core.events.decided import Decided
from sep_core.events.facts import Slice, StrategyAdvanced, StrategyStarted, StrategyStopped
from sep_core.events.registry import Fact, encode_fact
from sep_core.events.streams import strategy_stream
from sep_core.intents import (
    IntentRules,
    IntentState,
    child_ended,
    child_id,
    conclude,
    evolve,
    execution_started,
    fill_recorded,
    intent_id,
    plan_chosen,
    receive,
    release,
    request_cancel,
    risk_approved,
    schedule,
    settled,
)
from sep_core.strategies import (
    Advance,
    InstanceSpec,
    StrategyHost,
    StrategyLife,
    StrategyStatus,
    client_id,
    evolve_strategy,
    seeded_random,
    strategy_advanced,
)
from tests.harness.facts import as_read

pytestmark = pytest.mark.anyio

WETH = Asset(erc20(1, "0x" + "c0" * 20), "WETH", 18)
USDC = Asset(erc20(1, "0x" + "a0" * 20), "USDC", 6)
ID = UUID("c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d")
TAPE = walk(WETH, USDC, seed=5, blocks=12)
DRAFT = IntentDraft(
    IntentType.ACQUIRE,
    (IntentAsset(WETH, Amount(10**15)),),
    Constraints(Decimal("0.005"), 60_000, ExecutionStyle.IMMEDIATE),
)


class Killed(BaseException):
    """The process died here."""


class HandClock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


class Lines:
    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, event: str, **fields: Json) -> None:
        self.said.append(event)

    def warning(self, event: str, **fields: Json) -> None:
        self.said.append(event)


@dataclass
class MemoryDesk:
    """The rooms over a list of appends; `die_at` counts outcomes, `refuse_next` appends that the log refuses."""

    clock: HandClock
    appends: list[tuple[Decided, ...]] = field(default_factory=list)
    die_at: tuple[int, str] | None = None
    refuse_next: int = 0
    busy_next: int = 0
    host: StrategyHost | None = None
    refusing: bool = False

    def __post_init__(self) -> None:
        self.fold()

    def fold(self) -> None:
        self.lives: dict[str, StrategyLife] = {}
        self.intents: dict[IntentId, IntentState] = {}
        self.position = 0
        for batch in self.appends:
            for one in batch:
                fact = as_read(one.fact)
                self._apply(replace(one, fact=fact))

    def _apply(self, one: Decided) -> None:
        self.position += 1
        room, _, rest = one.stream.partition(":")
        if room == "strategy":
            self.lives[rest] = evolve_strategy(self.lives.get(rest), one.fact)
        elif room == "intent":
            key = IntentId(UUID(rest))
            self.intents[key] = evolve(self.intents.get(key), one.fact)

    def say(self, decided: Sequence[Decided]) -> None:
        for one in decided:
            codec.encode(encode_fact(one.fact))
        self.appends.append(tuple(decided))
        for one in decided:
            self._apply(one)
            if one.stream.startswith("intent:") and self.host is not None:
                self.host.fact(self.position, IntentId(UUID(one.stream[7:])), one.fact)

    async def _written(self, decided: Sequence[Decided]) -> None:
        if self.busy_next:
            self.busy_next -= 1
            raise StoreBusy("many appends wait for the disk; nothing was written")
        if self.refuse_next:
            self.refuse_next -= 1
            raise WrongExpectedVersion("strategy:one", Exact(0), 1)
        self.say(decided)

    def life(self, instance: str) -> StrategyLife | None:
        return self.lives.get(instance)

    def started(self, instance: str, fact: StrategyStarted) -> Awaitable[object]:
        return self._written([Decided(strategy_stream(instance), fact)])

    def consider(self, instance: str, draft: IntentDraft, client_id: UUID) -> Accepted | Refused:
        if self.refusing:
            return Refused("no", "not now")
        return Accepted(intent_id(ID, client_id))

    def advance(self, advance: Advance) -> Awaitable[object]:
        outcomes = sum(isinstance(batch[0].fact, StrategyAdvanced) for batch in self.appends)
        if self.die_at == (outcomes + 1, "before"):
            raise Killed
        return self._advance(advance, outcomes + 1)

    async def _advance(self, advance: Advance, number: int) -> None:
        decided = [strategy_advanced(self.lives.get(advance.instance), advance)]
        for draft, own in advance.submissions:
            key = intent_id(ID, own)
            if key not in self.intents:
                intent = Intent(
                    key, own, advance.instance, "main", draft.type, draft.assets, draft.constraints,
                    inputs=advance.inputs,
                )  # fmt: skip
                decided += receive(intent, "strategy", "", self.clock.now(), IntentRules())
        for one in advance.cancels:
            decided += request_cancel(self.intents[one], advance.instance)
        await self._written(decided)
        if self.die_at == (number, "after"):
            raise Killed

    def stopped(
        self, instance: str, fact: StrategyStopped, cancels: tuple[IntentId, ...]
    ) -> Awaitable[object]:
        decided = [Decided(strategy_stream(instance), fact)]
        for one in cancels:
            decided += request_cancel(self.intents[one], instance)
        return self._written(decided)

    def strategy_of(self, intent_id: IntentId) -> str | None:
        state = self.intents.get(intent_id)
        return None if state is None else state.intent.strategy

    def author_intent(self, intent_id: IntentId) -> IntentId:
        state = self.intents.get(intent_id)
        link = None if state is None else state.intent.parent
        return intent_id if link is None else link.intent_id

    def open_intents(self, instance: str) -> Mapping[IntentId, IntentStatus]:
        return {
            key: state.status
            for key, state in self.intents.items()
            if state.open and state.intent.strategy == instance and state.intent.parent is None
        }

    def free(self, instance: str, asset: AssetId) -> Amount:
        return Amount(7)

    def total(self, instance: str, asset: AssetId) -> Amount:
        return Amount(9)

    def asset(self, symbol: str) -> Asset:
        if symbol != "WETH":
            raise ConfigurationError(f"no asset is called {symbol}")
        return WETH

    def execute(self) -> None:
        """Settles every open intent, as the rest of the kernel would."""
        for key in [key for key, state in self.intents.items() if state.open and state.slices is None]:
            state = self.intents[key]
            plan = swap_plan(intent_id=key)
            fill = Fill(
                key,
                "swap-1",
                "uni",
                USDC.id,
                Amount(2),
                WETH.id,
                Amount(1),
                (),
                Amount(0),
                BlockRef(1, "0x1"),
                "",
            )
            self.say(plan_chosen(state, plan, None))
            self.say(risk_approved(self.intents[key], (), (), (), 1))
            self.say(execution_started(self.intents[key], "paper", ("swap-1",), ()))
            self.say(fill_recorded(self.intents[key], fill, simulated=True))
            self.say(settled(self.intents[key]))

    def facts(self, kind: type[Fact]) -> list[Fact]:
        return [one.fact for batch in self.appends for one in batch if isinstance(one.fact, kind)]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the strategy of these tests remembers."""

    quotes: int = 0
    fills: int = 0
    updates: tuple[str, ...] = ()
    drawn: int = 0
    timers: int = 0
    starts: int = 0


class Buyer(Strategy[PluginConfig, Seen]):
    """Buys at every third quote, draws a number, counts what it is called with."""

    Config = PluginConfig
    State = Seen

    def subscriptions(self) -> Sequence[Subscription]:
        return (Quotes("WETH", "USDC"), Blocks("ethereum"))

    async def on_start(self, ctx: StrategyContext, resumed: bool) -> None:
        self.state = replace(self.state, starts=1)

    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        drawn = (self.state.drawn + ctx.random.randint(0, 10**6)) % 10**9
        self.state = replace(self.state, quotes=self.state.quotes + 1, drawn=drawn)
        if self.state.quotes % 3 == 0:
            for _ in range(2):
                ctx.submit(DRAFT)

    async def on_fill(self, ctx: StrategyContext, fill: Fill) -> None:
        self.state = replace(self.state, fills=self.state.fills + 1)

    async def on_intent(self, ctx: StrategyContext, update: IntentUpdate) -> None:
        self.state = replace(self.state, updates=(*self.state.updates, update.status.value))


def spec(cls: type[Strategy[PluginConfig, Seen]], **other: object) -> InstanceSpec:
    made = InstanceSpec("one", ID, cls, PluginConfig(), "digest", 42, Lines())
    return replace(made, **other)  # type: ignore[arg-type]


@asynccontextmanager
async def hosted(desk: MemoryDesk, *specs: InstanceSpec, **options: float) -> AsyncIterator[StrategyHost]:
    host = StrategyHost(specs, desk, desk.clock, **options)  # type: ignore[arg-type]
    desk.host = host
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            await group.start(host.run, desk.position)
            yield host
            host.stop()


def life(desk: MemoryDesk) -> StrategyLife:
    found = desk.life("one")
    assert found is not None
    return found


async def play(desk: MemoryDesk, tape: Sequence[QuoteTick]) -> None:
    async with hosted(desk, spec(Buyer)) as host:
        # What the log holds behind the place that the instance has read to is handed over again.
        position = 0
        after = host.resume_after or 0
        for batch in tuple(desk.appends):
            for one in batch:
                position += 1
                if position > after and one.stream.startswith("intent:"):
                    host.fact(position, IntentId(UUID(one.stream[7:])), one.fact)
        await host.idle()
        for tick in tape:
            host.quote(tick)
            await host.idle()
            desk.execute()
            await host.idle()


def trigger_of(tick: QuoteTick) -> str:
    return f"quote:{tick.base.id}:{tick.quote.id}:{tick.block.hash}"


def story(desk: MemoryDesk) -> tuple[object, ...]:
    """What must come out the same: intents in order, their ends, and the state."""
    intents = [(key, state.status, state.intent.assets) for key, state in desk.intents.items()]
    state = life(desk).state
    return intents, state


async def uninterrupted() -> MemoryDesk:
    desk = MemoryDesk(HandClock())
    await play(desk, TAPE)
    return desk


async def test_a_whole_life() -> None:
    desk = await uninterrupted()
    assert life(desk).status is StrategyStatus.STOPPED
    assert len(desk.intents) == 8
    assert {state.status for state in desk.intents.values()} == {IntentStatus.SETTLED}
    state = life(desk).state or ""
    assert '"quotes":12' in state
    assert '"fills":8' in state
    assert state.count("SETTLED") == 8
    # each outcome and its intents are one append
    for batch in desk.appends:
        if any(one.stream.startswith("intent:") for one in batch) and len(batch) > 2:
            assert isinstance(batch[0].fact, StrategyAdvanced)
    for intent in (state.intent for state in desk.intents.values()):
        assert intent.inputs is not None
        assert len(intent.inputs.digest) == 64
        trigger = f"quote:{WETH.id}:{USDC.id}:"
        ids = {client_id(ID, f"{trigger}{tick.block.hash}", n) for tick in TAPE for n in (1, 2)}
        assert intent.client_id in ids
    assert len(desk.facts(StrategyAdvanced)) == life(desk).ordinal


async def test_killed_at_any_outcome_it_comes_to_the_same() -> None:
    whole = await uninterrupted()
    outcomes = life(whole).ordinal
    assert outcomes > 60
    for number in range(2, outcomes, 3):
        for when in ("before", "after"):
            desk = MemoryDesk(HandClock(), die_at=(number, when))
            with pytest.raises(BaseExceptionGroup) as died:
                await play(desk, TAPE)
            assert died.group_contains(Killed)
            again = MemoryDesk(HandClock(), appends=desk.appends)
            again.execute()
            seen = {fact.trigger for fact in again.facts(StrategyAdvanced)}  # type: ignore[attr-defined]
            await play(again, [tick for tick in TAPE if trigger_of(tick) not in seen])
            assert story(again) == story(whole), f"killed at outcome {number}, {when} it was saved"


async def test_a_refused_append_is_decided_again_from_what_the_log_holds() -> None:
    whole = await uninterrupted()
    desk = MemoryDesk(HandClock())
    async with hosted(desk, spec(Buyer)) as host:
        for number, tick in enumerate(TAPE):
            desk.refuse_next = number % 3
            host.quote(tick)
            await host.idle()
            desk.execute()
            await host.idle()
    assert story(desk) == story(whole)


async def test_a_log_that_is_busy_for_seconds_is_waited_for() -> None:
    desk = MemoryDesk(HandClock(), busy_next=6)
    async with hosted(desk, spec(Buyer)) as host:
        await host.idle()
        assert '"starts":1' in (life(desk).state or "")
        desk.busy_next = 6
        host.quote(TAPE[0])
        await host.idle()
    assert '"quotes":1' in (life(desk).state or "")
    assert life(desk).status is StrategyStatus.STOPPED


class Unwritable(Buyer):
    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        ctx.timers["later"] = "tomorrow"  # type: ignore[attr-defined]


class Naming(Buyer):
    """Ends for a reason that no log takes."""

    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        self.state = type("x" * 300_000, (), {})()


@pytest.mark.parametrize("cls", [Unwritable, Naming])
async def test_what_the_log_cannot_take_ends_the_instance_with_words_that_it_can(cls: type[Buyer]) -> None:
    desk = MemoryDesk(HandClock())
    async with hosted(desk, spec(cls)) as host:
        host.quote(TAPE[0])
        await host.idle()
        assert host.running == ()
    (stopped,) = desk.facts(StrategyStopped)
    assert len(codec.encode(encode_fact(stopped))) < 1_000
    assert life(desk).status is StrategyStatus.FAULTED


async def test_randomness_repeats_with_seed_instance_and_trigger() -> None:
    draws = {
        seeded_random(seed, instance, trigger).random()
        for seed in (1, 2)
        for instance in ("a", "b")
        for trigger in ("x", "y")
    }
    assert len(draws) == 8
    assert seeded_random(1, "a", "x").random() == seeded_random(1, "a", "x").random()


class Raising(Buyer):
    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        ctx.submit(DRAFT)
        if self.state.quotes:
            raise ValueError("no idea")
        self.state = replace(self.state, quotes=1)


class Exiting(Buyer):
    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        raise SystemExit(1)


class Cancelling(Buyer):
    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        raise anyio.get_cancelled_exc_class()


class Mutable(Buyer):
    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        self.state = {"quotes": 1}  # type: ignore[assignment]


class Unsavable(Buyer):
    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        self.state = replace(self.state, quotes=2**60)


class Huge(Buyer):
    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        self.state = replace(self.state, updates=("x" * 70_000,))


@pytest.mark.parametrize("cls", [Raising, Exiting, Cancelling, Mutable, Unsavable, Huge])
async def test_a_fault_ends_the_instance_and_cancels_what_is_open(cls: type[Buyer]) -> None:
    desk = MemoryDesk(HandClock())
    async with hosted(desk, spec(cls)) as host:
        for tick in TAPE[:2]:
            host.quote(tick)
            await host.idle()
        assert host.running == ()
    assert life(desk).status is StrategyStatus.FAULTED
    assert {state.status for state in desk.intents.values()} <= {IntentStatus.CANCELLED}
    assert len(desk.facts(StrategyStopped)) == 1


async def test_a_fault_may_hold_what_is_open_and_a_new_start_goes_on() -> None:
    desk = MemoryDesk(HandClock())
    async with hosted(desk, spec(Raising, on_fault="hold")) as host:
        for tick in TAPE[:2]:
            host.quote(tick)
            await host.idle()
    assert [state.status for state in desk.intents.values()] == [IntentStatus.ACCEPTED]
    async with hosted(desk, spec(Buyer)) as host:
        await host.idle()
        assert host.running == ("one",)
    assert '"quotes":1' in (life(desk).state or "")
    assert life(desk).starts == 2


class Hanging(Buyer):
    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        await anyio.Event().wait()


async def test_a_callback_that_does_not_end_is_cancelled_and_quarantined() -> None:
    desk = MemoryDesk(HandClock())
    async with hosted(desk, spec(Hanging), callback_timeout_seconds=0.05) as host:
        host.quote(TAPE[0])
        await host.idle()
    assert life(desk).status is StrategyStatus.QUARANTINED
    assert "did not end within" in life(desk).reason
    before = len(desk.appends)
    async with hosted(desk, spec(Hanging)) as host:
        assert host.running == ()
    assert len(desk.appends) == before
    async with hosted(desk, spec(Hanging, config_digest="mended")) as host:
        assert host.running == ("one",)


class BadConstructor(Buyer):
    def __init__(self, config: PluginConfig, state: Seen) -> None:
        raise RuntimeError("cannot be built")


class BadSubscriptions(Buyer):
    def subscriptions(self) -> Sequence[Subscription]:
        return ("everything",)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class NoDefault:
    count: int


class BadState(Buyer):
    State = NoDefault


@pytest.mark.parametrize("cls", [BadConstructor, BadSubscriptions, BadState])
async def test_what_cannot_start_is_a_fault_and_harms_no_other(cls: type[Buyer]) -> None:
    desk = MemoryDesk(HandClock())
    other = replace(spec(Buyer), instance="two")
    async with hosted(desk, spec(cls), other) as host:
        assert host.running == ("two",)
        host.quote(TAPE[0])
        await host.idle()
    assert life(desk).status is StrategyStatus.FAULTED
    assert '"quotes":1' in (desk.lives["two"].state or "")


class Timed(Buyer):
    async def on_start(self, ctx: StrategyContext, resumed: bool) -> None:
        if not resumed:
            ctx.timer("later", timedelta(minutes=5))
            ctx.timer("sooner", timedelta(minutes=9))
            ctx.timer("sooner", timedelta(minutes=1))

    async def on_timer(self, ctx: StrategyContext, name: str) -> None:
        self.state = replace(self.state, timers=self.state.timers + 1, updates=(*self.state.updates, name))
        ctx.submit(DRAFT)


async def test_timers_survive_and_fire_once() -> None:
    clock = HandClock()
    desk = MemoryDesk(clock)
    async with hosted(desk, spec(Timed)) as host:
        await host.idle()
        clock.moment += timedelta(minutes=1)
        host.wake()
        await host.idle()
        assert '"updates":["sooner"' in (life(desk).state or "")
        assert [name for name, _ in life(desk).timers] == ["later"]
    clock.moment += timedelta(hours=1)
    async with hosted(desk, spec(Timed)) as host:
        await host.idle()
    assert '"timers":2' in (life(desk).state or "")
    assert life(desk).timers == ()


class Slow(Buyer):
    async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None:
        await WAITING.wait()
        self.state = replace(self.state, quotes=self.state.quotes + 1, drawn=quote.timestamp)


WAITING: anyio.Event


async def test_data_conflates_to_the_latest_and_facts_do_not() -> None:
    global WAITING
    WAITING = anyio.Event()
    desk = MemoryDesk(HandClock())
    async with hosted(desk, spec(Slow)) as host:
        await host.idle()
        host.quote(TAPE[0])
        await anyio.lowlevel.checkpoint()
        for tick in TAPE[1:]:
            host.quote(tick)
        WAITING.set()
        await host.idle()
        assert host.skipped("one") == len(TAPE) - 2
    assert '"quotes":2' in (life(desk).state or "")
    assert f'"drawn":{TAPE[-1].timestamp}' in (life(desk).state or "")


class Curious(Buyer):
    """Looks at everything in its context."""

    async def on_block(self, ctx: StrategyContext, block: BlockTick) -> None:
        answer = ctx.submit(DRAFT)
        assert isinstance(answer, Accepted)
        assert ctx.open_intents[answer.intent_id] is IntentStatus.ACCEPTED
        assert (ctx.portfolio.free(WETH.id), ctx.portfolio.total(WETH.id)) == (7, 9)
        assert ctx.asset("WETH") == WETH
        ctx.log.info("looked")
        KEPT.append(ctx)

    async def on_intent(self, ctx: StrategyContext, update: IntentUpdate) -> None:
        if update.status is IntentStatus.ACCEPTED:
            ctx.cancel(update.intent_id)
            ctx.cancel(IntentId(UUID(int=5)))


KEPT: list[StrategyContext] = []


async def test_a_context_answers_and_is_of_no_use_afterwards() -> None:
    desk = MemoryDesk(HandClock())
    KEPT.clear()
    tick = BlockTick(evm_chain(1), BlockRef(9, "0x09"), 1)
    async with hosted(desk, spec(Curious)) as host:
        host.block("polygon", tick)
        host.block("ethereum", tick)
        await host.idle()
    assert life(desk).status is StrategyStatus.STOPPED
    assert [state.status for state in desk.intents.values()] == [IntentStatus.CANCELLED]
    for use in (
        lambda ctx: ctx.submit(DRAFT),
        lambda ctx: ctx.timer("x", timedelta(1)),
        lambda ctx: ctx.cancel(IntentId(UUID(int=1))),
    ):
        with pytest.raises(Exception, match="after its callback had ended"):
            use(KEPT[0])


async def test_data_that_changes_nothing_leaves_no_trace() -> None:
    class Idle(Buyer):
        async def on_quote(self, ctx: StrategyContext, quote: QuoteTick) -> None: ...

        async def on_start(self, ctx: StrategyContext, resumed: bool) -> None: ...

    desk = MemoryDesk(HandClock())
    async with hosted(desk, spec(Idle)) as host:
        await host.idle()
        before = len(desk.appends)
        for tick in TAPE:
            host.quote(tick)
            await host.idle()
        assert len(desk.appends) == before


def test_subscriptions_are_named_once() -> None:
    desk = MemoryDesk(HandClock())
    host = StrategyHost([spec(Buyer)], desk, desk.clock)
    assert host.subscriptions == ()
    assert host.resume_after is None


async def test_the_bench_of_authors_submits_what_the_kernel_would() -> None:
    """Same tape, same ids, in both."""
    benched = Bench(Buyer, PluginConfig(), (WETH, USDC), {USDC.id: 10**15}).run(TAPE)
    desk = MemoryDesk(HandClock())
    async with hosted(desk, spec(Buyer, strategy_id=STRATEGY_ID)) as host:
        for tick in TAPE:
            host.quote(tick)
            await host.idle()
            desk.execute()
            await host.idle()
    kernel = [state.intent.client_id for state in desk.intents.values()]
    assert [one.client_id for one in benched.submissions] == kernel
    assert len(kernel) == 8


SEEN_FILLS: list[IntentId] = []


class Slicer(Buyer):
    """Keeps whose fills it is told."""

    async def on_fill(self, ctx: StrategyContext, fill: Fill) -> None:
        SEEN_FILLS.append(fill.intent_id)
        await super().on_fill(ctx, fill)


async def test_of_slices_an_author_is_told_the_fills_alone_as_those_of_its_own_intent() -> None:
    desk = MemoryDesk(HandClock())
    SEEN_FILLS.clear()
    async with hosted(desk, spec(Slicer)) as host:
        now, own = desk.clock.now(), UUID(int=7)
        constraints = replace(DRAFT.constraints, execution_style=ExecutionStyle.TWAP)
        intent = Intent(intent_id(ID, own), own, "one", "main", IntentType.ACQUIRE, DRAFT.assets, constraints)
        desk.say(receive(intent, "strategy", "", now, IntentRules()))
        cut = (Slice(0, now, Amount(6 * 10**14)), Slice(1, now, Amount(4 * 10**14)))
        desk.say(schedule(desk.intents[intent.id], Amount(10**15), cut, "two slices"))
        for ordinal, slice_ in enumerate(cut):
            desk.say(release(desk.intents[intent.id], slice_, now, IntentRules()))
            desk.execute()
            desk.say(child_ended(desk.intents[intent.id], desk.intents[child_id(intent.id, ordinal)]))
        desk.say(conclude(desk.intents[intent.id]))
        await host.idle()
    state = life(desk).state
    assert [intent.id, intent.id] == SEEN_FILLS
    assert desk.open_intents("one") == {}
    assert desk.intents[intent.id].status is IntentStatus.SETTLED
    assert state is not None
    assert '"fills":2' in state
    assert '"updates":["ACCEPTED","EXECUTING","SETTLED"]' in state
