"""The market board over genuine pools: states kept by logs equal fresh reads at the same block hash."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from sep_chain_evm import Ethereum, EthereumConfig
from sep_hooks.context import PluginContext, VenueContext
from sep_hooks.errors import NeedTicks
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.types import (
    ConcentratedLiquidityState,
    MarketState,
    address,
    erc20,
    evm_chain,
)
from sep_testnet.deploy import MAX_UINT256, PositionManager
from sep_testnet.deployment import V3Pool
from sep_testnet.errors import TransactionReverted
from sep_testnet.pools import RandomPools
from sep_testnet.testnet import Testnet
from sep_testnet.transactor import Transactor
from sep_venue_uniswap_v2 import UniswapV2, UniswapV2Config
from sep_venue_uniswap_v3 import UniswapV3, UniswapV3Config

from sep_core.chains.access import ChainAccess
from sep_core.chains.heads import HeadFollower
from sep_core.chains.native import VenueLogs
from sep_core.chains.rpc import open_http_rpc
from sep_core.chains.tracker import Gap
from sep_core.markets.board import MarketBoard
from sep_core.markets.board_venue import BoardVenue

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = [pytest.mark.anyio, pytest.mark.anvil]

CHAIN = evm_chain(1)
DEADLINE = 2**40
ROUNDS = 60


@pytest.fixture
async def access(testnet: Testnet) -> AsyncIterator[ChainAccess]:
    table = EthereumConfig.model_validate({"rpc": testnet.url})
    preset = Ethereum(table, PluginContext("ethereum", FakeClock(), FakeLog())).preset()
    async with open_http_rpc([testnet.url], chain_id=1) as rpc:
        yield ChainAccess(preset, rpc)


def venues_of(
    testnet: Testnet, access: ChainAccess, v3: Sequence[str], v2: Sequence[str]
) -> tuple[UniswapV3, UniswapV2]:
    deployment = testnet.deployment

    def context(instance: str) -> VenueContext:
        return VenueContext(instance, FakeClock(), FakeLog(), access.rpc, access.abi, 1)

    three = UniswapV3Config.model_validate(
        {
            "factory": deployment.v3_factory,
            "router": deployment.swap_router_02,
            "quoter": deployment.quoter_v2,
            "tick_lens": deployment.tick_lens,
            "pools": v3,
        }
    )
    two = UniswapV2Config.model_validate(
        {"factory": deployment.v2_factory, "router": deployment.v2_router, "pools": v2}
    )
    return UniswapV3(three, context("v3")), UniswapV2(two, context("v2"))


def board_of(*venues: UniswapV3 | UniswapV2) -> MarketBoard:
    return MarketBoard(
        [BoardVenue(venue.context.instance, venue, VenueLogs(venue.event_signatures)) for venue in venues]
    )


async def follow(board: MarketBoard, heads: HeadFollower) -> int:
    """Hands the board every step; the number of steps that took blocks back."""
    undone = 0
    while (item := await heads.poll()) is not None:
        if isinstance(item, Gap):
            await board.load(CHAIN, item.head, item.sequence)
        else:
            undone += bool(item.removed)
            await board.apply(CHAIN, item)
        heads.acknowledge(item.sequence)
    return undone


class Trader:
    """Swaps, mints and burns at random through the genuine contracts."""

    def __init__(
        self, testnet: Testnet, source: random.Random, pools: Sequence[V3Pool], pairs: Sequence[str]
    ) -> None:
        self.testnet, self.source = testnet, source
        self.me = testnet.deployment.deployer
        self.pools, self.pairs = pools, pairs
        self.positions: list[tuple[int, int]] = []
        self.done: Counter[str] = Counter()
        self.manager = PositionManager(
            testnet.deployment.position_manager,
            testnet.deployment.v3_factory,
            Transactor(testnet.rpc, self.me, mines=False),
        )
        deployment = testnet.deployment
        for pool in pools:
            for token in (pool.token0, pool.token1):
                for spender in (deployment.swap_router_02, deployment.position_manager):
                    testnet.execute(self.me, token, "approve(address,uint256)", spender, MAX_UINT256)
        for pair in pairs:
            for token in self._tokens(pair):
                testnet.execute(self.me, token, "approve(address,uint256)", deployment.v2_router, MAX_UINT256)

    def act(self) -> None:
        kind = self.source.choice(["swap v3", "swap v3", "swap v2", "mint", "burn", "poke"])
        try:
            match kind:
                case "swap v3":
                    self._swap_v3()
                case "swap v2":
                    self._swap_v2()
                case "mint":
                    self._mint()
                case _:
                    self._burn(nothing=kind == "poke")
        except TransactionReverted:
            kind = f"{kind}, reverted"
        self.done[kind] += 1

    def _swap_v3(self) -> None:
        pool = self.source.choice(self.pools)
        tokens = [pool.token0, pool.token1]
        self.source.shuffle(tokens)
        held = self.testnet.balance_of(tokens[1], pool.address)
        amount = max(
            1, int(self.testnet.balance_of(tokens[0], pool.address) * 2 ** self.source.uniform(-20, -1))
        )
        signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
        router = self.testnet.deployment.swap_router_02
        assert held >= 0
        self.testnet.execute(
            self.me, router, signature, (tokens[0], tokens[1], pool.fee, self.me, amount, 0, 0)
        )

    def _swap_v2(self) -> None:
        tokens = list(self._tokens(self.source.choice(self.pairs)))
        self.source.shuffle(tokens)
        signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
        amount = int(10 ** self.source.uniform(3, 12))
        self.testnet.execute(
            self.me, self.testnet.deployment.v2_router, signature, amount, 0, tokens, self.me, DEADLINE
        )

    def _mint(self) -> None:
        pool = self.source.choice(self.pools)
        (tick,) = self._tick(pool)
        centre = tick // pool.tick_spacing
        lower = (centre - self.source.randint(1, 40)) * pool.tick_spacing
        upper = (centre + self.source.randint(1, 40)) * pool.tick_spacing
        amounts = [
            max(10**4, self.testnet.balance_of(token, pool.address) // 50)
            for token in (pool.token0, pool.token1)
        ]
        self.manager.mint(pool, lower, upper, *amounts)
        manager = self.manager.address
        (count,) = self.testnet.read(manager, "balanceOf(address)", ("uint256",), self.me)
        (token_id,) = self.testnet.read(
            manager, "tokenOfOwnerByIndex(address,uint256)", ("uint256",), self.me, int(str(count)) - 1
        )
        position = self.testnet.read(
            manager,
            "positions(uint256)",
            ("uint96", "address", "address", "address", "uint24", "int24", "int24", "uint128"),
            int(str(token_id)),
        )
        self.positions.append((int(str(token_id)), int(str(position[7]))))

    def _burn(self, *, nothing: bool) -> None:
        if not self.positions:
            return
        index = self.source.randrange(len(self.positions))
        token_id, liquidity = self.positions[index]
        manager = self.manager.address
        if nothing:
            self.testnet.execute(
                self.me,
                manager,
                "collect((uint256,address,uint128,uint128))",
                (token_id, self.me, 2**127, 2**127),
            )
            return
        part = liquidity if self.source.random() < 0.6 else liquidity // 3
        signature = "decreaseLiquidity((uint256,uint128,uint256,uint256,uint256))"
        self.testnet.execute(self.me, manager, signature, (token_id, part, 0, 0, DEADLINE))
        if part == liquidity:
            del self.positions[index]
        else:
            self.positions[index] = (token_id, liquidity - part)

    def forget(self) -> None:
        """After a reorganisation positions may be gone."""
        self.positions.clear()

    def _tick(self, pool: V3Pool) -> tuple[int]:
        slot0 = self.testnet.read(
            pool.address, "slot0()", ("uint160", "int24", "uint16", "uint16", "uint16", "uint8", "bool")
        )
        return (int(str(slot0[1])),)

    def _tokens(self, pair: str) -> tuple[str, str]:
        (a,) = self.testnet.read(pair, "token0()", ("address",))
        (b,) = self.testnet.read(pair, "token1()", ("address",))
        return str(a), str(b)


def same_inside(kept: MarketState, fresh: MarketState) -> None:
    """Equal, tick for tick, where both know their ticks."""
    if not isinstance(kept, ConcentratedLiquidityState):
        assert kept == fresh
        return
    assert isinstance(fresh, ConcentratedLiquidityState)
    low, high = max(kept.loaded[0], fresh.loaded[0]), min(kept.loaded[1], fresh.loaded[1])
    assert low <= kept.tick <= high

    def inside(state: ConcentratedLiquidityState) -> ConcentratedLiquidityState:
        return replace(
            state, ticks=tuple(entry for entry in state.ticks if low <= entry[0] <= high), loaded=(low, high)
        )

    assert inside(kept) == inside(fresh)


async def test_states_kept_by_logs_equal_fresh_reads(testnet: Testnet, access: ChainAccess) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    source = random.Random(seed)
    made = RandomPools(testnet, source)
    pools = [made.v3_pool(fee=fee, positions=3) for fee in (500, 3000, 10000)]
    pair = made.v2_pair().address
    own_pair = testnet.deployment.v2_pairs[0].address
    venues = venues_of(testnet, access, [pool.address for pool in pools], [pair, own_pair])
    board = board_of(*venues)
    heads = HeadFollower(access.reads, FakeLog())
    await board.discover(CHAIN)
    await follow(board, heads)
    trader = Trader(testnet, source, pools, [own_pair])
    undone = 0
    for turn in range(ROUNDS):
        for _ in range(source.randint(1, 4)):
            trader.act()
        if turn % 7 == 6:
            await follow(board, heads)
            testnet.reorg(source.randint(1, 3))
            trader.forget()
        undone += await follow(board, heads)
        snapshot = board.snapshot(CHAIN)
        assert snapshot.block == await access.head()
        assert not snapshot.left_out
        for venue in venues:
            markets = [
                market for market in snapshot.markets.values() if market.venue == venue.context.instance
            ]
            for fresh in await venue.states(markets, snapshot.block.ref):
                same_inside(snapshot.states[fresh.market], fresh)
    print(dict(trader.done), f"{undone} reorganisations")
    assert undone >= ROUNDS // 7 - 2
    assert trader.done["swap v3"] > 10
    assert trader.done["mint"] > 5
    assert trader.done["burn"] > 3


async def test_a_snapshot_is_frozen_and_has_a_network_for_each_venue(
    testnet: Testnet, access: ChainAccess
) -> None:
    deployment = testnet.deployment
    venues = venues_of(
        testnet,
        access,
        [pool.address for pool in deployment.v3_pools],
        [pair.address for pair in deployment.v2_pairs],
    )
    board = board_of(*venues)
    heads = HeadFollower(access.reads, FakeLog())
    await board.discover(CHAIN)
    await follow(board, heads)
    snapshot = board.snapshot(CHAIN)
    assert snapshot is board.snapshot(CHAIN)
    assert snapshot.ref.markets == len(snapshot.network) == 4
    assert {name: len(network) for name, network in snapshot.networks.items()} == {"v3": 3, "v2": 1}
    assert snapshot.ref.block == snapshot.block.ref == (await access.head()).ref
    digest = snapshot.network.digest()
    weth, usdc = erc20(1, deployment.weth), erc20(1, deployment.usdc)
    market = next(m for m in snapshot.markets.values() if m.fee_ppm == 500)
    before = snapshot.network.quote(market.id, usdc, 10**9).amount_out

    me = deployment.deployer
    testnet.execute(me, deployment.usdc, "approve(address,uint256)", deployment.swap_router_02, MAX_UINT256)
    signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
    swap = (deployment.usdc, deployment.weth, 500, me, 10**10, 0, 0)
    testnet.execute(me, deployment.swap_router_02, signature, swap)
    await follow(board, heads)
    after = board.snapshot(CHAIN)
    assert after.ref.digest != snapshot.ref.digest
    assert snapshot.network.digest() == digest
    assert snapshot.network.quote(market.id, usdc, 10**9).amount_out == before
    assert after.network.quote(market.id, usdc, 10**9).amount_out < before
    assert market.assets[0] == weth

    stale = board.snapshot(CHAIN, after.block.timestamp + 61)
    assert len(stale.network) == 0
    assert {entry.name for entry in stale.left_out} == {"v3", "v2"}
    assert len(board.snapshot(CHAIN, after.block.timestamp + 60).network) == 4


async def test_widening_answers_what_needed_ticks(testnet: Testnet, access: ChainAccess) -> None:
    deployment = testnet.deployment
    pool = next(pool for pool in deployment.v3_pools if pool.fee == 100)
    venue, _ = venues_of(testnet, access, [pool.address], [])
    board = board_of(venue)
    heads = HeadFollower(access.reads, FakeLog())
    await board.discover(CHAIN)
    await follow(board, heads)
    (market,) = board.markets.values()
    amount = testnet.balance_of(pool.token1, pool.address) * 3
    asset = erc20(1, pool.token1)
    with pytest.raises(NeedTicks):
        board.snapshot(CHAIN).network.quote(market.id, asset, amount)
    for _ in range(10):
        await board.widen(CHAIN, [market.id])
        with suppress(NeedTicks):
            board.snapshot(CHAIN).network.quote(market.id, asset, amount)
            break
    quote = board.snapshot(CHAIN).network.quote(market.id, asset, amount)
    signature = "quoteExactInputSingle((address,address,uint256,uint24,uint160))"
    returns = ("uint256", "uint160", "uint32", "uint256")
    call = (pool.token1, pool.token0, amount, pool.fee, 0)
    quoted = testnet.read(deployment.quoter_v2, signature, returns, call)
    assert quote.amount_out == quoted[0]
    loaded = board.snapshot(CHAIN).states[market.id]
    testnet.mine()
    await follow(board, heads)
    kept = board.snapshot(CHAIN).states[market.id]
    assert isinstance(kept, ConcentratedLiquidityState)
    assert isinstance(loaded, ConcentratedLiquidityState)
    assert kept.loaded == loaded.loaded
    assert address(pool.address) == market.address
