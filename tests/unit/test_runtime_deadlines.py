"""Deadlines over a real desk and log: each intent ends on its own, whatever the others wait for."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import pytest
from sep_hooks.store import StoreBusy
from sep_hooks.testing.fakes import FakeClock
from sep_hooks.types import (
    Amount,
    Asset,
    Constraints,
    ExecutionStyle,
    Intent,
    IntentAsset,
    IntentId,
    IntentStatus,
    IntentType,
    erc20,
)

from sep_core.adapters.store_sqlite import open_store
from sep_core.events.decided import Decided
from sep_core.intents import IntentRules, Roster, intent_id
from sep_core.risk import RiskEngine
from sep_core.runtime.commands import ExpireIntent, KernelCommand, SubmitIntent
from sep_core.runtime.deadlines import Deadlines
from sep_core.runtime.desk import Desk, fold
from sep_core.runtime.flow import Composition, decide
from sep_core.runtime.world import Touched, World

pytestmark = pytest.mark.anyio

STRATEGY = UUID("c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d")
WETH = Asset(erc20(1, "0x" + "c0" * 20), "WETH", 18)


@dataclass(slots=True)
class Bench:
    """An engine of intents alone: `signing` are those that a signer is at work on, `busy` how often a store is."""

    clock: FakeClock
    signing: set[IntentId] = field(default_factory=set)
    busy: int = 0
    desk: Desk = field(init=False)
    deadlines: Deadlines = field(init=False)
    changed: anyio.Event = field(default_factory=anyio.Event)

    def decide(self, composition: Composition, world: World, command: KernelCommand) -> tuple[Decided, ...]:
        if self.busy and isinstance(command, ExpireIntent):
            self.busy -= 1
            raise StoreBusy("many appends wait for the disk; nothing was written")
        return decide(world, command, composition)

    def touched(self, touched: Touched) -> None:
        self.changed.set()

    async def accept(self, seconds: int) -> IntentId:
        """An intent that must end so many seconds from now."""
        own = uuid4()
        intent = Intent(
            intent_id(STRATEGY, own),
            own,
            "author",
            "main",
            IntentType.ACQUIRE,
            (IntentAsset(WETH, Amount(1)),),
            Constraints(Decimal("0.005"), seconds * 1000, ExecutionStyle.IMMEDIATE),
        )
        await self.desk.record(SubmitIntent(intent, "api"))
        return intent.id

    def status(self, intent_id: IntentId) -> IntentStatus:
        return self.desk.world.intents[intent_id].status

    async def until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(10):
            while not condition():
                self.changed = anyio.Event()
                await self.changed.wait()


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    made = Bench(FakeClock())
    composition = Composition(
        "paper",
        IntentRules(),
        RiskEngine({}),
        Roster({"author": "main"}, {}),
        {"author": STRATEGY},
        made.clock,
        lambda intent_id: intent_id in made.signing,
        lambda intent: 0,
        None,
    )
    store = open_store(folder, writable=True, clock=made.clock, ids=uuid4)
    try:
        made.desk = Desk(store, await fold(store), partial(made.decide, composition), made.clock)
        made.deadlines = Deadlines(made.desk, made.clock)
        made.desk.on_commit(made.deadlines.touched)
        made.desk.on_commit(made.touched)
        async with anyio.create_task_group() as group:
            group.start_soon(made.desk.run)
            yield made
            group.cancel_scope.cancel()
    finally:
        await store.close()


async def test_one_that_is_being_signed_holds_up_no_other(tmp_path: Path) -> None:
    async with bench(tmp_path) as kernel, anyio.create_task_group() as group:
        stuck = [await kernel.accept(60 + number) for number in range(3)]
        others = [await kernel.accept(90 + number) for number in range(3)]
        later = await kernel.accept(3600)
        kernel.signing.update(stuck)
        kernel.clock.advance(timedelta(minutes=10))
        group.start_soon(kernel.deadlines.run)
        await kernel.until(lambda: all(kernel.status(one) is IntentStatus.EXPIRED for one in others))
        assert {kernel.status(one) for one in [*stuck, later]} == {IntentStatus.ACCEPTED}
        kernel.signing.discard(stuck[1])
        await kernel.until(lambda: kernel.status(stuck[1]) is IntentStatus.EXPIRED)
        assert [kernel.status(one) for one in stuck] == [
            IntentStatus.ACCEPTED, IntentStatus.EXPIRED, IntentStatus.ACCEPTED
        ]  # fmt: skip
        # One that arrives while others are stuck has its own moment too.
        newest = await kernel.accept(60)
        kernel.clock.advance(timedelta(minutes=2))
        await kernel.until(lambda: kernel.status(newest) is IntentStatus.EXPIRED)
        kernel.signing.clear()
        await kernel.until(lambda: all(kernel.status(one) is IntentStatus.EXPIRED for one in stuck))
        assert kernel.status(later) is IntentStatus.ACCEPTED
        group.cancel_scope.cancel()


async def test_a_log_that_is_busy_is_asked_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as kernel, anyio.create_task_group() as group:
        due = [await kernel.accept(60 + number) for number in range(3)]
        kernel.busy = 2
        kernel.clock.advance(timedelta(minutes=10))
        group.start_soon(kernel.deadlines.run)
        await kernel.until(lambda: all(kernel.status(one) is IntentStatus.EXPIRED for one in due))
        assert kernel.busy == 0
        group.cancel_scope.cancel()
