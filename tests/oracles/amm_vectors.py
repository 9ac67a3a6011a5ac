"""Vectors of the stable and weighted families, from the slow references, for the native crate's own tests.

`python -m tests.oracles.amm_vectors` writes them anew; a test compares. One line is
`family; balances; factors; weights; amplification; fee; admin fee; in; out; amount; exact in; result`, the result
being the other amount or `reverts`, lists separated by blanks.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.oracles import stable_swap, weighted_product

FOLDER = Path(__file__).parents[2] / "sep_native" / "crates" / "sep-amm" / "tests" / "vectors"
COUNT = 300
SEED = 20_260_101
ONE = 10**18


def _line(*fields: object) -> str:
    texts = (" ".join(map(str, field)) if isinstance(field, list) else str(field) for field in fields)
    return "; ".join(texts)


def _result(ask: Callable[[], int]) -> str:
    try:
        return str(ask())
    except (stable_swap.Reverted, weighted_product.Reverted, ZeroDivisionError):
        return "reverts"


def _size(random: random.Random, balance: int) -> int:
    """From a single unit to more than the balance; integers alone, which are the same everywhere."""
    return max(1, (balance >> random.randint(0, 46)) * random.randint(50, 200) // 100)


def _holdings(random: random.Random, count: int, spread: int) -> tuple[list[int], list[int]]:
    """Balances up to `spread` times more or less than a common number of units, and their decimals."""
    decimals = [random.choice((6, 8, 18, 18)) for _ in range(count)]
    units = random.randint(100, 999) * 10 ** random.randint(0, 7)
    parts = [(random.randint(100, 100 * spread), random.randint(100, 100 * spread)) for _ in range(count)]
    return [units * 10**d * up // down for d, (up, down) in zip(decimals, parts, strict=True)], decimals


def curve(random: random.Random) -> Iterator[str]:
    """Plain pools of 2 to 8 coins, balanced and not."""
    for _ in range(COUNT):
        count = random.randint(2, 8)
        balances, decimals = _holdings(random, count, random.choice((2, 10, 100)))
        rates = [10 ** (36 - d) for d in decimals]
        pool = stable_swap.CurvePool(
            balances,
            rates,
            100 * random.choice((1, 10, 100, 200, 2000, 5000)),
            random.choice((0, 1_000_000, 4_000_000, 30_000_000)),
            random.choice((0, 5 * 10**9)),
        )
        i, j = random.sample(range(count), 2)
        exact_in = random.randint(1, 10) <= 6
        amount = _size(random, balances[i if exact_in else j])
        if not exact_in:
            amount = min(amount, balances[j] * 9 // 10) or 1
        ask = pool.amount_out if exact_in else pool.amount_in
        yield _line(
            "curve",
            balances,
            rates,
            "-",
            pool.amplification,
            pool.fee,
            pool.admin_fee,
            i,
            j,
            amount,
            int(exact_in),
            _result(lambda ask=ask, i=i, j=j, amount=amount: ask(i, j, amount)),  # type: ignore[misc]
        )


def balancer(random: random.Random) -> Iterator[str]:
    """Composable stable pools of 2 to 5 tokens, some with rate providers."""
    for _ in range(COUNT):
        count = random.randint(2, 5)
        balances, decimals = _holdings(random, count, random.choice((2, 10, 100)))
        scaling = [
            10 ** (18 - d) * (ONE if random.randint(1, 10) <= 6 else ONE + random.randint(0, 3 * 10**17))
            for d in decimals
        ]
        pool = stable_swap.BalancerPool(
            balances,
            scaling,
            1000 * random.choice((1, 10, 100, 200, 2000, 5000)),
            random.choice((10**12, 10**14, 4 * 10**14, 10**16)),
        )
        i, j = random.sample(range(count), 2)
        exact_in = random.randint(1, 2) == 1
        amount = _size(random, balances[i if exact_in else j])
        ask = pool.amount_out if exact_in else pool.amount_in
        yield _line(
            "balancer",
            balances,
            scaling,
            "-",
            pool.amplification,
            pool.fee,
            0,
            i,
            j,
            amount,
            int(exact_in),
            _result(lambda ask=ask, i=i, j=j, amount=amount: ask(i, j, amount)),  # type: ignore[misc]
        )


def weighted(random: random.Random) -> Iterator[str]:
    """Weighted pools of 2 to 8 tokens; some with the exponents 1, 2 and 4."""
    for _ in range(COUNT):
        count = random.randint(2, 8)
        if random.randint(1, 10) <= 3:
            weights = random.choice(
                (
                    [ONE // 2] * 2,
                    [ONE // 5 * 4, ONE // 5],
                    [ONE // 2, ONE // 4, ONE // 4],
                    [ONE // 3 * 2 + 1, ONE // 3],
                )
            )
        else:
            shares = [random.randint(2, 100) for _ in range(count)]
            weights = [max(ONE // 100, ONE * 9 * share // (10 * sum(shares))) for share in shares]
            weights[0] += ONE - sum(weights)
        balances, decimals = _holdings(random, len(weights), 100)
        scaling = [10 ** (36 - d) for d in decimals]
        pool = weighted_product.WeightedPool(
            balances, scaling, weights, random.choice((10**12, 10**15, 3 * 10**15, 10**17))
        )
        i, j = random.sample(range(len(weights)), 2)
        exact_in = random.randint(1, 2) == 1
        amount = _size(random, balances[i if exact_in else j])
        ask = pool.amount_out if exact_in else pool.amount_in
        yield _line(
            "weighted",
            balances,
            scaling,
            weights,
            0,
            pool.fee,
            0,
            i,
            j,
            amount,
            int(exact_in),
            _result(lambda ask=ask, i=i, j=j, amount=amount: ask(i, j, amount)),  # type: ignore[misc]
        )


FAMILIES = {"curve": curve, "balancer": balancer, "weighted": weighted}


def text(family: str) -> str:
    """The file of a family."""
    return "\n".join(FAMILIES[family](random.Random(f"{family} {SEED}"))) + "\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for family in FAMILIES:
        (FOLDER / f"{family}.txt").write_text(text(family))


if __name__ == "__main__":
    main()
