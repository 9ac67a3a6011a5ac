"""The board against venues that fail, hang, lie and come back, and chains that reorganise."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sep_hooks.context import VenueContext
from sep_hooks.errors import ConfigurationError, NeedTicks, Retryable, VenueError
from sep_hooks.testing.abi import EthAbi
from sep_hooks.testing.fakes import FakeClock, FakeLog, FakeRpc
from sep_hooks.types import (
    Address,
    Block,
    BlockLogs,
    BlockRef,
    ChainLog,
    ChainUpdate,
    ConcentratedLiquidityState,
    ConstantProductState,
    DecodedLog,
    LiquidityFamily,
    Market,
    MarketId,
    MarketState,
    erc20,
    evm_chain,
)

from sep_core.markets.board import MarketBoard
from sep_core.markets.board_venue import BoardVenue
from sep_core.markets.guard import DirectGuard
from sep_core.markets.snapshot import Snapshot

pytestmark = pytest.mark.anyio

CHAIN = evm_chain(1)
A, B = erc20(1, "0x" + "a0" * 20), erc20(1, "0x" + "b0" * 20)


class Reserves:
    """Decodes a log whose data is two reserves; a chain of our own says what is in it."""

    def decode(self, logs: Sequence[ChainLog]) -> Sequence[DecodedLog]:
        return [
            DecodedLog(
                "Sync",
                {"reserve0": int.from_bytes(log.data[:16]), "reserve1": int.from_bytes(log.data[16:])},
                log,
            )
            for log in logs
        ]


@dataclass
class Pools:
    """The truth: reserves of each pool at each block, by hash."""

    count: int
    at: dict[str, dict[Address, tuple[int, int]]] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    logs: dict[str, tuple[ChainLog, ...]] = field(default_factory=dict)
    made: int = 0

    @property
    def addresses(self) -> list[Address]:
        return [Address("0x" + f"{index + 1:040x}") for index in range(self.count)]

    def mine(self, changes: dict[int, tuple[int, int]]) -> BlockLogs:
        self.made += 1
        number = len(self.blocks)
        parent = self.blocks[-1].hash if self.blocks else "0x00"
        block = Block(number, f"0x{self.made:064x}", parent, 1000 + 12 * number, 7, 30_000_000)
        before = self.at[parent] if self.blocks else dict.fromkeys(self.addresses, (10**6, 10**6))
        after = dict(before)
        logs: list[ChainLog] = []
        for index, reserves in changes.items():
            after[self.addresses[index]] = reserves
            data = reserves[0].to_bytes(16) + reserves[1].to_bytes(16)
            logs.append(ChainLog(self.addresses[index], (b"\1" * 32,), data, "0x" + "11" * 32, len(logs)))
        self.at[block.hash] = after
        self.logs[block.hash] = tuple(logs)
        self.blocks.append(block)
        return BlockLogs(block, tuple(logs))

    def drop(self, count: int) -> tuple[Block, ...]:
        removed = tuple(self.blocks[-count:][::-1])
        del self.blocks[-count:]
        return removed


class Venue:
    """A venue over the truth, with every way to fail that the tests need."""

    def __init__(self, name: str, pools: Pools, offset: int = 0, count: int | None = None) -> None:
        self.context = VenueContext(name, FakeClock(), FakeLog(), FakeRpc(), EthAbi(), 1)
        self.pools = pools
        self.own = pools.addresses[offset : offset + (pools.count if count is None else count)]
        self.reads: list[tuple[MarketId, ...]] = []
        self.markets_fault: Callable[[], object] | None = None
        self.states_fault: Callable[[], object] | None = None
        self.apply_fault: Callable[[DecodedLog], object] | None = None

    async def markets(self) -> Sequence[Market]:
        if self.markets_fault is not None:
            listed: Sequence[Market] = await _fault(self.markets_fault)
            return listed
        name = self.context.instance
        return [
            Market(
                MarketId(f"{name}/{pool}"),
                name,
                CHAIN,
                LiquidityFamily.CONSTANT_PRODUCT,
                pool,
                (A, B),
                3000,
                1,
            )
            for pool in self.own
        ]

    async def states(self, markets: Sequence[Market], at: BlockRef) -> Sequence[MarketState]:
        self.reads.append(tuple(market.id for market in markets))
        if self.states_fault is not None:
            read: Sequence[MarketState] = await _fault(self.states_fault)
            return read
        truth = self.pools.at[at.hash]
        return [
            ConstantProductState(market.id, at, *truth[market.address], 3000)
            for market in markets
            if market.address is not None
        ]

    def market_of(self, log: DecodedLog) -> MarketId | None:
        return None

    def apply(self, state: MarketState, log: DecodedLog, block: BlockRef) -> MarketState:
        if self.apply_fault is not None:
            answer = self.apply_fault(log)
            if answer is not None:
                return answer  # type: ignore[return-value]
        assert isinstance(state, ConstantProductState)
        reserve0, reserve1 = log.arguments["reserve0"], log.arguments["reserve1"]
        assert isinstance(reserve0, int)
        assert isinstance(reserve1, int)
        return replace(state, block=block, reserve0=reserve0, reserve1=reserve1)


async def _fault(fault: Callable[[], Any]) -> Any:
    answer = fault()
    if isinstance(answer, asyncio.Event):
        await answer.wait()
    return answer


class Impatient(DirectGuard):
    """A guard whose budgets are short."""

    async def call(self, ref, name, factory, timeout_seconds):  # type: ignore[no-untyped-def]
        return await super().call(ref, name, factory, min(timeout_seconds, 0.05))


def board_of(*venues: Venue) -> MarketBoard:
    return MarketBoard([BoardVenue(v.context.instance, v, Reserves()) for v in venues], guard=Impatient())


def reserves(snapshot: Snapshot) -> dict[Address, tuple[int, int]]:
    found = {}
    for market, state in snapshot.states.items():
        assert isinstance(state, ConstantProductState)
        assert state.block == snapshot.block.ref
        address = snapshot.markets[market].address
        assert address is not None
        found[address] = (state.reserve0, state.reserve1)
    return found


def update_of(
    sequence: int, removed: Sequence[Block], added: Sequence[BlockLogs], head: Block
) -> ChainUpdate:
    return ChainUpdate(sequence, tuple(removed), tuple(added), head, head.ref, head.ref)


async def loaded(pools: Pools, *venues: Venue) -> MarketBoard:
    board = board_of(*venues)
    await board.discover(CHAIN)
    await board.load(CHAIN, pools.mine({}).block, 1)
    return board


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_states_follow_any_chain(seed: int) -> None:
    asyncio.run(_follow_any_chain(random.Random(seed)))


async def _follow_any_chain(source: random.Random) -> None:
    pools = Pools(5)
    one, other = Venue("one", pools, 0, 3), Venue("other", pools, 3, 2)
    board = await loaded(pools, one, other)
    sequence = 1
    for _ in range(40):
        depth = source.randint(0, min(4, len(pools.blocks) - 1)) if source.random() < 0.3 else 0
        removed = pools.drop(depth) if depth else ()
        added = [
            pools.mine(
                {
                    index: (source.randint(1, 10**9), source.randint(1, 10**9))
                    for index in source.sample(range(5), source.randint(0, 3))
                }
            )
            for _ in range(source.randint(0 if depth else 1, 3))
        ]
        one.apply_fault = _sometimes(source) if source.random() < 0.2 else None
        sequence += source.choice([1, 1, 1, 1, 2])  # now and then an update was missed
        await board.apply(CHAIN, update_of(sequence, removed, added, pools.blocks[-1]))
        snapshot = board.snapshot(CHAIN)
        assert snapshot.block == pools.blocks[-1]
        assert reserves(snapshot) == pools.at[snapshot.block.hash]
        assert not snapshot.left_out


def _sometimes(source: random.Random) -> Callable[[DecodedLog], object]:
    def fault(_log: DecodedLog) -> object:
        kind = source.choice(["fine", "ticks", "raise", "lie", "die"])
        if kind == "ticks":
            raise NeedTicks("more")
        if kind == "raise":
            raise RuntimeError("a bug")
        if kind == "die":
            raise KeyError("gone")
        return "a state" if kind == "lie" else None

    return fault


async def test_logs_alone_cost_no_reads() -> None:
    pools = Pools(3)
    venue = Venue("one", pools)
    board = await loaded(pools, venue)
    asked = len(venue.reads)
    for sequence in range(2, 12):
        added = pools.mine({sequence % 3: (sequence, sequence)})
        await board.apply(CHAIN, update_of(sequence, (), (added,), added.block))
    removed = pools.drop(4)
    added = pools.mine({0: (5, 5)})
    await board.apply(CHAIN, update_of(12, removed, (added,), added.block))
    assert len(venue.reads) == asked
    assert reserves(board.snapshot(CHAIN)) == pools.at[added.block.hash]


async def test_only_the_market_that_needs_it_is_read_again() -> None:
    pools = Pools(3)
    venue = Venue("one", pools)
    board = await loaded(pools, venue)
    venue.reads.clear()

    def fault(log: DecodedLog) -> object:
        if log.log.address == pools.addresses[1]:
            raise NeedTicks("burned")
        return None

    venue.apply_fault = fault
    added = pools.mine({0: (1, 2), 1: (3, 4)})
    await board.apply(CHAIN, update_of(2, (), (added,), added.block))
    assert venue.reads == [(MarketId(f"one/{pools.addresses[1]}"),)]
    assert reserves(board.snapshot(CHAIN)) == pools.at[added.block.hash]


FAULTS: dict[str, tuple[Callable[[], object], str]] = {
    "raises": (lambda: _raise(VenueError("the node is gone")), "the node is gone"),
    "is broken": (lambda: _raise(RuntimeError("a bug")), "a bug"),
    "hangs": (asyncio.Event, "took longer"),
    "answers None": (lambda: None, "answered"),
    "answers text": (lambda: "states", "answered"),
    "answers numbers": (lambda: [1, 2], "answered"),
}


def _raise(error: Exception) -> object:
    raise error


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_venue_that_fails_to_list_is_left_out_with_the_reason(fault: str) -> None:
    pools = Pools(2)
    good, bad = Venue("good", pools, 0, 1), Venue("bad", pools, 1, 1)
    bad.markets_fault, reason = FAULTS[fault]
    board = await loaded(pools, good, bad)
    snapshot = board.snapshot(CHAIN)
    assert list(snapshot.networks["good"].markets()) == list(snapshot.network.markets()) != []
    (entry,) = snapshot.left_out
    assert entry.name == "bad"
    assert reason in entry.reason


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_venue_that_fails_to_read_is_left_out_and_comes_back(fault: str) -> None:
    pools = Pools(2)
    good, bad = Venue("good", pools, 0, 1), Venue("bad", pools, 1, 1)
    bad.states_fault, reason = FAULTS[fault]
    board = await loaded(pools, good, bad)
    snapshot = board.snapshot(CHAIN)
    assert len(snapshot.network) == 1
    (entry,) = snapshot.left_out
    assert entry.name == f"bad/{pools.addresses[1]}"
    assert reason in entry.reason
    bad.states_fault = None
    added = pools.mine({1: (77, 78)})
    await board.apply(CHAIN, update_of(2, (), (added,), added.block))
    healed = board.snapshot(CHAIN)
    assert not healed.left_out
    assert reserves(healed) == pools.at[added.block.hash]


async def test_a_venue_that_keeps_failing_is_asked_ever_less() -> None:
    pools = Pools(1)
    venue = Venue("one", pools)
    venue.states_fault = lambda: _raise(VenueError("no"))
    board = await loaded(pools, venue)
    for sequence in range(2, 102):
        added = pools.mine({})
        await board.apply(CHAIN, update_of(sequence, (), (added,), added.block))
    assert len(venue.reads) <= 8


async def test_states_of_another_block_or_market_are_not_believed() -> None:
    pools = Pools(1)
    venue = Venue("one", pools)
    board = await loaded(pools, venue)
    old = BlockRef(0, "0x" + "99" * 32)
    foreign = ConstantProductState(MarketId("one/0xother"), pools.blocks[0].ref, 1, 1, 3000)
    lie = ConstantProductState(MarketId(f"one/{pools.addresses[0]}"), old, 1, 1, 3000)
    venue.states_fault = lambda: [lie, foreign]
    await board.load(CHAIN, pools.blocks[0], 5)
    assert not board.snapshot(CHAIN).states


async def test_a_state_that_mathematics_refuses_is_left_out() -> None:
    pools = Pools(2)
    venue = Venue("one", pools)
    board = await loaded(pools, venue)
    broken = ConcentratedLiquidityState(
        MarketId(f"one/{pools.addresses[0]}"), pools.blocks[0].ref, 5, 0, 1, 3000, 60, (), (-60, 60)
    )
    fine = ConstantProductState(MarketId(f"one/{pools.addresses[1]}"), pools.blocks[0].ref, 9, 9, 3000)
    venue.states_fault = lambda: [broken, fine]
    await board.load(CHAIN, pools.blocks[0], 5)
    snapshot = board.snapshot(CHAIN)
    assert list(snapshot.states) == [fine.market]
    assert [entry.name for entry in snapshot.left_out] == [broken.market]


async def test_one_pool_in_two_venues_counts_once() -> None:
    pools = Pools(2)
    board = await loaded(pools, Venue("one", pools, 0, 2), Venue("two", pools, 0, 2))
    snapshot = board.snapshot(CHAIN)
    assert len(snapshot.network) == 2
    assert [entry.reason.startswith("the same contract as one/") for entry in snapshot.left_out] == [
        True,
        True,
    ]


async def test_before_the_first_load_and_on_an_unknown_chain() -> None:
    board = board_of(Venue("one", Pools(1)))
    with pytest.raises(Retryable):
        board.snapshot(CHAIN)
    assert board.block(CHAIN) is None
    with pytest.raises(ConfigurationError):
        board.snapshot(evm_chain(5))


async def test_a_digest_changes_with_the_states_and_only_with_them() -> None:
    pools = Pools(2)
    board = await loaded(pools, Venue("one", pools))
    first = board.snapshot(CHAIN)
    added = pools.mine({})
    await board.apply(CHAIN, update_of(2, (), (added,), added.block))
    second = board.snapshot(CHAIN)
    assert second.ref.digest == first.ref.digest
    assert second.ref.block != first.ref.block
    added = pools.mine({0: (1, 2)})
    await board.apply(CHAIN, update_of(3, (), (added,), added.block))
    assert board.snapshot(CHAIN).ref.digest != first.ref.digest


@pytest.mark.parametrize(
    "wrong",
    [
        {"assets": ("junk", B)},
        {"assets": (A, A)},
        {"assets": (A,)},
        {"assets": tuple(erc20(1, f"0x{at:040x}") for at in range(9))},
        {"assets": (erc20(10, "0x" + "a0" * 20), B)},
        {"emitters": (Address("0xZZ"),)},
        {"gas": -(10**9)},
        {"gas": 10**80},
        {"fee_ppm": 10**6},
        {"id": MarketId("one/\ud800")},
        {"id": MarketId("one/" + "x" * 10**6)},
        {"address": Address("0xZZ")},
        {"address": Address("")},
    ],
)
async def test_a_market_that_cannot_be_is_left_out_and_its_siblings_stay(wrong: dict[str, Any]) -> None:
    pools = Pools(2)
    venue = Venue("one", pools)
    first, second = await venue.markets()
    venue.markets_fault = lambda: [replace(first, **wrong), second]
    board = await loaded(pools, venue)
    snapshot = board.snapshot(CHAIN)
    assert list(snapshot.markets) == [second.id]
    (told,) = snapshot.left_out
    assert (told.name + told.reason).encode()
    assert len(told.name) <= 300


@pytest.mark.parametrize("field_name", ["id", "assets", "emitters", "gas", "family"])
async def test_a_market_of_other_types_is_no_answer(field_name: str) -> None:
    pools = Pools(1)
    venue = Venue("one", pools)
    (market,) = await venue.markets()
    venue.markets_fault = lambda: [replace(market, **{field_name: None})]  # type: ignore[arg-type]
    board = await loaded(pools, venue)
    assert not board.snapshot(CHAIN).markets
    assert board.snapshot(CHAIN).left_out


@pytest.mark.parametrize("reserve", [None, "1", 1.5, True, -5, 10**80])
async def test_a_state_that_cannot_be_is_left_out_wherever_it_comes_from(reserve: object) -> None:
    pools = Pools(2)
    venue = Venue("one", pools)
    board = await loaded(pools, venue)
    states = await venue.states(await venue.markets(), pools.blocks[0].ref)
    wrong = [replace(one, reserve0=reserve) for one in states]  # type: ignore[arg-type]
    venue.apply_fault = lambda log: wrong[0]
    added = pools.mine({0: (7, 7)})
    await board.apply(CHAIN, update_of(2, (), (added,), added.block))
    assert reserves(board.snapshot(CHAIN)) == pools.at[added.block.hash], "read again instead"

    venue.states_fault = lambda: [replace(one, block=added.block.ref) for one in wrong]
    await board.load(CHAIN, added.block, 3)
    assert not board.snapshot(CHAIN).states
    assert len(board.snapshot(CHAIN).left_out) == 2


async def test_logs_folded_into_the_state_of_another_market_are_read_again() -> None:
    pools = Pools(2)
    venue = Venue("one", pools)
    board = await loaded(pools, venue)
    (_, other) = await venue.states(await venue.markets(), pools.blocks[0].ref)
    venue.apply_fault = lambda log: other
    added = pools.mine({0: (7, 7)})
    await board.apply(CHAIN, update_of(2, (), (added,), added.block))
    assert reserves(board.snapshot(CHAIN)) == pools.at[added.block.hash]


async def test_what_a_venue_widens_belongs_to_it_and_to_the_block() -> None:
    class Widening(Venue):
        async def widen(self, states: Sequence[MarketState], at: BlockRef) -> Sequence[MarketState]:
            assert isinstance(states[0], ConstantProductState)
            return [
                replace(states[0], reserve0=1, reserve1=1),
                ConstantProductState(MarketId("one/unknown"), at, 5, 5, 3000),
                ConstantProductState(MarketId(f"two/{pools.addresses[1]}"), at, 5, 5, 3000),
                replace(states[0], block=BlockRef(at.number, "0x" + "99" * 32), reserve0=2),
            ]

    pools = Pools(2)
    one, two = Widening("one", pools, 0, 1), Venue("two", pools, 1, 1)
    board = await loaded(pools, one, two)
    await board.widen(CHAIN, [MarketId(f"one/{pools.addresses[0]}")])
    assert reserves(board.snapshot(CHAIN)) == {
        pools.addresses[0]: (1, 1),
        pools.addresses[1]: (10**6, 10**6),
    }
