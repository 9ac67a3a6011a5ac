"""Orders from books: sizes and limits against a search of all prices, and every refusal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.types import (
    Address,
    Amount,
    Asset,
    Constraints,
    ExecutionStyle,
    Intent,
    IntentAsset,
    IntentId,
    IntentType,
    LeftOut,
    OrderMarket,
    OrderSide,
    Plan,
    TimeInForce,
    erc20,
)

from sep_core.planning import Planned, PlanRefused, PlanRequest
from sep_core.planning.orders import BookView, Done, OrderAccount, OrderPlanner
from sep_core.planning.orders.book import (
    at_price,
    highest_price,
    lots_for_at_least,
    lots_for_at_most,
    lowest_price,
    walk,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BASE, QUOTE = erc20(1, "0x" + "11" * 20), erc20(1, "0x" + "22" * 20)
OTHER = erc20(1, "0x" + "33" * 20)
NAMES = UUID("5b0d7a52-6f1e-4c55-9c0e-3d5a1f6b7c80")
MARKET = OrderMarket(
    "WETH-USDC", "WETH", "USDC", 18, 6, Amount(10**15), Amount(10), Amount(10**6), 10_000, 100, 450
)
BIDS = ((299_990, 40), (299_980, 60), (299_000, 500))
ASKS = ((300_010, 40), (300_020, 60), (301_000, 500))
BOOK = BookView("book", MARKET, BASE, QUOTE, 7, BIDS, ASKS, NOW)

levels = st.lists(
    st.tuples(st.integers(1, 40), st.integers(1, 30)), min_size=1, max_size=6, unique_by=lambda one: one[0]
)
markets = st.builds(
    OrderMarket,
    st.just("m"),
    st.just("B"),
    st.just("Q"),
    st.just(18),
    st.just(6),
    st.integers(1, 1000).map(Amount),
    st.integers(1, 7).map(Amount),
    st.just(Amount(0)),
    st.just(10**9),
    st.just(0),
    st.integers(0, 500_000),
)


class Clock:
    """It stands."""

    def now(self) -> datetime:
        """The moment."""
        return NOW


class Books:
    """The books of a test."""

    def __init__(self, *books: BookView, lost: tuple[LeftOut, ...] = ()) -> None:
        self._books = books
        self._lost = lost

    def books(self, venue: str) -> tuple[BookView, ...]:
        """All of them."""
        return self._books

    def left_out(self, venue: str) -> tuple[LeftOut, ...]:
        """What is lost."""
        return self._lost


class Holdings:
    """As much of everything."""

    def __init__(self, amount: int = 10**30) -> None:
        self._amount = Amount(amount)

    def holding(self, account: str, strategy: str, asset: str) -> Amount:
        """The same of each."""
        return self._amount


def an_intent(kind: IntentType, asset: str, amount: int | None, slippage: str, **more: Any) -> Intent:
    bounds = Constraints(Decimal(slippage), 60_000, ExecutionStyle.IMMEDIATE, **more)
    part = IntentAsset(Asset(asset, "X", 18), None if amount is None else Amount(amount), None)  # type: ignore[arg-type]
    name = uuid5(NAMES, f"{kind}{asset}{amount}")
    return Intent(IntentId(name), name, "author", "cex", kind, (part,), bounds, None)


def planned(
    kind: IntentType,
    asset: str,
    amount: int | None,
    slippage: str = "0.01",
    *,
    books: Books | None = None,
    holdings: Holdings | None = None,
    resting: bool = False,
    done: Done | None = None,
    funding: tuple[Any, ...] = (QUOTE, BASE),
    **more: Any,
) -> Planned | PlanRefused:
    planner = OrderPlanner(books or Books(BOOK), holdings or Holdings(), Clock(), lambda assets: None)
    intent = an_intent(kind, asset, amount, slippage, **more)
    request = PlanRequest(intent, Address(""), "cex", funding, NOW + timedelta(minutes=1))
    return planner.plan(request, OrderAccount("cex", "book", resting), done)


def plan_of(answer: Planned | PlanRefused) -> Plan:
    assert isinstance(answer, Planned), answer
    return answer.plan


def test_a_purchase_is_exact_and_its_limit_holds_at_any_price_up_to_it() -> None:
    plan = plan_of(planned(IntentType.ACQUIRE, BASE, 80 * 10**15))
    (step,) = plan.steps
    assert step.book is not None
    assert (step.book.side, step.book.size, step.book.time_in_force) == (
        OrderSide.BUY,
        80,
        TimeInForce.IMMEDIATE_OR_CANCEL,
    )
    worth = (300_010 * 40 + 300_020 * 40) * 10
    assert plan.spends[0].expected == worth + -(-worth * 450 // 10**6)
    assert plan.spends[0].limit == at_price(MARKET, OrderSide.BUY, step.book.price, 80)
    # One tick more would break the slippage against the best price, fee included.
    most = 300_010 * 80 * 10 * 101 // 100
    assert plan.spends[0].limit <= most < at_price(MARKET, OrderSide.BUY, step.book.price + 1, 80)
    assert plan.receives[0].expected == plan.receives[0].limit == 80 * 10**15


def test_a_sale_has_a_least_price() -> None:
    plan = plan_of(planned(IntentType.DISPOSE, BASE, 80 * 10**15))
    book = plan.steps[0].book
    assert book is not None
    assert book.side is OrderSide.SELL
    worth = (299_990 * 40 + 299_980 * 40) * 10
    assert plan.receives[0].expected == worth - -(-worth * 450 // 10**6)
    least = -(-299_990 * 80 * 10 * 99 // 100)
    assert at_price(MARKET, OrderSide.SELL, book.price - 1, 80) < least <= plan.receives[0].limit


def test_less_than_a_lot_is_told_and_left() -> None:
    plan = plan_of(planned(IntentType.ACQUIRE, BASE, 80 * 10**15 + 5))
    assert plan.receives[0].expected == 80 * 10**15
    assert "5 base units are less than a lot" in plan.left_out[0].reason


def test_amounts_of_the_quote_asset_are_never_gone_beyond() -> None:
    bought = plan_of(planned(IntentType.DISPOSE, QUOTE, 100 * 10**6))
    assert bought.spends[0].limit <= 100 * 10**6
    assert bought.steps[0].book is not None
    assert bought.steps[0].book.size == 33
    sold = plan_of(planned(IntentType.ACQUIRE, QUOTE, 100 * 10**6))
    assert sold.receives[0].limit >= 100 * 10**6
    assert sold.steps[0].book is not None
    assert sold.steps[0].book.size == 34


def test_what_is_done_is_not_done_again() -> None:
    done = Done(BASE, 30 * 10**15)
    plan = plan_of(planned(IntentType.ACQUIRE, BASE, 80 * 10**15, done=done))
    assert plan.receives[0].expected == 50 * 10**15


def test_a_share_stays_the_share_that_was_asked_for() -> None:
    # Of 100 lots a half was asked for, 20 are sold: 80 are held, 30 are left to sell.
    planner = OrderPlanner(Books(BOOK), Holdings(80 * 10**15), Clock(), lambda assets: None)
    intent = an_intent(IntentType.DISPOSE, BASE, None, "0.01")
    (part,) = intent.assets
    half = IntentAsset(part.asset, None, Decimal("0.5"))
    request = PlanRequest(
        Intent(intent.id, intent.client_id, "author", "cex", intent.type, (half,), intent.constraints, None),
        Address(""),
        "cex",
        (QUOTE,),
        NOW + timedelta(minutes=1),
    )
    plan = plan_of(planner.plan(request, OrderAccount("cex", "book", False), Done(BASE, 20 * 10**15)))
    assert plan.spends[0].expected == 30 * 10**15


def test_a_resting_order_needs_nobody_on_the_other_side_for_all_of_it() -> None:
    plan = plan_of(planned(IntentType.ACQUIRE, BASE, 5_000 * 10**15, resting=True))
    assert plan.steps[0].book is not None
    assert plan.steps[0].book.time_in_force is TimeInForce.GOOD_TILL_CANCELLED
    assert plan.steps[0].book.size == 5_000


@pytest.mark.parametrize(
    ("answer", "code", "retryable"),
    [
        (planned(IntentType.ACQUIRE, BASE, 10**14), "nothing_to_do", False),
        (planned(IntentType.ACQUIRE, BASE, 5_000 * 10**15), "insufficient_liquidity", True),
        (planned(IntentType.ACQUIRE, BASE, 300 * 10**15, "0.001"), "slippage_exceeded", True),
        (planned(IntentType.DISPOSE, BASE, 300 * 10**15, "0.001"), "slippage_exceeded", True),
        (
            planned(IntentType.ACQUIRE, BASE, 80 * 10**15, holdings=Holdings(10**6)),
            "insufficient_funds",
            False,
        ),
        (planned(IntentType.ACQUIRE, OTHER, 10**18), "no_route", False),
        (
            planned(IntentType.ACQUIRE, BASE, 10**18, books=Books(lost=(LeftOut("book", "gone"),))),
            "no_route",
            True,
        ),
        (planned(IntentType.ACQUIRE, BASE, 10**18, venues=("amm",)), "venue_not_allowed", False),
        (
            planned(IntentType.ACQUIRE, BASE, 80 * 10**15, done=Done(BASE, 80 * 10**15)),
            "nothing_to_do",
            False,
        ),
        (
            planned(
                IntentType.ACQUIRE,
                BASE,
                20_000 * 10**15,
                resting=True,
            ),
            "order_size_not_allowed",
            False,
        ),
        (planned(IntentType.ACQUIRE, BASE, 80 * 10**15, funding=(OTHER,)), "no_route", False),
        (
            planned(
                IntentType.ACQUIRE,
                BASE,
                80 * 10**15,
                books=Books(BookView("book", MARKET, BASE, QUOTE, 7, BIDS, (), NOW)),
            ),
            "insufficient_liquidity",
            True,
        ),
    ],
)
def test_a_refusal_says_why(answer: Planned | PlanRefused, code: str, retryable: bool) -> None:
    assert isinstance(answer, PlanRefused)
    assert (answer.code, answer.retryable) == (code, retryable), answer.reason
    assert "sent" in answer.reason or code == "nothing_to_do"


@given(market=markets, asks=levels, amount=st.integers(1, 5_000))
def test_the_most_lots_for_an_amount(market: OrderMarket, asks: list[tuple[int, int]], amount: int) -> None:
    asks.sort()
    lots, price = lots_for_at_most(market, asks, amount)
    best = 0
    for limit, _ in asks:
        offered = sum(size for at, size in asks if at <= limit)
        fitting = [n for n in range(1, offered + 1) if at_price(market, OrderSide.BUY, limit, n) <= amount]
        best = max(best, *fitting, 0) if fitting else best
    assert lots == best
    if lots:
        assert at_price(market, OrderSide.BUY, price, lots) <= amount
        assert walk(market, asks, lots).last <= price


@given(market=markets, bids=levels, amount=st.integers(1, 5_000))
def test_lots_that_bring_an_amount(market: OrderMarket, bids: list[tuple[int, int]], amount: int) -> None:
    bids.sort(reverse=True)
    lots, price = lots_for_at_least(market, bids, amount)
    if lots:
        assert at_price(market, OrderSide.SELL, price, lots) >= amount
        assert at_price(market, OrderSide.SELL, price, lots - 1) < amount
        assert walk(market, bids, lots).last >= price
        assert walk(market, bids, lots).lots == lots
    else:
        for limit, _ in bids:
            offered = sum(size for at, size in bids if at >= limit)
            assert at_price(market, OrderSide.SELL, limit, offered) < amount


@given(market=markets, lots=st.integers(1, 200), amount=st.integers(1, 100_000))
def test_price_limits_are_the_last_that_hold(market: OrderMarket, lots: int, amount: int) -> None:
    high = highest_price(market, lots, amount)
    assert high == 0 or at_price(market, OrderSide.BUY, high, lots) <= amount
    assert at_price(market, OrderSide.BUY, high + 1, lots) > amount
    low = lowest_price(market, lots, amount)
    assert at_price(market, OrderSide.SELL, low, lots) >= amount
    assert low == 1 or at_price(market, OrderSide.SELL, low - 1, lots) < amount


@given(market=markets, asks=levels, sizes=st.lists(st.integers(0, 200), min_size=2, max_size=5))
def test_taking_more_never_costs_less_a_lot(
    market: OrderMarket, asks: list[tuple[int, int]], sizes: list[int]
) -> None:
    asks.sort()
    walks = [walk(market, asks, size) for size in sorted(sizes)]
    for smaller, larger in pairwise(walks):
        assert smaller.lots <= larger.lots
        assert smaller.worth <= larger.worth
        assert smaller.worth * larger.lots <= larger.worth * smaller.lots


def test_an_order_carries_the_proof_of_how_good_it_is() -> None:
    for plan in (
        plan_of(planned(IntentType.ACQUIRE, BASE, 80 * 10**15)),
        plan_of(planned(IntentType.DISPOSE, BASE, 80 * 10**15)),
    ):
        proof = plan.certificate
        assert proof is not None
        bound, gap = float.fromhex(proof.bound), float.fromhex(proof.gap_before_gas)
        figure = plan.receives[0].expected if plan.exact_in else plan.spends[0].expected
        assert bound >= figure if plan.exact_in else bound <= figure
        # Within a tenth of a basis point, all of it the fee's last unit and the real numbers between levels.
        assert 0 <= gap < 1e-5


def test_a_way_round_that_is_better_shows_in_the_gap() -> None:
    # From the quote asset over a third one to the base asset for half of what the direct book asks.
    first = BookView(
        "book", replace(MARKET, name="a", taker_fee_ppm=0), OTHER, QUOTE, 1, (), ((1_000, 9_000),), NOW
    )
    second = BookView(
        "book",
        replace(MARKET, name="b", tick=Amount(10**15), taker_fee_ppm=0),
        BASE,
        OTHER,
        1,
        (),
        ((150, 9_000),),
        NOW,
    )
    plan = plan_of(planned(IntentType.ACQUIRE, BASE, 30 * 10**15, books=Books(BOOK, first, second)))
    assert plan.certificate is not None
    assert float.fromhex(plan.certificate.gap_before_gas) > 0.4
