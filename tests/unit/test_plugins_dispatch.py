"""Observers: told in order, contained, muted; wrong implementations take no part."""

import asyncio
import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType
from uuid import UUID, uuid4

import pytest
from sep_hooks import hookimpl, specs
from sep_hooks.capabilities import PluginKind
from sep_hooks.manifest import PluginManifest
from sep_hooks.specs import ObserverContext
from sep_hooks.store import Recorded
from sep_hooks.testing.fakes import START, FakeClock, FakeLog
from sep_hooks.testing.records import recorded_as
from sep_hooks.types import Amount, BlockRef, Fill, IntentStatus, erc20

from sep_core.events.facts import FillRecorded, IntentSettled
from sep_core.events.facts.plugin import PluginFaulted, PluginQuarantined
from sep_core.events.registry import Fact, encode_fact, fact_type
from sep_core.plugins.broadcast import Broadcaster
from sep_core.plugins.discovery import Discovery
from sep_core.plugins.dispatch import Dispatcher, hook_names
from sep_core.plugins.distribution import Installed
from sep_core.plugins.facts import PluginFact
from sep_core.plugins.guard import Guard
from sep_core.plugins.registry import LoadedHooks
from sep_core.plugins.verbs import declared_verbs

pytestmark = pytest.mark.anyio
MANIFEST = PluginManifest(name="observer", kind=PluginKind.HOOKS, api=">=0.1")
WETH = "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"


def module(name: str, **implementations: object) -> LoadedHooks:
    """A loaded module of hooks with these functions."""
    made = ModuleType(name)
    for hook, function in implementations.items():
        setattr(made, hook, hookimpl(function))  # type: ignore[call-overload]
    return LoadedHooks(name, made, Installed(name, "1.0", None, True), MANIFEST)


def fill() -> Fill:
    asset = erc20(1, WETH)
    intent = UUID(int=1)
    return Fill(
        intent, "swap", "uni", asset, Amount(1), asset, Amount(2), (), Amount(3), BlockRef(1, "0x1"), ""  # type: ignore[arg-type]
    )  # fmt: skip


def guard() -> tuple[Guard, list[PluginFact]]:
    facts: list[PluginFact] = []
    return Guard(lambda _plugin, fact: facts.append(fact)), facts


def context() -> ObserverContext:
    return ObserverContext(1, FakeClock(), FakeLog())


def recorded(stream: str, fact: Fact, position: int = 7) -> Recorded:
    name, version = fact_type(fact)
    return recorded_as(encode_fact(fact), pos=position, stream=stream, type=name, schema_version=version)


async def test_good_observers_are_served_whatever_the_others_do() -> None:
    told: list[str] = []

    async def raises(fill: Fill) -> None:
        raise ValueError("no")

    async def exits(fill: Fill) -> None:
        raise SystemExit(2)

    async def hangs(fill: Fill) -> None:
        await asyncio.Event().wait()

    async def answers(fill: Fill) -> int:
        return 5

    def good(name: str) -> Callable[..., object]:
        async def observe(fill: Fill) -> None:
            told.append(name)

        return observe

    watching, facts = guard()
    dispatcher = Dispatcher(
        [
            module("one", sep_fill_recorded=good("one")),
            module("raises", sep_fill_recorded=raises),
            module("exits", sep_fill_recorded=exits),
            module("hangs", sep_fill_recorded=hangs),
            module("answers", sep_fill_recorded=answers),
            module("two", sep_fill_recorded=good("two")),
        ],
        watching,
        budget_seconds=0.02,
    )
    for _ in range(4):
        await dispatcher.broadcast("sep_fill_recorded", {"fill": fill(), "ctx": context()})
    assert told == ["one", "two"] * 4
    muted = {fact.name: fact.consequence for fact in facts if isinstance(fact, PluginQuarantined)}
    assert muted == dict.fromkeys(["raises", "exits", "hangs", "answers"], "muted")
    assert sum(isinstance(fact, PluginFaulted) for fact in facts) == 12


async def test_order_is_that_of_the_configuration_whatever_was_installed_first() -> None:
    for names in (["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]):
        told: list[str] = []

        def observer(name: str, told: list[str] = told) -> Callable[..., object]:
            async def observe(fill: Fill) -> None:
                told.append(name)

            return observe

        watching, _ = guard()
        dispatcher = Dispatcher([module(n, sep_fill_recorded=observer(n)) for n in names], watching)
        await dispatcher.broadcast("sep_fill_recorded", {"fill": fill(), "ctx": context()})
        assert told == names


async def test_old_and_new_implementations_both_load() -> None:
    told: list[object] = []

    async def without_context(fill: Fill) -> None:
        told.append(fill)

    async def with_default(fill: Fill, ctx: ObserverContext | None = None) -> None:
        told.append(ctx)

    async def newer_than_the_kernel(fill: Fill, weather: str = "dry") -> None:
        told.append(weather)

    watching, facts = guard()
    dispatcher = Dispatcher(
        [
            module("old", sep_fill_recorded=without_context),
            module("new", sep_fill_recorded=with_default),
            module("newest", sep_fill_recorded=newer_than_the_kernel),
        ],
        watching,
    )
    ctx = context()
    await dispatcher.broadcast("sep_fill_recorded", {"fill": fill(), "ctx": ctx})
    assert dispatcher.rejected == []
    assert told == [fill(), ctx, "dry"]
    assert facts == []


def blocking(fill: Fill) -> None: ...
async def unknown_argument(fill: Fill, colour: str) -> None: ...
async def keyword_only(*, fill: Fill) -> None: ...
async def variadic(*arguments: object) -> None: ...
async def asynchronous(registry: object) -> None: ...


@pytest.mark.parametrize(
    ("hook", "function", "said"),
    [
        ("sep_fill_recorded", blocking, "async def"),
        ("sep_fill_recorded", unknown_argument, "colour"),
        ("sep_fill_recorded", keyword_only, "ordinary parameters"),
        ("sep_fill_recorded", variadic, "ordinary parameters"),
        ("sep_register_commands", asynchronous, "plain function"),
        ("sep_fill_recordde", unknown_argument, "does not exist"),
    ],
)
async def test_a_wrong_implementation_is_rejected_and_leaves_nothing_behind(
    hook: str, function: object, said: str
) -> None:
    async def good(fill: Fill) -> None: ...

    watching, _ = guard()
    dispatcher = Dispatcher([module("bad", **{hook: function, "sep_intent_settled": settled})], watching)
    ((rejected, why),) = dispatcher.rejected
    assert rejected.name == "bad"
    assert said in why.reason
    assert not dispatcher.listens("sep_intent_settled")


async def settled(intent_id: UUID, status: IntentStatus) -> None: ...


async def test_wrappers_are_refused() -> None:
    made = ModuleType("wraps")

    @hookimpl(wrapper=True)
    def sep_fill_recorded(fill: Fill):  # type: ignore[no-untyped-def]
        yield

    made.sep_fill_recorded = sep_fill_recorded  # type: ignore[attr-defined]
    watching, _ = guard()
    dispatcher = Dispatcher(
        [LoadedHooks("wraps", made, Installed("wraps", "1", None, True), MANIFEST)], watching
    )
    assert "wrapper" in dispatcher.rejected[0][1].reason


async def test_facts_of_the_log_reach_their_hooks() -> None:
    told: list[tuple[object, ...]] = []

    async def on_fill(fill: Fill, ctx: ObserverContext) -> None:
        told.append((fill.step_id, ctx.position))

    async def on_settled(intent_id: UUID, status: IntentStatus, ctx: ObserverContext) -> None:
        told.append((intent_id, status, ctx.position))

    async def on_fault(plugin: str, error: str) -> None:
        told.append((plugin, error))

    watching, _ = guard()
    dispatcher = Dispatcher(
        [
            module(
                "observer",
                sep_fill_recorded=on_fill,
                sep_intent_settled=on_settled,
                sep_plugin_faulted=on_fault,
            )
        ],
        watching,
    )
    broadcaster = Broadcaster(dispatcher, FakeClock(), FakeLog())
    intent = uuid4()
    await broadcaster.show(recorded(f"intent:{intent}", FillRecorded(fill(), simulated=False), 3))
    await broadcaster.show(recorded(f"intent:{intent}", IntentSettled(Amount(1), Amount(2), Amount(3)), 4))
    fault = PluginFaulted("venue", "acme", "uni", "acme", "states", "raised", "no", 1)
    await broadcaster.show(recorded("plugin:venue:acme:uni", fault))
    own = PluginFaulted("hooks", "observer", "sep_fill_recorded", "o", "sep_fill_recorded", "raised", "no", 1)
    await broadcaster.show(recorded("plugin:hooks:observer:sep_fill_recorded", own))
    assert told == [("swap", 3), (intent, IntentStatus.SETTLED, 4), ("venue:acme:uni", "no")]


async def test_every_hook_is_documented() -> None:
    found = {
        name: function
        for part in (specs.boot, specs.lifecycle, specs.facts)
        for name, function in vars(part).items()
        if name.startswith("sep_")
    }
    assert set(found) == set(hook_names())
    for name, function in found.items():
        assert inspect.getdoc(function), f"{name} has no docstring"
        asynchronous = inspect.iscoroutinefunction(function)
        assert asynchronous is (name not in vars(specs.boot)), name
        if asynchronous:
            assert list(inspect.signature(function).parameters)[-1] == "ctx", name


async def test_no_verbs_without_plugins() -> None:
    assert declared_verbs(Discovery(())) == {}
    assert datetime(2025, 1, 1, tzinfo=UTC) == START
