"""What the queue asks planning about ADAPTIVE intents, and what it makes of the answers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import anyio
import pytest
from sep_hooks.testing.fakes import FakeClock
from sep_hooks.testing.risk import swap_plan
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
    address,
    erc20,
    evm_chain,
)

from sep_core.adapters.store_sqlite import open_store
from sep_core.events.decided import Decided
from sep_core.intents import IntentRules, KnownAccount, Roster, intent_id
from sep_core.planning import Planned, PlanRefused, PlanRequest, Sliced
from sep_core.risk import RiskEngine
from sep_core.runtime import flow
from sep_core.runtime.commands import KernelCommand, SubmitIntent
from sep_core.runtime.desk import Desk, fold
from sep_core.runtime.flow import Composition
from sep_core.runtime.plan_queue import MOST_HALVINGS, PlanQueue
from sep_core.runtime.world import Touched, World
from sep_core.telemetry.log import NamedLog

pytestmark = pytest.mark.anyio

STRATEGY = UUID(int=1)
WETH = Asset(erc20(1, "0x" + "c0" * 20), "WETH", 18)
USDC = erc20(1, "0x" + "a0" * 20)

type Answer = Callable[[PlanRequest], Planned | Sliced | PlanRefused]


@dataclass
class Bench:
    """A queue on a real log, with a planner that answers as the test says."""

    answer: Answer
    desk: Desk
    asked: list[int] = field(default_factory=list)
    changed: anyio.Event = field(default_factory=anyio.Event)

    def plan(self, request: PlanRequest) -> Awaitable[Planned | Sliced | PlanRefused]:
        """Answers at once, and keeps the amounts."""
        self.asked.append(request.intent.assets[0].amount or 0)

        async def say() -> Planned | Sliced | PlanRefused:
            return self.answer(request)

        return say()

    def touched(self, touched: Touched) -> None:
        self.changed.set()

    async def submit(self, amount: int, style: ExecutionStyle) -> IntentId:
        """An intent of so much."""
        own = uuid4()
        intent = Intent(
            intent_id(STRATEGY, own),
            own,
            "author",
            "main",
            IntentType.DISPOSE,
            (IntentAsset(WETH, Amount(amount)),),
            Constraints(Decimal("0.005"), 600_000, style),
        )
        await self.desk.record(SubmitIntent(intent, "api"))
        return intent.id

    async def until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(10):
            while not condition():
                self.changed = anyio.Event()
                await self.changed.wait()


@asynccontextmanager
async def bench(folder: Path, answer: Answer) -> AsyncIterator[Bench]:
    clock = FakeClock()
    account = KnownAccount("main", evm_chain(1), address("0x" + "ee" * 20), (USDC,))
    composition = Composition(
        "paper",
        IntentRules(),
        RiskEngine({}),
        Roster({"author": "main"}, {"main": account}),
        {"author": STRATEGY},
        clock,
        lambda intent_id: False,
        lambda intent: 0,
        None,
    )
    store = open_store(folder, writable=True, clock=clock, ids=uuid4)
    try:
        decide = partial(_decide, composition)
        made = Bench(answer, Desk(store, await fold(store), decide, clock))
        queue = PlanQueue(made.desk, made.plan, composition, clock, NamedLog("test"))
        made.desk.on_commit(queue.touched)
        made.desk.on_commit(made.touched)
        async with anyio.create_task_group() as group:
            group.start_soon(made.desk.run)
            group.start_soon(queue.run)
            yield made
            group.cancel_scope.cancel()
    finally:
        await store.close()


def _decide(composition: Composition, world: World, command: KernelCommand) -> Sequence[Decided]:
    return flow.decide(world, command, composition)


def only_up_to(most: int, then: Answer) -> Answer:
    """Markets that take no more than that at once."""

    def answer(request: PlanRequest) -> Planned | Sliced | PlanRefused:
        amount = request.intent.assets[0].amount or 0
        return then(request) if amount <= most else PlanRefused("slippage_exceeded", "too much at once")

    return answer


def whole(request: PlanRequest) -> Planned:
    """One slice is best."""
    return Planned(swap_plan(intent_id=request.intent.id), None)


async def test_what_is_too_much_at_once_is_looked_at_in_parts(tmp_path: Path) -> None:
    async with bench(tmp_path, only_up_to(300, whole)) as made:
        intent = await made.submit(1_000, ExecutionStyle.ADAPTIVE)
        await made.until(lambda: made.desk.world.intents[intent].slices is not None)
        assert made.asked[:3] == [1_000, 500, 250]
        slices = made.desk.world.intents[intent].slices
        assert slices is not None
        assert "slippage_exceeded" in slices.reason
        (child,) = slices.children
        (rest,) = slices.pending
        assert (slices.total, child.amount, rest.amount) == (1_000, 250, 750)


async def test_the_number_of_a_part_counts_for_each_part(tmp_path: Path) -> None:
    cut = only_up_to(500, lambda request: Sliced(Amount(500), 3, "3 slices cost least"))
    async with bench(tmp_path, cut) as made:
        intent = await made.submit(1_000, ExecutionStyle.ADAPTIVE)
        await made.until(lambda: made.desk.world.intents[intent].slices is not None)
        slices = made.desk.world.intents[intent].slices
        assert slices is not None
        assert [one.amount for one in slices.children] == [167]
        assert "3 slices cost least" in slices.reason


async def test_what_no_part_helps_is_refused_as_a_whole(tmp_path: Path) -> None:
    async with bench(tmp_path, lambda request: PlanRefused("no_route", "no path")) as made:
        intent = await made.submit(10**18, ExecutionStyle.ADAPTIVE)
        await made.until(lambda: not made.desk.world.intents[intent].open)
        assert made.desk.world.intents[intent].status is IntentStatus.REJECTED
        assert len(made.asked) == 1 + MOST_HALVINGS


async def test_the_smallest_amount_cannot_be_halved(tmp_path: Path) -> None:
    async with bench(tmp_path, lambda request: PlanRefused("no_route", "no path")) as made:
        intent = await made.submit(1, ExecutionStyle.ADAPTIVE)
        await made.until(lambda: not made.desk.world.intents[intent].open)
        assert made.asked == [1]


@pytest.mark.parametrize("code", ["insufficient_funds", "asset_not_allowed"])
async def test_what_size_has_nothing_to_do_with_is_not_tried_in_parts(tmp_path: Path, code: str) -> None:
    async with bench(tmp_path, lambda request: PlanRefused(code, "no")) as made:
        intent = await made.submit(1_000, ExecutionStyle.ADAPTIVE)
        await made.until(lambda: not made.desk.world.intents[intent].open)
        assert made.asked == [1_000]


async def test_an_immediate_intent_is_never_cut(tmp_path: Path) -> None:
    async with bench(tmp_path, only_up_to(300, whole)) as made:
        intent = await made.submit(1_000, ExecutionStyle.IMMEDIATE)
        await made.until(lambda: not made.desk.world.intents[intent].open)
        assert made.asked == [1_000]
        assert made.desk.world.intents[intent].code == "slippage_exceeded"
