"""Plugins that raise, exit, wait for ever or lie in each of their calls: a typed, persisted outcome, and the kernel
serves on. What a liar says never moves money that it should not."""

import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from sep_hooks.errors import ConfigurationError, PluginError
from sep_hooks.specs import boot
from sep_native.sim import SimChain

from sep_core.adapters.sim_chain import share
from sep_core.events.facts import BreakerClosed, PluginFaulted, PluginRejected
from sep_core.events.streams import RISK_BREAKERS
from sep_core.markets import chain_board
from sep_core.plugins.dispatch import hook_names
from sep_core.runtime import strategies as runtime_strategies
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.commands import RecordFacts
from sep_core.runtime.desk import fold
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.settings import settings_of
from sep_core.runtime.start import running_kernel
from sep_core.runtime.submission import parse_submission
from sep_core.strategies import StrategyHost, StrategyLife

from ..harness.bench import DATA, ENVIRON, SECOND_OWNER, TOKENS, Wish, acquire, new_chain, tables
from ..harness.hostile import Hostile
from ..harness.run import until
from ..harness.scenario import ask
from ..harness.verdict import check_books, check_effects, check_log, own_transactions, token_balance

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 10.0
SHORT_SECONDS = 0.3
RAISING = ("raises", "exits", "raises the worst")
LYING = (
    "answers nothing",
    "answers text",
    "answers a negative number",
    "answers a huge number",
    "answers an object",
)
VENUE_WAITS = ("markets", "states")
VENUE_CALLS = (*VENUE_WAITS, "apply", "spender", "swap_call", "quote_call", "quoted_amount", "fills")
STRATEGY_CALLS = ("on_start", "on_stop", "on_block", "on_quote", "on_timer", "on_intent", "on_fill")
OBSERVER_CALLS = (
    "sep_kernel_started",
    "sep_kernel_stopping",
    "sep_intent_accepted",
    "sep_plan_chosen",
    "sep_risk_decided",
    "sep_step_submitted",
    "sep_fill_recorded",
    "sep_intent_settled",
)


def cases(kind: str, calls: tuple[str, ...], hows: tuple[str, ...]) -> list[Hostile]:
    """Every call with every misbehaviour."""
    return [Hostile(kind, call, how) for call in calls for how in hows]


VENUES = [
    *cases("venue", ("construct", *VENUE_CALLS), RAISING),
    *cases("venue", VENUE_CALLS, (*LYING, "lies")),
    *cases("venue", VENUE_WAITS, ("waits for ever",)),
]
RULES = [
    *cases("risk", ("charges", "assess", "assess at pre_sign"), (*RAISING, *LYING, "lies")),
]
STRATEGIES = [
    *cases("strategy", ("construct", "subscriptions"), RAISING),
    *cases("strategy", ("subscriptions",), LYING),
    *cases("strategy", STRATEGY_CALLS, (*RAISING, "waits for ever", "lies", "keeps nonsense")),
]
OBSERVERS = cases("hooks", OBSERVER_CALLS, (*RAISING, "waits for ever", "answers text"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the search path; what is imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(chain_board, "READ_TIMEOUT_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(chain_board, "DISCOVERY_TIMEOUT_SECONDS", SHORT_SECONDS)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@asynccontextmanager
async def running(
    hostile: Hostile, site: Path, folder: Path, *, beside: Hostile | None = None
) -> AsyncIterator[tuple[Kernel, SimChain]]:
    """An engine with the hostile plugin, or two, among good ones."""
    chain = new_chain(folder)
    ask(chain, "sim_setAutomine", True)
    ask(chain, "sim_setFinality", 0)
    share(str(folder), chain)
    made = hostile.tables(tables({"shared": str(folder)}), hostile.install(site), folder)
    if beside is not None:
        made = beside.tables(made, beside.install(site), folder)
    settings = settings_of(made, source="test", folder=folder)
    try:
        async with running_kernel(settings, ENVIRON, SystemClock()) as kernel:
            yield kernel, chain
    finally:
        share(str(folder), None)


async def ended(kernel: Kernel, wish: Wish, seconds: float = PATIENCE_SECONDS) -> str:
    """The status that an intent comes to."""
    receipt = await kernel.submit(parse_submission(wish.body), source="command_line", request=wish.body)
    return (await kernel.wait_until_ended(receipt.intent_id, seconds)).status


async def faults_of(folder: Path) -> list[PluginFaulted | PluginRejected]:
    """What the log says about the hostile plugin."""
    from uuid import uuid4

    from sep_core.adapters.store_sqlite import open_store

    store = open_store(folder / DATA, writable=False, clock=SystemClock(), ids=uuid4)
    try:
        world = await fold(store)
    finally:
        await store.close()
    return [
        fact
        for facts in world.plugins.values()
        for fact in facts
        if isinstance(fact, PluginFaulted | PluginRejected) and fact.name == "hostile"
    ]


def faulted(kernel: Kernel, call: str) -> bool:
    """Whether a fault of the hostile plugin in a call is known."""
    return any(
        isinstance(fact, PluginFaulted) and fact.name == "hostile" and fact.call == call
        for facts in kernel.world.plugins.values()
        for fact in facts
    )


def life_of(kernel: Kernel) -> StrategyLife:
    """Where the hostile strategy stands."""
    return kernel.world.strategies["evil"]


def only_by(venue: str, wish: Wish) -> Wish:
    """The same wish, for one venue alone."""
    body = json.loads(wish.body)
    constraints = {**body["constraints"], "venues": [venue]}
    return Wish(wish.client_id, json.dumps({**body, "constraints": constraints}).encode())


async def check(kernel: Kernel, chain: SimChain, folder: Path, before: int, bought: int) -> None:
    """Nothing lost, nothing doubled, no allowance left, books balance."""
    both = own_transactions(partial(ask, chain)) | own_transactions(partial(ask, chain), SECOND_OWNER)
    await check_effects(kernel, both, own_before(chain))
    await check_books(kernel)
    check_log(folder / DATA)
    assert token_balance(partial(ask, chain), TOKENS["WETH"]["address"]) == before + bought


def own_before(chain: SimChain) -> list[str]:
    """The account's transactions from before the engine: the first one of the chain."""
    return list(own_transactions(partial(ask, chain)))[:1]


@pytest.mark.parametrize("hostile", VENUES, ids=lambda one: one.name)
async def test_a_hostile_venue(hostile: Hostile, site: Path, tmp_path: Path) -> None:
    amount = 10**16
    async with running(hostile, site, tmp_path) as (kernel, chain):
        before = token_balance(partial(ask, chain), TOKENS["WETH"]["address"])
        settled = 0
        if "evil" in kernel.installation.venues:
            wish = only_by("evil", acquire("by the hostile one", amount))
            status = await ended(kernel, wish, 0.5)
            if status not in ("SETTLED", "REJECTED"):
                intent_id = next(iter(kernel.world.intents))
                told = kernel.plans.why_waiting(intent_id)
                assert told is not None, status
                assert told.reason
                status = (await kernel.cancel(intent_id, "the test")).status
            assert status in ("SETTLED", "REJECTED", "CANCELLED")
            settled += status == "SETTLED"
        assert await ended(kernel, acquire("by the others", amount)) == "SETTLED"
        settled += 1
        await check(kernel, chain, tmp_path, before, amount * settled)
        assert kernel.health().timestamp is not None
    if hostile.how in RAISING or hostile.how == "waits for ever":
        assert await faults_of(tmp_path), "nothing is recorded about the hostile plugin"


@pytest.mark.parametrize("hostile", RULES, ids=lambda one: one.name)
async def test_a_hostile_rule_refuses(hostile: Hostile, site: Path, tmp_path: Path) -> None:
    async with running(hostile, site, tmp_path) as (kernel, chain):
        before = token_balance(partial(ask, chain), TOKENS["WETH"]["address"])
        assert await ended(kernel, acquire("refused", 10**16)) == "REJECTED"
        state = next(iter(kernel.world.intents.values()))
        assert state.code == "risk_rule_unavailable", (state.code, state.reason)
        assert "evil" in state.reason
        assert await ended(kernel, acquire("refused again", 10**16)) == "REJECTED"
        await check(kernel, chain, tmp_path, before, 0)
    assert await faults_of(tmp_path)


@pytest.mark.parametrize(
    ("call", "how"),
    [
        *(("construct", how) for how in RAISING),
        *(("numeraire", how) for how in (*RAISING, *LYING) if how != "answers nothing"),
    ],
)
async def test_a_rule_that_cannot_be_had_stops_the_start(
    call: str, how: str, site: Path, tmp_path: Path
) -> None:
    with pytest.raises((PluginError, ConfigurationError)) as caught:
        async with running(Hostile("risk", call, how), site, tmp_path):
            pass
    assert "evil" in str(caught.value)


@pytest.mark.parametrize("hostile", STRATEGIES, ids=lambda one: one.name)
async def test_a_hostile_strategy(
    hostile: Hostile, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        runtime_strategies, "StrategyHost", partial(StrategyHost, callback_timeout_seconds=SHORT_SECONDS)
    )
    async with running(hostile, site, tmp_path) as (kernel, chain):
        before = token_balance(partial(ask, chain), TOKENS["WETH"]["address"])
        for number in range(2):
            assert await ended(kernel, acquire(f"beside it {number}", 10**16)) == "SETTLED"
        if hostile.call != "on_stop":
            await until(kernel, lambda: life_of(kernel).status in ("FAULTED", "QUARANTINED"))
            assert life_of(kernel).reason
        await until(kernel, lambda: not list(kernel.world.open_intents()))
        await check(kernel, chain, tmp_path, before, 2 * 10**16)
    if hostile.call not in ("construct", "subscriptions") and hostile.how in (*RAISING, "waits for ever"):
        assert await faults_of(tmp_path)


@pytest.mark.parametrize("hostile", OBSERVERS, ids=lambda one: one.name)
async def test_a_hostile_observer(hostile: Hostile, site: Path, tmp_path: Path) -> None:
    async with running(hostile, site, tmp_path) as (kernel, chain):
        before = token_balance(partial(ask, chain), TOKENS["WETH"]["address"])
        assert await ended(kernel, acquire("watched", 10**16)) == "SETTLED"
        await check(kernel, chain, tmp_path, before, 10**16)
        if hostile.call != "sep_kernel_stopping":
            await until(kernel, lambda: faulted(kernel, hostile.call))
    faults = await faults_of(tmp_path)
    assert any(isinstance(one, PluginFaulted) and one.call == hostile.call for one in faults), faults


async def test_observers_are_told_of_every_fact(site: Path, tmp_path: Path) -> None:
    """Every hook of a fact or moment: what brings it about, and that it arrives."""
    watcher, wild = Hostile("hooks", "none of them", "raises"), Hostile("strategy", "on_timer", "raises")
    async with running(watcher, site, tmp_path, beside=wild) as (kernel, chain):
        (told,) = [vars(one)["TOLD"] for one in tuple(sys.modules.values()) if "TOLD" in vars(one)]
        assert await ended(kernel, acquire("watched", 10**16)) == "SETTLED"
        assert await ended(kernel, acquire("too much", 10**23)) == "REJECTED"
        plugin = kernel.installation.strategies["evil"].plugin
        for _ in range(2):
            kernel.installation.guard.strike(plugin, "a call", "raised", "again")
        ask(chain, "sim_setFinality", 3)
        ask(chain, "sim_mine", 2)
        await until(kernel, lambda: "sep_plugin_quarantined" in told)
        await until(kernel, lambda: kernel.chains()[0].head == int(ask(chain, "eth_blockNumber"), 16))
        ask(chain, "sim_reorg", 1)
        await until(kernel, lambda: "sep_chain_reorged" in told)
        closed = BreakerClosed("one that a rule opened", "global", "seen", "tests", kernel.clock.now())
        await kernel.desk.record(RecordFacts(((RISK_BREAKERS, closed),)))
        await until(kernel, lambda: "sep_circuit_breaker_changed" in told)
    assert set(told) == hook_names() - vars(boot).keys()
