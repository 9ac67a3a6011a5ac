"""The native network: best paths, refusals, digests, and searches while states change."""

import json
import os
import threading
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sep_hooks.errors import InsufficientLiquidity, NoRoute
from sep_native.amm import ConcentratedLiquidity, ConstantProduct
from sep_native.route import Network, PathProblem

ASSETS = ["weth", "usdc", "dai", "wbtc", "uni"]

markets = st.lists(
    st.tuples(
        st.sampled_from(ASSETS),
        st.sampled_from(ASSETS),
        st.integers(10**6, 10**15),
        st.integers(10**6, 10**15),
        st.sampled_from([0, 100, 3000]),
    ).filter(lambda market: market[0] != market[1]),
    min_size=1,
    max_size=10,
)


def build(specs: list[tuple[str, str, int, int, int]]) -> Network:
    network = Network()
    for at, (asset0, asset1, reserve0, reserve1, fee) in enumerate(specs):
        network.set(f"m{at}", (asset0, asset1), ConstantProduct(reserve0, reserve1, fee))
    return network


def every_path(
    specs: list[tuple[str, str, int, int, int]], asset: str, amount: int, hops: int, seen: frozenset[str]
) -> list[int]:
    """Amounts of usdc over every path that visits no asset twice."""
    if asset == "usdc":
        return [amount]
    found: list[int] = []
    for asset0, asset1, reserve0, reserve1, fee in specs if hops else []:
        for source, target, zero_for_one in ((asset0, asset1, True), (asset1, asset0, False)):
            if source != asset or target in seen:
                continue
            out = ConstantProduct(reserve0, reserve1, fee).quote(zero_for_one, amount, True).amount_out
            if out:
                found += every_path(specs, target, out, hops - 1, seen | {target})
    return found


@settings(max_examples=200, deadline=None)
@given(markets, st.integers(1, 10**15), st.integers(1, 5))
def test_the_answer_is_the_best_of_every_path(
    specs: list[tuple[str, str, int, int, int]], amount: int, hops: int
) -> None:
    network = build(specs)
    problem = PathProblem("usdc", amount, True, ["weth"], max_hops=hops)
    best = max(every_path(specs, "weth", amount, hops, frozenset({"weth"})), default=None)
    if best is None:
        with pytest.raises(NoRoute):
            network.best_path(problem)
        return
    solution = network.best_path(problem)
    assert solution.amount_out == best
    assert (solution.amount_in, solution.funding) == (amount, "weth")
    for leg in solution.legs:
        assert network.quote(leg.market, leg.asset_in, leg.amount_in).amount_out == leg.amount_out
    assert Fraction(solution.amount_out, amount) <= Fraction(*solution.marginal_after_fees)
    assert Fraction(*solution.marginal_after_fees) <= Fraction(*solution.marginal)


SAMPLES = Path(os.environ.get("SEP_SAMPLE_DATA", Path(__file__).parents[3] / "shared" / "data"))
POOLS = SAMPLES / "pools" / "ethereum-mainnet-pools.json"
POOL_FEES = {"Lowest": 100, "Low": 500, "Medium": 3000, "High": 10_000}


def real_network() -> Network:
    """Nineteen pools of Ethereum mainnet by the symbols of their tokens."""
    network = Network()
    for at, entry in enumerate(json.loads(POOLS.read_text())):
        first, second = (token["symbol"] for token in entry["tokens"])
        state = entry["state"]["state"]
        if entry["state"]["protocol"] == "UniswapV2State":
            reserves = (int(state["reserve0"], 0), int(state["reserve1"], 0))
            network.set(f"pool{at:02}", (first, second), ConstantProduct(*reserves, 3000))
            continue
        pool = ConcentratedLiquidity(
            int(state["sqrt_price"], 0),
            state["tick"],
            state["liquidity"],
            POOL_FEES[state["fee"]],
            state["ticks"]["tick_spacing"],
            [(tick["index"], tick["net_liquidity"]) for tick in state["ticks"]["ticks"]],
        )
        network.set(f"pool{at:02}", (first, second), pool)
    return network


def best_by_quotes(
    network: Network,
    ends: dict[str, set[str]],
    asset: str,
    want: str,
    amount: int,
    hops: int,
    seen: frozenset[str],
) -> int:
    """The most of `want` over every path, by single quotes; 0 where none leads there."""
    if asset == want:
        return amount
    best = 0
    for market, assets in ends.items() if hops else ():
        for target in assets - seen if asset in assets else ():
            try:
                out = network.quote(market, asset, amount).amount_out
            except InsufficientLiquidity:
                continue
            if out:
                best = max(best, best_by_quotes(network, ends, target, want, out, hops - 1, seen | {target}))
    return best


@pytest.mark.skipif(not POOLS.is_file(), reason=f"no sample data at {POOLS}; set SEP_SAMPLE_DATA")
@pytest.mark.parametrize("size", [10**16, 10**18, 10**20, 10**22])
def test_real_pools_give_the_best_of_every_path(size: int) -> None:
    network = real_network()
    entries = json.loads(POOLS.read_text())
    ends = {
        f"pool{at:02}": {token["symbol"] for token in entry["tokens"]} for at, entry in enumerate(entries)
    }
    found = 0
    for want in ("USDC", "USDT", "WBTC", "LINK", "PEPE", "cbBTC", "mpETH"):
        best = best_by_quotes(network, ends, "WETH", want, size, 4, frozenset({"WETH"}))
        problem = PathProblem(want, size, True, ["WETH"])
        if not best:
            with pytest.raises(NoRoute):
                network.best_path(problem)
            continue
        solution = network.best_path(problem)
        assert solution.amount_out == best, want
        again = network.best_path(PathProblem(want, best, False, ["WETH"]))
        assert again.amount_in <= size
        found += 1
    assert found >= 5


def two_pools() -> Network:
    network = Network()
    network.set("v2", ("weth", "usdc"), ConstantProduct(10**21, 3 * 10**12, 3000), gas=90_000)
    pool = ConcentratedLiquidity.initialized(2**96, 500, 10).with_liquidity(-1000, 1000, 10**15)
    network.set("v3", ("usdc", "dai"), pool, 120_000)
    return network


def test_exact_out_takes_the_cheaper_of_two_funding_assets() -> None:
    network = two_pools()
    network.set("direct", ("wbtc", "dai"), ConstantProduct(10**12, 6 * 10**13, 3000), gas=1)
    values = [(3 * 10**9, 10**18), (60, 1)]
    solution = network.best_path(PathProblem("dai", 10**9, False, ["weth", "wbtc"], values))
    assert solution.amount_out == 10**9
    assert solution.funding in ("weth", "wbtc")
    costs = {}
    for asset, (above, below) in zip(("weth", "wbtc"), values, strict=True):
        alone = network.best_path(PathProblem("dai", 10**9, False, [asset]))
        costs[asset] = Fraction(alone.amount_in * above, below)
    assert costs[solution.funding] == min(costs.values())


def test_legs_chain_and_gas_adds_up() -> None:
    solution = two_pools().best_path(PathProblem("dai", 10**18, True, ["weth"]))
    assert [(leg.market, leg.asset_in, leg.asset_out) for leg in solution.legs] == [
        ("v2", "weth", "usdc"),
        ("v3", "usdc", "dai"),
    ]
    assert solution.legs[0].amount_out == solution.legs[1].amount_in
    assert solution.gas == 210_000
    assert solution.method == "dijkstra"
    assert solution.elapsed_ns > 0


def test_what_is_left_out_is_named() -> None:
    network = two_pools()
    network.set("alone", ("wbtc", "usdc"), ConstantProduct(10**9, 10**9, 3000))
    solution = network.best_path(PathProblem("usdc", 10**18, True, ["weth"], exclude=["v3"]))
    assert dict(solution.left_out) == {"alone": "leads to a dead end", "v3": "excluded by the problem"}
    with pytest.raises(NoRoute, match="from weth to dai; left out were") as caught:
        network.best_path(PathProblem("dai", 10**18, True, ["weth"], exclude=["v3"]))
    assert "allow more hops or markets" in str(caught.value)


def test_a_pool_loaded_in_part_is_left_out_where_the_path_leaves_it() -> None:
    network = Network()
    part = ConcentratedLiquidity(2**96, 0, 10**15, 500, 10, [(-10, 10**15), (10, -(10**15))], (-10, 10))
    network.set("part", ("weth", "usdc"), part)
    network.set("poor", ("weth", "usdc"), ConstantProduct(10**15, 10**14, 3000))
    assert network.best_path(PathProblem("usdc", 10**6, True, ["weth"])).legs[0].market == "part"
    solution = network.best_path(PathProblem("usdc", 10**14, True, ["weth"]))
    assert solution.legs[0].market == "poor"
    assert "leaves the loaded ticks" in dict(solution.left_out)["part"]


def test_contradictory_problems_are_refused() -> None:
    for arguments in (
        ("usdc", 0, True, ["weth"]),
        ("usdc", 1, True, []),
        ("usdc", 1, True, ["usdc"]),
        ("usdc", 1, True, ["weth", "dai"]),
        ("usdc", 1, False, ["weth", "dai"]),
        ("usdc", -1, True, ["weth"]),
    ):
        with pytest.raises(ValueError):
            PathProblem(*arguments)
    with pytest.raises(TypeError):
        PathProblem("usdc", 1, True, "weth")
    with pytest.raises(KeyError):
        two_pools().quote("unknown", "weth", 1)
    with pytest.raises(KeyError):
        two_pools().quote("v2", "dai", 1)
    with pytest.raises(KeyError):
        two_pools().remove("unknown")


def test_equal_states_have_equal_digests_whatever_the_history() -> None:
    one, other = two_pools(), two_pools()
    other.set("more", ("a", "b"), ConstantProduct(1, 1, 1))
    assert one.digest() != other.digest()
    other.remove("more")
    assert one.digest() == other.digest()
    copy = one.copy()
    one.set("v2", ("weth", "usdc"), ConstantProduct(10**21, 3 * 10**12 + 1, 3000), gas=90_000)
    assert copy.digest() == other.digest() != one.digest()
    assert one.markets() == ["v2", "v3"]


def test_searches_and_updates_from_several_threads() -> None:
    """Each search sees one whole snapshot: the amount is that of one of the two states."""
    network = two_pools()
    states = [ConstantProduct(10**21, 3 * 10**12, 3000), ConstantProduct(10**21, 6 * 10**12, 3000)]
    allowed = {state.quote(True, 10**18, True).amount_out for state in states}
    problem = PathProblem("usdc", 10**18, True, ["weth"])
    seen: set[int] = set()

    def search() -> None:
        for _ in range(300):
            seen.add(network.best_path(problem).amount_out)

    searchers = [threading.Thread(target=search) for _ in range(3)]
    for searcher in searchers:
        searcher.start()
    at = 0
    while any(searcher.is_alive() for searcher in searchers):
        at += 1
        network.set("v2", ("weth", "usdc"), states[at % 2])
    for searcher in searchers:
        searcher.join(timeout=30)
    assert seen <= allowed
