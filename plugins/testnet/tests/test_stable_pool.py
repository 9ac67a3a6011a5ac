"""Our own StableSwap pool keeps its rules: amounts by plain integer arithmetic, limits, ramps, and who may do what."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sep_testnet import RandomPools, StablePool, Testnet
from sep_testnet.errors import NodeRejected, TransactionReverted
from sep_testnet.own_contracts import own_creation_codes

pytest_plugins = ["sep_testnet.fixtures"]
pytestmark = pytest.mark.anvil

VECTORS = Path(__file__).parent / "vectors" / "stable_pool.txt"
GET_DY = "get_dy(int128,int128,uint256)"
EXCHANGE = "exchange(int128,int128,uint256,uint256)"
MAX = 2**256 - 1
ONE = 10**18

again_and_again = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def invariant_of(lifted: list[int], amplification: int) -> int:
    """The D of two balances, by bisection of the invariant's own polynomial instead of Newton's steps."""
    total, product = sum(lifted), lifted[0] * lifted[1]
    steepness = 2 * amplification

    def missing(d: int) -> int:
        # Ann S + D = Ann D + D^3 / (4 x y), with Ann kept times 100, all times 400 x y
        return 4 * product * (steepness * total + 100 * d - steepness * d) - 100 * d**3

    low, high = 0, 2 * total
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if missing(middle) >= 0 else (low, middle)
    return low


def number(testnet: Testnet, pool: str, signature: str, *arguments: int) -> int:
    (value,) = testnet.read(pool, signature, ("uint256",), *arguments)
    return int(str(value))


def lifted_of(testnet: Testnet, pool: StablePool) -> list[int]:
    lifted = []
    for index, coin in enumerate(pool.coins):
        (decimals,) = testnet.read(coin, "decimals()", ("uint8",))
        lifted.append(
            number(testnet, pool.address, "balances(uint256)", index) * 10 ** (18 - int(str(decimals)))
        )
    return lifted


def virtual_invariant(testnet: Testnet, pool: str) -> int:
    supply = number(testnet, pool, "totalSupply()")
    return number(testnet, pool, "get_virtual_price()") * supply // ONE


@again_and_again
@given(st.integers(0, 2**32), st.booleans(), st.floats(-9, -0.3))
def test_a_quote_is_paid_and_the_invariant_never_falls(
    testnet: Testnet, seed: int, upwards: bool, share: float
) -> None:
    with testnet.isolated():
        pool = RandomPools(testnet, random.Random(seed)).stable_pool()
        me = testnet.deployment.deployer
        i, j = (0, 1) if upwards else (1, 0)
        amount = max(1, int(number(testnet, pool.address, "balances(uint256)", i) * 10**share))
        promised = number(testnet, pool.address, GET_DY, i, j, amount)
        before = testnet.balance_of(pool.coins[i], me), testnet.balance_of(pool.coins[j], me)
        amplification = number(testnet, pool.address, "A_precise()")
        invariant = invariant_of(lifted_of(testnet, pool), amplification)
        assert abs(invariant - virtual_invariant(testnet, pool.address)) <= 4 + invariant // ONE
        testnet.execute(me, pool.coins[i], "approve(address,uint256)", pool.address, amount)
        testnet.execute(me, pool.address, EXCHANGE, i, j, amount, promised)
        assert before[0] - testnet.balance_of(pool.coins[i], me) == amount
        assert testnet.balance_of(pool.coins[j], me) - before[1] == promised
        assert invariant_of(lifted_of(testnet, pool), amplification) >= invariant - 4 - invariant // ONE
        for index in (0, 1):
            kept = testnet.balance_of(pool.coins[index], pool.address)
            assert kept >= number(testnet, pool.address, "balances(uint256)", index)


@pytest.fixture
def pool(testnet: Testnet) -> StablePool:
    return testnet.deployment.stable_pools[0]


def test_it_gives_the_numbers_of_others(testnet: Testnet, pool: StablePool) -> None:
    """Three hundred amounts that an implementation of others computed for this very pool: i, j, dx, dy."""
    balances = [number(testnet, pool.address, "balances(uint256)", index) for index in (0, 1)]
    assert balances == [10**6 * ONE, 13 * 10**5 * 10**6]
    lines = VECTORS.read_text().splitlines()
    assert len(lines) == 300
    for line in lines:
        i, j, dx, dy = map(int, line.split())
        assert number(testnet, pool.address, GET_DY, i, j, dx) == dy, line


def test_less_than_the_minimum_changes_nothing(testnet: Testnet, pool: StablePool) -> None:
    me = testnet.deployment.deployer
    promised = number(testnet, pool.address, GET_DY, 0, 1, ONE)
    testnet.execute(me, pool.coins[0], "approve(address,uint256)", pool.address, ONE)
    with pytest.raises(TransactionReverted):
        testnet.execute(me, pool.address, EXCHANGE, 0, 1, ONE, promised + 1)
    testnet.execute(me, pool.address, EXCHANGE, 0, 1, ONE, promised)


@pytest.mark.parametrize(("i", "j"), [(0, 0), (1, 1), (-1, 0), (0, -1), (0, 2), (2, 0)])
def test_coins_that_it_does_not_have_are_refused(testnet: Testnet, pool: StablePool, i: int, j: int) -> None:
    with pytest.raises(NodeRejected):
        number(testnet, pool.address, GET_DY, i, j, ONE)


def test_who_puts_in_and_takes_out_gains_nothing(testnet: Testnet, pool: StablePool) -> None:
    me = testnet.deployment.deployer
    amounts = [5_000 * ONE, 0]
    held = [testnet.balance_of(coin, me) for coin in pool.coins]
    shares = number(testnet, pool.address, "totalSupply()")
    testnet.execute(me, pool.coins[0], "approve(address,uint256)", pool.address, amounts[0])
    testnet.execute(me, pool.address, "add_liquidity(uint256[2],uint256)", amounts, 1)
    minted = number(testnet, pool.address, "totalSupply()") - shares
    testnet.execute(me, pool.address, "remove_liquidity(uint256,uint256[2])", minted, [0, 0])
    gained = [testnet.balance_of(coin, me) - before for coin, before in zip(pool.coins, held, strict=True)]
    assert gained[0] < 0 < gained[1]
    # Selling what came of the other coin does not bring back what was put in.
    assert number(testnet, pool.address, GET_DY, 1, 0, gained[1]) < -gained[0]
    assert number(testnet, pool.address, "totalSupply()") == shares


def test_amplification_moves_with_the_clock(testnet: Testnet, pool: StablePool) -> None:
    owner = testnet.deployment.deployer
    start = int(str(testnet.block()["timestamp"]), 16)
    testnet.execute(owner, pool.address, "ramp_A(uint256,uint256)", 400, start + 1_000)
    testnet.advance_time(499)
    assert 295 <= number(testnet, pool.address, "A()") <= 305
    testnet.advance_time(1_000)
    assert number(testnet, pool.address, "A_precise()") == 40_000
    testnet.execute(owner, pool.address, "set_fee(uint256,uint256)", 0, 0)
    assert number(testnet, pool.address, "fee()") == 0


@pytest.mark.parametrize(
    ("signature", "arguments"),
    [
        ("ramp_A(uint256,uint256)", (400, 2**40)),
        ("stop_ramp_A()", ()),
        ("set_fee(uint256,uint256)", (0, 0)),
    ],
)
def test_only_the_owner_changes_rules(
    testnet: Testnet, pool: StablePool, signature: str, arguments: tuple[int, ...]
) -> None:
    with pytest.raises(TransactionReverted):
        testnet.execute(testnet.accounts[3].address, pool.address, signature, *arguments)
    testnet.execute(testnet.deployment.deployer, pool.address, signature, *arguments)


@pytest.mark.parametrize("damage", [b"", b"6", b"not code", b"\xff\xfe"])
def test_damaged_compiled_code_is_compiled_anew(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SEP_TESTNET_CACHE", str(folder))
    codes = own_creation_codes()
    (cached,) = (folder / "compiled").glob("StablePool-*/creation.hex")
    cached.write_bytes(damage)
    assert own_creation_codes() == codes
    assert bytes.fromhex(cached.read_text()) == codes["StablePool"]
