"""Ways to do it: the best single path of each venue, compared net of gas."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sep_hooks.errors import SepError
from sep_hooks.types import Amount, AssetId, Constraints, LeftOut, Leg, MarketId

from sep_core.planning.native import Network, PathProblem, PathSolution
from sep_core.planning.ports import MarketSnapshot
from sep_core.planning.prices import MOST_HOPS, value_of
from sep_core.planning.size import Size

_NEED_TICKS = "loaded ticks"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One path with exact amounts. `net` is what it comes to with gas, in one measure for all; None: no price."""

    venue: str
    solution: PathSolution
    legs: tuple[Leg, ...]
    gas: int
    gas_in_exact_asset: Amount | None
    net: int | None

    @property
    def amount_in(self) -> Amount:
        """What is spent."""
        return self.legs[0].amount_in

    @property
    def amount_out(self) -> Amount:
        """What comes."""
        return self.legs[-1].amount_out

    @property
    def asset_in(self) -> AssetId:
        """What is spent."""
        return self.legs[0].asset_in

    @property
    def asset_out(self) -> AssetId:
        """What comes."""
        return self.legs[-1].asset_out


@dataclass(frozen=True, slots=True)
class Found:
    """All candidates, best first; what was left out; markets that are known too narrowly."""

    candidates: tuple[Candidate, ...]
    left_out: tuple[LeftOut, ...]
    narrow: tuple[MarketId, ...]


def excluded(snapshot: MarketSnapshot, constraints: Constraints) -> frozenset[MarketId]:
    """Markets that the intent's allow-list of assets keeps out."""
    if not constraints.assets:
        return frozenset()
    allowed = frozenset(constraints.assets)
    return frozenset(
        market.id for market in snapshot.markets.values() if not allowed.issuperset(market.assets)
    )


def find(
    snapshot: MarketSnapshot,
    venues: Iterable[str],
    size: Size,
    constraints: Constraints,
    wrapped: AssetId | None,
    fee_per_gas: int,
) -> Found:
    """The best path of each venue for each asset that may pay."""
    exclude = excluded(snapshot, constraints)
    candidates: list[Candidate] = []
    left_out: list[LeftOut] = []
    narrow: set[MarketId] = set()
    for venue in sorted(venues):
        network = snapshot.networks.get(venue)
        if network is None:
            left_out.append(LeftOut(venue, "it has no markets in this snapshot"))
            continue
        for other in size.others:
            try:
                solution = _solve(network, size, other, exclude)
            except SepError as error:
                left_out.append(LeftOut(venue, error.message))
                if _NEED_TICKS in error.message:
                    narrow.update(one.id for one in snapshot.markets.values() if one.venue == venue)
                continue
            for name, reason in solution.left_out:
                left_out.append(LeftOut(name, reason))
                if _NEED_TICKS in reason:
                    narrow.add(MarketId(name))
            candidates.append(_candidate(venue, solution, snapshot.network, size, wrapped, fee_per_gas))
    candidates.sort(key=lambda one: _rank(one, size.exact_in))
    left_out += _across(snapshot, size, exclude, candidates)
    return Found(tuple(candidates), tuple(left_out), tuple(sorted(narrow)))


def _solve(network: Network, size: Size, other: AssetId, exclude: frozenset[MarketId]) -> PathSolution:
    spent, wanted = (size.asset, other) if size.exact_in else (other, size.asset)
    problem = PathProblem(
        wanted, size.amount, size.exact_in, [spent], max_hops=MOST_HOPS, exclude=sorted(exclude)
    )
    return network.best_path(problem)


def legs_of(solution: PathSolution) -> tuple[Leg, ...]:
    """The path as the contract writes it."""
    return tuple(
        Leg(
            MarketId(leg.market),
            AssetId(leg.asset_in),
            AssetId(leg.asset_out),
            Amount(leg.amount_in),
            Amount(leg.amount_out),
        )
        for leg in solution.legs
    )


def _candidate(
    venue: str,
    solution: PathSolution,
    network: Network,
    size: Size,
    wrapped: AssetId | None,
    fee_per_gas: int,
) -> Candidate:
    legs = legs_of(solution)
    gas = sum(leg.gas for leg in solution.legs)
    cost = gas * fee_per_gas
    in_exact = value_of(network, wrapped, cost, size.asset) if wrapped is not None else None
    # Of several assets that may pay, the first is the measure; the exact side is the same for all.
    measure = size.others[0]
    gross = (
        legs[-1].amount_out
        if size.exact_in
        else value_of(network, legs[0].asset_in, legs[0].amount_in, measure)
    )
    priced = value_of(network, wrapped, cost, measure) if wrapped is not None else None
    sign = -1 if size.exact_in else 1
    net = None if gross is None else gross + sign * (priced or 0)
    return Candidate(venue, solution, legs, gas, in_exact, net)


def _rank(candidate: Candidate, exact_in: bool) -> tuple[bool, int, int, str]:
    net = candidate.net
    if net is None:
        return True, candidate.amount_in, candidate.gas, candidate.venue
    return False, -net if exact_in else net, candidate.gas, candidate.venue


def _across(
    snapshot: MarketSnapshot, size: Size, exclude: frozenset[MarketId], candidates: Sequence[Candidate]
) -> list[LeftOut]:
    """Paths over several venues that would be better; one call cannot take them."""
    found: list[LeftOut] = []
    for other in size.others:
        try:
            solution = _solve(snapshot.network, size, other, exclude)
        except SepError:
            continue
        venues = dict.fromkeys(snapshot.markets[MarketId(leg.market)].venue for leg in solution.legs)
        if len(venues) < 2:
            continue
        same = [one for one in candidates if (one.asset_out if size.exact_in else one.asset_in) == other]
        better = all(
            solution.amount_out > one.amount_out if size.exact_in else solution.amount_in < one.amount_in
            for one in same
        )
        if better:
            figure = solution.amount_out if size.exact_in else solution.amount_in
            verb = "give" if size.exact_in else "cost"
            found.append(
                LeftOut(
                    " + ".join(venues),
                    f"a path across these venues would {verb} {figure} base units before gas;"
                    " it cannot be one call in one protocol's own router",
                )
            )
    return found
