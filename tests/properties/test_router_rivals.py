"""The router beside a general convex solver and beside what others do: equal to the one, never below the others.

Points 2, 4 and 6 of what routing must show. Seeds are drawn at run time and printed; `SEP_TEST_SEED` repeats one.
"""

import os
import random
from collections.abc import Sequence

import pytest
from sep_hooks.errors import NoRoute
from sep_native.amm import ConstantProduct, Lane, OrderBook, WeightedProduct
from sep_native.route import Limits, Network, Problem, Solution
from sep_native.testing import draw_network

from ..oracles.convex_routing import LevelMarket, ProductMarket, best_output
from ..oracles.other_routers import OtherRouter

COIN = 10**18
INSTANCES = int(os.environ.get("SEP_INSTANCES", "12"))
pytestmark = pytest.mark.says


def drawn_seed(what: str) -> random.Random:
    """Numbers of this run."""
    seed = int(os.environ.get("SEP_TEST_SEED") or random.randrange(2**32))
    print(f"{what}: SEP_TEST_SEED={seed}")
    return random.Random(seed)


def draw_small(
    source: random.Random, *, loops: bool
) -> tuple[Network, list[ProductMarket | LevelMarket], list[str]]:
    """The same few markets for our solver and for the general one, all prices near one, depths of 10 to 300 coins.

    Without `loops`, every market is within its fee of the price, and none pays.
    """

    def price(fee: float) -> float:
        return 1 + source.uniform(-0.45, 0.45) * (0.02 if loops else fee)

    assets = [f"a{number}" for number in range(source.randint(2, 5))]
    network, others = Network(), list[ProductMarket | LevelMarket]()
    for number in range(source.randint(2, 10)):
        kind = source.choice(["product", "product", "weighted", "book", "lane"])
        chosen = source.sample(assets, 2)
        depth, fee = 10 ** source.uniform(1, 2.5), source.choice([0, 500, 3000] if loops else [500, 3000])
        name = f"m{number}"
        match kind:
            case "product":
                reserves = [int(depth * COIN), int(depth * price(fee / 1e6) * COIN)]
                network.set(name, chosen, ConstantProduct(reserves[0], reserves[1], fee))
                amounts = tuple(one / COIN for one in reserves)
                others.append(ProductMarket(tuple(chosen), amounts, fee / 1e6))
            case "weighted":
                weights = source.choice([[2, 8], [5, 5], [6, 4]])
                balances = [int(depth * one * price(fee / 2e6) * COIN) for one in weights]
                scaled = [one * COIN // 10 for one in weights]
                network.set(name, chosen, WeightedProduct(balances, [COIN] * 2, scaled, fee * 10**12))
                amounts = tuple(one / COIN for one in balances)
                others.append(
                    ProductMarket(tuple(chosen), amounts, fee / 1e6, tuple(one / 10 for one in weights))
                )
            case "book":
                book, levels = draw_book(source, chosen, depth)
                network.set(name, chosen, book)
                others.extend(levels)
            case _:
                rate, capacity = int(price(4e-4) * 1_000_000), int(depth * COIN)
                network.set(name, chosen, Lane((rate, 1_000_000), 0, 400, capacity, 60))
                kept = rate / 1e6 * (1 - 400e-6)
                others.append(LevelMarket(chosen[0], chosen[1], ((capacity / COIN, kept),)))
    return network, others, assets


def draw_book(
    source: random.Random, chosen: Sequence[str], depth: float
) -> tuple[OrderBook, list[LevelMarket]]:
    """A book of lots of a millionth of a coin, and its two directions."""
    lot, tick, unit, fee = 10**12, 10**6, 10**6, 500
    away = sorted(source.sample(range(1, 9000), 6))
    sizes = [int(depth / 6 * 10**6 * source.uniform(0.5, 1.5)) for _ in away]
    bids = [(unit - far, size) for far, size in zip(away, sizes, strict=True)]
    asks = [(unit + far, size) for far, size in zip(away, reversed(sizes), strict=True)]
    sold, bought = chosen
    kept, paid = 1 - fee / 1e6, 1 + fee / 1e6
    sells = tuple((size * lot / COIN, price / unit * kept) for price, size in bids)
    buys = tuple((size * lot * price / unit / COIN * paid, unit / price / paid) for price, size in asks)
    return OrderBook(bids, asks, lot, tick, fee), [
        LevelMarket(sold, bought, sells),
        LevelMarket(bought, sold, buys),
    ]


@pytest.mark.parametrize("loops", [False, True])
def test_the_optimum_is_that_of_a_general_convex_solver(loops: bool) -> None:
    """Point 2: CVXPY with an interior-point solver, equal within a millionth, or in as many digits as that one is sure
    of where markets have linear pieces. A certificate may be wide; it is never false.
    """
    source, compared, tight = drawn_seed(f"convex, loops {loops}"), 0, 0
    for at in range(10 * INSTANCES):
        network, others, assets = draw_small(source, loops=loops)
        sold, want = source.sample(assets, 2)
        coins = 10 ** source.uniform(0.5, 1.5)
        spend = [(sold, int(coins * COIN))]
        try:
            ours = network.solve(Problem.exact_in(spend, want, Limits(arbitrage=loops)))
        except (NoRoute, ValueError):
            continue
        ours.verify(network)
        theirs = best_output(others, {sold: coins}, want)
        if theirs is None:
            continue
        bound, brought = ours.bound / COIN, output(ours, want) / COIN
        where = f"problem {at}: bound {bound:.12f}, plan {brought:.12f}, theirs {theirs:.12f}"
        # What the interior-point solver is sure of: levels far larger than the order cost it digits.
        digits = 2e-5 if any(isinstance(one, LevelMarket) for one in others) else 1e-6
        unsure = digits * max(theirs, 1.0)
        assert brought <= theirs + unsure, where
        assert bound >= theirs - unsure, where
        assert brought >= bound * (1 - ours.gap - 1e-9), where
        tight += bound <= theirs + unsure
        compared += 1
    print(f"convex, loops {loops}: {tight} of {compared} optima equal")
    assert compared >= INSTANCES
    # A search over linear pieces may stop short of them; its gap says by how much.
    assert tight >= 0.9 * compared


def output(solution: Solution, want: str) -> int:
    """What is bought."""
    return sum(amount for asset, amount in solution.outputs if asset == want)


@pytest.mark.parametrize("mix", ["products", "curved", "books"])
def test_no_plan_is_below_those_of_other_methods(mix: str) -> None:
    """Point 4, after gas: the best of ten paths, shares of 5 % over them, and a relaxation with exact amounts."""
    source, better = drawn_seed(f"rivals {mix}"), list[float]()
    for _ in range(INSTANCES):
        seed = source.randrange(2**40)
        drawn = draw_network(60, 16, mix, seed, dead_end_percent=10, edge_percent=5)
        limits = Limits(gas_price=drawn.gas_price)
        problem = Problem.exact_in([(drawn.source, drawn.amount)], drawn.target, limits)
        try:
            ours = drawn.network.solve(problem)
        except NoRoute:
            continue
        net = output(ours, drawn.target) - ours.gas_worth
        above, below = drawn.gas_price
        gas = {
            market: -(-cost * above // below)
            for market, cost in ((one, drawn.network.gas_of(one)) for one in drawn.network.markets())
        }
        router = OtherRouter(drawn.network, gas)
        grid = router.grid(drawn.source, drawn.target, drawn.amount)
        path = router.relaxation(drawn.source, drawn.target, drawn.amount)
        relaxed = None if path is None else path.amount_out - sum(gas[one] for one in path.markets)
        for name, theirs in (("grid", grid), ("relaxation", relaxed)):
            assert theirs is None or net >= theirs, f"{mix} seed {seed}: {name} has {theirs}, ours {net}"
        if grid is not None and grid > 0:
            better.append((net / grid - 1) * 1e4)
    median = sorted(better)[len(better) // 2]
    print(f"rivals {mix}: {len(better)} plans, {median:.1f} bp better than shares of 5 % in the median")


def test_units_do_not_matter() -> None:
    """Point 6: the same pools counted in units a million times as fine give a million times as much."""
    source = drawn_seed("units")
    for _ in range(INSTANCES):
        reserves = [(source.randrange(10**14, 10**18), source.randrange(10**14, 10**18)) for _ in range(3)]
        amount = source.randrange(10**11, 10**14)
        bounds = []
        for fine in (1, 10**6):
            network = Network()
            for at, (one, other) in enumerate(reserves):
                network.set(f"m{at}", ("a", "b"), ConstantProduct(one, other * fine, 3000))
            solution = network.solve(Problem.exact_in([("a", amount)], "b"))
            bounds.append(solution.bound / fine)
        assert abs(bounds[0] / bounds[1] - 1) < 1e-9
