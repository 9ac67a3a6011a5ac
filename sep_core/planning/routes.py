"""Looks for ways to do it: split over all venues, and the best single path of each venue."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from sep_hooks.errors import SepError
from sep_hooks.types import (
    Amount,
    AssetId,
    Certificate,
    Constraints,
    LeftOut,
    Leg,
    MarketId,
    PlanMode,
)

from sep_core.planning.candidate import Candidate, Found, Fraction, flows_of
from sep_core.planning.exact_out import fitted
from sep_core.planning.gas_worth import gas_price_in
from sep_core.planning.mode import WAITING_PPM, modes, overhead
from sep_core.planning.passage import Passage, passages
from sep_core.planning.paths import MOST_HOPS, Path, best_path
from sep_core.planning.ports import MarketSnapshot
from sep_core.planning.prices import value_of
from sep_core.planning.rebalance import Rebalance
from sep_core.planning.request import NoPlan
from sep_core.planning.scene import Scene
from sep_core.planning.split import Split, rebalanced, split

_NEED_TICKS = "loaded ticks"
_PPM = 1_000_000
_SAMPLE = 10**18


def find(
    scene: Scene,
    venues: Collection[str],
    takes_paths: Callable[[str], bool],
    dates_calls: Callable[[str], bool] = lambda venue: True,
    *,
    used: Collection[MarketId] = (),
) -> Found:
    """All candidates over these venues, best first. `takes_paths` says of which venue one call can lead through
    several markets, `dates_calls` of which its calls hold the deadline; markets that were `used` are not used again.
    """
    return _Search(scene, frozenset(venues), takes_paths, dates_calls, frozenset(used)).found()


def excluded(snapshot: MarketSnapshot, constraints: Constraints) -> frozenset[MarketId]:
    """Markets that the intent's allow-list of assets keeps out."""
    if not constraints.assets:
        return frozenset()
    allowed = frozenset(constraints.assets)
    return frozenset(
        market.id for market in snapshot.markets.values() if not allowed.issuperset(market.assets)
    )


@dataclass
class _Search:
    """One look at one scene."""

    scene: Scene
    venues: frozenset[str]
    takes_paths: Callable[[str], bool]
    dates_calls: Callable[[str], bool]
    used: frozenset[MarketId]
    candidates: list[Candidate] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    narrow: set[MarketId] = field(default_factory=set)

    def found(self) -> Found:
        snapshot, size = self.scene.snapshot, self.scene.size
        exclude = excluded(snapshot, self.scene.constraints) | self.used
        if self.scene.rebalance is not None:
            self._rebalance(self.scene.rebalance, exclude)
            return self._ranked()
        whole = self._split(exclude)
        if not size.carried:
            for venue in sorted(self.venues):
                self._paths_of(venue, exclude, whole)
        return self._ranked()

    def _ranked(self) -> Found:
        unique: dict[object, Candidate] = {}
        for one in self.candidates:
            unique.setdefault(one.key, one)
        ranked = sorted(unique.values(), key=self._rank)
        return Found(tuple(ranked), tuple(self.left_out), tuple(sorted(self.narrow)))

    def _split(self, exclude: frozenset[MarketId]) -> Split | None:
        scene, size, snapshot = self.scene, self.scene.size, self.scene.snapshot
        outside = self._outside()
        if len(outside) == len(snapshot.markets):
            return None
        if not size.exact_in:
            # What is known by samples alone can be asked what comes out, not what must go in.
            outside |= {one for one in snapshot.markets if scene.sampled(one)}
        gas_price = self._gas_price()
        try:
            worths = [] if size.exact_in else [self._worth(other) for other in size.others]
            whole = split(snapshot.network, size, worths, gas_price, exclude | outside)
            self._note(whole.left_out)
            parts = self._passages(whole)
        except SepError as error:
            self.left_out.append(LeftOut("a split over all venues", error.message))
            return None
        ways = self._modes(parts, self._wanted)
        if not ways:
            spends, receives = flows_of(parts, [self._wanted])
            told = " and ".join(f"{amount} of {asset}" for asset, amount in (spends if receives else ()))
            self.left_out.append(
                LeftOut(
                    " + ".join(dict.fromkeys(part.venue for part in parts)),
                    f"a route over these would spend {told} before gas; only an executor could run it, and the"
                    " account has none",
                )
            )
        for mode, why in ways:
            ordered = self._first_things_first(parts) if mode is PlanMode.SEQUENCE else parts
            self._add(ordered, whole.method, whole.gas, mode, why, whole)
        return whole

    def _modes(self, parts: tuple[Passage, ...], wanted: AssetId) -> tuple[tuple[PlanMode, str], ...]:
        return modes(
            parts,
            self.scene.request.executor,
            exact_in=self.scene.size.exact_in,
            wanted=wanted,
            dated=all(self.dates_calls(part.venue) for part in parts),
        )

    def _outside(self) -> set[MarketId]:
        return {one.id for one in self.scene.snapshot.markets.values() if one.venue not in self.venues}

    def _rebalance(self, whole_basket: Rebalance, exclude: frozenset[MarketId]) -> None:
        exclude = exclude | self._outside()
        wanted = whole_basket.among(self._reached(whole_basket, exclude))
        if wanted is None:
            return
        try:
            whole = rebalanced(self.scene.snapshot.network, wanted, self._gas_price(), exclude)
        except SepError as error:
            # That nothing was found is not that nothing is to be done: the intent waits, and does not end.
            raise NoPlan(error.code, f"{error.message}; nothing was sent", retryable=True) from error
        self._note(whole.left_out)
        targets = [one.asset for one in wanted.parts]
        parts = passages(whole.legs, self.scene.venue_of, set(targets), self.takes_paths)
        if not parts:
            return
        for mode, why in self._modes(parts, targets[0]):
            spends, receives = flows_of(parts, targets)
            if not spends or not receives:
                continue
            gas = whole.gas + overhead(mode, len(parts))
            worth = {one.asset: one.price for one in wanted.parts}
            brought = sum(amount * worth[asset] for asset, amount in receives)
            prices = [worth[asset] / worth[receives[0][0]] for asset, _ in spends]
            marginals = tuple((one.numerator, one.denominator) for one in prices)
            self.candidates.append(
                Candidate(
                    parts,
                    True,
                    spends,
                    receives,
                    marginals,
                    marginals[0],
                    mode,
                    why,
                    whole.method,
                    gas,
                    None,
                    int(brought) - (self._gas_in(gas, wanted.measure) or 0),
                    whole.certificate,
                )
            )

    def _reached(self, wanted: Rebalance, exclude: frozenset[MarketId]) -> frozenset[AssetId]:
        """The assets that markets which may be used lead to, from the one of which most is held."""
        markets = [one for one in self.scene.snapshot.markets.values() if one.id not in exclude]
        traded = frozenset(asset for one in markets for asset in one.assets)
        held = [one for one in wanted.parts if one.asset in traded]
        if not held:
            return frozenset()
        reached = {max(held, key=lambda one: one.worth).asset}
        while (
            more := {asset for one in markets if not reached.isdisjoint(one.assets) for asset in one.assets}
            - reached
        ):
            reached |= more
        return frozenset(reached)

    def _passages(self, whole: Split) -> tuple[Passage, ...]:
        scene, size = self.scene, self.scene.size
        ends = {asset for asset, _ in size.spends} if size.exact_in else set(size.others)
        parts = passages(whole.legs, scene.venue_of, ends | {self._wanted}, self.takes_paths)
        if size.exact_in:
            return parts
        return fitted(parts, size.asset, size.amount, self._least_in)

    def _least_in(self, leg: Leg) -> Amount:
        network = self.scene.snapshot.network
        quote = network.quote(leg.market, leg.asset_in, leg.amount_out, False, leg.asset_out)
        return Amount(quote.amount_in)

    def _first_things_first(self, parts: tuple[Passage, ...]) -> tuple[Passage, ...]:
        """For several transactions: what is on the way already first where there is enough of it, else what leads
        straight to what is wanted, the largest share first.
        """
        size = self.scene.size
        carried, there = dict(size.carried), dict(size.spends)
        brought = {part.asset_out for part in parts}
        ready = [
            part
            for part in parts
            if part.asset_in not in brought or part.amount_in <= there.get(part.asset_in, 0)
        ]
        first = max(
            ready, key=lambda part: (part.asset_in in carried, part.asset_out == self._wanted, part.amount_in)
        )
        return (first, *(part for part in parts if part is not first))

    def _paths_of(self, venue: str, exclude: frozenset[MarketId], whole: Split | None) -> None:
        snapshot, size = self.scene.snapshot, self.scene.size
        network = snapshot.networks.get(venue)
        if network is None:
            self.left_out.append(LeftOut(venue, "it has no markets in this snapshot"))
            return
        for other in size.others:
            spent, wanted = (size.asset, other) if size.exact_in else (other, size.asset)
            try:
                path = best_path(
                    network,
                    spent,
                    wanted,
                    size.amount,
                    exact_in=size.exact_in,
                    exclude=exclude,
                    hops=MOST_HOPS if self.takes_paths(venue) else 1,
                )
            except SepError as error:
                self.left_out.append(LeftOut(venue, error.message))
                if _NEED_TICKS in error.message:
                    self.narrow.update(one.id for one in snapshot.markets.values() if one.venue == venue)
                continue
            self._note(path.left_out)
            parts = (Passage(venue, path.legs),)
            ((mode, why),) = self._modes(parts, wanted)
            self._add(parts, f"single path by {path.method}", path.gas, mode, why, whole, path)

    def _add(
        self,
        parts: tuple[Passage, ...],
        method: str,
        leg_gas: int,
        mode: PlanMode,
        why: str,
        whole: Split | None,
        path: Path | None = None,
    ) -> None:
        size = self.scene.size
        spends, receives = flows_of(parts, [self._wanted])
        if not spends or not receives:
            return
        gas = leg_gas + overhead(mode, len(parts))
        marginals, after_fees = self._marginals(spends, receives[0][0], path)
        self.candidates.append(
            Candidate(
                parts,
                size.exact_in,
                spends,
                receives,
                marginals,
                after_fees,
                mode,
                why,
                method,
                gas,
                self._gas_in(gas, size.asset),
                self._net(spends, receives[0][1], gas),
                None if whole is None else self._certificate(whole, method, spends, receives, gas),
            )
        )

    def _certificate(
        self,
        whole: Split,
        method: str,
        spends: Sequence[tuple[AssetId, Amount]],
        receives: Sequence[tuple[AssetId, Amount]],
        gas: int,
    ) -> Certificate:
        above, below = self._gas_price()
        gas_worth = -(-gas * above // below)
        if self.scene.size.exact_in:
            return whole.judged(method, receives[0][1], gas_worth)
        spent = 0
        for asset, amount in spends:
            worth, per = self._worth(asset)
            spent += -(-amount * worth // per)
        return whole.judged(method, spent, gas_worth)

    def _marginals(
        self, spends: Sequence[tuple[AssetId, Amount]], wanted: AssetId, path: Path | None
    ) -> tuple[tuple[Fraction, ...], Fraction]:
        """Prices at size zero: of the best path over the markets that may be used, or of the path that it is."""
        prices: list[Fraction] = []
        after_fees: Fraction | None = None
        for asset, amount in spends:
            one = path
            if one is None:
                one = best_path(
                    self.scene.snapshot.network,
                    asset,
                    wanted,
                    amount,
                    exact_in=True,
                    exclude=self._outside() | excluded(self.scene.snapshot, self.scene.constraints),
                )
            prices.append(one.marginal)
            after_fees = after_fees or one.marginal_after_fees
        return tuple(prices), after_fees or (0, 1)

    def _net(self, spends: Sequence[tuple[AssetId, Amount]], received: int, gas: int) -> int | None:
        """What it comes to with gas; of several assets that may pay, the first is the measure."""
        measure, exact_in = self.scene.size.others[0], self.scene.size.exact_in
        gas_worth = self._gas_in(gas, measure) or 0
        if exact_in:
            return received - gas_worth
        network = self.scene.snapshot.network
        worth = [value_of(network, asset, amount, measure) for asset, amount in spends]
        known = [one for one in worth if one is not None]
        return sum(known) + gas_worth if len(known) == len(worth) else None

    def _gas_in(self, gas: int, asset: AssetId) -> Amount | None:
        if self.scene.wrapped is None:
            return None
        return value_of(self.scene.snapshot.network, self.scene.wrapped, gas * self.scene.expected_fee, asset)

    def _gas_price(self) -> Fraction:
        scene = self.scene
        measure = scene.size.others[0]
        price = gas_price_in(scene.snapshot.network, scene.expected_fee, scene.wrapped, measure)
        return price or (0, 1)

    def _worth(self, asset: AssetId) -> Fraction:
        """What a base unit of an asset that may pay is worth in the first of them."""
        measure = self.scene.size.others[0]
        value = value_of(self.scene.snapshot.network, asset, _SAMPLE, measure)
        return (int(value), _SAMPLE) if value else (1, _SAMPLE)

    @property
    def _wanted(self) -> AssetId:
        size = self.scene.size
        return size.others[0] if size.exact_in else size.asset

    def _note(self, left_out: Iterable[tuple[str, str]]) -> None:
        for name, reason in left_out:
            self.left_out.append(LeftOut(name, reason))
            if _NEED_TICKS in reason:
                self.narrow.add(MarketId(name))

    def _rank(self, one: Candidate) -> tuple[bool, int, int, str]:
        net, exact_in = one.net, self.scene.size.exact_in
        if net is None:
            return True, one.amount_in, one.gas, one.name
        if one.mode is PlanMode.SEQUENCE and self.scene.request.progress is None:
            waiting = abs(net) * WAITING_PPM // _PPM
            net += -waiting if exact_in else waiting
        return False, -net if exact_in else net, one.gas, one.name
