"""Nanoseconds for a quote across the boundary from Python, for each family.

Concentrated liquidity in one range and over ten ticks, the latter for the first time and again. Each figure is the best
of several rounds, beside an empty native call of the same shape in the same rounds. The time without Python:
`cargo run --release -p sep-amm --example quote_speed`. One JSON line.
"""

import json
import time
from collections.abc import Callable

from sep_native.amm import (
    ConcentratedLiquidity,
    ConstantProduct,
    Lane,
    OrderBook,
    Quote,
    Sampled,
    StableSwap,
    WeightedProduct,
)
from sep_native.route import Network, PathProblem

CALLS = 20_000
ROUNDS = 7


def nanoseconds(call: Callable[[], object], calls: int = CALLS) -> float:
    """The best mean over the rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter_ns()
        for _ in range(calls):
            call()
        best = min(best, (time.perf_counter_ns() - begun) / calls)
    return round(best, 1)


def families() -> dict[str, float]:
    """The families beside Uniswap's: a thousand units through pools of a million, a book of 1,000 levels."""
    unit, million, amount = 10**18, 10**24, 10**21
    curve = StableSwap("curve", [million, million * 13 // 10], [unit, unit], 20_000, 4_000_000)
    composable = StableSwap("balancer", [million, million * 13 // 10], [unit, unit], 200_000, 10**14)
    equal = WeightedProduct([million] * 2, [unit] * 2, [unit // 2] * 2, 3 * 10**15)
    uneven = WeightedProduct([million] * 2, [unit] * 2, [unit // 10 * 7, unit // 10 * 3], 3 * 10**15)
    levels = range(1, 1001)
    book = OrderBook(
        [(300_000 - at, 100) for at in levels], [(300_000 + at, 100) for at in levels], 10**14, 1, 500
    )
    lane = Lane((999, 1000), 10**15, 400, million, 60)
    samples = [(at * unit, at * unit - at * at * 10**15) for at in range(1, 33)]
    sampled = Sampled(2, [(0, 1, samples)])
    return {
        "curve_ns": nanoseconds(lambda: curve.quote(0, 1, amount, True)),
        "curve_exact_out_ns": nanoseconds(lambda: curve.quote(0, 1, amount, False), 5000),
        "balancer_stable_ns": nanoseconds(lambda: composable.quote(0, 1, amount, True)),
        "weighted_equal_ns": nanoseconds(lambda: equal.quote(0, 1, amount, True)),
        "weighted_power_ns": nanoseconds(lambda: uneven.quote(0, 1, amount, True)),
        "book_ns": nanoseconds(lambda: book.quote(1, 0, 15 * 10**9, True)),
        "lane_ns": nanoseconds(lambda: lane.quote(0, 1, amount, True)),
        "sampled_ns": nanoseconds(lambda: sampled.quote(0, 1, 15 * unit, True)),
    }


def first_quotes(pool: ConcentratedLiquidity, amount: int) -> float:
    """The best mean of quotes that each are the first of their pool, which has no sums yet."""
    arguments = pool.__getnewargs__()
    best = float("inf")
    for _ in range(ROUNDS):
        fresh = [ConcentratedLiquidity(*arguments) for _ in range(1000)]
        begun = time.perf_counter_ns()
        for each in fresh:
            each.quote(True, amount, True)
        best = min(best, (time.perf_counter_ns() - begun) / len(fresh))
    return round(best, 1)


def main() -> None:
    product = ConstantProduct(10**23, 3 * 10**14, 3000)
    pool = ConcentratedLiquidity.initialized(2**96, 3000, 60).with_liquidity(-887_220, 887_220, 10**20)
    for step in range(1, 41):
        pool = pool.with_liquidity(-60 * step, 60 * step, 10**19)
    small, large = 10**16, 15 * 10**18
    crossed = pool.quote(True, large, True).ticks_crossed
    network = Network()
    for at in range(20):
        network.set(f"v2-{at}", (f"asset{at % 7}", f"asset{(at + 1) % 7}"), product)
    problem = PathProblem("asset3", small, True, ["asset0"])
    figures = {
        "bench": "quote",
        "crossing_ns": nanoseconds(lambda: Quote(small, small)),
        "v2_ns": nanoseconds(lambda: product.quote(True, small, True)),
        "v2_exact_out_ns": nanoseconds(lambda: product.quote(True, 10**9, False)),
        "v3_in_range_ns": nanoseconds(lambda: pool.quote(True, small, True)),
        "v3_ticks_ns": nanoseconds(lambda: pool.quote(True, large, True)),
        "v3_ticks_first_ns": first_quotes(pool, large),
        "ticks_crossed": crossed,
        **families(),
        "path_of_20_markets_ns": nanoseconds(lambda: network.best_path(problem), 2000),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
