"""The contracts are genuine and usable: what a quoter promises is what a swap pays, to the unit."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sep_testnet import RandomPools, Testnet, V3Pool

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = pytest.mark.anvil

QUOTE_IN = "quoteExactInputSingle((address,address,uint256,uint24,uint160))"
QUOTE_OUT = "quoteExactOutputSingle((address,address,uint256,uint24,uint160))"
SWAP_IN = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))"
SWAP_OUT = "exactOutputSingle((address,address,uint24,address,uint256,uint256,uint160))"
QUOTE_RETURNS = ("uint256", "uint160", "uint32", "uint256")
MAX = 2**256 - 1

again_and_again = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def quote(testnet: Testnet, signature: str, sold: str, bought: str, amount: int, fee: int) -> int:
    quoter = testnet.deployment.quoter_v2
    return int(str(testnet.read(quoter, signature, QUOTE_RETURNS, (sold, bought, amount, fee, 0))[0]))


def buyer(testnet: Testnet, token: str, amount: int, spender: str) -> str:
    user = testnet.accounts[5].address
    testnet.mint(token, user, amount)
    testnet.execute(user, token, "approve(address,uint256)", spender, MAX)
    return user


@again_and_again
@given(st.integers(0, 2), st.booleans(), st.integers(10**3, 10**11))
def test_v3_exact_in(testnet: Testnet, pool_index: int, upwards: bool, amount: int) -> None:
    with testnet.isolated():
        pool = testnet.deployment.v3_pools[pool_index]
        sold, bought = (pool.token0, pool.token1) if upwards else (pool.token1, pool.token0)
        router = testnet.deployment.swap_router_02
        user = buyer(testnet, sold, amount, router)
        before = testnet.balance_of(bought, user)
        promised = quote(testnet, QUOTE_IN, sold, bought, amount, pool.fee)
        testnet.execute(user, router, SWAP_IN, (sold, bought, pool.fee, user, amount, promised, 0))
        assert testnet.balance_of(bought, user) - before == promised


@again_and_again
@given(st.integers(0, 2**32), st.booleans(), st.data())
def test_v3_exact_out_on_random_pools(
    testnet: Testnet, seed: int, upwards: bool, data: st.DataObject
) -> None:
    with testnet.isolated():
        pool = RandomPools(testnet, random.Random(seed)).v3_pool()
        sold, bought = (pool.token0, pool.token1) if upwards else (pool.token1, pool.token0)
        held = testnet.balance_of(bought, pool.address)
        amount = data.draw(st.integers(1, max(1, held // 1000)))
        router = testnet.deployment.swap_router_02
        user = buyer(testnet, sold, 10**40, router)
        spent_before = testnet.balance_of(sold, user)
        promised = quote(testnet, QUOTE_OUT, sold, bought, amount, pool.fee)
        testnet.execute(user, router, SWAP_OUT, (sold, bought, pool.fee, user, amount, promised, 0))
        assert testnet.balance_of(bought, user) == amount
        assert spent_before - testnet.balance_of(sold, user) == promised


@again_and_again
@given(st.integers(0, 2**32), st.booleans(), st.data())
def test_v2_exact_in_on_random_pairs(testnet: Testnet, seed: int, upwards: bool, data: st.DataObject) -> None:
    with testnet.isolated():
        pair = RandomPools(testnet, random.Random(seed)).v2_pair()
        sold, bought = (pair.token0, pair.token1) if upwards else (pair.token1, pair.token0)
        amount = data.draw(st.integers(1, testnet.balance_of(sold, pair.address)))
        router = testnet.deployment.v2_router
        user = buyer(testnet, sold, amount, router)
        (amounts,) = testnet.read(
            router, "getAmountsOut(uint256,address[])", ("uint256[]",), amount, [sold, bought]
        )
        assert isinstance(amounts, tuple)
        if amounts[1] == 0:
            return
        signature = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
        testnet.execute(user, router, signature, amount, amounts[1], [sold, bought], user, 2**40)
        assert testnet.balance_of(bought, user) == amounts[1]


def pool_of(testnet: Testnet, seed: int) -> V3Pool:
    with testnet.isolated():
        return RandomPools(testnet, random.Random(seed)).v3_pool()


def test_a_seed_gives_the_same_pool_again(testnet: Testnet) -> None:
    assert pool_of(testnet, 7) == pool_of(testnet, 7)


def test_deployed_prices_are_those_of_the_plan(testnet: Testnet) -> None:
    """A WETH is 3,000 USDC in all its pools, a DAI is a USDC."""
    deployment = testnet.deployment
    for fee in (500, 3000):
        usdc = quote(testnet, QUOTE_IN, deployment.weth, deployment.usdc, 10**15, fee)
        assert usdc == pytest.approx(3 * 10**6 * (1 - fee / 10**6), rel=1e-3)
    dollar = quote(testnet, QUOTE_IN, deployment.dai, deployment.usdc, 10**18, 100)
    assert dollar == pytest.approx(10**6, rel=1e-3)
