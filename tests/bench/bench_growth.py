"""Whether an intent costs the same however many others are open: waiting for a better block, or for their turn."""

import gc
import time
from pathlib import Path

import anyio
import uvloop
from _engine import body, engine, folder, until
from _report import show
from bench_settle import SLOW_BLOCKS_SECONDS, WARM_UP, accept, finish, one_by_one, planning

from sep_core.planning import Planned, PlanRefused, PlanRequest
from sep_core.runtime.kernel import Kernel

OPEN = (10, 100, 1_000, 10_000)
GROWTH_SAMPLE = 60
BACKLOGS = (100, 5_000)


async def growth(path: Path) -> None:
    """The same work beside more and more open intents: waiting for a better block, then waiting for their turn."""
    async with engine(path, "paper", block_seconds=SLOW_BLOCKS_SECONDS) as kernel:
        for _ in range(WARM_UP):
            await finish(kernel, body())
        costs: dict[int, dict[str, float]] = {}
        waiting = 0
        for count in OPEN:
            with planning(kernel, _refuses):
                await _fill_up(kernel, count - waiting)
                assert await until(lambda all_of_them=count: len(kernel.plans._waiting) >= all_of_them, 30)
            waiting = count
            gc.collect()
            _, cpu, _ = await one_by_one(kernel, GROWTH_SAMPLE)
            costs[count] = {"waiting": cpu * 1e6 / GROWTH_SAMPLE, "reads": await _read_cost(kernel)}
        for count, cost in costs.items():
            show(
                "cost_beside_open_intents",
                cost["waiting"],
                "us CPU/intent",
                ratio=cost["waiting"] / costs[OPEN[0]]["waiting"],
                control=f"beside {OPEN[0]}",
                open=count,
                read_us=cost["reads"],
            )
    await _backlog(path / "backlog")


async def _backlog(path: Path) -> None:
    """Turns taken among many that wait for theirs: the planner itself says no at once."""
    for count in BACKLOGS:
        home = path / str(count)
        home.mkdir(parents=True)
        gate = anyio.Event()

        async def closed(request: PlanRequest, gate: anyio.Event = gate) -> Planned | PlanRefused:
            await gate.wait()
            return await _refuses(request)

        async with engine(home, "paper", block_seconds=SLOW_BLOCKS_SECONDS) as kernel:
            with planning(kernel, closed):
                await _fill_up(kernel, count)
                gc.collect()
                begun = time.process_time()
                gate.set()
                await until(lambda kernel=kernel, count=count: len(kernel.plans._waiting) >= count, 10)
                turns = len(kernel.plans._waiting)
                cost = (time.process_time() - begun) * 1e6 / max(1, turns)
                show("turn_in_a_backlog", cost, "us CPU", open=count, turns=turns)


async def _read_cost(kernel: Kernel) -> float:
    """Microseconds of one lookup of an intent and one look at health."""
    last = next(reversed(kernel.world.intents))
    best = float("inf")
    for _ in range(5):
        begun = time.perf_counter()
        await kernel._live().intent(last)
        kernel.health()
        best = min(best, time.perf_counter() - begun)
    return best * 1e6


async def _fill_up(kernel: Kernel, count: int) -> None:
    for start in range(0, count, 500):
        async with anyio.create_task_group() as group:
            for _ in range(start, min(start + 500, count)):
                group.start_soon(accept, kernel, body())


async def _refuses(_: PlanRequest) -> Planned | PlanRefused:
    return PlanRefused("no_route", "not now", retryable=True)


def main() -> None:
    """Both, each on a log of its own."""
    with folder() as path:
        uvloop.run(growth(path))


if __name__ == "__main__":
    main()
