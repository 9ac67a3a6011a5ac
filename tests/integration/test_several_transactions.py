"""An intent whose legs cannot share a transaction, through a whole engine: each part is final before the next."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sep_hooks.types import IntentId, IntentStatus, PlanMode
from sep_native.sim import SimChain

from sep_core.adapters.store_sqlite.audit import verify_store
from sep_core.events.facts import FillRecorded, IntentPlanned, IntentSettled
from sep_core.events.registry import fact_of
from sep_core.events.streams import intent_stream
from sep_core.runtime.commands import CancelIntent
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.submission import parse_submission
from sep_core.runtime.views import IntentView

from ..harness.bench import DATA, GENESIS, TOKENS, Wish, acquire, dispose, new_chain
from ..harness.run import engine
from ..harness.scenario import Scenario, ask
from ..harness.verdict import token_balance

pytestmark = pytest.mark.anyio

ETHER = 10**18
AMOUNT = 40 * ETHER


@asynccontextmanager
async def running(folder: Path, chain: SimChain, **tables: Any) -> AsyncIterator[Kernel]:
    """An engine on this chain."""
    scenario = Scenario("several", (), tables=tables, paper="mode" in tables)
    scenario.prepare(chain)
    async with engine(scenario, folder, chain) as kernel:
        yield kernel


async def ended(kernel: Kernel, wish: Wish) -> IntentView:
    """What became of it."""
    taken = await kernel.submit(parse_submission(wish.body), source="command_line", request=wish.body)
    return await kernel.wait_until_ended(taken.intent_id, 30)


def held(chain: SimChain) -> dict[str, int]:
    """What the account holds."""
    return {symbol: token_balance(partial(ask, chain), one["address"]) for symbol, one in TOKENS.items()}


async def facts(kernel: Kernel, intent_id: IntentId) -> list[Any]:
    """All facts of an intent."""
    store = kernel.store
    found = [one async for one in store.read_stream(intent_stream(intent_id))]
    return [fact_of(one) for one in found]


async def test_part_after_part_is_exchanged_and_the_whole_limit_holds(tmp_path: Path) -> None:
    chain = new_chain(tmp_path)
    before = held(chain)
    async with running(tmp_path, chain) as kernel:
        view = await ended(kernel, dispose("forty", AMOUNT))
        assert view.status == "SETTLED", view
        state = kernel.world.intents[IntentId(view.id)]
        told = await facts(kernel, IntentId(view.id))
        explained = await (await kernel.queries()).explain(view.id)
    after = held(chain)
    plans = [one.plan for one in told if isinstance(one, IntentPlanned)]
    fills = [one.fill for one in told if isinstance(one, FillRecorded)]
    first = plans[0]
    assert first.mode is PlanMode.SEQUENCE, first.mode_reason
    assert first.whole is not None
    assert len(fills) == len(plans) >= 2
    assert all(plan.later for plan in plans[:-1])
    assert not plans[-1].later
    print(f"{len(fills)} transactions: {first.mode_reason}")
    assert before["WETH"] - after["WETH"] == AMOUNT == state.spent
    got = after["USDC"] - before["USDC"]
    assert got == state.received >= first.whole[1].limit
    assert {name: after[name] - before[name] for name in ("DAI", "WBTC")} == {"DAI": 0, "WBTC": 0}
    settled = next(one for one in told if isinstance(one, IntentSettled))
    assert (settled.spent, settled.received) == (AMOUNT, got)
    assert "later transactions" in json.dumps([one.what for one in explained.timeline])
    assert "Settled" in explained.summary
    verify_store(tmp_path / DATA)


async def test_all_transactions_together_cost_no_more_than_the_fee_of_the_whole(tmp_path: Path) -> None:
    """Approvals that were sent before count against it too."""
    most, wish = 2 * 10**15, dispose("forty", AMOUNT)
    body = json.loads(wish.body)
    body["constraints"]["max_fee"] = str(most)
    text = json.dumps(body).encode()
    chain = new_chain(tmp_path)
    async with running(tmp_path, chain) as kernel:
        taken = await kernel.submit(parse_submission(text), source="command_line", request=text)
        view = await kernel.wait_until_ended(taken.intent_id, 30)
        assert view.status == "SETTLED", view
        told = await facts(kernel, IntentId(view.id))
        lane = kernel.world.lane("main")
        assert lane is not None
        cost = {one.step_id: one.gas_used * one.effective_gas_price for one in lane.entries.values()}
    plans = [one.plan for one in told if isinstance(one, IntentPlanned)]
    fills = [one.fill for one in told if isinstance(one, FillRecorded)]
    paid = 0
    for plan, fill in zip(plans, fills, strict=True):
        assert paid + plan.gas_cost_limit <= most
        assert fill.gas_cost == sum(cost[step.id] for step in plan.steps)
        paid += fill.gas_cost
    assert view.gas_cost == str(paid)


async def test_the_rest_meets_a_market_that_moved(tmp_path: Path) -> None:
    """Somebody trades after the first part: the rest is planned anew on what is left."""
    chain = new_chain(tmp_path)
    nudged: list[str] = []
    async with running(tmp_path, chain) as kernel:

        def move(_: object) -> None:
            state = next(iter(kernel.world.intents.values()), None)
            if state is not None and state.status is IntentStatus.PARTIALLY_FILLED and not nudged:
                for pool in GENESIS["pools"]:
                    ask(chain, "sim_nudge", {"pool": pool["address"], "bps": 20, "up": False})
                    nudged.append(pool["address"])

        kernel.desk.on_commit(move)
        view = await ended(kernel, dispose("forty", AMOUNT))
        told = await facts(kernel, IntentId(view.id))
    assert nudged
    assert view.status == "SETTLED", view
    plans = [one.plan for one in told if isinstance(one, IntentPlanned)]
    assert plans[0].whole is not None
    assert {plan.whole for plan in plans} == {plans[0].whole}, "what binds the whole stays"
    assert int(view.received or 0) >= plans[0].whole[1].limit
    verify_store(tmp_path / DATA)


async def test_exact_out_comes_to_exactly_that_in_several_parts(tmp_path: Path) -> None:
    chain = new_chain(tmp_path)
    before = held(chain)
    async with running(tmp_path, chain) as kernel:
        view = await ended(kernel, acquire("thirty", 30 * ETHER))
        assert view.status == "SETTLED", view
        state = kernel.world.intents[IntentId(view.id)]
        assert state.plan is not None
        print(state.plan.mode, len(state.fills))
    after = held(chain)
    assert after["WETH"] - before["WETH"] == 30 * ETHER


async def test_on_paper_no_market_is_used_twice(tmp_path: Path) -> None:
    chain = new_chain(tmp_path)
    async with running(tmp_path, chain, mode="paper") as kernel:
        view = await ended(kernel, dispose("forty", AMOUNT))
        assert view.status == "SETTLED", view
        state = kernel.world.intents[IntentId(view.id)]
    assert len(state.fills) >= 2
    used = [one.market for fill in state.fills for one in fill.passes]
    assert len(used) == len(set(used))
    assert state.spent == AMOUNT


async def test_a_cancel_between_two_parts_ends_it_there(tmp_path: Path) -> None:
    chain = new_chain(tmp_path)
    before = held(chain)
    wish = dispose("forty", AMOUNT)
    async with running(tmp_path, chain) as kernel:
        cancelled: list[IntentId] = []

        def end(_: object) -> None:
            state = next(iter(kernel.world.intents.values()), None)
            if state is not None and state.between and not cancelled:
                cancelled.append(state.id)
                kernel.desk.decide(CancelIntent(state.id, "the test"))

        kernel.desk.on_commit(end)
        view = await ended(kernel, wish)
        told = await facts(kernel, IntentId(view.id))
        explained = await (await kernel.queries()).explain(view.id)
        assert not kernel.world.book.holds
    assert (view.status, view.code) == ("FAILED", "cancelled_partially_filled"), view
    (first,) = [one.fill for one in told if isinstance(one, FillRecorded)]
    after = held(chain)
    assert before["WETH"] - after["WETH"] == first.amount_in < AMOUNT
    assert after["USDC"] - before["USDC"] == first.amount_out
    assert "stands in the books" in explained.money
    verify_store(tmp_path / DATA)
