"""Times and certified gaps of the solver through the Python API, beside other methods. One JSON line.

    python tests/bench/route.py --markets 1000 --mix curved|books --seed 7 --instances 20 [--snapshot FILE]

Networks are drawn from the seed, or all orders are put on one snapshot file. Times are of one thread, cold (without an
earlier answer) and warm (from it, after a block that moved one market in a hundred); the best of a few repeats counts,
since others use the machine too. A failure is an answer that does not verify, whose search stays above the goal for
its gap, or that another method betters after gas. In networks of up to 300 markets a relaxation and a grid of shares
over ten paths are among the methods; both are plain Python over exact quotes, so their times say nothing.
"""

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from sep_hooks.errors import NoRoute, SepError
from sep_native.route import Limits, Network, PathProblem, Problem, Solution
from sep_native.testing import draw_network

from sep_core.markets.snapshot_reader import read_snapshot
from sep_core.markets.strict_json import read_file
from sep_core.planning.gas_worth import gas_price_in
from tests.oracles.other_routers import OtherRouter

REPEATS = 3
PATH_HOPS = 4
GAP_GOALS_BP = {"products": 0.001, "curved": 0.001, "books": 0.05, "snapshot": 0.001}
CHUNKS = (20, 256)
PYTHON_MARKETS = 300


@dataclass(frozen=True, slots=True)
class Case:
    """One order on one network, and the network one block later where that is known."""

    name: str
    network: Network
    source: str
    target: str
    amount: int
    gas_price: tuple[int, int]
    next_block: Network | None


@dataclass(slots=True)
class Found:
    """What all instances gave."""

    cold_ms: list[float] = field(default_factory=list)
    warm_ms: list[float] = field(default_factory=list)
    gap_bp: list[float] = field(default_factory=list)
    net_gap_bp: list[float] = field(default_factory=list)
    legs: list[int] = field(default_factory=list)
    better_bp: dict[str, list[float]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def main() -> None:
    said = arguments()
    found = Found()
    began = time.perf_counter()
    for case in from_snapshot(said) if said.snapshot else drawn(said):
        measure(case, said, found)
    print(json.dumps(report(said, found, time.perf_counter() - began)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--markets", type=int, default=1000)
    parser.add_argument("--assets", type=int, default=0, help="default: a seventh of the markets")
    parser.add_argument("--mix", choices=["products", "curved", "books"], default="curved")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--instances", type=int, default=20)
    parser.add_argument("--legs", type=int, default=0, help="the most legs; 0: as many as pay")
    parser.add_argument(
        "--stale", action="store_true", help="one market in ten lags behind: arbitrage in the snapshot"
    )
    parser.add_argument("--arbitrage", action="store_true", help="keep loops")
    parser.add_argument("--no-gas", action="store_true", help="gas costs nothing")
    parser.add_argument("--snapshot", type=Path, help="a file of `sep snapshot` instead of drawn networks")
    said = parser.parse_args()
    said.assets = said.assets or max(4, said.markets * 3 // 20)
    return said


def drawn(said: argparse.Namespace) -> Iterator[Case]:
    """Networks of the generator, one a seed."""
    for seed in range(said.seed, said.seed + said.instances):
        one = draw_network(
            said.markets,
            said.assets,
            said.mix,
            seed,
            10 if said.stale else 0,
            dead_end_percent=10,
            edge_percent=5,
        )
        price = (0, 1) if said.no_gas else one.gas_price
        yield Case(f"seed {seed}", one.network, one.source, one.target, one.amount, price, one.next_block())


def from_snapshot(said: argparse.Namespace) -> Iterator[Case]:
    """Orders between the file's assets, sizes over six orders of magnitude."""
    data = read_snapshot(read_file(said.snapshot), str(said.snapshot))
    source = random.Random(said.seed)
    traded = sorted({asset for market in data.markets.values() for asset in market.assets})
    made = 0
    for _ in range(said.instances * 50):
        if made == said.instances:
            return
        sold, bought = source.sample(traded, 2)
        known = data.asset(sold)
        unit = 10 ** (known.decimals if known else 0)
        amount = max(1, int(unit * 10 ** source.uniform(-2, 4)))
        try:
            data.network.best_path(PathProblem(bought, amount, True, [sold], max_hops=PATH_HOPS))
        except SepError:
            continue
        at = data.chains[0]
        price = None if said.no_gas else gas_price_in(data.network, at.fee_per_gas, at.gas_asset, bought)
        made += 1
        yield Case(
            f"{amount} of {sold} for {bought}", data.network, sold, bought, amount, price or (0, 1), None
        )


def measure(case: Case, said: argparse.Namespace, found: Found) -> None:
    """One order: cold, warm, checked, and beside each other method."""
    limits = Limits(max_legs=said.legs or None, arbitrage=said.arbitrage, gas_price=case.gas_price)
    problem = Problem.exact_in([(case.source, case.amount)], case.target, limits)
    try:
        solution, cold = best_of(lambda: case.network.solve(problem))
    except (NoRoute, ValueError) as error:
        found.failures.append(f"{case.name}: {error}")
        return
    found.cold_ms.append(cold)
    found.gap_bp.append(solution.gap * 1e4)
    found.net_gap_bp.append(solution.net_gap * 1e4)
    found.legs.append(len(solution.legs))
    try:
        solution.verify(case.network)
    except (SepError, ValueError) as error:
        found.failures.append(f"{case.name}: {error}")
    goal = GAP_GOALS_BP["snapshot" if said.snapshot else said.mix] + rounding_bp(solution)
    # Where legs cost nothing the plan itself is held to the goal, else what the search brought before it chose legs.
    gap_bp = (solution.unlimited_gap if case.gas_price[0] else solution.gap) * 1e4
    if gap_bp > goal and not (said.stale or said.legs):
        found.failures.append(f"{case.name}: a gap of {gap_bp:.3g} bp, {goal:.3g} is the goal")
    if case.next_block is not None:
        later = case.next_block
        with suppress(NoRoute, ValueError):
            found.warm_ms.append(best_of(lambda: later.solve(problem, solution))[1])
    compare(case, problem, solution, found)


def rounding_bp(solution: Solution) -> float:
    """What whole base units may cost: one of each asset that a leg takes and gives, at the prices of the certificate.

    Of small amounts that is a large share.
    """
    prices = dict(solution.prices)
    lost = sum(prices.get(leg.asset_in, 0.0) + prices.get(leg.asset_out, 0.0) for leg in solution.legs)
    return float(lost / max(1.0, solution.bound) * 1e4)


def best_of(solve: Callable[[], Solution]) -> tuple[Solution, float]:
    """The solution and the least milliseconds of several runs."""
    times: list[float] = []
    solution: Solution | None = None
    for _ in range(REPEATS):
        began = time.thread_time_ns()
        solution = solve()
        times.append((time.thread_time_ns() - began) / 1e6)
    assert solution is not None
    return solution, min(times)


def compare(case: Case, problem: Problem, solution: Solution, found: Found) -> None:
    """What the plan is better by than other methods, in basis points after gas."""
    mine = net_of(solution, case.target)
    others: dict[str, int | None] = {"best single path": path_net(case, PATH_HOPS)}
    for chunks in CHUNKS:
        split = case.network.greedy(problem, chunks)
        others[f"greedy {chunks}"] = None if split is None else split[0] - split[1]
    if len(case.network.markets()) <= PYTHON_MARKETS:
        others |= in_python(case)
    for name, other in others.items():
        if other is None:
            continue
        better = (mine - other) / max(1, abs(mine)) * 1e4
        found.better_bp.setdefault(name, []).append(better)
        if other > mine:
            found.failures.append(f"{case.name}: {name} is better by {-better:.3g} bp")


def in_python(case: Case) -> dict[str, int | None]:
    """What a relaxation finds, and a grid of shares of 5 % over the ten best paths; after gas."""
    above, below = case.gas_price
    gas = {name: -(-case.network.gas_of(name) * above // below) for name in case.network.markets()}
    router = OtherRouter(case.network, gas)
    path = router.relaxation(case.source, case.target, case.amount)
    relaxed = None if path is None else path.amount_out - sum(gas[market] for market in path.markets)
    # Where gas costs more than anything brings, a grid of nothing is no method.
    return {"relaxation": relaxed, "grid": router.grid(case.source, case.target, case.amount) or None}


def net_of(solution: Solution, target: str) -> int:
    """What comes out, less the worth of gas."""
    return sum(amount for asset, amount in solution.outputs if asset == target) - solution.gas_worth


def path_net(case: Case, hops: int) -> int | None:
    """The same of the best single path on exact amounts (a relaxation or shortest-path search with exact quotes)."""
    try:
        path = case.network.best_path(
            PathProblem(case.target, case.amount, True, [case.source], max_hops=hops)
        )
    except SepError:
        return None
    above, below = case.gas_price
    return path.amount_out - -(-path.gas * above // below)


def report(said: argparse.Namespace, found: Found, seconds: float) -> dict[str, object]:
    """One line of figures."""
    return {
        "bench": "route",
        "markets": None if said.snapshot else said.markets,
        "assets": None if said.snapshot else said.assets,
        "mix": "snapshot" if said.snapshot else said.mix,
        "snapshot": None if said.snapshot is None else said.snapshot.name,
        "seed": said.seed,
        "instances": len(found.cold_ms),
        "cold_ms": spread(found.cold_ms),
        "warm_ms": spread(found.warm_ms),
        "gap_bp": spread(found.gap_bp),
        "net_gap_bp": spread(found.net_gap_bp),
        "legs": spread([float(one) for one in found.legs]),
        "better_than_bp": {name: spread(values) for name, values in found.better_bp.items()},
        "failures": found.failures,
        "seconds": round(seconds, 3),
    }


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """Least, median, 90th percentile and greatest."""
    if not values:
        return None
    ordered = sorted(values)
    p90 = ordered[min(len(ordered) - 1, len(ordered) * 9 // 10)]
    figures = {"least": ordered[0], "median": statistics.median(ordered), "p90": p90, "worst": ordered[-1]}
    return {name: float(f"{value:.4g}") for name, value in figures.items()}


if __name__ == "__main__":
    main()
