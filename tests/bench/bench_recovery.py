"""Seconds until an engine works again with thousands of intents open: until it is ready, and until all have settled.

The intents were accepted, and not yet planned, when the engine before it ended. The control is the same start with
nothing open. `python tests/bench/bench_recovery.py [intents] [paper|testnet]`
"""

import sys
import time
from pathlib import Path

import anyio
import uvloop
from _engine import body, engine_on, folder, shared_chain, until
from _report import show
from bench_settle import accept, never, planning

INTENTS = 10_000
AUTHORS = 64
LONGEST_SECONDS = 550.0
"""Less than the window of the intents."""


async def open_intents(chain: str, path: Path, mode: str, count: int) -> None:
    """Leaves a log with so many open intents behind."""
    async with engine_on(chain, path, mode) as kernel:
        with planning(kernel, never):
            left = iter(range(count))

            async def author() -> None:
                for _ in left:
                    await accept(kernel, body(amount=10**13))

            async with anyio.create_task_group() as group:
                for _ in range(AUTHORS):
                    group.start_soon(author)
            assert kernel.world.open_count == count


async def recovery(path: Path, mode: str, count: int) -> None:
    """Starts with nothing open, then with all of them."""
    ready: dict[int, float] = {}
    for number in (0, count):
        place = path / str(number)
        place.mkdir()
        with shared_chain(place) as chain:
            await open_intents(chain, place, mode, number)
            begun, cpu = time.perf_counter(), time.process_time()
            async with engine_on(chain, place, mode) as kernel:
                ready[number] = time.perf_counter() - begun
                events = kernel.world.position
                took = time.process_time() - cpu
                await until(lambda: kernel.world.open_count == 0, LONGEST_SECONDS)
                ended = time.perf_counter() - begun
                states = [one.status.value for one in kernel.world.intents.values()]
                assert states.count("SETTLED") == number, {one: states.count(one) for one in set(states)}
    show(
        "recovery_ready",
        ready[count] * 1000,
        "ms",
        ratio=ready[count] / ready[0],
        control="the same start with nothing open",
        mode=mode,
        open_intents=count,
        events=events,
        cpu_ms=took * 1000,
    )
    show("recovery_settled", ended, "s", mode=mode, open_intents=count, intents_per_s=count / ended)


def main() -> None:
    """One log with nothing open, one with many."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else INTENTS
    mode = sys.argv[2] if len(sys.argv) > 2 else "testnet"
    with folder() as path:
        uvloop.run(recovery(path, mode, count))


if __name__ == "__main__":
    main()
