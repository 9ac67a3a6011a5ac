"""An order venue that raises, hangs, lies or answers of another order: the intent is executed once all the same."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anyio
import pytest
from sep_hooks.order_venue import OrderRejected
from sep_hooks.types import Amount, OrderReport, OrderState, OrderTrade, Quantity, VenueBalance

from sep_core.adapters.sim_book import SimulatedBook
from sep_core.execution.orders import worker
from sep_core.telemetry.log import NamedLog

from ..harness.bench import acquire, dispose, new_chain
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


@pytest.mark.parametrize("by_report", [False, True], ids=["raises", "reports"])
async def test_what_is_rejected_after_it_was_taken_in_is_not_sent_again(
    tmp_path: Path, by_report: bool
) -> None:
    """A9: a venue's "no such order" is looked into, and is not taken for a cancel."""

    async def rejects(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
        answer = await honest(*arguments)
        if by_report:
            return replace(answer, state=OrderState.REJECTED, filled=0, reason="not enough of it")
        raise OrderRejected("not enough of it")

    scenario = OrderScenario("rejects", (BUY,))
    exchange = scenario.new_exchange()
    with misbehaving("submit", rejects, 9):
        async with order_engine(scenario, tmp_path, new_chain(tmp_path), exchange, RunningClock()) as kernel:
            (view,) = await submit_all(kernel, scenario.wishes)
            assert view.status == "SETTLED", view.reason
            assert await check_orders(kernel, exchange, scenario, scenario.wishes)
            assert [one["filled"] for one in orders_of(exchange)] == [100]


async def test_what_is_rejected_and_not_there_is_planned_anew(tmp_path: Path) -> None:
    async def rejects(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
        raise OrderRejected("not enough of it")

    scenario = OrderScenario("rejects", (BUY,))
    exchange = scenario.new_exchange()
    with misbehaving("submit", rejects, 1):
        async with order_engine(scenario, tmp_path, new_chain(tmp_path), exchange, RunningClock()) as kernel:
            (view,) = await submit_all(kernel, scenario.wishes)
            assert view.status == "SETTLED", view.reason
            assert await check_orders(kernel, exchange, scenario, scenario.wishes)
            closed = [one for lane in kernel.world.orders.values() for one in lane.entries.values()]
            assert [one.outcome for one in closed] == ["not_placed", "filled"]
            assert "book rejected it: not enough of it" in closed[0].evidence


LIES: dict[str, Callable[[OrderTrade], list[OrderTrade]]] = {
    "dearer than the limit": lambda one: [replace(one, price=one.price * 3)],
    "for nothing": lambda one: [replace(one, price=0)],
    "less than nothing": lambda one: [
        replace(one, size=-50, trade_id="less"),
        replace(one, size=one.size + 50),
    ],
    "another market": lambda one: [replace(one, market="WBTC-USDC")],
    "a fee that nobody declared": lambda one: [replace(one, fee=Quantity(2 * one.fee + 2))],
    "a rebate that nobody declared": lambda one: [replace(one, fee=Quantity(-1))],
    "a fee beyond all numbers": lambda one: [replace(one, fee=Quantity(2**300))],
    "a long id": lambda one: [replace(one, trade_id="x" * 300_000)],
    "an id that is no text": lambda one: [replace(one, trade_id="\ud800")],
    "no zone": lambda one: [replace(one, at=one.at.replace(tzinfo=None))],
}


@pytest.mark.parametrize("lie", sorted(LIES))
async def test_trades_that_cannot_be_are_not_booked(tmp_path: Path, lie: str) -> None:
    told: list[str] = []

    async def lies(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
        told.append(lie)
        return [wrong for one in await honest(*arguments) for wrong in LIES[lie](one)]

    scenario = OrderScenario("lies", (BUY,))
    exchange = scenario.new_exchange()
    with misbehaving("trades", lies, 3):
        async with order_engine(scenario, tmp_path, new_chain(tmp_path), exchange, RunningClock()) as kernel:
            (view,) = await submit_all(kernel, scenario.wishes)
            assert len(told) == 3
            assert view.status == "SETTLED", view.reason
            assert await check_orders(kernel, exchange, scenario, scenario.wishes)
            (order,) = [one for lane in kernel.world.orders.values() for one in lane.entries.values()]
            assert [one.startswith("its first answer was of no use: ") for one in order.reasons] == [True]


async def test_a_sale_below_its_limit_is_not_booked(tmp_path: Path) -> None:
    async def lies(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
        return [replace(one, price=1, fee=Quantity(min(one.fee, 1))) for one in await honest(*arguments)]

    scenario = OrderScenario("sells", (dispose("a sale", 10**17, slippage="0.01"),))
    exchange = scenario.new_exchange()
    with misbehaving("trades", lies, 3):
        async with order_engine(scenario, tmp_path, new_chain(tmp_path), exchange, RunningClock()) as kernel:
            (view,) = await submit_all(kernel, scenario.wishes)
            assert view.status == "SETTLED", view.reason
            assert await check_orders(kernel, exchange, scenario, scenario.wishes)
            (order,) = [one for lane in kernel.world.orders.values() for one in lane.entries.values()]
            assert f"is at 1 ticks, the order's limit is {order.price}" in order.reasons[0]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda told: [*told, replace(told[0], free=Amount(told[0].free + 5))],
        lambda told: [replace(told[0], free=Amount(-1)), *told[1:]],
        lambda told: [replace(told[0], held=Amount(2**256)), *told[1:]],
    ],
    ids=["twice", "less than nothing", "no amount"],
)
async def test_no_balance_that_cannot_be_opens_an_account(
    tmp_path: Path, wrong: Callable[[list[VenueBalance]], list[VenueBalance]]
) -> None:
    async def lies(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
        return wrong(await honest(*arguments))

    scenario = OrderScenario("lies", (BUY,))
    exchange = scenario.new_exchange()
    with misbehaving("balances", lies, 1), patch("sep_core.runtime.orders.AGAIN_SECONDS", 0.02):
        async with order_engine(scenario, tmp_path, new_chain(tmp_path), exchange, RunningClock()) as kernel:
            (view,) = await submit_all(kernel, scenario.wishes)
            assert view.status == "SETTLED", view.reason
            assert await kernel.mismatches() == []


async def test_what_cannot_be_written_does_not_end_the_engine(tmp_path: Path) -> None:
    async def lies(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
        return replace(await honest(*arguments), venue_order_id="\ud800")

    scenario = OrderScenario("lies", (BUY,))
    exchange = scenario.new_exchange()
    # As if the check at the venue had missed it.
    with misbehaving("submit", lies, 1), patch("sep_core.runtime.order_venues.is_name", lambda text: True):
        async with order_engine(scenario, tmp_path, new_chain(tmp_path), exchange, RunningClock()) as kernel:
            (view,) = await submit_all(kernel, scenario.wishes)
            assert view.status == "SETTLED", view.reason
            assert await check_orders(kernel, exchange, scenario, scenario.wishes)


async def test_a_trouble_that_stays_is_told_once(tmp_path: Path) -> None:
    async def lies(honest: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> Any:
        return [replace(one, price=one.price * 3) for one in await honest(*arguments)]

    said: list[str] = []

    def heard(self: NamedLog, event: str, **fields: object) -> None:
        said.append(event)

    scenario = OrderScenario("lies", (BUY,))
    exchange = scenario.new_exchange()
    with misbehaving("trades", lies, 5), patch.object(NamedLog, "warning", heard):
        async with order_engine(scenario, tmp_path, new_chain(tmp_path), exchange, RunningClock()) as kernel:
            await submit_all(kernel, scenario.wishes)
    assert said.count("orders.wait") == 1


def raises_at_once(self: SimulatedBook, market: str) -> Any:
    raise RuntimeError("a bug of the plugin's own")


async def is_no_stream(self: SimulatedBook, market: str) -> Any:
    return 5


async def fails_at_its_end(self: SimulatedBook, market: str) -> Any:
    try:
        yield "no book"
    finally:
        raise RuntimeError("a bug at the end")


def cannot_be_closed(self: SimulatedBook, market: str) -> Any:
    class Updates:
        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> Any:
            raise ValueError("\ud800")

    return Updates()


@pytest.mark.parametrize("wrong", [raises_at_once, is_no_stream, fails_at_its_end, cannot_be_closed])
async def test_no_stream_of_a_book_ends_the_engine(tmp_path: Path, wrong: Callable[..., Any]) -> None:
    honest = SimulatedBook.book
    left = [2]

    def sometimes(self: SimulatedBook, market: str) -> Any:
        left[0] -= 1
        return wrong(self, market) if left[0] >= 0 else honest(self, market)

    scenario = OrderScenario("streams", (BUY,))
    exchange = scenario.new_exchange()
    with (
        patch.object(SimulatedBook, "book", sometimes),
        patch("sep_core.markets.order_board.AGAIN_SECONDS", 0.02),
    ):
        async with order_engine(scenario, tmp_path, new_chain(tmp_path), exchange, RunningClock()) as kernel:
            (view,) = await submit_all(kernel, scenario.wishes)
            assert view.status == "SETTLED", view.reason
            assert left[0] < 0


async def test_a_market_whose_terms_cannot_be_is_left_out(tmp_path: Path) -> None:
    honest = SimulatedBook.markets

    async def wrong(self: SimulatedBook) -> Any:
        first, *others = await honest(self)
        return [
            first,
            replace(first, base="XYZ"),
            *(replace(one, lot=Amount(0)) for one in others),
            replace(first, name="\ud800"),
        ]

    scenario = OrderScenario("terms", (BUY,))
    exchange = scenario.new_exchange()
    with patch.object(SimulatedBook, "markets", wrong):
        async with order_engine(scenario, tmp_path, new_chain(tmp_path), exchange, RunningClock()) as kernel:
            (view,) = await submit_all(kernel, scenario.wishes)
            assert view.status == "SETTLED", view.reason
            assert kernel.orders is not None
            assert kernel.orders.board.lost("book") == [
                ("book/WETH-USDC", "another has its name"),
                ("book/WBTC-USDC", "its lot, tick or bounds of an order are no amounts"),
                ("book/its market 4", "its name or an asset of it is not of 1 to 200 printable characters"),
            ]


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
