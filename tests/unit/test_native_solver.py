"""The glue of all families and of the solver: values, refusals, certificates, and searches without the lock."""

import pickle
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sep_hooks.errors import InsufficientLiquidity, NoRoute
from sep_native.amm import ConstantProduct, Lane, OrderBook, Sampled, StableSwap, WeightedProduct
from sep_native.route import Leg, Limits, Network, Problem, Solution
from sep_native.testing import draw_network

E18 = 10**18
MILLION = 10**24

POOLS: list[Any] = [
    StableSwap("curve", [MILLION, MILLION + 5], [E18, E18], 20_000, 4_000_000),
    StableSwap("balancer", [MILLION, 10**12], [E18, 10**30], 200_000, 10**14),
    WeightedProduct([MILLION, 10**12], [E18, 10**30], [E18 // 5, E18 // 5 * 4], 3 * 10**15),
    OrderBook([(1999, 5)], [(2001, 7)], 10**16, 10**4, 500),
    OrderBook([], [(2001, 7)], 10**16, 10**4, 500, 10**6),
    Lane((999, 1000), 10**15, 400, MILLION, 60),
    Sampled(2, [(0, 1, [(10**6, 999), (10**7, 9_980)])]),
]


@pytest.mark.parametrize("pool", POOLS)
def test_states_are_values(pool: Any) -> None:
    again = pickle.loads(pickle.dumps(pool))
    assert again == pool
    assert type(again) is type(pool)
    assert type(pool).__module__ == "sep_native.amm"
    assert type(pool).__name__ in repr(pool)


@pytest.mark.parametrize("pool", POOLS)
def test_what_a_swap_gives_is_what_its_quote_says(pool: Any) -> None:
    answered = 0
    for asset_in, asset_out in ((0, 1), (1, 0)):
        for amount in (10**7, 10**8, 10**12, 10**16, 10**18):
            try:
                quote, after = pool.after(asset_in, asset_out, amount, True)
            except InsufficientLiquidity:
                continue
            answered += 1
            assert quote == pool.quote(asset_in, asset_out, amount, True)
            assert quote.amount_in <= amount
            assert type(after) is type(pool)
    assert answered


@pytest.mark.parametrize(
    "make",
    [
        lambda: StableSwap("uniswap", [1, 1], [E18, E18], 100, 0),
        lambda: StableSwap("curve", [1, 1, 1], [E18, E18], 100, 0),
        lambda: StableSwap("curve", [1], [E18], 100, 0),
        lambda: StableSwap("curve", [-1, 1], [E18, E18], 100, 0),
        lambda: StableSwap("curve", [1, 2**256], [E18, E18], 100, 0),
        lambda: StableSwap("curve", [1, 1], [E18, E18], -1, 0),
        lambda: WeightedProduct([1, 1], [E18, E18], [E18, E18], 0),
        lambda: OrderBook([(1, 1), (2, 1)], [], 1, 1, 0),
        lambda: OrderBook([], [], 0, 1, 0),
        lambda: Lane((0, 1), 0, 0, 1, 0),
        lambda: Lane((1, 1), 0, 1_000_000, 1, 0),
        lambda: Sampled(2, [(0, 0, [(1, 1)])]),
        lambda: Sampled(2, [(0, 2, [(1, 1)])]),
        lambda: Sampled(2, [(0, 1, [(2, 2), (1, 1)])]),
        lambda: Sampled(9, []),
    ],
)
def test_a_state_that_cannot_be_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        make()


def network() -> Network:
    made = Network()
    made.set("product", ("eth", "usd"), ConstantProduct(10**21, 2 * 10**12, 3000), 100_000)
    made.set("other", ("eth", "usd"), ConstantProduct(10**20, 2 * 10**11, 500), 90_000)
    made.set("three", ("eth", "usd", "dai"), _three(), 120_000)
    made.set(
        "stable", ("usd", "dai"), StableSwap("curve", [10**12, 10**24], [10**30, E18], 20_000, 4_000_000)
    )
    return made


def _three() -> WeightedProduct:
    balances = [10**21, 10**12, 10**24]
    return WeightedProduct(balances, [E18, 10**30, E18], [E18 // 2, E18 // 4, E18 // 4], 3 * 10**15)


@pytest.mark.parametrize(
    ("market", "assets", "state"),
    [
        ("", ("a", "b"), ConstantProduct(1, 1, 0)),
        ("m", ("a",), ConstantProduct(1, 1, 0)),
        ("m", ("a", "a"), ConstantProduct(1, 1, 0)),
        ("m", ("a", ""), ConstantProduct(1, 1, 0)),
        ("m", ("a", "b", "c"), ConstantProduct(1, 1, 0)),
        ("m", ("a", "b"), _three()),
    ],
)
def test_a_market_that_cannot_be_is_refused(market: str, assets: tuple[str, ...], state: Any) -> None:
    with pytest.raises(ValueError, match="market"):
        Network().set(market, assets, state)


def test_what_is_no_state_is_no_market() -> None:
    with pytest.raises(TypeError, match="a dict is no state"):
        Network().set("m", ("a", "b"), {})  # type: ignore[arg-type]


def test_markets_of_three_assets_are_quoted_between_two_that_are_named() -> None:
    made = network()
    quote = made.quote("three", "eth", 10**18, True, "dai")
    assert quote == _three().quote(0, 2, 10**18, True)
    with pytest.raises(ValueError, match="both named"):
        made.quote("three", "eth", 10**18)
    with pytest.raises(KeyError):
        made.quote("three", "eth", 10**18, True, "gold")


def problems() -> list[Problem]:
    limits = Limits(max_legs=3, gas_price=(1, 1000))
    return [
        Problem.exact_in([("eth", 5 * 10**19)], "usd"),
        Problem.exact_in([("eth", 5 * 10**19)], "usd", limits),
        Problem.exact_in([("eth", 10**19), ("dai", 10**22)], "usd"),
        Problem.exact_out("usd", 10**10, [("eth", (2000, 10**12))]),
        Problem.exact_out("eth", 10**18, [("usd", (1, 1)), ("dai", (1, 10**12))]),
        Problem.rebalance(
            [("eth", 10**19)], [("eth", 1, (2000, 10**12)), ("usd", 1, (1, 1)), ("dai", 2, (1, 10**12))]
        ),
    ]


@pytest.mark.parametrize("number", range(6))
def test_every_kind_of_problem_is_solved_with_a_certificate(number: int) -> None:
    problem = problems()[number]
    solution = network().solve(problem)
    verified = solution.verify(network())
    assert verified.bound == solution.bound
    assert verified.gap == solution.gap
    assert solution.problem == problem
    assert solution.problem.limits == problem.limits
    assert 0 <= solution.gap < 0.05
    if problem.limits.max_legs is not None:
        assert len(solution.legs) <= problem.limits.max_legs
    again = network().solve(problem, solution)
    assert again.gap < 0.05


def claimed(solution: Solution, **change: Any) -> Solution:
    said: dict[str, Any] = {
        "problem": solution.problem,
        "legs": solution.legs,
        "inputs": solution.inputs,
        "outputs": solution.outputs,
        "objective": solution.objective,
        "prices": solution.prices,
        "order": solution.order,
        "bound": solution.bound,
        "gap": solution.gap,
        "left_out": solution.left_out,
    }
    return Solution.claimed(**{**said, **change})


def test_a_claim_is_verified_as_the_answer_itself_and_a_changed_one_is_refuted() -> None:
    solution = network().solve(Problem.exact_in([("eth", 5 * 10**19)], "usd"))
    assert claimed(solution).verify(network()).gap == solution.gap
    first = solution.legs[0]
    dearer = Leg(
        first.market, first.asset_in, first.asset_out, first.amount_in, first.amount_out + 1, first.gas
    )
    changes: list[dict[str, Any]] = [
        {"bound": solution.bound * 0.999},
        {"gap": solution.gap + 0.1},
        {"objective": solution.objective + 1e6},
        {"legs": [dearer, *solution.legs[1:]]},
        {"legs": solution.legs[1:]},
        {"outputs": [(asset, amount + 1) for asset, amount in solution.outputs]},
        {"prices": [(asset, price * 1.1) for asset, price in solution.prices]},
        {"prices": [(asset, -price) for asset, price in solution.prices]},
        {"prices": []},
    ]
    for change in changes:
        with pytest.raises(ValueError, match="the certificate does not hold"):
            claimed(solution, **change).verify(network())
    moved = network()
    moved.set(first.market, ("eth", "usd"), ConstantProduct(10**19, 10**10, 3000), first.gas)
    if first.market in ("product", "other"):
        with pytest.raises(ValueError, match="the certificate does not hold"):
            solution.verify(moved)


def test_legs_pickle() -> None:
    leg = network().solve(problems()[0]).legs[0]
    assert pickle.loads(pickle.dumps(leg)) == leg


def test_nothing_leads_nowhere() -> None:
    with pytest.raises((NoRoute, ValueError)):
        network().solve(Problem.exact_in([("eth", 1)], "gold"))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Problem.exact_in([], "usd"),
        lambda: Problem.exact_in([("eth", 0)], "usd"),
        lambda: Problem.exact_in([("usd", 1)], "usd"),
        lambda: Problem.exact_in([("eth", 1), ("eth", 1)], "usd"),
        lambda: Problem.exact_in([("eth", 1)], "usd", Limits(max_legs=0)),
        lambda: Problem.exact_in([("eth", 1)], "usd", Limits(max_hops=0)),
        lambda: Problem.exact_in([("eth", 1)], "usd", Limits(gas_price=(1, 0))),
        lambda: Problem.exact_in([("eth", -1)], "usd"),
        lambda: Problem.exact_in([("eth", 2**256)], "usd"),
        lambda: Problem.exact_out("usd", 0, [("eth", (1, 1))]),
        lambda: Problem.exact_out("usd", 1, [("eth", (0, 1))]),
        lambda: Problem.exact_out("usd", 1, []),
        lambda: Problem.rebalance([], [("eth", 1, (1, 1))]),
        lambda: Problem.rebalance([("eth", 1)], [("usd", 1, (1, 1))]),
    ],
)
def test_a_problem_that_contradicts_itself_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        make()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**40), st.sampled_from(["products", "curved", "books"]), st.booleans())
def test_drawn_networks_are_solved_proven_and_never_below_a_simpler_method(
    seed: int, mix: str, stale: bool
) -> None:
    drawn = draw_network(
        60, 12, mix, seed, stale_percent=10 if stale else 0, dead_end_percent=10, edge_percent=5
    )
    problem = Problem.exact_in(
        [(drawn.source, drawn.amount)], drawn.target, Limits(max_legs=8, gas_price=drawn.gas_price)
    )
    try:
        solution = drawn.network.solve(problem)
    except NoRoute:
        return
    solution.verify(drawn.network)
    net = sum(amount for asset, amount in solution.outputs if asset == drawn.target) - solution.gas_worth
    for chunks in (20, 256):
        split = drawn.network.greedy(problem, chunks)
        if split is not None and not stale:
            assert net >= split[0] - split[1] or len(solution.legs) == 8
    path = solution.best_path
    if path is not None:
        assert net >= path.amount_out - path.gas_worth


def test_a_draw_is_repeated_by_its_seed() -> None:
    seed = random.randrange(2**63)
    print(f"seed {seed}")
    one, other = (draw_network(50, 10, "books", seed) for _ in range(2))
    assert one.network.digest() == other.network.digest()
    assert one.next_block().digest() == other.next_block().digest() != one.network.digest()
    with pytest.raises(ValueError, match="no mix"):
        draw_network(50, 10, "none", 1)


def test_other_threads_run_while_it_searches() -> None:
    drawn = draw_network(4000, 400, "books", 5)
    problem = Problem.exact_in([(drawn.source, drawn.amount)], drawn.target)
    made = drawn.network
    steps = 0
    done = threading.Event()

    def search() -> None:
        made.solve(problem)
        done.set()

    thread = threading.Thread(target=search)
    thread.start()
    last = time.perf_counter()
    longest = 0.0
    while not done.is_set():
        steps += 1
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    thread.join()
    assert steps > 100, f"{steps} steps, the longest took {longest} s"
