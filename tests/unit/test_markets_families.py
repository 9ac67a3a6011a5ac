"""The board with venues whose markets share a contract, and with venues that tell nothing but quotes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import pytest
from sep_hooks.config import PluginConfig
from sep_hooks.context import RpcFailed, RpcOk, RpcOutcome, RpcRequest, VenueContext
from sep_hooks.errors import CallReverted, RpcUnavailable, VenueError
from sep_hooks.sampled_venue import SampledVenue
from sep_hooks.testing.abi import EthAbi
from sep_hooks.testing.fakes import FakeClock, FakeLog, FakeRpc
from sep_hooks.types import (
    Address,
    Amount,
    AssetId,
    Block,
    BlockLogs,
    BlockRef,
    Call,
    ChainLog,
    ChainUpdate,
    ConstantProductState,
    DecodedLog,
    Leg,
    LiquidityFamily,
    Market,
    MarketId,
    MarketState,
    SampledState,
    SwapOrder,
    erc20,
    evm_chain,
    token_address,
)

from sep_core.markets.board import MarketBoard
from sep_core.markets.board_venue import BoardVenue

pytestmark = pytest.mark.anyio

CHAIN = evm_chain(1)
A, B = erc20(1, "0x" + "a0" * 20), erc20(1, "0x" + "b0" * 20)
VAULT = Address("0x" + "ba" * 20)
ROUTER = Address("0x" + "cc" * 20)
OWNER = Address("0x" + "0e" * 20)


def block(number: int, branch: int = 0) -> Block:
    return Block(
        number, f"0x{branch * 1000 + number:064x}", f"0x{number - 1:064x}", 1000 + number, 7, 30_000_000
    )


def update(sequence: int, head: Block, *logs: ChainLog, removed: Sequence[Block] = ()) -> ChainUpdate:
    return ChainUpdate(sequence, tuple(removed), (BlockLogs(head, logs),), head, head.ref, head.ref)


class Numbers:
    """Logs whose data is the number of a pool and its two reserves."""

    def decode(self, logs: Sequence[ChainLog]) -> Sequence[DecodedLog]:
        return [
            DecodedLog(
                "Moved",
                {
                    "pool": log.data[0],
                    "first": int.from_bytes(log.data[1:17]),
                    "second": int.from_bytes(log.data[17:]),
                },
                log,
            )
            for log in logs
        ]


def moved(pool: int, first: int, second: int, ordinal: int = 0) -> ChainLog:
    data = bytes([pool]) + first.to_bytes(16) + second.to_bytes(16)
    return ChainLog(VAULT, (b"\1" * 32,), data, "0x" + "11" * 32, ordinal)


class SharedVault:
    """Three pools whose logs all come from one vault; pool 2 asks to be read again after each."""

    def __init__(self) -> None:
        self.context = VenueContext("vault", FakeClock(), FakeLog(), FakeRpc(), EthAbi(), 1)
        self.reads: list[list[MarketId]] = []
        self.truth = dict.fromkeys(range(3), (10**6, 10**6))
        self.broken = False

    async def markets(self) -> Sequence[Market]:
        return [
            Market(
                MarketId(f"vault/{at}"),
                "vault",
                CHAIN,
                LiquidityFamily.CONSTANT_PRODUCT,
                Address(f"0x{at + 1:040x}"),
                (A, B),
                3000,
                1,
                (VAULT,),
            )
            for at in range(3)
        ]

    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        self.reads.append([market.id for market in markets])
        return [
            ConstantProductState(market.id, at, *self.truth[int(market.id.partition("/")[2])], 3000)
            for market in markets
        ]

    def market_of(self, log: DecodedLog) -> MarketId | None:
        if self.broken:
            raise KeyError("no such pool")
        pool = log.arguments["pool"]
        assert isinstance(pool, int)
        return MarketId(f"vault/{pool}")

    def apply(self, state: MarketState, log: DecodedLog, block: BlockRef) -> MarketState | None:
        assert isinstance(state, ConstantProductState)
        if state.market == "vault/2":
            return None
        first, second = log.arguments["first"], log.arguments["second"]
        assert isinstance(first, int)
        assert isinstance(second, int)
        return replace(state, block=block, reserve0=first, reserve1=second)


def reserves(board: MarketBoard) -> dict[int, tuple[int, int]]:
    found = {}
    for market, state in board.snapshot(CHAIN).states.items():
        assert isinstance(state, ConstantProductState)
        found[int(market.partition("/")[2])] = (state.reserve0, state.reserve1)
    return found


async def test_logs_of_a_shared_contract_reach_the_market_that_they_tell_of() -> None:
    venue = SharedVault()
    board = MarketBoard([BoardVenue("vault", venue, Numbers())])
    await board.discover(CHAIN)
    await board.load(CHAIN, block(1), 1)
    venue.reads.clear()
    await board.apply(CHAIN, update(2, block(2), moved(0, 5, 6), moved(1, 7, 8, 1), moved(9, 1, 1, 2)))
    assert reserves(board) == {0: (5, 6), 1: (7, 8), 2: (10**6, 10**6)}
    assert not venue.reads, "a pool that no market stands for costs nothing"
    venue.truth[2] = (3, 4)
    await board.apply(CHAIN, update(3, block(3), moved(2, 99, 99)))
    assert reserves(board)[2] == (3, 4)
    assert venue.reads == [[MarketId("vault/2")]], "it asked to be read again"
    await board.apply(CHAIN, update(4, block(2, 7), removed=[block(3), block(2)]))
    assert {at: reserves(board)[at] for at in (0, 1)} == {0: (10**6, 10**6), 1: (10**6, 10**6)}


async def test_where_a_shared_log_cannot_be_placed_all_that_share_it_are_read_again() -> None:
    venue = SharedVault()
    board = MarketBoard([BoardVenue("vault", venue, Numbers())])
    await board.discover(CHAIN)
    await board.load(CHAIN, block(1), 1)
    venue.reads.clear()
    venue.broken, venue.truth = True, {at: (at + 1, at + 1) for at in range(3)}
    await board.apply(CHAIN, update(2, block(2), moved(0, 5, 6)))
    assert reserves(board) == venue.truth


class NoConfig(PluginConfig):
    """Nothing to configure."""


class Rate:
    """A chain that quotes half of what is asked at each block's rate, up to a size."""

    def __init__(self) -> None:
        self.parts, self.largest, self.down = 2, 10**12, False
        self.asked = 0

    async def call(self, request: RpcRequest, *, timeout_seconds: float = 10.0) -> bytes:
        (outcome,) = await self.calls([request])
        assert isinstance(outcome, RpcOk)
        return outcome.result

    async def calls(
        self, requests: Sequence[RpcRequest], *, timeout_seconds: float = 10.0
    ) -> Sequence[RpcOutcome]:
        self.asked += len(requests)
        outcomes: list[RpcOutcome] = []
        for request in requests:
            assert request.at is not None
            call = request.params[0]
            assert isinstance(call, dict)
            amount = int(str(call["data"])[2:], 16)
            if self.down:
                outcomes.append(RpcFailed(RpcUnavailable("down")))
            elif amount > self.largest:
                outcomes.append(RpcFailed(CallReverted("too much")))
            else:
                outcomes.append(RpcOk(json.dumps("0x" + (amount // self.parts).to_bytes(32).hex()).encode()))
        return outcomes


class QuotesOnly(SampledVenue[NoConfig]):
    """All that a third party has to write."""

    Config: ClassVar[type[PluginConfig]] = NoConfig

    async def markets(self) -> Sequence[Market]:
        return [self.market_of_pair("ab", (A, B), address=ROUTER, gas=90_000)]

    def spender(self, order: SwapOrder) -> Address:
        return ROUTER

    def swap_call(self, order: SwapOrder) -> Call:
        return Call(ROUTER, b"swap")

    def quote_call(self, order: SwapOrder) -> Call:
        return Call(ROUTER, order.amount_in.to_bytes(32))

    def quoted_amount(self, order: SwapOrder, output: bytes) -> Amount:
        return Amount(int.from_bytes(output))


class Nothing:
    def decode(self, logs: Sequence[ChainLog]) -> Sequence[DecodedLog]:
        return []


def quotes_only(rate: Rate) -> QuotesOnly:
    return QuotesOnly(NoConfig(), VenueContext("own", FakeClock(), FakeLog(), rate, EthAbi(), 1))


async def test_a_venue_of_quotes_takes_part_with_a_ladder_of_each_block() -> None:
    rate = Rate()
    board = MarketBoard([BoardVenue("own", quotes_only(rate), Nothing())])
    await board.discover(CHAIN)
    await board.load(CHAIN, block(1), 1)
    (state,) = board.snapshot(CHAIN).states.values()
    assert isinstance(state, SampledState)
    assert {(one.asset_in, one.asset_out) for one in state.ladders} == {(A, B), (B, A)}
    for ladder in state.ladders:
        assert ladder.samples == tuple((size, size // 2) for size in (4**at for at in range(3, 20)))
    quote = board.snapshot(CHAIN).network.quote("own/ab", A, 4**10)
    assert quote.amount_out == 4**10 // 2
    rate.parts = 4
    await board.apply(CHAIN, update(2, block(2)))
    assert board.snapshot(CHAIN).network.quote("own/ab", A, 4**10).amount_out == 4**10 // 4
    rate.parts = 8
    await board.apply(CHAIN, update(3, block(2, 7), removed=[block(2)]))
    assert board.snapshot(CHAIN).network.quote("own/ab", A, 4**10).amount_out == 4**10 // 8
    rate.down = True
    await board.apply(CHAIN, update(4, block(3)))
    assert not board.snapshot(CHAIN).states
    (told,) = board.snapshot(CHAIN).left_out
    assert told.name == "own/ab"
    assert "down" in told.reason


async def test_a_ladder_is_asked_for_as_seldom_as_the_venue_says() -> None:
    class Seldom(QuotesOnly):
        refresh_blocks: ClassVar[int] = 3

    rate = Rate()
    venue = Seldom(NoConfig(), VenueContext("own", FakeClock(), FakeLog(), rate, EthAbi(), 1))
    board = MarketBoard([BoardVenue("own", venue, Nothing())])
    await board.discover(CHAIN)
    await board.load(CHAIN, block(1), 1)
    rounds = [rate.asked]
    for number in range(2, 8):
        await board.apply(CHAIN, update(number, block(number)))
        rounds.append(rate.asked)
    assert [round_ // rounds[0] for round_ in rounds] == [1, 1, 1, 2, 2, 2, 3]


def transfer(asset: AssetId, sender: str, receiver: str, value: int, ordinal: int) -> DecodedLog:
    log = ChainLog(token_address(asset), (), b"", "0x" + "11" * 32, ordinal)
    return DecodedLog("Transfer", {"from": sender, "to": receiver, "value": value}, log)


def test_fills_are_the_transfers_between_the_recipient_and_the_venue() -> None:
    venue = quotes_only(Rate())
    leg = Leg(MarketId("own/ab"), A, B, Amount(100), Amount(50))
    order = SwapOrder((leg,), True, Amount(100), Amount(49), OWNER, 2**31)
    logs = [
        transfer(A, OWNER, ROUTER, 100, 3),
        transfer(A, VAULT, ROUTER, 7, 4),
        transfer(B, ROUTER, VAULT, 1, 5),
        transfer(B, ROUTER, OWNER, 50, 6),
    ]
    (fill,) = venue.fills(order, logs)
    assert (fill.amount_in, fill.amount_out, fill.ordinal) == (100, 50, 6)
    for missing in (logs[:3], logs[1:], []):
        with pytest.raises(VenueError):
            venue.fills(order, missing)
    with pytest.raises(VenueError):
        venue.fills(replace(order, legs=(leg, leg)), logs)
