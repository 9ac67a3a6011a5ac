"""The Uniswap venues on genuine contracts: discovery, calldata, fills, refusals."""

from collections.abc import AsyncIterator, Callable, Sequence
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
    Call,
    ConcentratedLiquidityState,
    Leg,
    Market,
    SwapOrder,
    address,
    erc20,
)
from sep_testnet.errors import TransactionReverted
from sep_testnet.testnet import Testnet
from sep_venue_uniswap_v2 import UniswapV2, UniswapV2Config
from sep_venue_uniswap_v3 import UniswapV3, UniswapV3Config

from sep_core.chains.access import ChainAccess
from sep_core.chains.native import NativeAbi, VenueLogs
from sep_core.chains.parse import logs as parse_logs
from sep_core.chains.rpc import HttpRpc, open_http_rpc
from sep_core.markets.native import network_of

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = [pytest.mark.anyio, pytest.mark.anvil]

DEADLINE = 2**40
MAX_UINT256 = 2**256 - 1
RECIPIENT = address("0x" + "ab" * 20)
type AnyVenue = UniswapV2 | UniswapV3
type MakeV3 = Callable[..., UniswapV3]


@pytest.fixture
async def rpc(testnet: Testnet) -> AsyncIterator[HttpRpc]:
    async with open_http_rpc([testnet.url], chain_id=1) as opened:
        yield opened


@pytest.fixture
def make_v3(testnet: Testnet, rpc: HttpRpc) -> MakeV3:
    deployment = testnet.deployment

    def make(**table: object) -> UniswapV3:
        base = {
            "factory": deployment.v3_factory,
            "router": deployment.swap_router_02,
            "quoter": deployment.quoter_v2,
            "tick_lens": deployment.tick_lens,
        }
        context = VenueContext("v3", FakeClock(), FakeLog(), rpc, NativeAbi(), 1)
        return UniswapV3(UniswapV3Config.model_validate({**base, **table}), context)

    return make


@pytest.fixture
def v3(testnet: Testnet, make_v3: MakeV3) -> UniswapV3:
    return make_v3(pools=[pool.address for pool in testnet.deployment.v3_pools])


@pytest.fixture
def v2(testnet: Testnet, rpc: HttpRpc) -> UniswapV2:
    """WETH/USDC as deployed, and a pair DAI/USDC for paths of two hops."""
    deployment = testnet.deployment
    me = deployment.deployer
    for token in (deployment.dai, deployment.usdc):
        testnet.execute(me, token, "approve(address,uint256)", deployment.v2_router, MAX_UINT256)
    signature = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
    amounts = (10**23, 10**11)
    testnet.execute(
        me, deployment.v2_router, signature, deployment.dai, deployment.usdc, *amounts, 0, 0, me, DEADLINE
    )
    config = UniswapV2Config.model_validate(
        {
            "factory": deployment.v2_factory,
            "router": deployment.v2_router,
            "pairs": [[deployment.weth, deployment.usdc], [deployment.usdc, deployment.dai]],
        }
    )
    return UniswapV2(config, VenueContext("v2", FakeClock(), FakeLog(), rpc, NativeAbi(), 1))


@pytest.fixture(params=["v2", "v3"])
def venue(request: pytest.FixtureRequest) -> AnyVenue:
    found: AnyVenue = request.getfixturevalue(request.param)
    return found


def head_of(testnet: Testnet) -> BlockRef:
    block = testnet.block()
    return BlockRef(int(str(block["number"]), 16), str(block["hash"]))


def between(markets: Sequence[Market], one: str, other: str) -> Market:
    pair = {erc20(1, one), erc20(1, other)}
    return next(market for market in markets if set(market.assets) == pair)


async def orders_of(testnet: Testnet, venue: AnyVenue) -> list[SwapOrder]:
    """DAI for USDC and DAI for WETH over USDC, exact in and exact out, with exact native amounts."""
    deployment = testnet.deployment
    markets = await venue.markets()
    by_id = {market.id: market for market in markets}
    network, _ = network_of(
        (by_id[state.market], state) for state in await venue.states(markets, head_of(testnet))
    )
    dai, usdc, weth = (erc20(1, token) for token in (deployment.dai, deployment.usdc, deployment.weth))
    first = between(markets, deployment.dai, deployment.usdc)
    second = between(markets, deployment.usdc, deployment.weth)
    me = address(deployment.deployer)
    orders = []
    for path in ([(first, dai, usdc)], [(first, dai, usdc), (second, usdc, weth)]):
        for exact_in in (True, False):
            amount = 5 * 10**20 if exact_in else (10**8 if len(path) == 1 else 10**17)
            legs: list[Leg] = []
            for market, asset_in, asset_out in path if exact_in else path[::-1]:
                quote = network.quote(market.id, asset_in, amount, exact_in)
                leg = Leg(market.id, asset_in, asset_out, Amount(quote.amount_in), Amount(quote.amount_out))
                legs.append(leg)
                amount = quote.amount_out if exact_in else quote.amount_in
            ordered = tuple(legs if exact_in else legs[::-1])
            orders.append(
                SwapOrder(ordered, exact_in, ordered[0].amount_in, ordered[-1].amount_out, me, DEADLINE)
            )
    return orders


def said(call: Call, order: SwapOrder) -> dict[str, object]:
    """What the calldata says, by a decoder that shares nothing with ours."""
    abi = EthAbi()
    if order.legs[0].market.startswith("v2"):
        name = "swapExactTokensForTokens" if order.exact_in else "swapTokensForExactTokens"
        a, b, tokens, recipient, deadline = abi.decode_call(
            f"{name}(uint256,uint256,address[],address,uint256)", call.data
        )
        return {"path": tokens, "recipient": recipient, "amounts": (a, b), "deadline": deadline}
    deadline, inner = abi.decode_call("multicall(uint256,bytes[])", call.data)
    assert isinstance(inner, tuple)
    (swap,) = inner
    assert isinstance(swap, bytes)
    kind = "Input" if order.exact_in else "Output"
    if len(order.legs) == 1:
        signature = f"exact{kind}Single((address,address,uint24,address,uint256,uint256,uint160))"
        (fields,) = abi.decode_call(signature, swap)
        assert isinstance(fields, tuple)
        token_in, token_out, _fee, recipient, a, b, price_limit = fields
        assert price_limit == 0
        path: object = (token_in, token_out)
    else:
        (fields,) = abi.decode_call(f"exact{kind}((bytes,address,uint256,uint256))", swap)
        assert isinstance(fields, tuple)
        packed, recipient, a, b = fields
        assert isinstance(packed, bytes)
        hops = tuple("0x" + packed[start : start + 20].hex() for start in range(0, len(packed), 23))
        path = hops if order.exact_in else hops[::-1]
    return {"path": path, "recipient": recipient, "amounts": (a, b), "deadline": deadline}


async def test_calldata_holds_recipient_limit_and_deadline(testnet: Testnet, venue: AnyVenue) -> None:
    orders = await orders_of(testnet, venue)
    assert len(orders) == 4
    for order in orders:
        order = replace(order, recipient=RECIPIENT, deadline=1_800_000_123)
        call = venue.swap_call(order)
        assert call.to == venue.spender(order) == venue.config.router
        assert call.value == 0
        tokens = (order.legs[0].asset_in, *(leg.asset_out for leg in order.legs))
        fixed = (order.amount_in, order.amount_out)
        assert said(call, order) == {
            "path": tuple(asset.rpartition(":")[2] for asset in tokens),
            "recipient": RECIPIENT,
            "amounts": fixed if order.exact_in else fixed[::-1],
            "deadline": 1_800_000_123,
        }


async def test_fills_equal_quotes_and_native_amounts(testnet: Testnet, rpc: HttpRpc, venue: AnyVenue) -> None:
    decoder = VenueLogs(venue.event_signatures)
    for position in range(4):
        order = (await orders_of(testnet, venue))[position]
        me, spender = order.recipient, venue.spender(order)
        testnet.execute(me, testnet.deployment.dai, "approve(address,uint256)", spender, order.amount_in)
        quote = venue.quote_call(order)
        raw = testnet.rpc.text("eth_call", {"to": quote.to, "data": "0x" + quote.data.hex()}, "latest")
        quoted = venue.quoted_amount(order, bytes.fromhex(raw[2:]))
        assert quoted == (order.amount_out if order.exact_in else order.amount_in)
        tokens = [order.asset_in.rpartition(":")[2], order.asset_out.rpartition(":")[2]]
        before = [testnet.balance_of(token, me) for token in tokens]
        call = venue.swap_call(order)
        receipt = testnet.send(me, call.to, call.data)
        fills = venue.fills(order, decoder.decode(parse_logs(receipt["logs"])))
        assert [(fill.market, fill.amount_in, fill.amount_out) for fill in fills] == [
            (leg.market, leg.amount_in, leg.amount_out) for leg in order.legs
        ]
        after = [testnet.balance_of(token, me) for token in tokens]
        assert before[0] - after[0] == order.amount_in
        assert after[1] - before[1] == order.amount_out
        with pytest.raises(VenueError, match="0 swaps"):
            venue.fills(order, [])


async def test_limits_and_deadlines_revert_on_chain(testnet: Testnet, venue: AnyVenue) -> None:
    for order in await orders_of(testnet, venue):
        spender = venue.spender(order)
        testnet.execute(
            order.recipient, testnet.deployment.dai, "approve(address,uint256)", spender, MAX_UINT256
        )
        tighter = (
            replace(order, amount_out=Amount(order.amount_out + 1))
            if order.exact_in
            else replace(order, amount_in=Amount(order.amount_in - 1))
        )
        for wrong in (tighter, replace(order, deadline=1_700_000_000)):
            call = venue.swap_call(wrong)
            with pytest.raises(TransactionReverted):
                testnet.send(wrong.recipient, call.to, call.data)


async def test_an_approval_and_its_swap_are_simulated_together(
    testnet: Testnet, rpc: HttpRpc, v3: UniswapV3
) -> None:
    order = (await orders_of(testnet, v3))[0]
    approve = NativeAbi().encode_call("approve(address,uint256)", (v3.spender(order), order.amount_in))
    table = EthereumConfig.model_validate({"rpc": testnet.url})
    preset = Ethereum(table, PluginContext("ethereum", FakeClock(), FakeLog())).preset()
    access = ChainAccess(preset, rpc)
    results = await access.simulate(
        [Call(address(testnet.deployment.dai), approve), v3.swap_call(order)], order.recipient
    )
    assert [result.ok for result in results] == [True, True]
    (fill,) = v3.fills(order, VenueLogs(v3.event_signatures).decode(results[1].logs))
    assert fill.amount_out == order.amount_out
    (alone,) = await access.simulate([v3.swap_call(order)], order.recipient)
    assert not alone.ok


async def test_broken_orders_are_refused(testnet: Testnet, venue: AnyVenue) -> None:
    single, _, double, _ = await orders_of(testnet, venue)
    stranger = replace(single.legs[0], market=type(single.legs[0].market)(f"{venue.context.instance}/0xdead"))
    wrong = [
        replace(single, legs=()),
        replace(single, legs=(stranger,)),
        replace(double, legs=double.legs[::-1]),
        replace(double, legs=(double.legs[0], double.legs[0])),
        replace(single, amount_in=Amount(0)),
        replace(single, amount_out=Amount(0)),
        replace(single, deadline=0),
        replace(single, recipient=Address("0x" + "00" * 20)),
    ]
    if isinstance(venue, UniswapV3):  # what its router reads as its caller and as itself
        wrong += [replace(single, recipient=Address("0x" + "00" * 19 + last)) for last in ("01", "02")]
    for order in wrong:
        with pytest.raises(VenueError):
            venue.swap_call(order)
    with pytest.raises(VenueError):
        venue.quoted_amount(single, b"")


async def test_pools_are_found_by_pairs_and_strangers_refused(
    testnet: Testnet, rpc: HttpRpc, make_v3: MakeV3
) -> None:
    deployment = testnet.deployment
    by_pairs = make_v3(pairs=[[deployment.usdc, deployment.weth], [deployment.weth, deployment.dai]])
    found = {market.address for market in await by_pairs.markets()}
    weth_usdc = {
        pool.address.lower() for pool in deployment.v3_pools if deployment.weth in (pool.token0, pool.token1)
    }
    assert found == weth_usdc
    assert len(found) == 2
    with pytest.raises(VenueError, match="there is no such contract"):
        await make_v3(pools=["0x" + "77" * 20]).markets()
    with pytest.raises(VenueError):
        await make_v3(pools=[deployment.usdc]).markets()
    creation = testnet.artifacts.creation["UniswapV3Factory"]
    other = str(testnet.send(deployment.deployer, None, creation)["contractAddress"])
    with pytest.raises(VenueError, match="is no pool of the factory"):
        await make_v3(pools=[deployment.v3_pools[0].address], factory=other).markets()
    with pytest.raises(VenueError):
        await make_v3(pools=[deployment.v3_pools[0].address], factory=deployment.v2_factory).markets()


async def test_ticks_through_the_lens_and_through_the_pools_are_equal(
    testnet: Testnet, v3: UniswapV3, make_v3: MakeV3
) -> None:
    at = head_of(testnet)
    pools = [pool.address for pool in testnet.deployment.v3_pools]
    alone = make_v3(pools=pools, tick_lens=None)
    assert alone._contracts.tick_lens is None
    markets = await v3.markets()
    await alone.markets()
    through_lens = await v3.states(markets, at)
    assert through_lens == await alone.states(markets, at)
    assert all(isinstance(state, ConcentratedLiquidityState) and state.ticks for state in through_lens)
    wider = await v3.widen(through_lens[:2], at)
    assert wider == await alone.widen(through_lens[:2], at)


async def test_a_block_that_is_not_there_is_refused(testnet: Testnet, venue: AnyVenue) -> None:
    markets = await venue.markets()
    with pytest.raises(VenueError):
        await venue.states(markets, BlockRef(10**6, "0x" + "13" * 32))


def test_missing_addresses_are_named() -> None:
    def context(chain_id: int) -> VenueContext:
        return VenueContext("uni", FakeClock(), FakeLog(), FakeRpc(), NativeAbi(), chain_id)

    UniswapV3(UniswapV3Config(), context(1))
    UniswapV2(UniswapV2Config(), context(1))
    with pytest.raises(ConfigurationError) as raised:
        UniswapV3(UniswapV3Config(), context(10))
    assert raised.value.pointer == "venues.uni.factory"
    with pytest.raises(ConfigurationError):
        UniswapV2(UniswapV2Config(), context(10))
    with pytest.raises(ConfigurationError) as half:
        UniswapV2(UniswapV2Config.model_validate({"factory": "0x" + "11" * 20}), context(1))
    assert half.value.pointer == "venues.uni.router"
    with pytest.raises(ConfigurationError, match="router"):
        UniswapV3(UniswapV3Config.model_validate({"factory": "0x" + "11" * 20}), context(1))
