"""An order venue that raises, hangs, lies or answers of another order: the intent is executed once all the same."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anyio
import pytest
from sep_hooks.types import OrderReport, OrderState, VenueBalance

from sep_core.adapters.sim_book import SimulatedBook
from sep_core.execution.orders import worker

from ..harness.bench import acquire, new_chain
from ..harness.orders import (
    OrderScenario,
    RunningClock,
    check_orders,
    order_engine,
    orders_of,
)
from ..harness.run import submit_all

pytestmark = pytest.mark.anyio

BUY = acquire("a purchase", 10**17, slippage="0.01")

type Wrong = Callable[[Callable[..., Awaitable[Any]], tuple[Any, ...]], Awaitable[Any]]


async def raises(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
    raise RuntimeError("a bug of the plugin's own")


async def raises_afterwards(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
    await honest(*arguments)
    raise KeyError("after the order had left")


async def exits_afterwards(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
    await honest(*arguments)
    raise SystemExit(3)


async def hangs_afterwards(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
    await honest(*arguments)
    await anyio.sleep_forever()


async def answers_text(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
    await honest(*arguments)
    return "filled, believe me"


async def answers_of_another(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
    answer = await honest(*arguments)
    return replace(answer, client_order_id="f" * 32) if isinstance(answer, OrderReport) else answer


async def says_filled_without_trades(
    honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]
) -> Any:
    answer = await honest(*arguments)
    if isinstance(answer, OrderReport):
        return replace(answer, state=OrderState.FILLED, filled=answer.size + 7)
    return answer


async def floats(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
    answer = await honest(*arguments)
    if isinstance(answer, OrderReport):
        return replace(answer, filled=float(answer.filled))  # type: ignore[arg-type]
    return [replace(one, fee=float(one.fee)) for one in answer]


def misbehaving(method: str, wrong: Wrong, times: int) -> Any:
    """The venue's method does wrong that often, then right."""
    honest = getattr(SimulatedBook, method)
    left = [times]

    async def sometimes(self: SimulatedBook, *arguments: Any) -> Any:
        async def right(*given: Any) -> Any:
            return await honest(self, *given)

        if left[0] > 0:
            left[0] -= 1
            return await wrong(right, arguments)
        return await right(*arguments)

    return patch.object(SimulatedBook, method, sometimes)


@pytest.mark.parametrize("method", ["submit", "lookup", "trades"])
@pytest.mark.parametrize(
    "wrong",
    [
        raises,
        raises_afterwards,
        exits_afterwards,
        hangs_afterwards,
        answers_text,
        answers_of_another,
        says_filled_without_trades,
        floats,
    ],
)
async def test_the_intent_is_executed_once(tmp_path: Path, method: str, wrong: Wrong) -> None:
    # Looked up only after a doubt: the first request's answer is lost where lookups are what goes wrong.
    lost = {"method": "submit", "kind": "lost", "taken": True, "at": [1]}
    scenario = OrderScenario("hostile", (BUY,), faults=() if method == "submit" else (lost,))
    exchange = scenario.new_exchange()
    with (
        patch("sep_core.runtime.order_venues.SUBMIT_SECONDS", 0.3),
        patch("sep_core.runtime.order_venues.READ_SECONDS", 0.3),
        patch.object(worker, "LOOK_SECONDS", 0.02),
        misbehaving(method, wrong, 2 if method != "submit" else 1),
    ):
        async with order_engine(scenario, tmp_path, new_chain(tmp_path), exchange, RunningClock()) as kernel:
            (view,) = await submit_all(kernel, scenario.wishes)
            assert view.status == "SETTLED", view.reason
            assert await check_orders(kernel, exchange, scenario, scenario.wishes)
            filled = [one["filled"] for one in orders_of(exchange)]
            assert sum(filled) == 100


async def test_a_balance_that_is_wrong_is_seen(tmp_path: Path) -> None:
    honest = SimulatedBook.balances
    lies = [False]

    async def sometimes(self: SimulatedBook) -> list[VenueBalance]:
        told = await honest(self)
        return [replace(one, free=type(one.free)(one.free - lies[0])) for one in told]

    scenario = OrderScenario("lying", (BUY,))
    with patch.object(SimulatedBook, "balances", sometimes):
        async with order_engine(
            scenario, tmp_path, new_chain(tmp_path), scenario.new_exchange(), RunningClock()
        ) as kernel:
            await submit_all(kernel, scenario.wishes)
            assert await kernel.mismatches() == []
            assert kernel.orders is not None
            for book in list(kernel.orders.board.followed("book")):
                book.lose("the test")
            assert await kernel.mismatches() == [], "a book that is lost takes no balance away"
            lies[0] = True
            found = await kernel.mismatches()
            assert {one.account for one in found} == {"cex"}
            assert all(int(one.ledger) == int(one.chain) + 1 for one in found)
