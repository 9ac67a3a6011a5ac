"""The simulated exchange through the contract of order venues: conformance, latency, faults, following a book."""

import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sep_hooks.context import PluginContext
from sep_hooks.errors import Ambiguous, ConfigurationError, VenueError
from sep_hooks.order_venue import OrderRejected
from sep_hooks.testing.fakes import FakeLog
from sep_hooks.testing.order_venue import OrderVenueSuite
from sep_hooks.types import BookSnapshot, OrderRequest, OrderSide, OrderState, TimeInForce
from sep_native.book import SimExchange

from sep_core.adapters.sim_book import SimulatedBook, SimulatedBookConfig, demo_exchange, share_exchange

pytestmark = pytest.mark.anyio


class WallClock:
    """The machine's own."""

    def now(self) -> datetime:
        """The moment."""
        return datetime.now(UTC)


def a_venue(config: Mapping[str, object] = {}) -> SimulatedBook:
    return SimulatedBook(
        SimulatedBookConfig.model_validate({"poll_seconds": 0.01, **config}),
        PluginContext("book", WallClock(), FakeLog()),
    )


class TestSimulatedBook(OrderVenueSuite):
    """The whole suite, with latency and other people."""

    @pytest.fixture
    def venue(self) -> SimulatedBook:
        return a_venue()


class Shared:
    """An exchange that the test holds, and venues on it."""

    def __init__(self, **changes: object) -> None:
        now = int(datetime.now(UTC).timestamp() * 1000)
        self.exchange = SimExchange(json.dumps(demo_exchange(7, latency_ms=[0, 0], **changes)), now)
        share_exchange("held by a test", self.exchange)
        self.venue = a_venue({"shared": "held by a test"})

    def faults(self, *faults: Mapping[str, object]) -> None:
        self.exchange.control(json.dumps({"control": "faults", "faults": list(faults)}))

    def control(self, **request: Any) -> Any:
        return json.loads(self.exchange.control(json.dumps(request)))


@pytest.fixture
def shared() -> Any:
    yield Shared()
    share_exchange("held by a test", None)


def an_order(
    name: str, *, price: int = 310_000, size: int = 3, side: OrderSide = OrderSide.BUY
) -> OrderRequest:
    expires = datetime.now(UTC) + timedelta(seconds=10)
    return OrderRequest(name, "WETH-USDC", side, price, size, TimeInForce.IMMEDIATE_OR_CANCEL, expires)


@pytest.mark.parametrize("taken", [True, False])
async def test_a_lost_answer_is_ambiguous_and_the_order_is_found_or_not(shared: Shared, taken: bool) -> None:
    shared.faults({"method": "submit", "kind": "lost", "taken": taken, "at": [1]})
    with pytest.raises(Ambiguous):
        await shared.venue.submit(an_order("a"))
    found = await shared.venue.lookup("WETH-USDC", "a")
    assert (found is not None) == taken
    trades = await shared.venue.trades("WETH-USDC", "a")
    assert sum(one.size for one in trades) == (3 if taken else 0)


async def test_a_lost_read_is_a_venue_error(shared: Shared) -> None:
    shared.faults({"method": "lookup", "kind": "lost", "taken": True, "at": [1]})
    with pytest.raises(VenueError):
        await shared.venue.lookup("WETH-USDC", "a")
    assert await shared.venue.lookup("WETH-USDC", "a") is None


async def test_a_refusal_is_an_answer(shared: Shared) -> None:
    shared.faults({"method": "submit", "kind": "refused", "at": [1]})
    with pytest.raises(OrderRejected, match="too busy"):
        await shared.venue.submit(an_order("a"))
    assert await shared.venue.lookup("WETH-USDC", "a") is None


async def test_doubled_trades_have_the_same_ids(shared: Shared) -> None:
    shared.faults({"method": "trades", "kind": "doubled", "at": [1]})
    await shared.venue.submit(an_order("a"))
    twice = await shared.venue.trades("WETH-USDC", "a")
    once = await shared.venue.trades("WETH-USDC", "a")
    assert len(twice) == 2 * len(once)
    assert {one.trade_id for one in twice} == {one.trade_id for one in once}


async def test_a_gap_in_the_book_ends_the_stream(shared: Shared) -> None:
    shared.faults({"method": "book", "kind": "hidden", "at": [2]})
    async with aclosing(shared.venue.book("WETH-USDC")) as updates:
        assert isinstance(await anext(updates), BookSnapshot)
        for price in (290_000, 290_001):
            shared.control(control="other", market="WETH-USDC", side="BUY", price=price, size=1, rests=True)
        with pytest.raises(VenueError, match="left out"):
            await anext(updates)


async def test_a_partial_fill_leaves_the_rest_cancelled(shared: Shared) -> None:
    async with aclosing(shared.venue.book("WETH-USDC")) as updates:
        book = await anext(updates)
    (price, lots), *_ = book.asks
    report = await shared.venue.submit(an_order("a", price=price, size=lots + 5))
    assert (report.state, report.filled) == (OrderState.CANCELLED, lots)
    assert "taken at once" in report.reason


async def test_latency_is_waited_for() -> None:
    now = int(datetime.now(UTC).timestamp() * 1000)
    share_exchange("slow", SimExchange(json.dumps(demo_exchange(7, latency_ms=[40, 40])), now))
    try:
        venue = a_venue({"shared": "slow"})
        began = datetime.now(UTC)
        assert (await venue.submit(an_order("a"))).state is OrderState.FILLED
        assert datetime.now(UTC) - began >= timedelta(milliseconds=39)
    finally:
        share_exchange("slow", None)


@pytest.mark.parametrize(
    "config", [{"shared": "nowhere"}, {"genesis": "/nowhere/at/all"}], ids=["shared", "genesis"]
)
async def test_a_wrong_configuration_is_named(config: Mapping[str, object]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        a_venue(config)
    assert caught.value.pointer.startswith("order_venues.book.")


async def test_an_exchange_with_a_file_goes_on_where_it_was_left(tmp_path: Path) -> None:
    config = {"path": str(tmp_path / "folder" / "exchange"), "poll_seconds": 0.01}
    first = a_venue(config)
    await first.submit(an_order("a"))
    resting = replace(an_order("b", price=200_000), time_in_force=TimeInForce.GOOD_TILL_CANCELLED)
    await first.submit(resting)
    await first.submit(replace(resting, client_order_id="c"))
    await first.cancel("WETH-USDC", "c")
    left = {one.asset: one for one in await first.balances()}
    told = [await first.lookup("WETH-USDC", name) for name in "abc"]
    trades = await first.trades("WETH-USDC", "a")
    # A process that was killed while it wrote leaves half a line.
    with (tmp_path / "folder" / "exchange").open("ab") as file:
        file.write(b'{"at_ms": 17')
    again = first
    for _ in range(2):
        again = a_venue(config)
        assert {one.asset: one for one in await again.balances()} == left
        assert [await again.lookup("WETH-USDC", name) for name in "abc"] == told
        assert await again.trades("WETH-USDC", "a") == trades
    with pytest.raises(OrderRejected, match="in use"):
        await again.submit(an_order("a"))


@pytest.mark.parametrize("what", [b"no json\n", b'{"genesis_sha256": "00", "start_ms": 0}\n'])
async def test_a_memory_of_something_else_is_refused(tmp_path: Path, what: bytes) -> None:
    (tmp_path / "exchange").write_bytes(what)
    with pytest.raises(ConfigurationError, match="exchange"):
        a_venue({"path": str(tmp_path / "exchange")})
