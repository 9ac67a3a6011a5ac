"""A chain that drops, delays, reorganises and reverts, by seed: intents end by evidence, books balance, doubt does not
become failure by time."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from sep_hooks.types import IntentStatus
from sep_native.sim import SimChain

from sep_core.events.facts import IntentDoubted, IntentFailed, IntentResumed, IntentSettled
from sep_core.events.reading import read_facts
from sep_core.runtime.kernel import Kernel

from ..harness.bench import DATA, acquire, dispose, new_chain
from ..harness.run import engine, submit_all, until
from ..harness.scenario import FastClock, Scenario, ask
from ..harness.verdict import check_books, check_effects, check_log, own_transactions

SEND = "eth_sendRawTransaction"
WISHES = (*(acquire(f"bought {n}", 10**16 + n) for n in range(3)), dispose("sold", 10**16))
SEEDS = 3

FAULTS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "answers are lost": ({"method": SEND, "kind": "drop", "taken": True, "probability_ppm": 400_000},),
    "transactions are lost": ({"method": SEND, "kind": "drop", "taken": False, "probability_ppm": 400_000},),
    "blocks are replaced": (
        {
            "method": "eth_getTransactionReceipt",
            "kind": "reorganise",
            "depth": 2,
            "hold": 1,
            "probability_ppm": 150_000,
        },
    ),
    "transactions wait": ({"method": SEND, "kind": "delay", "blocks": 5, "probability_ppm": 500_000},),
    "swaps revert": ({"method": SEND, "kind": "revert", "bps": 3_000, "probability_ppm": 400_000},),
    "reads fail": (
        {"method": "eth_getTransactionReceipt", "kind": "null", "probability_ppm": 200_000},
        {"method": "eth_getTransactionCount", "kind": "drop", "taken": False, "probability_ppm": 150_000},
        {
            "method": "eth_call",
            "kind": "error",
            "code": -32005,
            "message": "limit exceeded",
            "probability_ppm": 50_000,
        },
    ),
    "everything": (
        {"method": SEND, "kind": "drop", "taken": True, "probability_ppm": 150_000},
        {"method": SEND, "kind": "drop", "taken": False, "probability_ppm": 150_000},
        {"method": SEND, "kind": "delay", "blocks": 3, "probability_ppm": 150_000},
        {"method": SEND, "kind": "revert", "bps": 3_000, "probability_ppm": 100_000},
        {
            "method": "eth_getTransactionReceipt",
            "kind": "reorganise",
            "depth": 2,
            "hold": 1,
            "probability_ppm": 80_000,
        },
        {"method": "eth_getTransactionReceipt", "kind": "null", "probability_ppm": 100_000},
    ),
}


def scenario(rules: tuple[Mapping[str, Any], ...]) -> Scenario:
    """Intents on a chain that misbehaves by these rules; time runs fast, blocks come by themselves."""
    return Scenario("faults", WISHES, finality_depth=3, miner_seconds=0.01, rules=rules, clock=FastClock)


@asynccontextmanager
async def faulty(
    rules: tuple[Mapping[str, Any], ...], seed: int, folder: Path
) -> AsyncIterator[tuple[Kernel, SimChain, list[str]]]:
    """An engine on such a chain, with the account's transactions from before."""
    chain = new_chain(folder)
    foreign = list(own_transactions(partial(ask, chain)))
    made = scenario(rules)
    made.prepare(chain)
    ask(chain, "sim_setFaults", {"seed": seed, "rules": []})
    async with engine(made, folder, chain) as kernel:
        ask(chain, "sim_setFaults", {"seed": seed, "rules": list(rules)})
        yield kernel, chain, foreign


async def judged(kernel: Kernel, chain: SimChain, foreign: list[str]) -> None:
    """One effect for each step, books that balance, and no failure without evidence."""
    ask(chain, "sim_setFaults", {"seed": 0, "rules": []})
    await until(kernel, lambda: not any(lane.unfinished for lane in kernel.world.lanes.values()))
    await check_effects(kernel, own_transactions(partial(ask, chain)), foreign)
    await check_books(kernel)
    async for recorded, fact in read_facts(kernel.store):
        if isinstance(fact, IntentFailed):
            assert fact.code == "reverted", (recorded.pos, fact)


@pytest.mark.anyio
@pytest.mark.says
@pytest.mark.parametrize("name", sorted(FAULTS))
async def test_intents_end_by_evidence(name: str, tmp_path: Path) -> None:
    drawn = int(os.environ.get("SEP_FAULT_SEED", random.SystemRandom().randrange(2**32)))
    ends: dict[str, int] = {}
    for seed in range(drawn, drawn + SEEDS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        async with faulty(FAULTS[name], seed, folder) as (kernel, chain, foreign):
            for view in await submit_all(kernel, WISHES):
                ends[view.status] = ends.get(view.status, 0) + 1
                reverts = name in ("swaps revert", "everything")
                assert view.status == "SETTLED" or (reverts and view.status == "FAILED"), (seed, view)
            await judged(kernel, chain, foreign)
        check_log(folder / DATA)
    print(f"{name}: seeds {drawn} to {drawn + SEEDS - 1}: {ends}")


@pytest.mark.anyio
async def test_doubt_does_not_become_failure_by_time(tmp_path: Path) -> None:
    """Nothing that is sent arrives, for days; when the chain hears again, the intent settles."""
    deaf = ({"method": SEND, "kind": "drop", "taken": False, "probability_ppm": 1_000_000},)
    wish = acquire("patient", 10**16, window_ms=3_600_000)
    async with faulty(deaf, 1, tmp_path) as (kernel, chain, foreign):
        clock = kernel.clock
        began = clock.now()
        async with anyio.create_task_group() as group:
            found: list[str] = []

            async def one() -> None:
                views = await submit_all(kernel, (wish,))
                found.extend(view.status for view in views)

            group.start_soon(one)
            await until(kernel, lambda: in_doubt(kernel))
            while clock.now() - began < timedelta(seconds=150):
                await asyncio.sleep(0.05)  # the passing of time is what is tested
                assert in_doubt(kernel)
            ask(chain, "sim_setFaults", {"seed": 1, "rules": []})
        assert found == ["SETTLED"]
        kinds = [type(fact) async for _, fact in read_facts(kernel.store)]
        assert IntentDoubted in kinds
        assert kinds.index(IntentDoubted) < kinds.index(IntentResumed) < kinds.index(IntentSettled)
        await judged(kernel, chain, foreign)


def in_doubt(kernel: Kernel) -> bool:
    """Whether some intent is in doubt."""
    return any(state.status is IntentStatus.IN_DOUBT for state in kernel.world.intents.values())
