"""The simulated exchange as an order venue of the kernel."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import anyio
import orjson
from pydantic import Field
from sep_hooks.config import PluginConfig
from sep_hooks.context import PluginContext
from sep_hooks.errors import Ambiguous, ConfigurationError, VenueError
from sep_hooks.order_venue import QUIET_SECONDS, OrderRejected, OrderVenue
from sep_hooks.types import (
    Amount,
    BookDelta,
    BookSnapshot,
    BookUpdate,
    OrderMarket,
    OrderReport,
    OrderRequest,
    OrderSide,
    OrderState,
    OrderTrade,
    Quantity,
    VenueBalance,
)
from sep_native.book import SimExchange

from .sim_book_memory import ExchangeMemory

DEFAULT_ACCOUNT = "fund"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class SimulatedBookConfig(PluginConfig):
    """`account` is whose orders these are. `genesis` is a document's path, else the demonstration's of this `seed`.

    The exchange lives and ends with this process, unless `path` names a file: from what that remembers, the same
    exchange goes on at the next start. One that `share_exchange` has put under `shared` is found again by every engine
    of the process. `poll_seconds` is how often its books are looked at.
    """

    account: str = DEFAULT_ACCOUNT
    genesis: Path | None = None
    seed: int = Field(7, ge=0, lt=2**64)
    path: Path | None = None
    shared: str | None = None
    poll_seconds: float = Field(0.05, gt=0)


class _Refused(Exception):
    """The exchange did not take a message in."""


class SimulatedBook(OrderVenue[SimulatedBookConfig]):
    """A deterministic exchange with other people, for demonstration and tests. Reads its genesis when it is made."""

    Config: ClassVar[type[PluginConfig]] = SimulatedBookConfig
    absence_seconds: ClassVar[float] = 0.0

    def __init__(self, config: SimulatedBookConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._memory = None if config.path is None else ExchangeMemory(config.path)
        self._exchange = _exchange(config, context.instance, self._now_ms(), self._memory)
        self._remembering = anyio.Lock()
        self._told_at_ms = 0

    @property
    def test(self) -> bool:
        """It is all play."""
        return True

    async def markets(self) -> Sequence[OrderMarket]:
        """The books of the genesis."""
        return [
            OrderMarket(
                name=one["name"],
                base=one["base"],
                quote=one["quote"],
                base_decimals=one["base_decimals"],
                quote_decimals=one["quote_decimals"],
                lot=Amount(int(one["lot"])),
                tick=Amount(int(one["tick"])),
                least_notional=Amount(int(one["least_notional"])),
                most_lots=one["most_lots"],
                maker_fee_ppm=one["maker_fee_ppm"],
                taker_fee_ppm=one["taker_fee_ppm"],
            )
            for one in await self._read({"method": "markets"})
        ]

    async def book(self, market: str) -> AsyncGenerator[BookUpdate]:
        """The whole book, then what changes in it, as often as it is looked at."""
        sequence: int | None = None
        quiet = 0
        while True:
            after = None if quiet * self.config.poll_seconds >= QUIET_SECONDS / 2 else sequence
            told = await self._read({"method": "book", "market": market, "after": after})
            now = self.context.clock.now()
            quiet = 0 if told else quiet + 1
            if isinstance(told, dict):
                sequence = told["sequence"]
                yield BookSnapshot(
                    market, told["sequence"], _levels(told["bids"]), _levels(told["asks"]), now
                )
                continue
            for one in told:
                if one["previous"] != sequence:
                    raise VenueError(
                        f"book {market} went from {sequence} to {one['previous']}: changes were left out"
                    )
                sequence = one["sequence"]
                yield BookDelta(
                    market, one["previous"], one["sequence"], _levels(one["bids"]), _levels(one["asks"]), now
                )
            await anyio.sleep(self.config.poll_seconds)

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Sends the order, and waits for the exchange's word."""
        try:
            told = await self._call(
                {
                    "method": "submit",
                    "client_id": request.client_order_id,
                    "market": request.market,
                    "side": request.side,
                    "price": request.price,
                    "size": request.size,
                    "time_in_force": request.time_in_force,
                    "expires_ms": _milliseconds(request.expires_at),
                }
            )
        except _Refused as refused:
            raise OrderRejected(f"order {request.client_order_id} was not taken in: {refused}") from None
        return _report(told)

    async def cancel(self, market: str, client_order_id: str) -> None:
        """Asks for its end."""
        await self._read({"method": "cancel", "client_id": client_order_id})

    async def lookup(self, market: str, client_order_id: str) -> OrderReport | None:
        """The order as the exchange has it."""
        told = await self._read({"method": "lookup", "client_id": client_order_id})
        return None if told is None else _report(told)

    async def trades(self, market: str, client_order_id: str) -> Sequence[OrderTrade]:
        """The order's trades so far."""
        quote = {one.name: one.quote for one in await self.markets()}
        if market not in quote:
            raise VenueError(f"there is no market {market}")
        return [
            OrderTrade(
                trade_id=one["id"],
                client_order_id=one["client_id"],
                market=market,
                side=OrderSide(one["side"]),
                price=one["price"],
                size=one["size"],
                fee_asset=quote[market],
                fee=Quantity(int(one["fee"])),
                maker=one["maker"],
                at=_EPOCH + one["at_ms"] * _MILLISECOND,
            )
            for one in await self._read({"method": "trades", "client_id": client_order_id})
        ]

    async def balances(self) -> Sequence[VenueBalance]:
        """What the account holds."""
        return [
            VenueBalance(one["asset"], Amount(int(one["free"])), Amount(int(one["held"])))
            for one in await self._read({"method": "balances"})
        ]

    async def now(self) -> datetime:
        """The exchange's clock when it answered."""
        await self._read({"method": "markets"})
        return _EPOCH + self._told_at_ms * _MILLISECOND

    async def _read(self, request: Mapping[str, object]) -> Any:
        try:
            return await self._call(request)
        except (_Refused, Ambiguous) as error:
            raise VenueError(f"{request['method']} has no answer: {error}") from None

    async def _call(self, request: Mapping[str, object]) -> Any:
        """The exchange's answer. Raises `Ambiguous` where none comes, `_Refused` where it says no."""
        try:
            ticket = self._exchange.ask(self.config.account, self._now_ms(), json.dumps(request))
        except ValueError as error:
            raise _Refused(str(error)) from None
        while True:
            told = orjson.loads(self._exchange.told(ticket, self._now_ms()))
            await self._remember()
            if "answer" in told:
                self._told_at_ms = told["now_ms"]
                return told["answer"]
            if "refused" in told:
                raise _Refused(told["refused"])
            if "lost" in told:
                raise Ambiguous(f"the connection broke during {request['method']}; the outcome is not known")
            await anyio.sleep(told["wait_ms"] / 1000)

    async def _remember(self) -> None:
        """Keeps what has arrived, before anybody learns what came of it."""
        if self._memory is None:
            return
        async with self._remembering:
            asked = json.dumps({"control": "arrivals", "after": self._memory.kept})
            arrived = orjson.loads(self._exchange.control(asked))
            if arrived:
                await anyio.to_thread.run_sync(self._memory.keep, arrived)

    def _now_ms(self) -> int:
        return _milliseconds(self.context.clock.now())


_EXCHANGES: dict[str, SimExchange] = {}


def share_exchange(name: str, exchange: SimExchange | None) -> None:
    """Puts an exchange under a name, so that it outlives the engines of this process; None takes it away."""
    if exchange is None:
        _EXCHANGES.pop(name, None)
    else:
        _EXCHANGES[name] = exchange


def demo_exchange(seed: int, **changes: object) -> dict[str, object]:
    """The demonstration's genesis: two books around 3000 USDC a WETH and 30000 a WBTC, prices in cents."""
    return {
        "seed": seed,
        "assets": {"WETH": 18, "WBTC": 8, "USDC": 6},
        "markets": [
            {
                "name": "WETH-USDC",
                "base": "WETH",
                "quote": "USDC",
                "lot": str(10**15),
                "tick": "10",
                "least_notional": str(10**6),
                "maker_fee_ppm": 100,
                "taker_fee_ppm": 450,
                "price": 300_000,
            },
            {
                "name": "WBTC-USDC",
                "base": "WBTC",
                "quote": "USDC",
                "lot": str(10**4),
                "tick": "1",
                "least_notional": str(10**6),
                "maker_fee_ppm": 100,
                "taker_fee_ppm": 450,
                "price": 3_000_000,
            },
        ],
        "accounts": {DEFAULT_ACCOUNT: {"WETH": str(10 * 10**18), "USDC": str(30_000 * 10**6)}},
        "latency_ms": [2, 20],
        "flow": {"every_ms": 500, "levels": 40, "lots": [5, 120], "takes_percent": 20},
        **changes,
    }


def _exchange(
    config: SimulatedBookConfig, instance: str, now_ms: int, memory: ExchangeMemory | None
) -> SimExchange:
    if config.shared is not None:
        if config.shared not in _EXCHANGES:
            raise ConfigurationError(
                f"order venue {instance}: no exchange is shared as {config.shared!r} in this process",
                pointer=f"order_venues.{instance}.shared",
            )
        return _EXCHANGES[config.shared]
    try:
        text = (
            json.dumps(demo_exchange(config.seed)) if config.genesis is None else config.genesis.read_text()
        )
        return SimExchange(text, now_ms) if memory is None else memory.open(text, now_ms)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"order venue {instance}: {error}", pointer=f"order_venues.{instance}.genesis"
        ) from None


def _milliseconds(moment: datetime) -> int:
    return max(0, (moment - _EPOCH) // _MILLISECOND)


def _levels(told: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    return tuple((price, lots) for price, lots in told)


def _report(told: Mapping[str, Any]) -> OrderReport:
    return OrderReport(
        client_order_id=told["client_id"],
        venue_order_id=told["id"],
        market=told["market"],
        side=OrderSide(told["side"]),
        state=OrderState(told["status"]),
        price=told["price"],
        size=told["size"],
        filled=told["filled"],
        reason=told["reason"],
    )
