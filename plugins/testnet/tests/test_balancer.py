"""The vault is genuine and usable: what its queries promise is what a swap pays, to the unit, on pools of any shape."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sep_testnet import BalancerPool, RandomPools, Testnet
from sep_testnet.encoding import encode_call

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = pytest.mark.anvil

QUERY = "querySwap((bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool))"
SWAP = "swap((bytes32,uint8,address,address,uint256,bytes),(address,bool,address,bool),uint256,uint256)"
POOL_TOKENS = "getPoolTokens(bytes32)"
MAX = 2**256 - 1

again_and_again = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def pool_tokens(testnet: Testnet, pool: BalancerPool) -> dict[str, int]:
    """Balances by token, the pool's own left out."""
    returns = ("address[]", "uint256[]", "uint256")
    _, balances, _ = testnet.read(
        testnet.deployment.balancer_vault, POOL_TOKENS, returns, bytes.fromhex(pool.pool_id[2:])
    )
    assert isinstance(balances, tuple)
    held = dict(zip(pool.tokens, map(int, balances), strict=True))
    held.pop(pool.address, None)
    return held


@again_and_again
@given(st.integers(0, 2**32), st.booleans(), st.booleans(), st.floats(-6, -0.7), st.randoms())
def test_a_query_is_paid(
    testnet: Testnet, seed: int, weighted: bool, exact_in: bool, share: float, choice: random.Random
) -> None:
    with testnet.isolated():
        pools = RandomPools(testnet, random.Random(seed))
        pool = pools.weighted_pool() if weighted else pools.composable_stable_pool()
        held = pool_tokens(testnet, pool)
        sold, bought = choice.sample(sorted(held), 2)
        # An output of a thousandth at most: with weights far apart a larger one may cost more than there is.
        amount = max(1, int(held[sold] * 10**share if exact_in else held[bought] * 10 ** (share - 2.3)))
        me, vault = testnet.deployment.deployer, testnet.deployment.balancer_vault
        kind = 0 if exact_in else 1
        single = (bytes.fromhex(pool.pool_id[2:]), kind, sold, bought, amount, b"")
        funds = (me, False, me, False)
        (answer,) = testnet.read(testnet.deployment.balancer_queries, QUERY, ("uint256",), single, funds)
        promised = int(str(answer))
        paid, received = (amount, promised) if exact_in else (promised, amount)
        before = testnet.balance_of(sold, me), testnet.balance_of(bought, me)
        testnet.execute(me, sold, "approve(address,uint256)", vault, MAX)
        testnet.send(me, vault, encode_call(SWAP, single, funds, promised, 2**40))
        assert before[0] - testnet.balance_of(sold, me) == paid
        assert testnet.balance_of(bought, me) - before[1] == received


def test_deployed_prices_are_those_of_the_plan(testnet: Testnet) -> None:
    """A WETH is 3,000 USDC in the weighted pool, a WBTC 60,000; a DAI is a USDC in the stable one."""
    deployment = testnet.deployment
    nobody = ("0x" + "00" * 20, False, "0x" + "00" * 20, False)

    def price(pool: BalancerPool, sold: str, bought: str, amount: int) -> int:
        single = (bytes.fromhex(pool.pool_id[2:]), 0, sold, bought, amount, b"")
        (answer,) = testnet.read(deployment.balancer_queries, QUERY, ("uint256",), single, nobody)
        return int(str(answer))

    weighted, stable = deployment.balancer_pool("weighted"), deployment.balancer_pool("stable")
    assert price(weighted, deployment.weth, deployment.usdc, 10**15) == pytest.approx(2.997e6, rel=1e-3)
    assert price(weighted, deployment.wbtc, deployment.usdc, 10**4) == pytest.approx(5.994e6, rel=1e-3)
    assert price(stable, deployment.dai, deployment.usdc, 10**18) == pytest.approx(10**6, rel=1e-3)
