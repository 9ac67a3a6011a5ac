"""Native amounts against the genuine contracts: random pools, sizes and directions, exact in and out, to the wei."""

import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest
from sep_hooks.context import RpcOk, RpcOutcome, RpcRequest, VenueContext
from sep_hooks.errors import InsufficientLiquidity, NeedTicks
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.types import (
    Amount,
    BlockRef,
    Call,
    ConcentratedLiquidityState,
    ConstantProductState,
    Leg,
    Market,
    MarketId,
    MarketState,
    SwapOrder,
    address,
    token_address,
)
from sep_testnet.pools import RandomPools
from sep_testnet.testnet import Testnet
from sep_venue_uniswap_v2 import UniswapV2, UniswapV2Config
from sep_venue_uniswap_v3 import UniswapV3, UniswapV3Config

from sep_core.chains.native import NativeAbi, VenueLogs
from sep_core.chains.parse import logs as parse_logs
from sep_core.chains.rpc import HttpRpc, open_http_rpc
from sep_core.markets.native import Network, network_of

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = [pytest.mark.anyio, pytest.mark.anvil, pytest.mark.slow]

V3_POOLS = 14
V2_PAIRS = 10
SIZES = 24
EXECUTED = 60
READ_GAS = 1_000_000_000
TRANSACTION_GAS = 2**24
DEADLINE = 2**40
MAX_UINT256 = 2**256 - 1
PRICE_ENDS = (4295128740, 1461446703485210103287273052203988822378723970341)

type AnyVenue = UniswapV2 | UniswapV3


@dataclass(frozen=True)
class Case:
    """One swap of one market."""

    market: Market
    zero_for_one: bool
    exact_in: bool
    amount: int

    @property
    def order(self) -> SwapOrder:
        assets = self.market.assets
        asset_in, asset_out = assets if self.zero_for_one else assets[::-1]
        amount_in, amount_out = (self.amount, 1) if self.exact_in else (MAX_UINT256, self.amount)
        leg = Leg(self.market.id, asset_in, asset_out, Amount(amount_in), Amount(amount_out))
        recipient = address("0x" + "ab" * 20)
        return SwapOrder((leg,), self.exact_in, Amount(amount_in), Amount(amount_out), recipient, DEADLINE)


@pytest.fixture
async def rpc(testnet: Testnet) -> AsyncIterator[HttpRpc]:
    async with open_http_rpc([testnet.url], chain_id=1) as opened:
        yield opened


@pytest.fixture
def source() -> random.Random:
    seed = int(os.environ.get("SEP_TEST_SEED", random.SystemRandom().randrange(2**32)))
    print(f"seed {seed} (SEP_TEST_SEED repeats it)")
    return random.Random(seed)


def venues_of(
    testnet: Testnet, rpc: HttpRpc, v3: Sequence[str], v2: Sequence[str]
) -> tuple[UniswapV3, UniswapV2]:
    deployment = testnet.deployment

    def context(instance: str) -> VenueContext:
        return VenueContext(instance, FakeClock(), FakeLog(), rpc, NativeAbi(), 1)

    return (
        UniswapV3(
            UniswapV3Config.model_validate(
                {
                    "factory": deployment.v3_factory,
                    "router": deployment.swap_router_02,
                    "quoter": deployment.quoter_v2,
                    "tick_lens": deployment.tick_lens,
                    "pools": v3,
                }
            ),
            context("v3"),
        ),
        UniswapV2(
            UniswapV2Config.model_validate(
                {"factory": deployment.v2_factory, "router": deployment.v2_router, "pools": v2}
            ),
            context("v2"),
        ),
    )


def head_of(testnet: Testnet) -> BlockRef:
    block = testnet.block()
    return BlockRef(int(str(block["number"]), 16), str(block["hash"]))


def size(source: random.Random, state: MarketState) -> int:
    """Sizes over all orders of magnitude, most of them near what the pool holds."""
    if source.random() < 0.25:
        return max(1, int(2 ** source.uniform(0, 128)))
    if isinstance(state, ConcentratedLiquidityState):
        root = state.sqrt_price_x96 / 2**96
        scale = max(2.0, state.liquidity * source.choice([root, 1 / root]))
    else:
        assert isinstance(state, ConstantProductState)
        scale = float(max(2, source.choice([state.reserve0, state.reserve1])))
    return max(1, int(scale * 2 ** source.uniform(-40, 3)))


async def network_at(venue: AnyVenue, markets: Sequence[Market], states: Sequence[MarketState]) -> Network:
    by_id = {market.id: market for market in markets}
    network, unusable = network_of((by_id[state.market], state) for state in states)
    assert not unusable
    return network


async def native_amount(
    venue: AnyVenue, case: Case, states: dict[MarketId, MarketState], network: Network, at: BlockRef
) -> int | None:
    """The native answer, after as much widening as it asks for; None where the market holds too little."""
    order = case.order
    for _ in range(12):
        try:
            quote = network.quote(case.market.id, order.asset_in, case.amount, case.exact_in)
        except NeedTicks:
            assert isinstance(venue, UniswapV3)
            (wider,) = await venue.widen([states[case.market.id]], at)
            assert isinstance(wider, ConcentratedLiquidityState)
            known = states[case.market.id]
            assert isinstance(known, ConcentratedLiquidityState)
            assert wider.loaded[0] <= known.loaded[0]
            assert wider.loaded[1] >= known.loaded[1]
            assert wider.loaded != known.loaded
            states[case.market.id] = wider
            again, _ = network_of([(case.market, wider)])
            network.remove(case.market.id)
            network = again
        except InsufficientLiquidity:
            return None
        else:
            return quote.amount_out if case.exact_in else quote.amount_in
    raise AssertionError("widening does not end")


def contract_amount(venue: AnyVenue, case: Case, state: MarketState, outcome: RpcOutcome) -> int | None:
    """The contract's answer; None where it reverts or stops at the end of the price range."""
    if not isinstance(outcome, RpcOk):
        return None
    output = bytes.fromhex(json.loads(outcome.result)[2:])
    if isinstance(venue, UniswapV3):
        _, price, _, _ = venue.context.abi.decode("(uint256,uint160,uint32,uint256)", output)
        if price in PRICE_ENDS:
            return None
        return venue.quoted_amount(case.order, output)
    assert isinstance(state, ConstantProductState)
    amount = venue.quoted_amount(case.order, output)
    # The router quotes what the pair then refuses: reserves above 112 bits.
    reserve_in = state.reserve0 if case.zero_for_one else state.reserve1
    return None if reserve_in + (case.amount if case.exact_in else amount) >= 2**112 else amount


@pytest.mark.says
async def test_native_equals_the_contracts(testnet: Testnet, rpc: HttpRpc, source: random.Random) -> None:
    pools = RandomPools(testnet, source)
    v3_pools = [pools.v3_pool().address for _ in range(V3_POOLS)]
    v2_pairs = [pools.v2_pair().address for _ in range(V2_PAIRS)]
    counts: Counter[str] = Counter()
    for venue in venues_of(testnet, rpc, v3_pools, v2_pairs):
        markets = await venue.markets()
        at = head_of(testnet)
        states = {state.market: state for state in await venue.states(markets, at)}
        cases = [
            Case(market, zero_for_one, exact_in, size(source, states[market.id]))
            for market in markets
            for zero_for_one in (True, False)
            for exact_in in (True, False)
            for _ in range(SIZES)
        ]
        calls = [venue.quote_call(case.order) for case in cases]
        outcomes = await rpc.calls(
            [RpcRequest("eth_call", (_read(call),), at) for call in calls],
            timeout_seconds=120,
        )
        for case, outcome in zip(cases, outcomes, strict=True):
            network = await network_at(venue, [case.market], [states[case.market.id]])
            expected = contract_amount(venue, case, states[case.market.id], outcome)
            found = await native_amount(venue, case, states, network, at)
            assert found == expected, (case, states[case.market.id])
            name = f"{venue.context.instance} {'in' if case.exact_in else 'out'}"
            counts[name if found is not None else f"{name}, too large"] += 1
    print(dict(counts))
    answered = sum(count for name, count in counts.items() if "too large" not in name)
    assert sum(counts.values()) >= 2_000
    assert answered >= sum(counts.values()) // 2
    for kind in ("v3 in", "v3 out", "v2 in", "v2 out"):
        assert counts[kind] > 100


@pytest.mark.says
async def test_executed_swaps_and_logs_equal_native(
    testnet: Testnet, rpc: HttpRpc, source: random.Random
) -> None:
    """Really swaps, one after the other, and keeps each state by the logs alone."""
    pools = RandomPools(testnet, source)
    v3_pools = [pools.v3_pool().address for _ in range(4)]
    v2_pairs = [pools.v2_pair().address for _ in range(2)]
    me = address(testnet.deployment.deployer)
    executed: Counter[str] = Counter()
    for venue in venues_of(testnet, rpc, v3_pools, v2_pairs):
        decoder = VenueLogs(venue.event_signatures)
        markets = await venue.markets()
        states = {state.market: state for state in await venue.states(markets, head_of(testnet))}
        for market in markets:
            for asset in market.assets:
                testnet.execute(
                    me, token_address(asset), "approve(address,uint256)", _router(venue), MAX_UINT256
                )
        wanted = EXECUTED // 2
        while wanted > 0:
            market = source.choice(markets)
            state = states[market.id]
            case = Case(market, source.random() < 0.5, source.random() < 0.5, size(source, state))
            network = await network_at(venue, [market], [state])
            found = await native_amount(venue, case, states, network, head_of(testnet))
            if not found:
                continue
            amount_in, amount_out = (case.amount, found) if case.exact_in else (found, case.amount)
            if amount_out == 0 or amount_in > testnet.balance_of(token_address(case.order.asset_in), me):
                continue
            leg = Leg(
                market.id, case.order.asset_in, case.order.asset_out, Amount(amount_in), Amount(amount_out)
            )
            order = SwapOrder((leg,), case.exact_in, Amount(amount_in), Amount(amount_out), me, DEADLINE)
            call = venue.swap_call(order)
            if testnet.rpc.number("eth_estimateGas", {"from": me, **_read(call)}) > TRANSACTION_GAS:
                executed["too far for a transaction"] += 1
                continue
            receipt = testnet.send(me, call.to, call.data, gas=TRANSACTION_GAS)
            decoded = decoder.decode(parse_logs(receipt["logs"]))
            (fill,) = venue.fills(order, decoded)
            assert (fill.amount_in, fill.amount_out) == (amount_in, amount_out)
            at = head_of(testnet)
            for log in decoded:
                states[market.id] = venue.apply(states[market.id], log, at)
            (fresh,) = await venue.states([market], at)
            _same_inside(states[market.id], fresh)
            executed[f"{venue.context.instance} {'in' if case.exact_in else 'out'}"] += 1
            wanted -= 1
    print(dict(executed))


def _read(call: Call) -> dict[str, str]:
    """A call with gas enough to walk a whole price range, tick by tick."""
    return {"to": call.to, "data": "0x" + call.data.hex(), "gas": hex(READ_GAS)}


def _router(venue: AnyVenue) -> str:
    assert venue.config.router is not None
    return venue.config.router


def _same_inside(kept: MarketState, fresh: MarketState) -> None:
    """Equal, tick for tick, where both know their ticks."""
    if isinstance(kept, ConcentratedLiquidityState) and isinstance(fresh, ConcentratedLiquidityState):
        low, high = max(kept.loaded[0], fresh.loaded[0]), min(kept.loaded[1], fresh.loaded[1])
        for one, other in ((kept, fresh), (fresh, kept)):
            ours = [entry for entry in one.ticks if low <= entry[0] <= high]
            assert ours == [entry for entry in other.ticks if low <= entry[0] <= high]
        assert (kept.sqrt_price_x96, kept.tick, kept.liquidity, kept.block) == (
            fresh.sqrt_price_x96,
            fresh.tick,
            fresh.liquidity,
            fresh.block,
        )
    else:
        assert kept == fresh
