"""The venues Balancer and Curve on contracts of the node: paths, limits, refusals, and states kept by logs."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from sep_chain_evm import Ethereum, EthereumConfig
from sep_hooks.context import PluginContext, VenueContext
from sep_hooks.errors import ConfigurationError, VenueError
from sep_hooks.testing.abi import EthAbi
from sep_hooks.testing.fakes import FakeClock, FakeLog, FakeRpc
from sep_hooks.types import (
    Address,
    Amount,
    BlockRef,
    Leg,
    Market,
    MarketId,
    StableSwapState,
    SwapOrder,
    WeightedProductState,
    address,
    erc20,
    evm_chain,
    token_address,
)
from sep_testnet.deploy_stable import StablePools
from sep_testnet.deployment import BalancerPool, StablePool
from sep_testnet.encoding import encode_arguments, encode_call, selector
from sep_testnet.errors import TransactionReverted
from sep_testnet.pools import RandomPools
from sep_testnet.testnet import Testnet
from sep_testnet.transactor import Transactor
from sep_venue_balancer import Balancer, BalancerConfig
from sep_venue_balancer.venue import RATES_AGE_BLOCKS
from sep_venue_curve import Curve, CurveConfig

from sep_core.chains.access import ChainAccess
from sep_core.chains.heads import HeadFollower
from sep_core.chains.native import VenueLogs
from sep_core.chains.parse import logs as parse_logs
from sep_core.chains.rpc import open_http_rpc
from sep_core.chains.tracker import Gap
from sep_core.markets.board import MarketBoard
from sep_core.markets.board_venue import BoardVenue
from sep_core.markets.native import network_of

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = [pytest.mark.anyio, pytest.mark.anvil]

CHAIN = evm_chain(1)
DEADLINE = 2**40
MAX_UINT256 = 2**256 - 1
ROUNDS = 40
FUNDS = "(address,bool,address,bool)"
SINGLE = "(bytes32,uint8,address,address,uint256,bytes)"
STEP = "(bytes32,uint256,uint256,uint256,bytes)"

type AnyVenue = Balancer | Curve


@pytest.fixture
async def access(testnet: Testnet) -> AsyncIterator[ChainAccess]:
    table = EthereumConfig.model_validate({"rpc": testnet.url})
    preset = Ethereum(table, PluginContext("ethereum", FakeClock(), FakeLog())).preset()
    async with open_http_rpc([testnet.url], chain_id=1) as rpc:
        yield ChainAccess(preset, rpc)


def balancer_of(testnet: Testnet, access: ChainAccess, pools: Sequence[str]) -> Balancer:
    table = {
        "vault": testnet.deployment.balancer_vault,
        "queries": testnet.deployment.balancer_queries,
        "pools": pools,
    }
    context = VenueContext("balancer", FakeClock(), FakeLog(), access.rpc, access.abi, 1)
    return Balancer(BalancerConfig.model_validate(table), context)


def curve_of(access: ChainAccess, pools: Sequence[str]) -> Curve:
    context = VenueContext("curve", FakeClock(), FakeLog(), access.rpc, access.abi, 1)
    return Curve(CurveConfig.model_validate({"pools": pools}), context)


@pytest.fixture
def balancer(testnet: Testnet, access: ChainAccess) -> Balancer:
    return balancer_of(testnet, access, [pool.address for pool in testnet.deployment.balancer_pools])


@pytest.fixture
def curve(testnet: Testnet, access: ChainAccess) -> Curve:
    return curve_of(access, [pool.address for pool in testnet.deployment.stable_pools])


@pytest.fixture(params=["balancer", "curve"])
def venue(request: pytest.FixtureRequest) -> AnyVenue:
    found: AnyVenue = request.getfixturevalue(request.param)
    return found


def head_of(testnet: Testnet) -> BlockRef:
    block = testnet.block()
    return BlockRef(int(str(block["number"]), 16), str(block["hash"]))


async def orders_of(testnet: Testnet, venue: AnyVenue) -> list[SwapOrder]:
    """DAI for USDC and, where the venue knows paths, DAI for WETH over USDC; exact in and out, by native amounts."""
    deployment = testnet.deployment
    markets = await venue.markets()
    by_id = {market.id: market for market in markets}
    states = await venue.states(markets, head_of(testnet))
    network, unusable = network_of((by_id[state.market], state) for state in states)
    assert not unusable
    dai, usdc, weth = (erc20(1, token) for token in (deployment.dai, deployment.usdc, deployment.weth))
    first = next(market for market in markets if set(market.assets) == {dai, usdc})
    paths = [
        [(first, dai, usdc)],
        *([(first, dai, usdc), (market, usdc, weth)] for market in markets if weth in market.assets),
    ]
    orders = []
    for path in paths:
        for exact_in in (True, False):
            amount = 5 * 10**20 if exact_in else (10**8 if len(path) == 1 else 10**17)
            legs: list[Leg] = []
            for market, asset_in, asset_out in path if exact_in else path[::-1]:
                quote = network.quote(market.id, asset_in, amount, exact_in, asset_out)
                legs.append(
                    Leg(market.id, asset_in, asset_out, Amount(quote.amount_in), Amount(quote.amount_out))
                )
                amount = quote.amount_out if exact_in else quote.amount_in
            ordered = tuple(legs if exact_in else legs[::-1])
            me = address(deployment.deployer)
            orders.append(
                SwapOrder(ordered, exact_in, ordered[0].amount_in, ordered[-1].amount_out, me, DEADLINE)
            )
    return orders


async def test_fills_equal_quotes_and_native_amounts(testnet: Testnet, venue: AnyVenue) -> None:
    decoder = VenueLogs(venue.event_signatures)
    for position in range(len(await orders_of(testnet, venue))):
        order = (await orders_of(testnet, venue))[position]
        me = order.recipient
        testnet.execute(
            me, testnet.deployment.dai, "approve(address,uint256)", venue.spender(order), order.amount_in
        )
        quote = venue.quote_call(order)
        raw = testnet.rpc.text("eth_call", {"to": quote.to, "data": "0x" + quote.data.hex()}, "latest")
        quoted = venue.quoted_amount(order, bytes.fromhex(raw[2:]))
        assert quoted == (order.amount_out if order.exact_in else order.amount_in)
        tokens = [token_address(order.asset_in), token_address(order.asset_out)]
        before = [testnet.balance_of(token, me) for token in tokens]
        call = venue.swap_call(order)
        decoded = decoder.decode(parse_logs(testnet.send(me, call.to, call.data)["logs"]))
        fills = venue.fills(order, decoded)
        assert [(fill.market, fill.amount_in, fill.amount_out) for fill in fills] == [
            (leg.market, leg.amount_in, leg.amount_out) for leg in order.legs
        ]
        after = [testnet.balance_of(token, me) for token in tokens]
        assert (before[0] - after[0], after[1] - before[1]) == (order.amount_in, order.amount_out)
        allowance = testnet.read(tokens[0], "allowance(address,address)", ("uint256",), me, call.to)
        assert allowance == (0,)
        doubled = [*decoded, *decoded]
        for logs in ([], doubled):
            with pytest.raises(VenueError, match="where one was expected"):
                venue.fills(order, logs)


async def test_limits_revert_on_chain(testnet: Testnet, venue: AnyVenue) -> None:
    for order in await orders_of(testnet, venue):
        spender, me = venue.spender(order), order.recipient
        testnet.execute(me, testnet.deployment.dai, "approve(address,uint256)", spender, MAX_UINT256)
        if order.exact_in or isinstance(venue, Curve):
            wrong = [replace(order, amount_out=Amount(order.amount_out * 1001 // 1000))]
        else:
            wrong = [replace(order, amount_in=Amount(order.amount_in - 1))]
        if isinstance(venue, Balancer):
            wrong.append(replace(order, deadline=1_700_000_000))
            # The vault takes from whom the order names, and only where that one calls.
            wrong.append(replace(order, recipient=address(testnet.accounts[3].address)))
        for one in wrong:
            call = venue.swap_call(one)
            with pytest.raises(TransactionReverted):
                testnet.send(me, call.to, call.data)


async def test_what_the_calldata_says(testnet: Testnet, balancer: Balancer, curve: Curve) -> None:
    """By a decoder that shares nothing with ours."""
    abi, recipient = EthAbi(), address("0x" + "ab" * 20)
    funds = (recipient, False, recipient, False)
    for order in await orders_of(testnet, balancer):
        order = replace(order, recipient=recipient, deadline=1_800_000_123)
        call = balancer.swap_call(order)
        assert call.to == testnet.deployment.balancer_vault.lower()
        path = tuple(
            token_address(asset) for asset in (order.asset_in, *(leg.asset_out for leg in order.legs))
        )
        given, limit = order.amount_in, order.amount_out
        if not order.exact_in:
            given, limit = limit, given
        kind = 0 if order.exact_in else 1
        if len(order.legs) == 1:
            single, told, bound, deadline = abi.decode_call(
                f"swap({SINGLE},{FUNDS},uint256,uint256)", call.data
            )
            assert isinstance(single, tuple)
            assert single[1:] == (kind, *path, given, b"")
            assert bound == limit
        else:
            signature = f"batchSwap(uint8,{STEP}[],address[],{FUNDS},int256[],uint256)"
            told_kind, steps, assets, told, limits, deadline = abi.decode_call(signature, call.data)
            assert isinstance(steps, tuple)
            assert (told_kind, assets, limits) == (kind, path, (order.amount_in, 0, -order.amount_out))
            assert [step[3] for step in steps if isinstance(step, tuple)] == [given, 0]
        assert (told, deadline) == (funds, 1_800_000_123)
    for order in await orders_of(testnet, curve):
        call = curve.swap_call(order)
        assert call.to == order.legs[0].market.rpartition("/")[2] == curve.spender(order)
        assert abi.decode_call("exchange(int128,int128,uint256,uint256)", call.data) == (
            0,
            1,
            order.amount_in,
            order.amount_out,
        )


async def test_an_exact_output_of_curve_keeps_the_limit_of_the_order(testnet: Testnet, curve: Curve) -> None:
    order = (await orders_of(testnet, curve))[1]
    assert not order.exact_in
    looser = replace(order, amount_in=Amount(order.amount_in * 2))
    assert curve.swap_call(looser) == curve.swap_call(order)  # the leg's own input, whatever may be spent
    with pytest.raises(VenueError, match="may spend"):
        curve.swap_call(replace(order, amount_in=Amount(order.amount_in - 1)))
    with pytest.raises(VenueError, match="is wanted"):
        curve.quoted_amount(order, (order.amount_out - 1).to_bytes(32))


async def test_broken_orders_are_refused(testnet: Testnet, venue: AnyVenue) -> None:
    orders = await orders_of(testnet, venue)
    single, double = orders[0], orders[-2]
    stranger = replace(single.legs[0], market=MarketId(f"{venue.context.instance}/0xdead"))
    wrong = [
        replace(single, legs=()),
        replace(single, legs=(stranger,)),
        replace(single, legs=(replace(single.legs[0], asset_out=erc20(1, "0x" + "07" * 20)),)),
        replace(single, legs=(single.legs[0], single.legs[0])),
        replace(single, amount_in=Amount(0)),
        replace(single, amount_out=Amount(0)),
    ]
    if isinstance(venue, Balancer):
        own = testnet.deployment.balancer_pool("stable").address.lower()
        wrong += [
            replace(double, legs=double.legs[::-1]),
            replace(single, legs=(replace(single.legs[0], asset_out=erc20(1, own)),)),
            replace(single, deadline=0),
            replace(single, recipient=Address("0x" + "00" * 20)),
            replace(single, amount_in=Amount(2**255)),
        ]
    for order in wrong:
        with pytest.raises(VenueError):
            venue.swap_call(order)
    for output in (b"", b"\x01", b"\xff" * 31):
        with pytest.raises(VenueError):
            venue.quoted_amount(single, output)


async def test_pools_that_are_none_are_refused_by_name(testnet: Testnet, access: ChainAccess) -> None:
    deployment = testnet.deployment
    pair, stable = deployment.v2_pairs[0].address, deployment.balancer_pool("stable")
    for wrong in ("0x" + "77" * 20, deployment.usdc, pair, stable.address):
        with pytest.raises(VenueError, match=r"is no pool of Curve|is no plain"):
            await curve_of(access, [deployment.stable_pools[0].address, wrong]).markets()
    for wrong in (
        "0x" + "77" * 20,
        deployment.usdc,
        pair,
        deployment.stable_pools[0].address,
        stable.pool_id[:-1] + "7",
    ):
        with pytest.raises(VenueError, match="is no pool"):
            await balancer_of(testnet, access, [stable.pool_id, wrong]).markets()


async def test_a_pool_that_is_not_plain_is_found_out(testnet: Testnet, access: ChainAccess) -> None:
    """It says that its coins have other decimals than the coins say: its rates are its own."""
    deployment = testnet.deployment
    me = Transactor(testnet.rpc, deployment.deployer, mines=False)
    pools = StablePools(testnet.artifacts.creation["StablePool"], me)
    coins = ((deployment.dai, 18, 10**24), (deployment.usdc, 7, 10**12))
    pool = pools.create(coins, 200, 10**6)
    with pytest.raises(VenueError, match="where a plain pool gives"):
        await curve_of(access, [pool.address]).markets()


async def test_a_pool_whose_amplification_moves_is_left_out_until_it_rests(
    testnet: Testnet, curve: Curve, balancer: Balancer
) -> None:
    me = testnet.deployment.deployer
    (market,) = await curve.markets()
    pool = testnet.deployment.stable_pools[0].address
    start = int(str(testnet.block()["timestamp"]), 16)
    testnet.execute(me, pool, "ramp_A(uint256,uint256)", 400, start + 1_000)
    with pytest.raises(VenueError, match="being moved"):
        await curve.states([market], head_of(testnet))
    testnet.advance_time(2_000)
    (state,) = await curve.states([market], head_of(testnet))
    assert isinstance(state, StableSwapState)
    assert state.amplification == 40_000

    markets = await balancer.markets()
    stable = testnet.deployment.balancer_pool("stable").address
    end = int(str(testnet.block()["timestamp"]), 16) + 2 * 86_400
    testnet.execute(me, stable, "startAmplificationParameterUpdate(uint256,uint256)", 300, end)
    (left,) = await balancer.states(markets, head_of(testnet))
    assert isinstance(left, WeightedProductState)
    testnet.advance_time(3 * 86_400)
    assert len(await balancer.states(markets, head_of(testnet))) == 2


async def test_a_paused_pool_is_left_out(testnet: Testnet, balancer: Balancer) -> None:
    deployment = testnet.deployment
    pool = deployment.balancer_pool("weighted").address
    (action,) = testnet.read(pool, "getActionId(bytes4)", ("bytes32",), selector("pause()"))
    (authorizer,) = testnet.read(deployment.balancer_vault, "getAuthorizer()", ("address",))
    assert isinstance(action, bytes)
    me = deployment.deployer
    testnet.execute(me, str(authorizer), "grantRole(bytes32,address)", action, me)
    testnet.execute(me, pool, "pause()")
    markets = await balancer.markets()
    (left,) = await balancer.states(markets, head_of(testnet))
    assert isinstance(left, StableSwapState)


async def test_a_rate_that_has_expired_is_the_provider_s(testnet: Testnet, access: ChainAccess) -> None:
    """The provider answers anew; the pool would work with it at its next swap, and so does the state."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    source = random.Random(seed)
    made = RandomPools(testnet, source)
    while True:
        pool = made.composable_stable_pool(assets=3)
        (listed,) = testnet.read(pool.address, "getRateProviders()", ("address[]",))
        assert isinstance(listed, tuple)
        providers = [str(one) for one in listed if int(str(one), 16)]
        if providers:
            break
    venue = balancer_of(testnet, access, [pool.pool_id])
    (market,) = await venue.markets()
    (before,) = await venue.states([market], head_of(testnet))
    board, heads = board_of(venue), HeadFollower(access.reads, FakeLog())
    await board.discover(CHAIN)
    await follow(board, heads)
    rate = source.randint(10**18, 11 * 10**17)
    testnet.rpc.call("anvil_setCode", providers[0], "0x7f" + rate.to_bytes(32).hex() + "5f5260205ff3")
    testnet.mine()
    (after,) = await venue.states([market], head_of(testnet))
    assert isinstance(before, StableSwapState)
    assert isinstance(after, StableSwapState)
    changed = [now for was, now in zip(before.rates, after.rates, strict=True) if was != now]
    assert [now // 10 ** (len(str(now)) - 19) for now in changed] == [rate]
    testnet.mine(RATES_AGE_BLOCKS)
    await follow(board, heads)
    kept = board.snapshot(CHAIN).states[market.id]
    assert kept == replace(after, block=head_of(testnet))  # no log told of it
    network, _ = network_of([(market, after)])
    asset_in, asset_out = market.assets[:2]
    amount = after.balances[0] // 1000 + 1
    quote = network.quote(market.id, asset_in, amount, True, asset_out)
    leg = Leg(market.id, asset_in, asset_out, Amount(amount), Amount(1))
    order = SwapOrder((leg,), True, Amount(amount), Amount(1), address("0x" + "ab" * 20), DEADLINE)
    call = venue.quote_call(order)
    raw = testnet.rpc.text("eth_call", {"to": call.to, "data": "0x" + call.data.hex()}, "latest")
    assert venue.quoted_amount(order, bytes.fromhex(raw[2:])) == quote.amount_out


class Crowd:
    """Swaps, joins, exits and changes of rules at random, through the contracts themselves."""

    def __init__(
        self,
        testnet: Testnet,
        source: random.Random,
        pools: Sequence[BalancerPool],
        stables: Sequence[StablePool],
    ) -> None:
        self.testnet, self.source = testnet, source
        self.pools, self.stables = pools, stables
        self.me, self.vault = testnet.deployment.deployer, testnet.deployment.balancer_vault
        self.done: Counter[str] = Counter()
        for pool in pools:
            for token in pool.tokens:
                testnet.execute(self.me, token, "approve(address,uint256)", self.vault, MAX_UINT256)
        for stable in stables:
            for token in stable.coins:
                testnet.execute(self.me, token, "approve(address,uint256)", stable.address, MAX_UINT256)

    def act(self) -> None:
        acts = {
            "swap": self._swap,
            "swap again": self._swap,
            "swap for shares": self._swap_for_shares,
            "join": self._join,
            "exit": self._exit,
            "fee": self._fee,
            "exchange": self._exchange,
            "liquidity": self._liquidity,
            "rules": self._rules,
        }
        kind = self.source.choice(list(acts))
        try:
            acts[kind]()
        except TransactionReverted:
            kind = f"{kind}, reverted"
        self.done[kind] += 1

    def _held(self, pool: BalancerPool) -> dict[str, int]:
        returns = ("address[]", "uint256[]", "uint256")
        _, balances, _ = self.testnet.read(
            self.vault, "getPoolTokens(bytes32)", returns, bytes.fromhex(pool.pool_id[2:])
        )
        assert isinstance(balances, tuple)
        held = dict(zip(pool.tokens, map(int, balances), strict=True))
        held.pop(pool.address, None)
        return held

    def _some(self, amount: int) -> int:
        return max(1, int(amount * 2 ** self.source.uniform(-12, -4)))

    def _swap(self) -> None:
        pool = self.source.choice(self.pools)
        held = self._held(pool)
        sold, bought = self.source.sample(sorted(held), 2)
        self._vault_swap(pool, sold, bought, self._some(held[sold]))

    def _swap_for_shares(self) -> None:
        pool = self.source.choice([one for one in self.pools if one.kind == "stable"])
        held = self._held(pool)
        sold = self.source.choice(sorted(held))
        self._vault_swap(pool, sold, pool.address, self._some(held[sold]))

    def _vault_swap(self, pool: BalancerPool, sold: str, bought: str, amount: int) -> None:
        single = (bytes.fromhex(pool.pool_id[2:]), 0, sold, bought, amount, b"")
        call = encode_call(
            f"swap({SINGLE},{FUNDS},uint256,uint256)", single, (self.me, False, self.me, False), 0, DEADLINE
        )
        self.testnet.send(self.me, self.vault, call)

    def _join(self) -> None:
        pool = self.source.choice(self.pools)
        held = self._held(pool)
        paid = {token: self._some(amount) for token, amount in held.items()}
        data = encode_arguments(("uint256", "uint256[]", "uint256"), (1, [paid[token] for token in held], 0))
        most = [paid.get(token, MAX_UINT256) for token in pool.tokens]
        self._move("joinPool", pool, most, data)

    def _exit(self) -> None:
        pool = self.source.choice(self.pools)
        shares = self._some(self.testnet.balance_of(pool.address, self.me))
        kind = 1 if pool.kind == "weighted" else 2
        self._move(
            "exitPool", pool, [0] * len(pool.tokens), encode_arguments(("uint256", "uint256"), (kind, shares))
        )

    def _move(self, name: str, pool: BalancerPool, limits: list[int], data: bytes) -> None:
        signature = f"{name}(bytes32,address,address,(address[],uint256[],bytes,bool))"
        request = (list(pool.tokens), limits, data, False)
        pool_id = bytes.fromhex(pool.pool_id[2:])
        self.testnet.send(self.me, self.vault, encode_call(signature, pool_id, self.me, self.me, request))

    def _fee(self) -> None:
        pool = self.source.choice(self.pools)
        fee = self.source.randint(10**12, 10**16)
        self.testnet.execute(self.me, pool.address, "setSwapFeePercentage(uint256)", fee)

    def _exchange(self) -> None:
        pool = self.source.choice(self.stables)
        i, j = self.source.sample((0, 1), 2)
        (held,) = self.testnet.read(pool.address, "balances(uint256)", ("uint256",), i)
        amount = self._some(int(str(held)))
        self.testnet.execute(
            self.me, pool.address, "exchange(int128,int128,uint256,uint256)", i, j, amount, 0
        )

    def _liquidity(self) -> None:
        pool = self.source.choice(self.stables)
        if self.source.random() < 0.5:
            amounts = [self._some(self.testnet.balance_of(coin, pool.address)) for coin in pool.coins]
            self.testnet.execute(self.me, pool.address, "add_liquidity(uint256[2],uint256)", amounts, 0)
        else:
            shares = self._some(self.testnet.balance_of(pool.address, self.me))
            self.testnet.execute(
                self.me, pool.address, "remove_liquidity(uint256,uint256[2])", shares, [0, 0]
            )

    def _rules(self) -> None:
        pool = self.source.choice(self.stables)
        fee = self.source.randint(0, 10**8)
        self.testnet.execute(self.me, pool.address, "set_fee(uint256,uint256)", fee, 5 * 10**9)


def board_of(*venues: AnyVenue) -> MarketBoard:
    return MarketBoard(
        [BoardVenue(venue.context.instance, venue, VenueLogs(venue.event_signatures)) for venue in venues]
    )


async def follow(board: MarketBoard, heads: HeadFollower) -> None:
    while (item := await heads.poll()) is not None:
        if isinstance(item, Gap):
            await board.load(CHAIN, item.head, item.sequence)
        else:
            await board.apply(CHAIN, item)
        heads.acknowledge(item.sequence)


async def test_states_kept_by_logs_equal_fresh_reads(testnet: Testnet, access: ChainAccess) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    source = random.Random(seed)
    made = RandomPools(testnet, source)
    pools = [*testnet.deployment.balancer_pools, made.weighted_pool(assets=3), made.composable_stable_pool()]
    stables = [*testnet.deployment.stable_pools, made.stable_pool()]
    venues: list[AnyVenue] = [
        balancer_of(testnet, access, [pool.address for pool in pools]),
        curve_of(access, [pool.address for pool in stables]),
    ]
    board = board_of(*venues)
    heads = HeadFollower(access.reads, FakeLog())
    await board.discover(CHAIN)
    await follow(board, heads)
    crowd = Crowd(testnet, source, pools, stables)
    await follow(board, heads)
    for turn in range(ROUNDS):
        for _ in range(source.randint(1, 4)):
            crowd.act()
        if turn % 9 == 8:
            await follow(board, heads)
            testnet.reorg(source.randint(1, 3))
        await follow(board, heads)
        snapshot = board.snapshot(CHAIN)
        assert snapshot.block == await access.head()
        assert not snapshot.left_out
        assert len(snapshot.markets) == len(pools) + len(stables)
        for venue in venues:
            markets: list[Market] = [
                market for market in snapshot.markets.values() if market.venue == venue.context.instance
            ]
            for fresh in await venue.states(markets, snapshot.block.ref):
                assert snapshot.states[fresh.market] == fresh
    print(dict(crowd.done))
    for kind in ("swap", "join", "exchange"):
        assert crowd.done[kind] > 0, crowd.done


async def test_a_block_that_is_not_there_is_refused(testnet: Testnet, venue: AnyVenue) -> None:
    markets = await venue.markets()
    with pytest.raises(VenueError):
        await venue.states(markets, BlockRef(10**6, "0x" + "13" * 32))


def test_missing_addresses_are_named() -> None:
    pool = "0x" + "11" * 20

    def context(chain_id: int) -> VenueContext:
        return VenueContext("bal", FakeClock(), FakeLog(), FakeRpc(), EthAbi(), chain_id)

    Balancer(BalancerConfig.model_validate({"pools": [pool]}), context(1))
    with pytest.raises(ConfigurationError) as raised:
        Balancer(BalancerConfig.model_validate({"pools": [pool]}), context(8453))
    assert raised.value.pointer == "venues.bal.vault"
    with pytest.raises(ConfigurationError) as half:
        Balancer(BalancerConfig.model_validate({"pools": [pool], "vault": pool}), context(1))
    assert half.value.pointer == "venues.bal.queries"
