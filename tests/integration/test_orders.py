"""Engines that trade at the simulated exchange: every face shows it, the books agree, no mixture of faults harms."""

import json
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anyio
import pytest
from sep_hooks.errors import ConfigurationError
from sep_hooks.types import IntentId, IntentStatus
from sep_native.book import SimExchange

from sep_core.adapters.sim_book import DEFAULT_ACCOUNT
from sep_core.adapters.store_sqlite.audit import verify_store
from sep_core.execution.orders import OrderLaneKey, worker
from sep_core.runtime.desk import fold
from sep_core.runtime.identity import check_order_accounts
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.settings import InvalidSettings, settings_of
from sep_core.runtime.submission import parse_submission
from sep_core.telemetry.crashpoints import armed

from ..harness.bench import DATA, STRATEGY, Wish, acquire, dispose, new_chain, tables
from ..harness.orders import (
    ACCOUNT,
    STILL,
    VENUE,
    OrderScenario,
    RunningClock,
    check_orders,
    control,
    order_engine,
    orders_of,
)
from ..harness.run import submit_all, until

pytestmark = pytest.mark.anyio

BUY = acquire("a purchase", 10**17, slippage="0.01")
SELL = dispose("a sale", 10**17, slippage="0.01")
MARKET = "WETH-USDC"
ONE_LEVEL = {"flow": {**STILL, "levels": 1, "lots": [100, 100]}}


@asynccontextmanager
async def trading(
    folder: Path, scenario: OrderScenario, exchange: SimExchange | None = None
) -> AsyncIterator[tuple[Kernel, SimExchange]]:
    made = exchange or scenario.new_exchange()
    async with order_engine(scenario, folder, new_chain(folder), made, RunningClock()) as kernel:
        yield kernel, made


async def test_every_face_shows_an_order_and_the_books_agree(tmp_path: Path) -> None:
    scenario = OrderScenario("plain", (BUY, SELL))
    async with trading(tmp_path, scenario) as (kernel, exchange):
        views = await submit_all(kernel, scenario.wishes)
        assert [one.status for one in views] == ["SETTLED", "SETTLED"]
        assert await check_orders(kernel, exchange, scenario, scenario.wishes)
        assert await kernel.mismatches() == []
        assert kernel.health().services[f"account {ACCOUNT}"].status == "ok"
        queries = await kernel.queries()
        for view in views:
            plan = await queries.plan(view.id)
            assert plan.steps[0].venue == VENUE
            assert plan.steps[0].kind == "ORDER"
            order = plan.steps[0].order
            assert order is not None
            assert (order.outcome, order.filled, order.size) == ("filled", 100, 100)
            story = await queries.explain(view.id)
            text = story.model_dump_json()
            assert f"{VENUE}/WETH-USDC" in text
            assert "0 wei" not in story.money
            (fill,) = view.fills
            assert fill.venue == VENUE
        held = {
            one.asset.symbol: int(one.total)
            for one in (await queries.portfolio()).balances
            if one.account == ACCOUNT
        }
        told = control(exchange, control="orders", account=DEFAULT_ACCOUNT)
        assert {one["status"] for one in told} == {"FILLED"}
        assert held["WETH"] == 10 * 10**18
        assert held["USDC"] < 30_000 * 10**6, "the fee and the spread were paid"
        folded = await fold(kernel.store)
        assert folded.orders == kernel.world.orders
    assert verify_store(tmp_path / DATA).ok


async def test_a_dry_run_plans_from_the_book_and_sends_nothing(tmp_path: Path) -> None:
    async with trading(tmp_path, OrderScenario("dry", (BUY,))) as (kernel, exchange):
        answer = await kernel.dry_run(parse_submission(BUY.body))
        assert answer.approved, answer.reason
        assert answer.plan is not None
        assert answer.plan.steps[0].kind == "ORDER"
        assert orders_of(exchange) == []


async def test_an_intent_that_allows_other_venues_only_is_rejected(tmp_path: Path) -> None:
    body = json.loads(BUY.body)
    body["constraints"]["venues"] = ["amm"]
    wish = Wish(BUY.client_id, json.dumps(body).encode())
    async with trading(tmp_path, OrderScenario("elsewhere", (wish,))) as (kernel, _):
        (view,) = await submit_all(kernel, [wish])
        assert (view.status, view.code) == ("REJECTED", "venue_not_allowed")


async def test_what_is_held_shrinks_as_a_resting_order_fills(tmp_path: Path) -> None:
    thin = {"flow": {"every_ms": 0, "levels": 1, "lots": [40, 40], "takes_percent": 0}}
    wish = acquire("rests", 10**17, slippage="0.001")
    scenario = OrderScenario("rests", (wish,), resting=True, exchange=thin)
    async with trading(tmp_path, scenario) as (kernel, exchange):
        receipt = await kernel.submit(parse_submission(wish.body), source="command_line", request=wish.body)
        lane = OrderLaneKey(VENUE, ACCOUNT)

        def partly() -> bool:
            return any(one.filled == 40 for one in kernel.world.orders[lane].open)

        await until(kernel, partly)
        intent = IntentId(receipt.intent_id)
        state = kernel.world.intents[intent]
        hold = kernel.world.book.holds[intent]
        assert state.status is IntentStatus.EXECUTING
        (whole,), (rest,) = [dict(one).values() for one in (state.money, hold.money)]
        assert rest == -(-whole * 60 // 100)
        (entry,) = kernel.world.orders[lane].open
        spent = entry.worth + entry.fee
        booked = kernel.world.ledger.finals(ACCOUNT, "author")
        usdc = next(asset for asset, _ in state.money)
        assert booked[usdc] == 30_000 * 10**6 - spent
        await kernel.cancel(receipt.intent_id, "the test")
        view = await kernel.wait_until_ended(receipt.intent_id, 20)
        assert (view.status, view.code) == ("FAILED", "expired_partially_filled")
        assert await check_orders(kernel, exchange, scenario, [wish])
        assert await kernel.mismatches() == []


async def test_a_disabled_venue_gets_no_plan_until_it_is_enabled(tmp_path: Path, quick: None) -> None:
    scenario = OrderScenario("disabled", (BUY,))
    async with trading(tmp_path, scenario) as (kernel, exchange):
        shown = {one.name: one for one in kernel.venues()}
        assert (shown[VENUE].status, shown[VENUE].markets, shown["amm"].status) == ("ok", 2, "ok")
        assert shown[VENUE].calls.answered > 0
        told = await kernel.disable_venue(VENUE, "the test", "me")
        assert (told.status, told.reason) == ("disabled", "by me: the test")
        receipt = await kernel.submit(parse_submission(BUY.body), source="command_line", request=BUY.body)
        intent = IntentId(receipt.intent_id)
        await until(kernel, lambda: kernel.plans.why_waiting(intent) is not None)
        waits = kernel.plans.why_waiting(intent)
        assert waits is not None
        assert waits.code == "venue_not_used"
        assert orders_of(exchange) == []
        await kernel.enable_venue(VENUE, "the test is over", "me")
        view = await kernel.wait_until_ended(receipt.intent_id, 20)
        assert view.status == "SETTLED"


@pytest.mark.parametrize("amount", [12 * 10**16, 12 * 10**16 + 7])
async def test_slices_are_orders_too(tmp_path: Path, quick: None, amount: int) -> None:
    wish = acquire("slices", amount, window_ms=60_000, slippage="0.02")
    body = json.loads(wish.body)
    body["constraints"] |= {"execution_style": "TWAP", "slicing": {"slices": 4}}
    wish = Wish(wish.client_id, json.dumps(body).encode())
    async with trading(tmp_path, OrderScenario("slices", (wish,))) as (kernel, exchange):
        (view,) = await submit_all(kernel, [wish])
        assert view.status == "SETTLED", view.reason
        assert [one["filled"] for one in orders_of(exchange)] == [30, 30, 30, 30]
        assert await kernel.mismatches() == []
        assert not kernel.world.book.holds


async def test_the_rest_of_an_order_keeps_to_the_price_of_the_first(tmp_path: Path, quick: None) -> None:
    """Others take most of the book before the order comes, then offer at three percent more: the rest waits."""
    scenario = OrderScenario("rises", (BUY,), exchange=ONE_LEVEL)
    async with trading(tmp_path, scenario) as (kernel, exchange):
        with armed(partial(_others_raise_the_price, exchange=exchange)):
            receipt = await kernel.submit(parse_submission(BUY.body), source="command_line", request=BUY.body)
            intent = IntentId(receipt.intent_id)
            await until(kernel, lambda: kernel.plans.why_waiting(intent) is not None)
        waits = kernel.plans.why_waiting(intent)
        assert waits is not None
        assert waits.code == "slippage_exceeded", waits
        assert sum(one["filled"] for one in orders_of(exchange)) == 30
        control(exchange, control="other", market=MARKET, side="SELL", price=300_100, size=400, rests=True)
        view = await kernel.wait_until_ended(receipt.intent_id, 20)
        assert view.status == "SETTLED", view.reason
        first, *later = orders_of(exchange)
        assert later
        assert all(one["price"] <= first["price"] for one in later)
        assert await kernel.mismatches() == []


def _others_raise_the_price(point: str, *, exchange: SimExchange) -> None:
    other = {"control": "other", "market": MARKET}
    taken = control(exchange, control="orders", account="others too")
    if point == "execution.order.submit.before" and not taken:
        control(exchange, side="BUY", price=300_006, size=70, rests=False, **other)
        control(exchange, side="SELL", price=309_000, size=400, rests=True, **other)


async def test_an_account_with_an_open_order_cannot_leave_the_configuration(tmp_path: Path) -> None:
    thin = {"flow": {"every_ms": 0, "levels": 1, "lots": [40, 40], "takes_percent": 0}}
    wish = acquire("rests", 10**17, slippage="0.001")
    scenario = OrderScenario("rests", (wish,), resting=True, exchange=thin)
    async with trading(tmp_path, scenario) as (kernel, _):
        await kernel.submit(parse_submission(wish.body), source="command_line", request=wish.body)
        lane = OrderLaneKey(VENUE, ACCOUNT)
        await until(kernel, lambda: bool(kernel.world.orders[lane].open))
        world = kernel.world
        settings = scenario.settings(tmp_path, "nothing", "nothing")
        check_order_accounts(world, settings)
        with pytest.raises(ConfigurationError, match="1 orders are not closed"):
            check_order_accounts(world, replace(settings, order_accounts={}))
        moved = replace(settings.order_accounts[ACCOUNT], venue="elsewhere")
        with pytest.raises(ConfigurationError, match="keeps the money"):
            check_order_accounts(world, replace(settings, order_accounts={ACCOUNT: moved}))


async def test_orders_of_a_venue_that_cannot_be_made_are_named(tmp_path: Path) -> None:
    thin = {"flow": {"every_ms": 0, "levels": 1, "lots": [40, 40], "takes_percent": 0}}
    wish = acquire("rests", 10**17, slippage="0.001")
    scenario = OrderScenario("rests", (wish,), resting=True, exchange=thin)
    exchange, chain, clock = scenario.new_exchange(), new_chain(tmp_path), RunningClock()
    lane = OrderLaneKey(VENUE, ACCOUNT)
    async with order_engine(scenario, tmp_path, chain, exchange, clock) as kernel:
        await kernel.submit(parse_submission(wish.body), source="command_line", request=wish.body)
        await until(kernel, lambda: bool(kernel.world.orders[lane].open))
        (entry,) = kernel.world.orders[lane].open
    with patch("sep_core.adapters.sim_book.SimulatedBook.__init__", side_effect=RuntimeError("no keys")):
        async with order_engine(scenario, tmp_path, chain, exchange, clock) as kernel:
            told = kernel.health().services[f"account {ACCOUNT}"]
            assert told.status == "blocked"
            assert "no keys" in told.detail
            assert f"nobody follows 1 orders that are not closed: {entry.client_order_id}" in told.detail


async def test_a_venue_that_is_silent_at_the_start_is_waited_for(tmp_path: Path) -> None:
    silent = [
        {"method": method, "kind": "lost", "taken": False, "at": list(range(1, 4))}
        for method in ("markets", "balances", "book")
    ]
    scenario = OrderScenario("silent", (BUY,), faults=tuple(silent))
    with patch("sep_core.runtime.orders.AGAIN_SECONDS", 0.05):
        async with trading(tmp_path, scenario) as (kernel, exchange):
            (view,) = await submit_all(kernel, scenario.wishes)
            assert view.status == "SETTLED"
            assert await check_orders(kernel, exchange, scenario, scenario.wishes)


@pytest.fixture
def quick() -> Iterator[None]:
    """Pauses after failures that fit a clock thirty times as fast."""
    with (
        patch("sep_core.markets.order_board.AGAIN_SECONDS", 0.05),
        patch("sep_core.runtime.orders.PLAN_AGAIN_SECONDS", 0.05),
        patch.object(worker, "LOOK_SECONDS", 0.02),
    ):
        yield


@pytest.mark.says
@pytest.mark.slow
@pytest.mark.parametrize("resting", [False, True], ids=["immediate", "resting"])
async def test_faults_in_any_mixture_do_no_harm(tmp_path: Path, quick: None, resting: bool) -> None:
    seed = random.SystemRandom().randrange(2**32)
    draw = random.Random(seed)
    print(f"seed {seed}")
    faults: list[Mapping[str, Any]] = [
        {"method": "submit", "kind": "lost", "taken": True, "per_mille": 100},
        {"method": "submit", "kind": "lost", "taken": False, "per_mille": 100},
        {"method": "submit", "kind": "late", "by_ms": 3_000, "per_mille": 50},
        {"method": "submit", "kind": "refused", "per_mille": 50},
        {"method": "lookup", "kind": "lost", "taken": True, "per_mille": 100},
        {"method": "lookup", "kind": "hidden", "per_mille": 150},
        {"method": "trades", "kind": "lost", "taken": True, "per_mille": 100},
        {"method": "trades", "kind": "hidden", "per_mille": 100},
        {"method": "trades", "kind": "doubled", "per_mille": 200},
        {"method": "cancel", "kind": "lost", "taken": True, "per_mille": 200},
        {"method": "book", "kind": "hidden", "per_mille": 20},
    ]
    wishes = tuple(
        (acquire if draw.random() < 0.5 else dispose)(
            f"{seed} {place}", draw.randrange(5, 80) * 10**15, slippage="0.01"
        )
        for place in range(24)
    )
    scenario = OrderScenario(
        "chaos",
        wishes,
        faults=tuple(faults),
        resting=resting,
        exchange={
            "seed": seed,
            "latency_ms": [5, 60],
            "flow": {"every_ms": 400, "levels": 8, "lots": [5, 60], "takes_percent": 30},
        },
    )
    async with trading(tmp_path, scenario) as (kernel, exchange):
        receipts = [
            await kernel.submit(parse_submission(one.body), source="command_line", request=one.body)
            for one in wishes
        ]
        for one in receipts[::5]:
            await kernel.cancel(one.intent_id, "the test")
        for one in receipts:
            await kernel.wait_until_ended(one.intent_id, 90)
        control(exchange, control="faults", faults=[])
        ended = await check_orders(kernel, exchange, scenario, wishes)
        with anyio.fail_after(10):
            assert await kernel.mismatches() == []
        print(
            f"orders in chaos: {len(wishes)} intents {dict(ended)}, {len(orders_of(exchange))} orders,"
            f" {control(exchange, control='faulted')} faults, 0 lost, 0 doubled, books equal to the unit"
        )
    assert verify_store(tmp_path / DATA).ok


@pytest.mark.parametrize(
    ("change", "pointer", "why"),
    [
        ({"accounts": {"cex": {"order_venue": "nowhere"}}}, "accounts.cex.order_venue", "nowhere"),
        (
            {"accounts": {"cex": {"order_venue": "book"}, "two": {"order_venue": "book"}}},
            "accounts.two.order_venue",
            "also that of 'cex'",
        ),
        (
            {"accounts": {"cex": {"order_venue": "book", "orders": "sleeping"}}},
            "accounts.cex.orders",
            "immediate, resting",
        ),
        (
            {"accounts": {"cex": {"order_venue": "book", "address": "0x00"}}},
            "accounts.cex.address",
            "no known key",
        ),
        ({"order_venues": {"book": {"use": "simulated-book"}}}, "order_venues.book.chain", "missing"),
        (
            {"order_venues": {"book": {"use": "simulated-book", "chain": "sim", "assets": {"X": "NONE"}}}},
            "order_venues.book.assets.X",
            "NONE",
        ),
        (
            {"order_venues": {"amm": {"use": "simulated-book", "chain": "sim"}}},
            "order_venues.amm",
            "names are unique",
        ),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, change: dict[str, Any], pointer: str, why: str) -> None:
    base: dict[str, Any] = {
        "accounts": {"cex": {"order_venue": "book", "funding": ["USDC"]}},
        "order_venues": {"book": {"use": "simulated-book", "chain": "sim"}},
        "strategies": {"author": {"use": "external", "id": STRATEGY, "account": "cex"}},
        **change,
    }
    with pytest.raises(InvalidSettings) as caught:
        settings_of(tables({"seed": 7}, **base), source="test", folder=tmp_path)
    told = str(caught.value)
    assert pointer in told
    assert why in told
