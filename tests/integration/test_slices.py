"""Intents in slices through a whole engine on the simulated chain: amounts, time, restarts, ends, and what is shown."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import pytest
from sep_hooks.types import IntentId, IntentStatus, ratio_parts
from sep_native.sim import SimChain

from sep_core.adapters.store_sqlite.audit import verify_store
from sep_core.events.facts import IntentPlanned, SliceReleased, SlicesScheduled, StepsReverted
from sep_core.events.reading import read_facts
from sep_core.events.registry import Fact
from sep_core.intents import IntentState
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.submission import parse_submission
from sep_core.runtime.views import IntentView

from ..harness.bench import (
    DATA,
    GENESIS,
    TOKENS,
    Wish,
    dispose,
    new_chain,
    tables,
    toml_text,
    twap,
    wish,
)
from ..harness.run import engine, until
from ..harness.scenario import START, Scenario, StandingClock, ask
from ..harness.verdict import own_transactions, token_balance
from .command import sep

pytestmark = pytest.mark.anyio

TEN_MINUTES = 600_000


class HandClock(StandingClock):
    """Time passes when the test says so."""

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        """The moment."""
        return self.moment

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.moment += timedelta(seconds=seconds)


@dataclass
class Stage:
    """A chain and a clock that outlive the engines on them."""

    folder: Path
    chain: SimChain
    clock: HandClock = field(default_factory=HandClock)
    paper: bool = False
    tables: dict[str, Any] = field(default_factory=dict)

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[Kernel]:
        """An engine of this stage."""
        tables = self.tables | ({"mode": "paper"} if self.paper else {})
        scenario = Scenario("slices", (), clock=lambda: self.clock, paper=self.paper, tables=tables)
        scenario.prepare(self.chain)
        async with engine(scenario, self.folder, self.chain) as kernel:
            yield kernel

    def held(self, symbol: str) -> int:
        """What the account holds of a token."""
        return token_balance(partial(ask, self.chain), TOKENS[symbol]["address"])

    def nudge(self, bps: int, *, up: bool) -> None:
        """Somebody moves the price of WETH in each of its pools, and a block is made."""
        for pool in GENESIS["pools"]:
            if pool["token0"] == TOKENS["WETH"]["address"]:
                ask(self.chain, "sim_nudge", {"pool": pool["address"], "bps": bps, "up": up})
        ask(self.chain, "sim_mine")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A chain on which the account may sell WETH."""
    return Stage(tmp_path, new_chain(tmp_path))


async def submit(kernel: Kernel, asked: Wish) -> UUID:
    """The id of a wish that was taken."""
    taken = await kernel.submit(parse_submission(asked.body), source="command_line", request=asked.body)
    return taken.intent_id


def state_of(kernel: Kernel, intent_id: UUID) -> IntentState:
    """Where an intent stands now."""
    return kernel.world.intents[IntentId(intent_id)]


def children_of(kernel: Kernel, intent_id: UUID) -> Sequence[IntentState]:
    """The children of an intent, in their order."""
    slices = state_of(kernel, intent_id).slices
    return () if slices is None else [kernel.world.intents[one.id] for one in slices.children]


async def settled(kernel: Kernel, intent_id: UUID, count: int) -> None:
    """Returns when so many children have settled."""

    def enough() -> bool:
        ended = [one for one in children_of(kernel, intent_id) if one.status is IntentStatus.SETTLED]
        return len(ended) >= count

    await until(kernel, enough)


def _more_than(kernel: Kernel, intent_id: UUID, known: int) -> bool:
    return len(children_of(kernel, intent_id)) > known


def _went_on(kernel: Kernel, intent_id: UUID, known: int) -> bool:
    """Whether there is a new child, or none is open any more."""
    children = children_of(kernel, intent_id)
    return len(children) > known or (bool(children) and not any(one.open for one in children))


async def facts_of[F: Fact](kernel: Kernel, intent_id: UUID, kind: type[F]) -> list[F]:
    """The facts of one kind in an intent's own stream."""
    return [
        fact
        async for recorded, fact in read_facts(kernel.store)
        if recorded.stream == f"intent:{intent_id}" and isinstance(fact, kind)
    ]


async def ended(kernel: Kernel, intent_id: UUID) -> IntentView:
    """The intent, once it has ended."""
    view = await kernel.wait_until_ended(intent_id, 20)
    assert view.status not in {"ACCEPTED", "EXECUTING", "PARTIALLY_FILLED"}, (view.status, view.slices)
    return view


async def test_a_twap_sells_its_whole_to_the_unit_at_its_times(stage: Stage) -> None:
    before, foreign = stage.held("WETH"), own_transactions(partial(ask, stage.chain))
    amount = 3 * 10**16 + 1
    async with stage.engine() as kernel:
        intent_id = await submit(kernel, twap("twap", amount, slices=3, window_ms=TEN_MINUTES))
        for count in (1, 2, 3):
            await settled(kernel, intent_id, count)
            assert len(children_of(kernel, intent_id)) == count
            assert before - stage.held("WETH") == sum(one.spent for one in children_of(kernel, intent_id))
            stage.clock.advance(200)
        view = await ended(kernel, intent_id)
        assert (view.status, view.spent) == ("SETTLED", str(amount))
        assert [one.spent for one in children_of(kernel, intent_id)] == [10**16 + 1, 10**16, 10**16]
        released = await facts_of(kernel, intent_id, SliceReleased)
        assert [one.due for one in released] == [START + timedelta(seconds=200 * k) for k in range(3)]
        assert await kernel.mismatches() == []
        assert not kernel.world.book.holds
        assert before - stage.held("WETH") == amount
        assert len(own_transactions(partial(ask, stage.chain))) - len(foreign) == 3
        await check_tree(kernel, intent_id, view)
    assert verify_store(stage.folder / DATA).ok


async def check_tree(kernel: Kernel, intent_id: UUID, view: IntentView) -> None:
    """Both ways are shown: the parent names its children, each child its parent; the list shows parents."""
    assert view.slices is not None
    assert [one.status for one in view.slices.items] == ["SETTLED"] * 3
    assert view.slices.total == view.slices.done
    queries = await kernel.queries()
    for one in view.slices.items:
        assert one.id is not None
        child = await queries.intent(one.id)
        assert child.parent is not None
        assert (child.parent.intent_id, child.parent.ordinal) == (intent_id, one.ordinal)
        assert child.constraints.execution_style == "IMMEDIATE"
        assert one.transaction_hashes == child.transaction_hashes
    page = await queries.intents(status=None, strategy=None, cursor=None, limit=20)
    assert [one.id for one in page.items] == [intent_id]
    told = await queries.explain(intent_id)
    assert "3 of 3 released slices settled" in told.summary
    words = " | ".join(one.what for one in told.timeline)
    for said in (
        "schedule 1: TWAP",
        "slice 0 of 0.010000000000000001 WETH",
        "slice 2 SETTLED",
        "measured from",
    ):
        assert said in words


async def test_a_volume_profile_shapes_sizes_and_its_seed_is_recorded(stage: Stage) -> None:
    stage.paper = True
    slicing = {"profile": ["1", "0", "3"], "size_jitter": "0.2", "time_jitter": "0.5"}
    asked = wish("vwap", "ACQUIRE", "WETH", 10**17, TEN_MINUTES, "0.05", style="VWAP", slicing=slicing)
    async with stage.engine() as kernel:
        intent_id = await submit(kernel, asked)
        (plan,) = await facts_of(kernel, intent_id, SlicesScheduled)
        assert len(plan.seed) == 32
        assert [one.ordinal for one in plan.slices] == [0, 1]
        assert sum(one.amount for one in plan.slices) == 10**17
        for one, share in zip(plan.slices, (10**17 // 4, 3 * 10**17 // 4), strict=True):
            assert abs(one.amount - share) <= share // 5 + 1
        for count, one in enumerate(plan.slices, start=1):
            stage.clock.moment = one.at
            await settled(kernel, intent_id, count)
        view = await ended(kernel, intent_id)
        assert (view.status, view.received) == ("SETTLED", str(10**17))


async def test_a_restart_goes_on_and_catches_up_without_a_burst(stage: Stage) -> None:
    async with stage.engine() as kernel:
        intent_id = await submit(kernel, twap("restart", 6 * 10**15, slices=6, window_ms=TEN_MINUTES))
        await settled(kernel, intent_id, 1)
    stage.clock.advance(350)  # the slices of 100, 200 and 300 s were missed
    async with stage.engine() as kernel:
        await settled(kernel, intent_id, 2)
        assert len(children_of(kernel, intent_id)) == 2
        first, second = await facts_of(kernel, intent_id, SlicesScheduled)
        assert second.revision == 2
        assert "3 slices were due at once" in second.reason
        assert [one.amount for one in second.slices] == [one.amount for one in first.slices[1:]]
        assert [one.at - stage.clock.now() for one in second.slices] == [
            timedelta(seconds=50 * k) for k in range(5)
        ]
        for count in range(3, 7):
            stage.clock.advance(50)
            await settled(kernel, intent_id, count)
        view = await ended(kernel, intent_id)
        assert (view.status, view.spent) == ("SETTLED", str(6 * 10**15))
        assert await kernel.mismatches() == []


async def test_a_single_late_slice_goes_at_once_and_the_others_keep_their_times(stage: Stage) -> None:
    async with stage.engine() as kernel:
        intent_id = await submit(kernel, twap("late", 3 * 10**15, slices=3, window_ms=TEN_MINUTES))
        await settled(kernel, intent_id, 1)
    stage.clock.advance(390)
    async with stage.engine() as kernel:
        await settled(kernel, intent_id, 2)
        assert len(await facts_of(kernel, intent_id, SlicesScheduled)) == 1
        stage.clock.advance(10)
        assert (await ended(kernel, intent_id)).status == "SETTLED"


async def test_a_cancel_ends_what_is_scheduled_and_keeps_what_was_done(stage: Stage) -> None:
    before = stage.held("WETH")
    async with stage.engine() as kernel:
        intent_id = await submit(kernel, twap("cancel", 3 * 10**15, slices=3, window_ms=TEN_MINUTES))
        await settled(kernel, intent_id, 1)
        view = await kernel.cancel(intent_id, "the test")
        assert view.status == "CANCELLED"
        assert view.reason is not None
        assert f"{10**15} of {3 * 10**15} done" in view.reason
        assert view.slices is not None
        assert view.slices.done.amount == str(10**15)
        stage.clock.advance(300)
        assert before - stage.held("WETH") == 10**15
        assert not kernel.world.book.holds


async def test_the_whole_keeps_its_slippage_and_expires_with_what_was_done(stage: Stage) -> None:
    """The price falls by more than may be lost: no slice goes out below it, though each alone would be near it."""
    async with stage.engine() as kernel:
        asked = wish(
            "slippage",
            "DISPOSE",
            "WETH",
            3 * 10**15,
            TEN_MINUTES,
            "0.01",
            style="TWAP",
            slicing={"slices": 3},
        )
        intent_id = await submit(kernel, asked)
        await settled(kernel, intent_id, 1)
        stage.nudge(300, up=False)
        await until(kernel, lambda: kernel.watches["sim"].sight.head is not None)
        stage.clock.advance(200)
        await until(kernel, partial(_more_than, kernel, intent_id, 1))
        waiting = children_of(kernel, intent_id)[1].id
        await until(kernel, lambda: kernel.plans.why_waiting(waiting) is not None)
        refused = kernel.plans.why_waiting(waiting)
        assert refused is not None
        assert refused.code == "slippage_exceeded"
        stage.clock.advance(500)
        view = await ended(kernel, intent_id)
        assert view.status == "EXPIRED"
        assert view.slices is not None
        assert view.slices.done.amount == str(10**15)
        assert view.slices.received[0].asset.symbol == "USDC"
        told = await (await kernel.queries()).explain(intent_id)
        assert (
            "Expired with what was done, as the deadline passed: 1 of 2 released slices settled"
            in told.summary
        )


async def test_a_slice_waits_until_the_price_is_back(stage: Stage) -> None:
    async with stage.engine() as kernel:
        asked = wish(
            "back", "DISPOSE", "WETH", 2 * 10**15, TEN_MINUTES, "0.01", style="TWAP", slicing={"slices": 2}
        )
        intent_id = await submit(kernel, asked)
        await settled(kernel, intent_id, 1)
        (first,) = children_of(kernel, intent_id)
        stage.nudge(300, up=False)
        stage.clock.advance(300)
        await until(kernel, partial(_more_than, kernel, intent_id, 1))
        waiting = children_of(kernel, intent_id)[1].id
        await until(kernel, lambda: kernel.plans.why_waiting(waiting) is not None)
        stage.nudge(320, up=True)
        assert (await ended(kernel, intent_id)).status == "SETTLED"
        assert first.plan is not None
        part, whole = ratio_parts(first.intent.constraints.max_slippage)
        received, spent = first.plan.marginal
        for one in children_of(kernel, intent_id):
            assert one.plan is not None
            assert one.plan.limit_out * spent * whole >= one.plan.limit_in * received * (whole - part)


async def test_adaptive_counts_its_rest_anew_before_each_slice(stage: Stage) -> None:
    amount = 4 * 10**18
    before = stage.held("WETH")
    async with stage.engine() as kernel:
        asked = wish("adaptive", "DISPOSE", "WETH", amount, TEN_MINUTES, "0.09", style="ADAPTIVE")
        intent_id = await submit(kernel, asked)
        await until(kernel, partial(_more_than, kernel, intent_id, 0))
        while state_of(kernel, intent_id).open:
            known = len(children_of(kernel, intent_id))
            await until(kernel, partial(_went_on, kernel, intent_id, known))
            slices = state_of(kernel, intent_id).slices
            if slices is not None and slices.pending:
                stage.clock.moment = max(stage.clock.now(), min(one.at for one in slices.pending))
                await until(kernel, partial(_more_than, kernel, intent_id, known))
        view = await ended(kernel, intent_id)
        assert (view.status, view.spent) == ("SETTLED", str(amount)), (view.reason, view.slices)
        plans = await facts_of(kernel, intent_id, SlicesScheduled)
        assert len(plans) == len(children_of(kernel, intent_id)) > 1
        assert all("cost least" in one.reason or "whole" in one.reason for one in plans)
        assert len({one.reason for one in plans}) > 1
        assert before - stage.held("WETH") == amount
        assert await kernel.mismatches() == []


async def test_a_small_adaptive_intent_stays_whole(stage: Stage) -> None:
    async with stage.engine() as kernel:
        asked = wish("small", "DISPOSE", "WETH", 10**12, TEN_MINUTES, "0.05", style="ADAPTIVE")
        view = await ended(kernel, await submit(kernel, asked))
        assert (view.status, view.slices) == ("SETTLED", None)


def reverting(at: Sequence[int]) -> dict[str, Any]:
    """A market that moves away under the transactions of these ordinals."""
    return {"method": "eth_sendRawTransaction", "kind": "revert", "bps": 3000, "at": list(at)}


def paid(stage: Stage) -> int:
    """What all transactions of the account have cost, by the chain's own receipts."""
    sent = own_transactions(partial(ask, stage.chain))
    receipts = [ask(stage.chain, "eth_getTransactionReceipt", name) for name in sent]
    return sum(int(one["gasUsed"], 16) * int(one["effectiveGasPrice"], 16) for one in receipts)


async def test_what_reverted_is_planned_again_within_the_same_constraints(stage: Stage) -> None:
    """A11: the market moved away, and what was to be sold is still accounted for."""
    before = stage.held("WETH")
    ask(stage.chain, "sim_setFaults", {"seed": 1, "rules": [reverting([1])]})
    async with stage.engine() as kernel:
        intent_id = await submit(kernel, dispose("again", 10**15))
        view = await ended(kernel, intent_id)
        assert (view.status, view.attempt, view.spent) == ("SETTLED", 2, str(10**15))
        (reverted,) = await facts_of(kernel, intent_id, StepsReverted)
        assert "reverted" in reverted.reason
        outcomes = own_transactions(partial(ask, stage.chain))
        gas = sum(
            int(one["gasUsed"], 16) * int(one["effectiveGasPrice"], 16)
            for one in (ask(stage.chain, "eth_getTransactionReceipt", name) for name in list(outcomes)[-2:])
        )
        assert view.gas_cost == str(gas)
        assert before - stage.held("WETH") == 10**15
        assert await kernel.mismatches() == []
        assert not kernel.world.book.holds


async def test_what_earlier_attempts_cost_counts_against_the_fee(stage: Stage) -> None:
    """A fee that would pay for one attempt after the other, but not for both, lets the second wait."""
    async with stage.engine() as kernel:
        shown = await kernel.dry_run(parse_submission(dispose("shown", 10**15).body))
    assert shown.plan is not None
    once = shown.plan.gas_limit * int(shown.plan.max_fee_per_gas)
    ask(stage.chain, "sim_setFaults", {"seed": 1, "rules": [reverting([1, 3])]})
    async with stage.engine() as kernel:
        ample = await submit(kernel, _with_fee(dispose("ample", 10**15), 2 * once))
        view = await ended(kernel, ample)
        assert view.status == "SETTLED"
        await _counted(kernel, ample, 2 * once)
        tight = await submit(kernel, _with_fee(dispose("tight", 10**15), once * 5 // 4))
        await until(kernel, lambda: kernel.plans.why_waiting(tight) is not None)
        refused = kernel.plans.why_waiting(tight)
        assert refused is not None
        assert refused.code == "max_fee_exceeded"
        reverted = await _counted(kernel, tight, once * 5 // 4)
        stage.clock.advance(TEN_MINUTES // 1000 + 1)
        view = await ended(kernel, tight)
        assert (view.status, int(view.gas_cost or 0)) == ("EXPIRED", reverted.gas_cost)


def _with_fee(asked: Wish, most: int) -> Wish:
    body = json.loads(asked.body)
    body["constraints"]["max_fee"] = str(most)
    return replace(asked, body=json.dumps(body).encode())


async def _counted(kernel: Kernel, intent_id: UUID, most: int) -> StepsReverted:
    """The one attempt that reverted; every plan keeps within what it left of the fee."""
    (reverted,) = await facts_of(kernel, intent_id, StepsReverted)
    first, *later = await facts_of(kernel, intent_id, IntentPlanned)
    assert 0 < reverted.gas_cost <= first.plan.gas_cost_limit <= most
    assert all(one.plan.gas_cost_limit <= most - reverted.gas_cost for one in later)
    return reverted


async def test_attempts_are_bounded_by_the_configuration(stage: Stage) -> None:
    stage.tables, before = {"intents": {"max_attempts": 2}}, paid(stage)
    ask(stage.chain, "sim_setFaults", {"seed": 1, "rules": [reverting(range(1, 20))]})
    async with stage.engine() as kernel:
        intent_id = await submit(kernel, dispose("bounded", 10**15))
        view = await ended(kernel, intent_id)
        assert (view.status, view.code, view.attempt) == ("FAILED", "reverted", 2)
        assert view.reason is not None
        assert "attempt 2 of 2" in view.reason
        assert len(await facts_of(kernel, intent_id, StepsReverted)) == 1
        cost = kernel.world.intents[IntentId(intent_id)].gas_cost
        assert cost == paid(stage) - before, "the last attempt counts too"
        assert await kernel.mismatches() == []


async def test_a_slice_that_fell_short_is_scheduled_again(stage: Stage) -> None:
    stage.tables, before = {"intents": {"max_attempts": 1}}, paid(stage)
    ask(stage.chain, "sim_setFaults", {"seed": 1, "rules": [reverting([2])]})
    async with stage.engine() as kernel:
        intent_id = await submit(kernel, twap("short", 3 * 10**15, slices=3, window_ms=TEN_MINUTES))
        for seconds in (200, 200, 100):
            await until(kernel, lambda: all(not one.open for one in children_of(kernel, intent_id)))
            stage.clock.advance(seconds)
            known = len(children_of(kernel, intent_id))
            await until(kernel, partial(_more_than, kernel, intent_id, known))
        view = await ended(kernel, intent_id)
        assert view.slices is not None
        assert [one.status for one in view.slices.items] == ["SETTLED", "FAILED", "SETTLED", "SETTLED"]
        assert (view.status, view.spent) == ("SETTLED", str(3 * 10**15))
        assert "scheduled again" in view.slices.reason
        assert view.gas_cost == str(paid(stage) - before), (
            "what the failed slice cost counts against the fee of the whole"
        )


async def test_a_dry_run_shows_the_first_slice(stage: Stage) -> None:
    async with stage.engine() as kernel:
        asked = twap("dry", 3 * 10**16 + 1, slices=3, window_ms=TEN_MINUTES)
        shown = await kernel.dry_run(parse_submission(asked.body))
        assert shown.approved
        assert shown.plan is not None
        assert shown.plan.spends.amount == str(10**16 + 1)
        assert shown.reason is not None
        assert "3 slices" in shown.reason
        assert not kernel.world.intents


async def test_the_command_line_shows_the_tree(stage: Stage) -> None:
    async with stage.engine() as kernel:
        intent_id = await submit(kernel, twap("shown", 3 * 10**15, slices=3, window_ms=TEN_MINUTES))
        await settled(kernel, intent_id, 1)
        child = children_of(kernel, intent_id)[0].id
    config = stage.folder / "sep.toml"
    config.write_text(toml_text(tables({"shared": "closed"})))
    shown = await anyio.to_thread.run_sync(lambda: sep("status", str(intent_id)[:13], cwd=stage.folder))
    assert shown.code == 0, shown.err
    assert "TWAP: 0.001 WETH of 0.003 WETH done" in shown.out
    assert f"0      {str(child)[:8]}" in shown.out
    assert shown.out.count("SCHEDULED") == 2
    told = await anyio.to_thread.run_sync(lambda: sep("explain", str(intent_id), cwd=stage.folder))
    assert "schedule 1: TWAP: 3 slices spread equally over the window" in " ".join(told.out.split())
    assert "slice 0 SETTLED" in told.out
    one = await anyio.to_thread.run_sync(lambda: sep("status", str(child), cwd=stage.folder))
    assert f"slice 0 of {intent_id}" in one.out
    every = await anyio.to_thread.run_sync(lambda: sep("status", cwd=stage.folder))
    assert str(intent_id)[:8] in every.out
    assert str(child)[:8] not in every.out
