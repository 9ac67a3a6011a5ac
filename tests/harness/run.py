"""Runs an engine in this process until its intents have ended."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import anyio
from sep_native.sim import SimChain

from sep_core.adapters.sim_chain import share
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.start import running_kernel
from sep_core.runtime.submission import parse_submission
from sep_core.runtime.views import IntentView

from .bench import ENVIRON, Wish, settings
from .scenario import Scenario

END_SECONDS = 20.0
LOOK_SECONDS = 0.02


@asynccontextmanager
async def engine(scenario: Scenario, folder: Path, chain: SimChain) -> AsyncIterator[Kernel]:
    """An engine of the scenario on a chain of this process, with blocks made by the scenario's clock."""
    name = f"chain of {folder} {os.getpid()}"
    share(name, chain)
    try:
        made = settings(folder, {"shared": name}, **scenario.tables)
        async with (
            running_kernel(made, ENVIRON, scenario.clock()) as kernel,
            anyio.create_task_group() as group,
        ):
            if scenario.miner_seconds is not None:
                group.start_soon(_mine, chain, scenario.miner_seconds)
            yield kernel
            group.cancel_scope.cancel()
    finally:
        share(name, None)


async def submit_all(
    kernel: Kernel,
    wishes: Sequence[Wish],
    acknowledged: Callable[[UUID], None] = lambda _: None,
    *,
    cancel: bool = False,
) -> list[IntentView]:
    """Submits each wish, tells of its acknowledgement, and waits for the end of all."""
    receipts = []
    for one in wishes:
        receipt = await kernel.submit(parse_submission(one.body), source="command_line", request=one.body)
        acknowledged(one.client_id)
        receipts.append(receipt)
    for receipt in receipts if cancel else ():
        await kernel.cancel(receipt.intent_id, "the test")
    return [await kernel.wait_until_ended(one.intent_id, END_SECONDS) for one in receipts]


async def until(kernel: Kernel, holds: Callable[[], bool], seconds: float = END_SECONDS) -> None:
    """Returns once something holds; it is looked at after every commit, and often. Raises `TimeoutError`."""
    news = [anyio.Event()]

    def ring(_: object) -> None:
        news[0].set()
        news[0] = anyio.Event()

    kernel.desk.on_commit(ring)
    with anyio.fail_after(seconds):
        while not holds():
            with anyio.move_on_after(LOOK_SECONDS):
                await news[0].wait()


async def _mine(chain: SimChain, seconds: float) -> None:
    while True:
        await anyio.sleep(seconds)
        chain.rpc("sim_mine")
