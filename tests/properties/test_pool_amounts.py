"""StableSwap and Balancer amounts against the contracts: random pools and sizes, exact in and out, to the wei.

Native amounts, an independent reference and the contract's answer are one number, or all three refuse.
"""

import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import pytest
from sep_hooks.context import RpcOk, RpcOutcome, RpcRequest, VenueContext
from sep_hooks.errors import SepError
from sep_hooks.testing.fakes import FakeClock, FakeLog
from sep_hooks.types import (
    Amount,
    AssetId,
    BlockRef,
    Call,
    Leg,
    Market,
    MarketState,
    StableRule,
    StableSwapState,
    SwapOrder,
    WeightedProductState,
    address,
    token_address,
)
from sep_native.amm import StableSwap, WeightedProduct
from sep_testnet.pools import RandomPools
from sep_testnet.testnet import Testnet
from sep_venue_balancer import Balancer, BalancerConfig
from sep_venue_curve import Curve, CurveConfig

from sep_core.chains.native import NativeAbi, VenueLogs
from sep_core.chains.parse import logs as parse_logs
from sep_core.chains.rpc import HttpRpc, open_http_rpc
from sep_core.markets.native import pool_of
from tests.oracles import stable_swap, weighted_product

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = [pytest.mark.anyio, pytest.mark.anvil, pytest.mark.slow]

CURVE_POOLS = 12
BALANCER_POOLS_OF_A_KIND = 7
SIZES = 10
EXECUTED = 30
DRAWN = 20 * EXECUTED
DEADLINE = 2**40
MAX_UINT256 = 2**256 - 1
ME = address("0x" + "ab" * 20)

type AnyVenue = Curve | Balancer
type AnyState = StableSwapState | WeightedProductState


@dataclass(frozen=True)
class Case:
    """One swap of one market by numbers of its assets."""

    market: Market
    path: tuple[int, int]
    exact_in: bool
    amount: int

    @property
    def assets(self) -> tuple[AssetId, AssetId]:
        return self.market.assets[self.path[0]], self.market.assets[self.path[1]]

    def order(self, other: int, recipient: str = ME) -> SwapOrder:
        """The order at exactly these amounts; `other` is the one that was not given."""
        amounts = (self.amount, other) if self.exact_in else (other, self.amount)
        amount_in, amount_out = (Amount(amount) for amount in amounts)
        leg = Leg(self.market.id, *self.assets, amount_in, amount_out)
        return SwapOrder((leg,), self.exact_in, amount_in, amount_out, address(recipient), DEADLINE)


@pytest.fixture
async def rpc(testnet: Testnet) -> AsyncIterator[HttpRpc]:
    async with open_http_rpc([testnet.url], chain_id=1) as opened:
        yield opened


@pytest.fixture
def source() -> random.Random:
    seed = int(os.environ.get("SEP_TEST_SEED", random.SystemRandom().randrange(2**32)))
    print(f"seed {seed} (SEP_TEST_SEED repeats it)")
    return random.Random(seed)


def curve_of(rpc: HttpRpc, pools: Sequence[str]) -> Curve:
    context = VenueContext("curve", FakeClock(), FakeLog(), rpc, NativeAbi(), 1)
    return Curve(CurveConfig.model_validate({"pools": pools}), context)


def balancer_of(testnet: Testnet, rpc: HttpRpc, pools: Sequence[str]) -> Balancer:
    deployment = testnet.deployment
    table = {
        "vault": deployment.balancer_vault,
        "queries": deployment.balancer_queries,
        "pools": pools,
    }
    context = VenueContext("balancer", FakeClock(), FakeLog(), rpc, NativeAbi(), 1)
    return Balancer(BalancerConfig.model_validate(table), context)


def head_of(testnet: Testnet) -> BlockRef:
    block = testnet.block()
    return BlockRef(int(str(block["number"]), 16), str(block["hash"]))


def own(state: MarketState) -> AnyState:
    assert isinstance(state, StableSwapState | WeightedProductState)
    return state


def size(source: random.Random, state: AnyState, asset: int) -> int:
    """Sizes over all orders of magnitude, most of them near what the pool holds, some far beyond."""
    if source.random() < 0.15:
        return max(1, int(2 ** source.uniform(0, 110)))
    return max(1, int(max(2, state.balances[asset]) * 2 ** source.uniform(-40, 2)))


def reference(state: AnyState, case: Case) -> int | None:
    """The amount by plain integers; None where the contract would not answer."""
    i, j = case.path
    try:
        if isinstance(state, WeightedProductState):
            weighted = weighted_product.WeightedPool(state.balances, state.scaling, state.weights, state.fee)
            pool: weighted_product.WeightedPool | stable_swap.CurvePool | stable_swap.BalancerPool = weighted
        else:
            kind = stable_swap.CurvePool if state.rule is StableRule.CURVE else stable_swap.BalancerPool
            pool = kind(list(state.balances), list(state.rates), state.amplification, state.fee)
        return pool.amount_out(i, j, case.amount) if case.exact_in else pool.amount_in(i, j, case.amount)
    except (stable_swap.Reverted, weighted_product.Reverted, ZeroDivisionError):
        return None


def native_pool(market: Market, state: AnyState) -> StableSwap | WeightedProduct:
    """The state as native mathematics."""
    pool = pool_of(market, state)
    assert isinstance(pool, StableSwap | WeightedProduct)
    return pool


def native(state: AnyState, case: Case) -> int | None:
    """The native amount; None where it refuses."""
    try:
        quote = native_pool(case.market, state).quote(*case.path, case.amount, case.exact_in)
    except SepError:
        return None
    return quote.amount_out if case.exact_in else quote.amount_in


def answered(venue: AnyVenue, order: SwapOrder, outcome: RpcOutcome) -> int | None:
    """The contract's answer; None where it reverts."""
    if not isinstance(outcome, RpcOk):
        return None
    return venue.quoted_amount(order, bytes.fromhex(json.loads(outcome.result)[2:]))


def read(call: Call) -> dict[str, str]:
    return {"to": call.to, "data": "0x" + call.data.hex()}


async def ask(rpc: HttpRpc, calls: Sequence[Call], at: BlockRef) -> Sequence[RpcOutcome]:
    requests = [RpcRequest("eth_call", (read(call),), at) for call in calls]
    return await rpc.calls(requests, timeout_seconds=120)


def cases_of(source: random.Random, markets: Sequence[Market], states: dict[str, AnyState]) -> list[Case]:
    """Every direction of every market, exact in and out; of markets of many assets some directions."""
    cases: list[Case] = []
    for market in markets:
        paths = list(permutations(range(len(market.assets)), 2))
        for path in source.sample(paths, min(len(paths), 4)):
            for exact_in in (True, False):
                given = path[0] if exact_in else path[1]
                cases += [
                    Case(market, path, exact_in, size(source, states[market.id], given)) for _ in range(SIZES)
                ]
    return cases


@pytest.mark.says
async def test_balancer_amounts_are_the_queries(
    testnet: Testnet, rpc: HttpRpc, source: random.Random
) -> None:
    pools = RandomPools(testnet, source)
    built = [
        make()
        for make in (pools.weighted_pool, pools.composable_stable_pool)
        for _ in range(BALANCER_POOLS_OF_A_KIND)
    ]
    venue = balancer_of(testnet, rpc, [source.choice([pool.pool_id, pool.address]) for pool in built])
    markets, at = await venue.markets(), head_of(testnet)
    states: dict[str, AnyState] = {state.market: own(state) for state in await venue.states(markets, at)}
    cases = cases_of(source, markets, states)
    orders = [case.order(1 if case.exact_in else MAX_UINT256) for case in cases]
    outcomes = await ask(rpc, [venue.quote_call(order) for order in orders], at)
    counts: Counter[str] = Counter()
    for case, order, outcome in zip(cases, orders, outcomes, strict=True):
        state = states[case.market.id]
        expected = answered(venue, order, outcome)
        assert reference(state, case) == expected, (case, state, outcome)
        assert native(state, case) == expected, (case, state)
        name = f"{case.market.family} {'in' if case.exact_in else 'out'}"
        counts[name if expected is not None else f"{name}, refused"] += 1
    print(dict(counts))
    for kind in ("weighted_product in", "weighted_product out", "stable_swap in", "stable_swap out"):
        assert counts[kind] > 60


@pytest.mark.says
async def test_curve_amounts_are_the_pools(testnet: Testnet, rpc: HttpRpc, source: random.Random) -> None:
    """For an exact output the native input is enough, and a unit less is not."""
    pools = RandomPools(testnet, source)
    venue = curve_of(rpc, [pools.stable_pool().address for _ in range(CURVE_POOLS)])
    markets, at = await venue.markets(), head_of(testnet)
    states: dict[str, AnyState] = {state.market: own(state) for state in await venue.states(markets, at)}
    cases = cases_of(source, markets, states)
    counts: Counter[str] = Counter()
    given = [case for case in cases if case.exact_in]
    outcomes = await ask(rpc, [venue.quote_call(case.order(1)) for case in given], at)
    for case, outcome in zip(given, outcomes, strict=True):
        state = states[case.market.id]
        expected = answered(venue, case.order(1), outcome)
        assert reference(state, case) == expected, (case, state, outcome)
        assert native(state, case) == expected, (case, state)
        counts["in" if expected is not None else "in, refused"] += 1
    inputs = {case: native(states[case.market.id], case) for case in cases if not case.exact_in}
    known = {case: amount for case, amount in inputs.items() if amount is not None}
    counts["out, refused"] = len(inputs) - len(known)
    enough = await ask(rpc, [venue.quote_call(case.order(amount)) for case, amount in known.items()], at)
    less = await ask(
        rpc,
        [
            venue.quote_call(replace(case, exact_in=True, amount=amount - 1).order(1))
            for case, amount in known.items()
        ],
        at,
    )
    for (case, amount), one, other in zip(known.items(), enough, less, strict=True):
        state = states[case.market.id]
        assert answered(venue, case.order(amount), one) == amount, (case, amount, state)
        below = answered(venue, replace(case, exact_in=True, amount=amount - 1).order(1), other)
        assert below is None or below < case.amount, (case, amount, state)
        counts["out"] += 1
    print(dict(counts))
    assert counts["in"] + counts["out"] >= 300
    assert min(counts["in"], counts["out"]) >= 100


@pytest.mark.says
@pytest.mark.parametrize("name", ["curve", "balancer"])
async def test_executed_swaps_and_logs_equal_native(
    testnet: Testnet, rpc: HttpRpc, source: random.Random, name: str
) -> None:
    """Really swaps, one after the other: quote, fill, money and the state that follows from logs are as predicted."""
    pools = RandomPools(testnet, source)
    venue: AnyVenue
    if name == "curve":
        venue = curve_of(rpc, [pools.stable_pool().address for _ in range(3)])
    else:
        built = [pools.weighted_pool(), pools.weighted_pool(), pools.composable_stable_pool(assets=3)]
        venue = balancer_of(testnet, rpc, [pool.address for pool in built])
    decoder, me = VenueLogs(venue.event_signatures), address(testnet.deployment.deployer)
    markets = {market.id: market for market in await venue.markets()}
    states = {
        state.market: own(state) for state in await venue.states(list(markets.values()), head_of(testnet))
    }
    executed: Counter[str] = Counter()
    # Swaps before may have left pools or the account with little: what is drawn in vain makes the next one smaller.
    for attempt in range(DRAWN):
        if executed.total() == EXECUTED:
            break
        market = source.choice(list(markets.values()))
        i, j = source.sample(range(len(market.assets)), 2)
        exact_in = source.random() < 0.5
        drawn = size(source, states[market.id], i if exact_in else j)
        smaller = 2 ** max(0, attempt - executed.total() - 2 * EXECUTED)
        case = Case(market, (i, j), exact_in, max(1, drawn // smaller))
        try:
            quote, predicted = native_pool(market, states[market.id]).after(i, j, case.amount, exact_in)
        except (SepError, ValueError):  # too large, or nothing could be computed of the pool afterwards
            continue
        other = quote.amount_out if exact_in else quote.amount_in
        if not other:
            continue
        order = case.order(other, me)
        tokens = [token_address(asset) for asset in case.assets]
        before = [testnet.balance_of(token, me) for token in tokens]
        if order.amount_in > before[0]:
            continue
        testnet.execute(me, tokens[0], "approve(address,uint256)", venue.spender(order), order.amount_in)
        call = venue.swap_call(order)
        decoded = decoder.decode(parse_logs(testnet.send(me, call.to, call.data)["logs"]))
        (fill,) = venue.fills(order, decoded)
        assert (fill.amount_in, fill.amount_out) == (quote.amount_in, quote.amount_out)
        assert fill.amount_in == order.amount_in
        assert fill.amount_out >= order.amount_out
        after = [testnet.balance_of(token, me) for token in tokens]
        assert (before[0] - after[0], after[1] - before[1]) == (fill.amount_in, fill.amount_out)
        at = head_of(testnet)
        (fresh,) = await venue.states([market], at)
        kept: MarketState | None = states[market.id]
        for log in decoded:
            told = market.id if log.log.address == market.address else venue.market_of(log)
            if told == market.id and kept is not None:
                kept = venue.apply(kept, log, at)
        if name == "curve":
            assert kept is None  # its events have the pool read again
        else:
            assert kept == fresh
            assert predicted == native_pool(market, own(fresh))
        states[market.id] = own(fresh)
        executed[f"{market.family} {'in' if exact_in else 'out'}"] += 1
    print(dict(executed))
    assert executed.total() >= EXECUTED // 5, (
        "pools at the edge of what they can be answer little, but something"
    )
