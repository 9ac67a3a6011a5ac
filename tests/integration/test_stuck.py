"""A8: what is stuck in an engine's pool ends by itself: bumped, or cancelled where its end is wanted or too late."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sep_hooks.types import IntentId
from sep_native.sim import SimChain

from sep_core.execution import EntryStatus
from sep_core.execution.reconcile import reconcile
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.submission import parse_submission
from sep_core.runtime.views import IntentView

from ..harness.bench import GENESIS, OWNER, TOKENS, Wish, dispose, new_chain
from ..harness.run import engine, until
from ..harness.scenario import FastClock, Scenario, ask
from ..harness.verdict import check_books, check_effects, own_transactions, token_balance

pytestmark = pytest.mark.anyio

HOUR_MS = 3_600_000


@asynccontextmanager
async def running(folder: Path, chain: SimChain) -> AsyncIterator[Kernel]:
    scenario = Scenario("stuck by hand", (), miner_seconds=0.02, clock=FastClock)
    scenario.prepare(chain)
    async with engine(scenario, folder, chain) as kernel:
        yield kernel


def price(chain: SimChain, times: int) -> None:
    """From the next block on the base fee is at least so many times the first one."""
    ask(chain, "sim_setLeastBaseFee", hex(times * int(GENESIS["base_fee"])))


async def signed(kernel: Kernel, chain: SimChain, asked: Wish, times: int) -> IntentId:
    """The intent, once its swap is signed and blocks ask more than it pays."""
    taken = await kernel.submit(parse_submission(asked.body), source="command_line", request=asked.body)

    def is_signed(_: object) -> None:
        if kernel.world.intents[taken.intent_id].status == "EXECUTING":
            price(chain, times)

    kernel.desk.on_commit(is_signed)
    await until(kernel, lambda: kernel.world.intents[taken.intent_id].status in ("EXECUTING", "IN_DOUBT"))
    return taken.intent_id


async def judged(kernel: Kernel, chain: SimChain, intent_id: IntentId) -> IntentView:
    """How it ended, with effects and books in order."""
    view = await kernel.wait_until_ended(intent_id, 30)
    await until(kernel, lambda: not any(lane.unfinished for lane in kernel.world.lanes.values()))
    foreign = {name for name in own_transactions(partial(ask, chain), OWNER) if name in chain_before(chain)}
    await check_effects(kernel, own_transactions(partial(ask, chain), OWNER), foreign)
    await check_books(kernel)
    return view


def chain_before(chain: SimChain) -> set[str]:
    """The transactions from before the engine: one block made them."""
    block: Any = ask(chain, "eth_getBlockByNumber", "0x1", False)
    return set(block["transactions"])


async def test_a_stuck_swap_is_bumped_and_settles(tmp_path: Path) -> None:
    chain = new_chain(tmp_path)
    async with running(tmp_path, chain) as kernel:
        intent_id = await signed(kernel, chain, dispose("bumped", window_ms=HOUR_MS), 6)
        view = await judged(kernel, chain, intent_id)
        assert view.status == "SETTLED", view.reason
        (entry,) = kernel.world.lanes[next(iter(kernel.world.lanes))].of_intent(intent_id)
        assert [one.kind for one in entry.payloads] == ["effect", "bump"]
        assert entry.hash == entry.payloads[1].hash == view.fills[0].transaction_hash
        (told,) = reconcile(next(iter(kernel.world.lanes.values())), intent_id)
        assert any("was signed as a bump" in held for held in told.held)


async def test_a_stuck_swap_is_cancelled_where_its_end_is_asked_for(tmp_path: Path) -> None:
    """More than may be paid is asked, so that no bump helps; then a little less, at which a cancel passes."""
    chain = new_chain(tmp_path)
    before = token_balance(partial(ask, chain), TOKENS["WETH"]["address"])
    async with running(tmp_path, chain) as kernel:
        intent_id = await signed(kernel, chain, dispose("cancelled", window_ms=HOUR_MS), 200)
        await until(kernel, lambda: kernel.world.intents[intent_id].status == "IN_DOUBT")
        await kernel.cancel(intent_id, "the test")
        price(chain, 6)
        for _ in range(40):
            ask(chain, "sim_mine")
        view = await judged(kernel, chain, intent_id)
        assert token_balance(partial(ask, chain), TOKENS["WETH"]["address"]) == before
        assert view.status == "CANCELLED", (view.status, view.reason)
        (entry,) = kernel.world.lanes[next(iter(kernel.world.lanes))].of_intent(intent_id)
        assert entry.status is EntryStatus.CANCELLED
        assert view.gas_cost == str(entry.gas_used * entry.effective_gas_price)


async def test_a_stuck_swap_that_is_too_late_is_cancelled(tmp_path: Path) -> None:
    chain = new_chain(tmp_path)
    before = token_balance(partial(ask, chain), TOKENS["WETH"]["address"])
    async with running(tmp_path, chain) as kernel:
        intent_id = await signed(kernel, chain, dispose("late", window_ms=60_000), 200)
        await until(kernel, lambda: kernel.world.intents[intent_id].status == "IN_DOUBT")
        for _ in range(100):  # a second each, by the chain's time
            ask(chain, "sim_mine")
        price(chain, 6)
        view = await judged(kernel, chain, intent_id)
        first, *others = next(iter(kernel.world.lanes.values())).of_intent(intent_id)
        assert first.status is EntryStatus.CANCELLED
        # Whether time is left for another plan is a question of the engine's clock, which the chain's ran ahead of.
        sold = before - token_balance(partial(ask, chain), TOKENS["WETH"]["address"])
        assert (view.status, sold) in (("EXPIRED", 0), ("REJECTED", 0), ("SETTLED", 10**17)), view.reason
        assert bool(others) == (view.status == "SETTLED")
