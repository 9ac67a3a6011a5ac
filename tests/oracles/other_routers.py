"""How others route, in plain Python over exact quotes: a relaxation for one path, a grid of shares over several.

Written after what these methods are known to be, not after any one's code: paths by relaxation over at most so many
hops with the exact amount at every step; ten best paths, and shares of 5 % over up to four of them that meet in no
market, the best of all such combinations by what each path really gives for its share.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations

from sep_hooks.errors import SepError
from sep_native.route import Network

HOPS_MAX = 4
PATHS_KEPT = 10
SHARES = 20
PATHS_TOGETHER = 4


@dataclass(frozen=True, slots=True)
class Path:
    """Markets with the asset that each takes, and what comes out of the last for the whole amount."""

    steps: tuple[tuple[str, str, str], ...]
    amount_out: int

    @property
    def markets(self) -> frozenset[str]:
        """The markets that it passes."""
        return frozenset(market for market, _, _ in self.steps)


@dataclass(slots=True)
class OtherRouter:
    """Other methods on one network. Gas is the worth of what each market was said to cost."""

    network: Network
    gas: dict[str, int] = field(default_factory=dict)
    _leaving: dict[str, list[tuple[str, str]]] = field(init=False)

    def __post_init__(self) -> None:
        self._leaving = {}
        for market in self.network.markets():
            assets = self.network.assets_of(market)
            for one in assets:
                others = [(market, other) for other in assets if other != one]
                self._leaving.setdefault(one, []).extend(others)

    def quote(self, market: str, sold: str, bought: str, amount: int) -> int:
        """What a market gives, 0 where it gives nothing or cannot take so much."""
        try:
            quote = self.network.quote(market, sold, amount, True, bought)
        except (SepError, ValueError):
            return 0
        return quote.amount_out if quote.amount_in == amount else 0

    def relaxation(self, source: str, target: str, amount: int) -> Path | None:
        """Bellman-Ford with exact amounts: the most of each asset after each number of hops, one label each."""
        found = self._paths(source, target, amount, labels=1)
        return found[0] if found else None

    def best_paths(self, source: str, target: str, amount: int) -> list[Path]:
        """The ten best paths that the same relaxation finds with ten labels for each asset."""
        return self._paths(source, target, amount, labels=PATHS_KEPT)[:PATHS_KEPT]

    def grid(self, source: str, target: str, amount: int) -> int | None:
        """What shares of 5 % over the best paths give at most, after gas; `None` where no path gives anything."""
        paths = self.best_paths(source, target, amount)

        @cache
        def gives(at: int, shares: int) -> int:
            held = amount * shares // SHARES
            for market, sold, bought in paths[at].steps:
                held = self.quote(market, sold, bought, held) if held else 0
            return held

        best: int | None = None
        for count in range(1, PATHS_TOGETHER + 1):
            for chosen in combinations(range(len(paths)), count):
                markets = [paths[at].markets for at in chosen]
                if sum(map(len, markets)) != len(frozenset().union(*markets)):
                    continue
                # What a path gives is concave in its share, so that single shares go where they give most.
                shares = dict.fromkeys(chosen, 0)
                for _ in range(SHARES):
                    more = {at: gives(at, shares[at] + 1) - gives(at, shares[at]) for at in chosen}
                    shares[max(chosen, key=more.__getitem__)] += 1
                used = [at for at in chosen if shares[at]]
                net = sum(gives(at, shares[at]) for at in used) - self._cost(used, paths)
                best = net if best is None else max(best, net)
        return best

    def _cost(self, used: Sequence[int], paths: Sequence[Path]) -> int:
        return sum(self.gas.get(market, 0) for at in used for market in paths[at].markets)

    def _paths(self, source: str, target: str, amount: int, *, labels: int) -> list[Path]:
        ends: dict[tuple[tuple[str, str, str], ...], Path] = {}
        front: dict[str, list[Path]] = {source: [Path((), amount)]}
        for _ in range(HOPS_MAX):
            reached: dict[str, list[Path]] = {}
            for asset, paths in front.items():
                for path in paths:
                    been = {source, *(bought for _, _, bought in path.steps)}
                    for market, bought in self._leaving.get(asset, ()):
                        if bought in been or market in path.markets:
                            continue
                        held = self.quote(market, asset, bought, path.amount_out)
                        if held:
                            step = (market, asset, bought)
                            reached.setdefault(bought, []).append(Path((*path.steps, step), held))
            for path in reached.pop(target, ()):
                ends[path.steps] = path
            front = {
                asset: sorted(paths, key=lambda one: one.amount_out, reverse=True)[:labels]
                for asset, paths in reached.items()
            }
        return sorted(ends.values(), key=lambda one: one.amount_out, reverse=True)
