"""The guard: whatever a plugin does, its caller gets an answer of the promised type or one typed fault."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.capabilities import PluginKind
from sep_hooks.errors import SignerRefused, VenueError
from sep_hooks.types import BlockRef, ConstantProductState, MarketId, MarketState, Verdict

from sep_core.events.facts.plugin import PluginFaulted, PluginQuarantined, PluginReleased
from sep_core.events.registry import encode_fact
from sep_core.plugins.activation import activate
from sep_core.plugins.conformity import check_of
from sep_core.plugins.facts import PluginFact
from sep_core.plugins.failure import POLICIES, PluginFault
from sep_core.plugins.guard import Guard
from sep_core.plugins.holding import Holding
from sep_core.plugins.quarantine import Quarantine, evolve
from sep_core.plugins.reference import PluginRef
from sep_core.telemetry.crashpoints import armed, crash_point, crossing
from tests.harness.facts import as_read

pytestmark = pytest.mark.anyio


@dataclass
class Bench:
    """A guard, what it reported, and a clock to move its circuits."""

    facts: list[PluginFact] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.guard = Guard(lambda _plugin, fact: self.facts.append(fact), monotonic=lambda: self.now)

    @property
    def faults(self) -> list[PluginFaulted]:
        return [fact for fact in self.facts if isinstance(fact, PluginFaulted)]


def ref(kind: PluginKind = PluginKind.VENUE, name: str = "acme") -> PluginRef:
    return PluginRef(kind, name, name, f"acme-{name}", "1.0", "digest")


async def good() -> BlockRef:
    await asyncio.sleep(0)
    return BlockRef(1, "0x1")


async def raises() -> BlockRef:
    raise VenueError("out of order")


async def exits() -> BlockRef:
    raise SystemExit(3)


async def cancels_itself() -> BlockRef:
    raise asyncio.CancelledError


async def waits_for_ever() -> BlockRef:
    await asyncio.Event().wait()
    raise AssertionError


async def ignores_cancellation() -> BlockRef:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


async def answers_late() -> BlockRef:
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return BlockRef(1, "0x1")


async def turns_timeouts_into_errors() -> BlockRef:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ValueError("was interrupted") from None
    raise AssertionError


async def lies() -> BlockRef:
    return BlockRef("one", "0x1")  # type: ignore[arg-type]


async def answers_nothing() -> BlockRef:
    return None  # type: ignore[return-value]


def is_not_async() -> BlockRef:
    return BlockRef(1, "0x1")


def raises_before_awaiting() -> Awaitable[BlockRef]:
    raise RuntimeError("early")


BAD: Sequence[tuple[Callable[[], object], str]] = [
    (raises, "raised"),
    (exits, "raised"),
    (cancels_itself, "raised"),
    (waits_for_ever, "timed_out"),
    (ignores_cancellation, "timed_out"),
    (answers_late, "timed_out"),
    (turns_timeouts_into_errors, "timed_out"),
    (lies, "wrong_result"),
    (answers_nothing, "wrong_result"),
    (is_not_async, "raised"),
    (raises_before_awaiting, "raised"),
]


async def ask(bench: Bench, make: Callable[[], object], plugin: PluginRef | None = None) -> object:
    return await bench.guard.attempt(
        plugin or ref(), "states", make, timeout_seconds=0.02, returns=BlockRef  # type: ignore[arg-type]
    )  # fmt: skip


async def test_a_good_answer_passes_and_leaves_no_trace() -> None:
    bench = Bench()
    assert await ask(bench, good) == BlockRef(1, "0x1")
    assert bench.facts == []
    assert bench.guard.holding.hold is None


@pytest.mark.parametrize(("make", "fault"), BAD)
async def test_every_misbehaviour_is_one_typed_recorded_fault(make: Callable[[], object], fault: str) -> None:
    bench = Bench()
    answer = await ask(bench, make)
    assert isinstance(answer, PluginFault)
    assert answer.fault == fault
    (recorded,) = bench.faults
    assert (recorded.fault, recorded.call, recorded.strike) == (fault, "states", 1)
    assert as_read(recorded) == recorded
    assert bench.guard.holding.hold is None
    assert await ask(bench, good, ref(name="other")) == BlockRef(1, "0x1")


async def test_a_timeout_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    await ask(Bench(), waits_for_ever)
    await ask(Bench(), ignores_cancellation)
    assert asyncio.all_tasks() == before


async def test_cancellation_from_outside_passes_through_and_is_no_fault() -> None:
    for make in (waits_for_ever, turns_timeouts_into_errors):
        bench = Bench()
        with anyio.move_on_after(0.01) as scope:
            await bench.guard.call(ref(), "states", make, timeout_seconds=5)
        assert scope.cancelled_caught
        assert bench.facts == []


async def test_keyboard_interrupt_passes_through() -> None:
    bench = Bench()

    def interrupt() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.guard.call_sync(ref(), "apply", interrupt)
    assert bench.facts == []


async def test_a_death_that_a_test_plays_at_a_crash_point_is_not_contained() -> None:
    class Died(BaseException):
        pass

    def die(name: str) -> None:
        if not name.endswith(".before"):
            raise Died(name)

    async def calls_the_kernel() -> BlockRef:
        return await crossing("rpc", good())

    async def fails_inside_the_kernel() -> BlockRef:
        return await crossing("rpc", raises())

    bench = Bench()
    with armed(die):
        with pytest.raises(Died):
            await bench.guard.call(ref(), "states", calls_the_kernel, timeout_seconds=1)
        with pytest.raises(Died):
            bench.guard.call_sync(ref(), "apply", lambda: crash_point("here"))
    assert bench.facts == []
    assert isinstance(await ask(bench, fails_inside_the_kernel), PluginFault)


async def test_an_exception_that_is_an_answer_is_no_fault() -> None:
    bench = Bench()

    async def refuse() -> int:
        raise SignerRefused("a second payload")

    with pytest.raises(SignerRefused):
        await bench.guard.call(
            ref(PluginKind.SIGNER), "sign", refuse, timeout_seconds=1, answers=(SignerRefused,)
        )
    assert bench.facts == []


@pytest.mark.parametrize("kind", list(PluginKind))
async def test_each_kind_has_its_consequence_after_its_strikes(kind: PluginKind) -> None:
    bench = Bench()
    policy = POLICIES[kind]
    for strike in range(1, policy.strikes + 1):
        answer = await ask(bench, raises, ref(kind))
        assert isinstance(answer, PluginFault)
        assert answer.strike == strike
        assert answer.consequence == (policy.consequence if strike == policy.strikes else None)
    (last,) = [fact for fact in bench.facts if isinstance(fact, PluginQuarantined)]
    assert (last.consequence, last.version, last.config_digest) == (policy.consequence, "1.0", "digest")
    refused = await ask(bench, good, ref(kind))
    assert isinstance(refused, PluginFault)
    assert refused.fault is None
    assert refused.fatal is (kind in (PluginKind.SIGNER, PluginKind.STORE))
    assert len(bench.faults) == policy.strikes


async def test_the_table_of_consequences_is_this() -> None:
    assert {kind.value: policy.consequence for kind, policy in POLICIES.items()} == {
        "hooks": "muted",
        "risk": "no_new_intents",
        "venue": "circuit_open",
        "order-venue": "circuit_open",
        "chain": "circuit_open",
        "strategy": "quarantined",
        "signer": "stopped",
        "relay": "circuit_open",
        "store": "stopped",
        "bus": "circuit_open",
        "cache": "circuit_open",
    }


async def test_after_submission_the_third_strike_makes_read_only() -> None:
    bench = Bench()
    for _ in range(3):
        await bench.guard.attempt(ref(), "fills", raises, timeout_seconds=1, submitted=True)
    assert bench.guard.consequence(ref()) == "read_only"


async def test_a_success_between_faults_starts_the_count_afresh() -> None:
    bench = Bench()
    for make in (raises, raises, good, raises, raises):
        await ask(bench, make)
    assert [fault.strike for fault in bench.faults] == [1, 2, 1, 2]
    assert bench.guard.consequence(ref()) is None


async def test_an_open_circuit_lets_one_probe_through_and_closes_on_success() -> None:
    bench = Bench()
    for _ in range(3):
        await ask(bench, raises)
    bench.now = 4.9
    assert isinstance(await ask(bench, good), PluginFault)
    bench.now = 5.1
    assert isinstance(await ask(bench, raises), PluginFault)
    assert len(bench.faults) == 4
    bench.now = 6.0
    assert isinstance(await ask(bench, good), PluginFault)
    bench.now = 10.2
    assert await ask(bench, good) == BlockRef(1, "0x1")
    assert isinstance(bench.facts[-1], PluginReleased)
    assert bench.guard.consequence(ref()) is None


async def test_a_probe_that_is_cancelled_leaves_room_for_the_next() -> None:
    bench = Bench()
    for _ in range(3):
        await ask(bench, raises)
    bench.now = 6.0
    with anyio.move_on_after(0.01):
        await bench.guard.call(ref(), "states", waits_for_ever, timeout_seconds=5)
    assert await ask(bench, good) == BlockRef(1, "0x1")


async def test_a_synchronous_rule_that_raises_or_lies_is_a_fault() -> None:
    bench = Bench()
    rule = ref(PluginKind.RISK)

    def fail() -> Sequence[Verdict]:
        raise AssertionError("no")

    with pytest.raises(PluginFault, match="AssertionError"):
        bench.guard.call_sync(rule, "assess", fail, returns=Sequence[Verdict])
    with pytest.raises(PluginFault, match="not a sequence"):
        bench.guard.call_sync(rule, "assess", lambda: None, returns=Sequence[Verdict])
    assert bench.guard.call_sync(rule, "assess", lambda: (), returns=Sequence[Verdict]) == ()


async def test_a_strategy_that_keeps_the_loop_is_served_and_struck() -> None:
    now = [0.0]
    facts: list[PluginFact] = []
    guard = Guard(lambda _plugin, fact: facts.append(fact), holding=Holding(monotonic=lambda: now[0]))

    def take(seconds: float) -> float:
        now[0] += seconds
        return seconds

    async def take_in_two(seconds: float) -> float:
        take(seconds)
        await asyncio.sleep(0)
        return take(seconds)

    strategy = ref(PluginKind.STRATEGY)
    assert guard.call_sync(strategy, "on_block", lambda: take(0.09)) == 0.09
    assert await guard.call(strategy, "on_block", lambda: take_in_two(0.09), timeout_seconds=None) == 0.09
    assert facts == []
    assert guard.call_sync(strategy, "on_block", lambda: take(0.2)) == 0.2
    assert await guard.call(strategy, "on_block", lambda: take_in_two(0.2), timeout_seconds=None) == 0.2
    assert guard.call_sync(ref(), "apply", lambda: take(0.2)) == 0.2
    assert [(fact.fault, fact.strike) for fact in facts if isinstance(fact, PluginFaulted)] == [
        ("held_the_loop", 1),
        ("held_the_loop", 2),
    ]


async def test_secrets_are_blotted_out_of_faults() -> None:
    facts: list[PluginFact] = []
    guard = Guard(
        lambda _plugin, fact: facts.append(fact), redact=lambda text: text.replace("hunter2", "***")
    )

    async def tell() -> int:
        raise ValueError("https://rpc.example/hunter2")

    answer = await guard.attempt(ref(), "states", tell, timeout_seconds=1)
    assert "hunter2" not in str(answer)
    assert "hunter2" not in str(facts)


async def test_the_holder_of_the_thread_is_known_only_while_it_runs() -> None:
    bench = Bench()
    seen: list[object] = []
    gate = asyncio.Event()

    async def plugin() -> BlockRef:
        seen.append(bench.guard.holding.hold)
        await gate.wait()
        return BlockRef(1, "0x1")

    async def other() -> None:
        seen.append(bench.guard.holding.hold)
        gate.set()

    async with anyio.create_task_group() as group:
        group.start_soon(ask, bench, plugin)
        await asyncio.sleep(0)
        group.start_soon(other)
    inside, outside = seen
    assert inside is not None
    assert outside is None


async def test_a_call_on_another_thread_does_not_touch_the_slot() -> None:
    bench = Bench()
    inside: list[object] = []

    def open_key() -> int:
        inside.append(bench.guard.holding.hold)
        return 1

    answer = await anyio.to_thread.run_sync(
        lambda: bench.guard.call_sync(ref(PluginKind.SIGNER), "open", open_key)
    )
    assert (answer, inside) == (1, [None])


async def test_streams_have_names_that_the_log_takes() -> None:
    from sep_core.events.envelope import check_stream

    check_stream(PluginRef(PluginKind.VENUE, "a b\n/é" * 100, "x", "d").stream)
    assert ref().stream == "plugin:venue:acme:acme"


class Thing:
    """What a loaded class builds."""


async def test_activation_reports_what_decides_and_rejects_what_fails() -> None:
    from sep_hooks.manifest import PluginManifest

    from sep_core.plugins.distribution import Installed
    from sep_core.plugins.registry import Loaded

    bench = Bench()
    manifest = PluginManifest.model_validate(
        {"name": "acme", "kind": "venue", "api": ">=0.1", "capabilities": {"multi_hop": "full"},
         "permissions": {"net": ["rpc"], "sign": ["swap"]}}
    )  # fmt: skip
    loaded = Loaded(PluginKind.VENUE, "acme", Thing, Installed("acme", "1.0", "ab", False), manifest, 0.0)

    async def start(build: Callable[[type[Thing]], Thing], state: Quarantine, probe: bool = False) -> Thing:
        async def fail(_thing: Thing) -> None:
            raise VenueError("no contract there")

        return await activate(
            loaded, ref(), build, guard=bench.guard, quarantine=state,
            report=lambda _plugin, fact: bench.facts.append(fact), probe=fail if probe else None,
        )  # fmt: skip

    await start(lambda cls: cls(), Quarantine())
    fact = bench.facts[-1]
    assert encode_fact(fact) == {
        "kind": "venue", "name": "acme", "instance": "acme", "dist": "acme-acme", "version": "1.0",
        "record_sha256": "ab", "editable": False, "api": ">=0.1", "capabilities": [["multi_hop", "full"]],
        "permissions": ["net:rpc", "sign:swap"], "config_digest": "digest",
    }  # fmt: skip

    def explode(_cls: type[Thing]) -> Thing:
        raise SystemExit

    kept_out = Quarantine()
    kept_out = evolve(
        kept_out,
        PluginQuarantined("venue", "acme", "acme", "acme", "1.0", "digest", "quarantined", "held the loop"),
    )
    for build, state, probe, stage in [
        (explode, Quarantine(), False, "constructed"),
        (lambda _cls: 5, Quarantine(), False, "constructed"),
        (lambda cls: cls(), Quarantine(), True, "probed"),
        (lambda cls: cls(), kept_out, False, "allowed"),
    ]:
        with pytest.raises(Exception, match="takes no part") as caught:
            await start(build, state, probe)
        assert caught.value.stage == stage  # type: ignore[attr-defined]
        assert bench.facts[-1].stage == stage  # type: ignore[union-attr]


STATE = ConstantProductState(MarketId("uni/a"), BlockRef(1, "0x"), 1, 2, 3000)


@pytest.mark.parametrize(
    ("hint", "value", "ok"),
    [
        (Sequence[MarketState], (STATE,), True),
        (Sequence[MarketState], [STATE], True),
        (Sequence[MarketState], "text", False),
        (Sequence[MarketState], iter([STATE]), False),
        (Sequence[MarketState], (STATE, None), False),
        (Sequence[int], [0] * 100_001, False),
        (Mapping[str, int], {"a": 1}, True),
        (Mapping[str, int], {"a": True}, False),
        (Mapping[str, int], {1: 1}, False),
        (tuple[int, int], (1, 2), True),
        (tuple[int, int], (1, 2, 3), False),
        (tuple[int, ...], (), True),
        (int | None, None, True),
        (int | None, 1.0, False),
        (Literal["a", "b"], "c", False),
        (PluginKind, "venue", False),
        (object, object(), True),
    ],
)
def test_conformity(hint: object, value: object, ok: bool) -> None:
    assert (check_of(hint)(value) == "") is ok


@given(
    reserve=st.one_of(st.none(), st.floats(), st.text(), st.booleans(), st.binary(), st.lists(st.integers()))
)
def test_a_field_of_another_type_is_never_let_through(reserve: object) -> None:
    state = ConstantProductState(MarketId("uni/a"), BlockRef(1, "0x"), reserve, 2, 3000)  # type: ignore[arg-type]
    assert "reserve0" in check_of(ConstantProductState)(state)
