"""Native amounts equal those of the genuine contracts: states are replayed from logs, then every quote is asked.

Random pools, ticks, decimals and sizes, both directions, exact in and exact out, through tick crossings.
"""

import json
import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sep_hooks.errors import InsufficientLiquidity
from sep_native.amm import ConcentratedLiquidity, ConstantProduct
from sep_native.decode import EventDecoder
from sep_testnet import RandomPools, Testnet, V3Pool
from sep_testnet.encoding import encode_call
from sep_testnet.errors import NodeRejected

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = pytest.mark.anvil

QUOTE_IN = "quoteExactInputSingle((address,address,uint256,uint24,uint160))"
QUOTE_OUT = "quoteExactOutputSingle((address,address,uint256,uint24,uint160))"
QUOTE_RETURNS = ("uint256", "uint160", "uint32", "uint256")
EVENTS = EventDecoder(
    [
        "event Initialize(uint160 sqrtPriceX96, int24 tick)",
        "event Mint(address sender, address indexed owner, int24 indexed tickLower, int24 indexed tickUpper, "
        "uint128 amount, uint256 amount0, uint256 amount1)",
        "event Burn(address indexed owner, int24 indexed tickLower, int24 indexed tickUpper, "
        "uint128 amount, uint256 amount0, uint256 amount1)",
        "event Swap(address indexed sender, address indexed recipient, int256 amount0, int256 amount1, "
        "uint160 sqrtPriceX96, uint128 liquidity, int24 tick)",
        "event Sync(uint112 reserve0, uint112 reserve1)",
    ]
)

some_times = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def replay(testnet: Testnet, pool: V3Pool) -> ConcentratedLiquidity:
    """The pool's state from its logs alone."""
    logs = testnet.rpc.call("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "address": pool.address})
    state: ConcentratedLiquidity | None = None
    for log in EVENTS.decode_json(json.dumps(logs).encode()):
        arguments = log.arguments
        if log.event == "Initialize":
            state = ConcentratedLiquidity.initialized(
                int(str(arguments["sqrtPriceX96"])), pool.fee, pool.tick_spacing
            )
            assert state.tick == arguments["tick"]
            continue
        assert state is not None
        numbers = {name: int(value) for name, value in arguments.items() if isinstance(value, int)}
        if log.event == "Swap":
            state = state.with_swap(numbers["sqrtPriceX96"], numbers["tick"], numbers["liquidity"])
        elif log.event in ("Mint", "Burn"):
            delta = numbers["amount"] if log.event == "Mint" else -numbers["amount"]
            state = state.with_liquidity(numbers["tickLower"], numbers["tickUpper"], delta)
        else:
            assert log.kind == "unknown"
    assert state is not None
    return state


def assert_is_on_chain(testnet: Testnet, pool: V3Pool, state: ConcentratedLiquidity) -> None:
    """Price, tick, liquidity and every tick equal what the contract stores."""
    slot0 = testnet.read(
        pool.address, "slot0()", ("uint160", "int24", "uint16", "uint16", "uint16", "uint8", "bool")
    )
    assert slot0[:2] == (state.sqrt_price_x96, state.tick)
    assert testnet.read(pool.address, "liquidity()", ("uint128",)) == (state.liquidity,)
    for tick, net in state.ticks:
        stored = testnet.read(pool.address, "ticks(int24)", ("uint128", "int128"), tick)
        assert stored[1] == net


def assert_quotes_are_equal(
    testnet: Testnet,
    pool: V3Pool,
    state: ConcentratedLiquidity,
    amount: int,
    *,
    zero_for_one: bool,
    exact_in: bool,
) -> None:
    """The native answer is the quoter's, or both say that the pool ends."""
    tokens = (pool.token0, pool.token1) if zero_for_one else (pool.token1, pool.token0)
    signature = QUOTE_IN if exact_in else QUOTE_OUT
    try:
        answer = testnet.read(
            testnet.deployment.quoter_v2, signature, QUOTE_RETURNS, (*tokens, amount, pool.fee, 0)
        )
    except NodeRejected:
        # The quoter refuses an output that the pool does not hold, and runs out of gas in long empty stretches.
        with pytest.raises(InsufficientLiquidity):
            state.quote(zero_for_one, amount, exact_in)
        return
    try:
        quote, after = state.after(zero_for_one, amount, exact_in)
    except InsufficientLiquidity as error:
        # For an input the quoter answers what the pool gives until it ends.
        assert exact_in
        found = re.search(r"give (\d+) at most", str(error))
        assert found is not None
        assert int(found[1]) == answer[0]
        return
    assert (quote.amount_out if exact_in else quote.amount_in) == answer[0]
    assert after.sqrt_price_x96 == answer[1]


def sizes(data: st.DataObject, most: int) -> int:
    """From one unit to more than the pool holds, every order of magnitude alike."""
    digits = data.draw(st.integers(1, max(2, len(str(most)) + 1)))
    return data.draw(st.integers(1, 10**digits))


@some_times
@given(st.integers(0, 2**64), st.data())
def test_v3_quotes_on_random_pools(testnet: Testnet, seed: int, data: st.DataObject) -> None:
    with testnet.isolated():
        pool = RandomPools(testnet, random.Random(seed)).v3_pool()
        state = replay(testnet, pool)
        assert_is_on_chain(testnet, pool, state)
        for zero_for_one in (True, False):
            for exact_in in (True, False):
                token = pool.token0 if zero_for_one == exact_in else pool.token1
                for _ in range(4):
                    amount = sizes(data, testnet.balance_of(token, pool.address))
                    assert_quotes_are_equal(
                        testnet, pool, state, amount, zero_for_one=zero_for_one, exact_in=exact_in
                    )


def test_v3_takes_a_whole_step_for_an_output_that_it_rounds_down_to(testnet: Testnet) -> None:
    """Far out in a range an exact output may be dearer than an input that buys as much, in the contract as here."""
    with testnet.isolated():
        pools = RandomPools(testnet, random.Random(7))
        pool = pools.v3_pool_over_all(500, 2_403_330_594_852_615_535)
        state = replay(testnet, pool)
        assert_is_on_chain(testnet, pool, state)
        inputs = (amount * 10**33 for amount in range(100, 1000))
        dearer = [
            (amount, bought)
            for amount in inputs
            if state.quote(False, bought := state.quote(False, amount, True).amount_out, False).amount_in
            > amount
        ]
        assert dearer
        for amount, bought in dearer[:3]:
            assert_quotes_are_equal(testnet, pool, state, amount, zero_for_one=False, exact_in=True)
            assert_quotes_are_equal(testnet, pool, state, bought, zero_for_one=False, exact_in=False)


TRANSACTION_GAS = 2**24
"""The most that one transaction may use since EIP-7825."""


@some_times
@given(st.integers(0, 2**64), st.lists(st.tuples(st.booleans(), st.floats(-6, 0)), min_size=1, max_size=4))
def test_v3_states_after_swaps(testnet: Testnet, seed: int, swaps: list[tuple[bool, float]]) -> None:
    """After each real swap the predicted state is the contract's, and so is the one replayed from logs."""
    swap_in = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
    with testnet.isolated():
        pool = RandomPools(testnet, random.Random(seed)).v3_pool()
        router, deployer = testnet.deployment.swap_router_02, testnet.deployment.deployer
        for token in (pool.token0, pool.token1):
            testnet.execute(deployer, token, "approve(address,uint256)", router, 2**256 - 1)
        state = replay(testnet, pool)
        for zero_for_one, share in swaps:
            sold, bought = (pool.token0, pool.token1) if zero_for_one else (pool.token1, pool.token0)
            amount = max(1, int(testnet.balance_of(sold, pool.address) * 10**share))
            try:
                quote, predicted = state.after(zero_for_one, amount, True)
            except InsufficientLiquidity:
                continue
            data = encode_call(swap_in, (sold, bought, pool.fee, deployer, amount, quote.amount_out, 0))
            call = {"from": deployer, "to": router, "data": "0x" + data.hex()}
            if testnet.rpc.number("eth_estimateGas", call) > TRANSACTION_GAS:
                continue  # it crosses more words than one transaction can
            before = testnet.balance_of(bought, deployer)
            testnet.send(deployer, router, data, gas=TRANSACTION_GAS)
            assert testnet.balance_of(bought, deployer) - before == quote.amount_out
            assert_is_on_chain(testnet, pool, predicted)
            state = replay(testnet, pool)
            assert state == predicted


def assert_pair_agrees(
    state: ConstantProduct, zero_for_one: bool, amount: int, amounts: object, *, exact_in: bool
) -> None:
    """The native quote is the router's, or the pair's 112-bit reserve could not hold the amount in."""
    assert isinstance(amounts, tuple)
    if amounts[0] + (state.reserve0 if zero_for_one else state.reserve1) >= 2**112:
        with pytest.raises(InsufficientLiquidity):
            state.quote(zero_for_one, amount, exact_in)
        return
    quote = state.quote(zero_for_one, amount, exact_in)
    assert (quote.amount_in, quote.amount_out) == amounts


@some_times
@given(st.integers(0, 2**64), st.data())
def test_v2_quotes_on_random_pairs(testnet: Testnet, seed: int, data: st.DataObject) -> None:
    with testnet.isolated():
        pair = RandomPools(testnet, random.Random(seed)).v2_pair()
        logs = testnet.rpc.call(
            "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "address": pair.address}
        )
        (sync,) = [log for log in EVENTS.decode_json(json.dumps(logs).encode()) if log.event == "Sync"]
        reserves = [int(str(sync.arguments[name])) for name in ("reserve0", "reserve1")]
        state = ConstantProduct(reserves[0], reserves[1], 3000)
        router = testnet.deployment.v2_router
        for zero_for_one in (True, False):
            path = [pair.token0, pair.token1] if zero_for_one else [pair.token1, pair.token0]
            reserve_in, reserve_out = reserves if zero_for_one else reversed(reserves)
            for _ in range(4):
                amount = sizes(data, reserve_in)
                (amounts,) = testnet.read(
                    router, "getAmountsOut(uint256,address[])", ("uint256[]",), amount, path
                )
                assert_pair_agrees(state, zero_for_one, amount, amounts, exact_in=True)
                amount = data.draw(st.integers(1, reserve_out - 1))
                (amounts,) = testnet.read(
                    router, "getAmountsIn(uint256,address[])", ("uint256[]",), amount, path
                )
                assert_pair_agrees(state, zero_for_one, amount, amounts, exact_in=False)
