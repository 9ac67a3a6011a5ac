"""Milliseconds and CPU of an intent: accepted alone, filled on paper, settled on the simulated chain.

Everything is real but the chain, which lives in this process: its own CPU (execution, hashing, signature recovery)
is part of the figures. `python tests/bench/bench_settle.py [cell ...]`; cells: settle, paper, accept.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import uvloop
from _engine import body, engine, folder
from _report import show, spread

from sep_core.planning import Planned, PlanRefused, PlanRequest
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.submission import Submission, parse_submission

WARM_UP = 20
SETTLED_ALONE = 150
SETTLED_TOGETHER = 256
FILLED = 250
ACCEPT_RATE = 200
ACCEPT_SECONDS = 5.0
BURST = 250
BURSTS = 7
SLOW_BLOCKS_SECONDS = 2.0
PROBE_BYTES = 4096


async def accept(kernel: Kernel, content: bytes) -> object:
    """What an API does with a body, without the HTTP around it."""
    receipt = await kernel.submit(parse_submission(content), source="api", request=content)
    return receipt.intent_id


async def finish(kernel: Kernel, content: bytes) -> float:
    """Seconds from the body's arrival to the durable end of its intent."""
    begun = time.perf_counter()
    receipt = await kernel.submit(parse_submission(content), source="api", request=content)
    view = await kernel.wait_until_ended(receipt.intent_id, 20)
    assert view.status == "SETTLED", (view.status, view.code, view.reason)
    return time.perf_counter() - begun


async def settle(path: Path) -> None:
    """One at a time, then many at once: real signatures, each swap in a block of its own."""
    async with engine(path, "testnet") as kernel:
        for _ in range(WARM_UP):
            await finish(kernel, body())
        seconds, cpu, wall = await one_by_one(kernel, SETTLED_ALONE)
        alone = spread([one * 1000 for one in seconds])
        show(
            "settle_one_at_a_time",
            alone["p50"],
            "ms",
            **_rest(alone),
            cpu_ms_per_intent=cpu * 1000 / SETTLED_ALONE,
            intents_per_s=SETTLED_ALONE / wall,
            head_poll_ms=5.0,
        )
        begun, cpu = time.perf_counter(), time.process_time()
        async with anyio.create_task_group() as group:
            for _ in range(SETTLED_TOGETHER):
                group.start_soon(finish, kernel, body())
        wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
        show(
            "settle_together",
            SETTLED_TOGETHER / wall,
            "intents/s",
            open=SETTLED_TOGETHER,
            cpu_ms_per_intent=cpu * 1000 / SETTLED_TOGETHER,
        )


async def paper(path: Path) -> None:
    """Accept, plan, fill on paper, durable."""
    async with engine(path, "paper", block_seconds=SLOW_BLOCKS_SECONDS) as kernel:
        for _ in range(WARM_UP):
            await finish(kernel, body())
        seconds, cpu, wall = await one_by_one(kernel, FILLED)
        figures = spread([one * 1000 for one in seconds])
        probe = spread(await anyio.to_thread.run_sync(sync_milliseconds, path, 200))
        show(
            "accept_to_paper_fill",
            figures["p50"],
            "ms",
            **_rest(figures),
            budget_p50_ms=2.0,
            budget_p99_ms=10.0,
            cpu_ms_per_intent=cpu * 1000 / FILLED,
            intents_per_s=FILLED / wall,
            fsync_p50_ms=probe["p50"],
            fsync_p99_ms=probe["p99"],
        )


async def accepts(path: Path) -> None:
    """The durable acceptance alone, arriving by the clock whether or not the last one was answered."""
    async with engine(path, "paper", block_seconds=SLOW_BLOCKS_SECONDS) as kernel:
        with planning(kernel, never):
            for _ in range(WARM_UP):
                await accept(kernel, body())
            probe = await anyio.to_thread.run_sync(sync_milliseconds, path, 200)
            delays: list[float] = []
            cpu = time.process_time()
            async with anyio.create_task_group() as group:
                begun = time.perf_counter()
                for number in range(int(ACCEPT_RATE * ACCEPT_SECONDS)):
                    due = begun + number / ACCEPT_RATE
                    await anyio.sleep(max(0.0, due - time.perf_counter()))
                    group.start_soon(_accepted_since, kernel, due, delays)
            cpu = time.process_time() - cpu
            probe += await anyio.to_thread.run_sync(sync_milliseconds, path, 200)
            figures, fsync = spread(delays), spread(probe)
            show(
                "accept_durable_200_per_s",
                figures["p50"],
                "ms",
                ratio=figures["p50"] / fsync["p50"],
                control="write + fdatasync of 4 KiB, same disk, before and after",
                **_rest(figures),
                budget_p50_ms=2.0,
                budget_p99_ms=15.0,
                fsync_p50_ms=fsync["p50"],
                fsync_p99_ms=fsync["p99"],
                cpu_us_per_accept=cpu * 1e6 / len(delays),
            )
            await _bursts(kernel)


async def _bursts(kernel: Kernel) -> None:
    """Best of several bursts that share their commits: the CPU of the loop's thread beside a fixed decoding."""
    walls, cpus, controls = [], [], []
    for _ in range(BURSTS):
        controls.append(decode_microseconds())
        contents = [body() for _ in range(BURST)]
        wall, cpu = time.perf_counter(), time.thread_time()
        async with anyio.create_task_group() as group:
            for content in contents:
                group.start_soon(accept, kernel, content)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.thread_time() - cpu)
    show("accept_durable_burst", BURST / min(walls), "intents/s", open=BURST, target=1000)
    cost = min(cpus) * 1e6 / BURST
    show(
        "accept_cpu",
        cost,
        "us",
        ratio=cost / min(controls),
        control="json.loads and pydantic validation of the same body",
        control_us=min(controls),
        budget_us=500.0,
    )


def decode_microseconds() -> float:
    """The control: one body of an intent, read and validated by pydantic alone."""
    content, count = body(), 200
    cpu = time.thread_time()
    for _ in range(count):
        Submission.model_validate(json.loads(content))
    return (time.thread_time() - cpu) * 1e6 / count


async def one_by_one(kernel: Kernel, count: int) -> tuple[list[float], float, float]:
    """Seconds of each intent, CPU seconds and wall seconds of all."""
    begun, cpu = time.perf_counter(), time.process_time()
    seconds = [await finish(kernel, body()) for _ in range(count)]
    return seconds, time.process_time() - cpu, time.perf_counter() - begun


async def _accepted_since(kernel: Kernel, due: float, delays: list[float]) -> None:
    await accept(kernel, body())
    delays.append((time.perf_counter() - due) * 1000)


class planning:  # reads as a context
    """Lets another planner plan for a while, so that acceptance or waiting is seen alone."""

    def __init__(self, kernel: Kernel, plan: Callable[[PlanRequest], object]) -> None:
        self._kernel = kernel
        self._plan = plan
        self._before = kernel.plans._plan

    def __enter__(self) -> None:
        self._kernel.plans._plan = self._plan  # type: ignore[assignment]

    def __exit__(self, *_: object) -> None:
        self._kernel.plans._plan = self._before


async def never(_: PlanRequest) -> Planned | PlanRefused:
    """A planner that gives no answer."""
    await anyio.sleep_forever()
    raise AssertionError


def sync_milliseconds(path: Path, count: int) -> list[float]:
    """How long the disk takes to make one page durable."""
    page, times = os.urandom(PROBE_BYTES), []
    with (path / "probe").open("wb", buffering=0) as file:
        for _ in range(count):
            begun = time.perf_counter()
            file.write(page)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - begun) * 1000)
    return times


def _rest(figures: dict[str, float]) -> dict[str, float]:
    return {"p99_ms": figures["p99"], "count": figures["count"]}


CELLS = {"settle": settle, "paper": paper, "accept": accepts}


def main() -> None:
    """Runs the cells named, or all."""
    for name in sys.argv[1:] or CELLS:
        with folder() as path:
            uvloop.run(CELLS[name](path))


if __name__ == "__main__":
    main()
