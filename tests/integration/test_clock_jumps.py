"""A clock that is set under an engine, and between two: intents settle or expire by it, the log goes only forward."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sep_core.adapters.store_sqlite import verify_store

from .identity_engine import settle, stage, submit, until

pytestmark = pytest.mark.anyio


class SetClock:
    """The clock of the machine, which somebody sets."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The moment."""
        return datetime.now(UTC) + self.ahead


async def test_a_clock_that_jumps_back_loses_and_doubles_nothing(tmp_path: Path) -> None:
    clock, day = SetClock(), timedelta(days=1)
    with stage(tmp_path) as one:
        sent = []
        for ahead in (day, timedelta(), -day, timedelta(hours=3), -30 * day):
            clock.ahead = ahead
            async with one.engine(clock=clock) as kernel:  # set between two engines
                await settle(kernel)
                clock.ahead = ahead - timedelta(hours=7)  # and under one
                await settle(kernel)
                assert await kernel.mismatches() == []
                assert all(worker.blocked == "" for worker in kernel.workers.values())
                events = [event async for event in kernel.store.read_all(after=0)]
                assert [event.recorded_at for event in events] == sorted(one.recorded_at for one in events)
                moment = events[-1].recorded_at
                past = await kernel.queries(moment.isoformat())
                assert (await past.events(after=0, limit=1000)).head >= events[-1].pos, (
                    "a moment has one place"
                )
            sent.append(one.nonce())
        assert [after - before for before, after in itertools.pairwise(sent)] == [sent[0]] * 4
    assert verify_store(tmp_path / "data").ok


async def test_what_waits_expires_by_the_clock_that_is(tmp_path: Path) -> None:
    """Set back, its deadline is further off than it was; set on, it is over, and nothing was sent."""
    clock = SetClock()
    with stage(tmp_path) as one:
        silent = {"method": "eth_simulateV1", "kind": "drop", "taken": False, "probability_ppm": 1_000_000}
        one.ask("sim_setFaults", {"seed": 1, "rules": [silent]})
        async with one.engine(clock=clock) as kernel:
            waiting = await submit(kernel, time_window_ms=60_000)
            clock.ahead = -timedelta(hours=1)
            late = await submit(kernel, time_window_ms=60_000)
            states = kernel.world.intents
            deadlines = [states[one].deadline for one in (waiting, late)]
            assert deadlines[1] < deadlines[0]  # type: ignore[operator]
            clock.ahead = timedelta(hours=1)
            await until(lambda: {states[one].status for one in (waiting, late)} == {"EXPIRED"})
        assert one.nonce() == 0
