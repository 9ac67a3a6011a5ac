"""How the solver's time grows with the network, as one JSON line and a drawing.

    python tests/bench/route_growth.py [--out FILE.svg] [--seed 7] [--scale 1]

Drawn networks of 100 to 10,000 markets, a share of one asset to seven markets (one to ten at the largest), of curved
families and with books and lanes; without gas, and with gas and 8 legs at most. Median and 90th percentile of each, and
the order of growth: the slope of log time over log markets. `--scale` multiplies the instances.
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from route import Found, drawn, measure, spread

MARKETS = (100, 300, 1_000, 3_000, 10_000)
INSTANCES = {100: 60, 300: 40, 1_000: 24, 3_000: 10, 10_000: 5}
LEGS = 8


@dataclass(frozen=True, slots=True)
class Series:
    """One line of the drawing."""

    mix: str
    has_gas: bool

    @property
    def name(self) -> str:
        return f"{self.mix}, {'gas and ' + str(LEGS) + ' legs' if self.has_gas else 'without gas'}"


SERIES = tuple(Series(mix, has_gas) for has_gas in (False, True) for mix in ("curved", "books"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="where to draw")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--scale", type=int, default=1)
    said = parser.parse_args()
    figures = {one.name: [times(one, markets, said) for markets in MARKETS] for one in SERIES}
    print(
        json.dumps(
            {
                "bench": "route_growth",
                "seed": said.seed,
                "markets": MARKETS,
                "cold_ms": figures,
                "order_of_growth": {name: order_of_growth(points) for name, points in figures.items()},
            }
        )
    )
    if said.out is not None:
        draw(figures, said.out)


def times(one: Series, markets: int, said: argparse.Namespace) -> dict[str, float]:
    """Median, 90th percentile and the like over the instances of a size."""
    assets = max(4, markets // 10 if markets >= 10_000 else markets * 3 // 20)
    asked = argparse.Namespace(
        markets=markets,
        assets=assets,
        mix=one.mix,
        seed=said.seed,
        instances=INSTANCES[markets] * said.scale,
        stale=False,
        arbitrage=False,
        no_gas=not one.has_gas,
        legs=LEGS if one.has_gas else 0,
        snapshot=None,
    )
    found = Found()
    for case in drawn(asked):
        measure(case, asked, found)
    return spread(found.cold_ms) or {}


def order_of_growth(points: Sequence[dict[str, float]]) -> float:
    """The slope of the least-squares line through the logarithms of sizes and medians."""
    pairs = [(math.log(size), math.log(point["median"])) for size, point in zip(MARKETS, points, strict=True)]
    mean_x, mean_y = (sum(values) / len(pairs) for values in zip(*pairs, strict=True))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in pairs) / sum((x - mean_x) ** 2 for x, _ in pairs)
    return round(slope, 2)


def draw(figures: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Medians as lines, 90th percentiles as their upper edge."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "route-growth"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for name, points in figures.items():
        medians = [point["median"] for point in points]
        (line,) = axes.loglog(MARKETS, medians, marker="o", label=name)
        axes.fill_between(
            MARKETS, medians, [point["p90"] for point in points], alpha=0.15, color=line.get_color()
        )
    axes.set_xlabel("markets")
    axes.set_ylabel("milliseconds, cold; median to 90th percentile")
    axes.grid(visible=True, which="both", alpha=0.2)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
