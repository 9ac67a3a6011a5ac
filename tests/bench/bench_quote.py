"""Nanoseconds for a quote across the boundary from Python: constant product, one range, ten ticks.

Each figure is the best of several rounds, beside an empty native call of the same shape in the same rounds. The
time without Python: `cargo run --release -p sep-amm --example quote_speed`. One JSON line.
"""

import json
import time
from collections.abc import Callable

from sep_native.amm import ConcentratedLiquidity, ConstantProduct, Quote
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
        "ticks_crossed": crossed,
        "path_of_20_markets_ns": nanoseconds(lambda: network.best_path(problem), 2000),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
