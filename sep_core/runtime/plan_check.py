"""Whether a priced route is what it claims: everything that can be computed anew is, and compared."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError
from sep_hooks.errors import SepError
from sep_hooks.types import MAX_AMOUNT, Amount, AssetId, MarketId

from sep_core.markets.snapshot_data import SnapshotData
from sep_core.markets.snapshot_reader import snapshot_of
from sep_core.markets.strict_json import FileRefused, pointer_of, printable
from sep_core.planning.gas_worth import gas_price_in
from sep_core.planning.native import NativeLeg, PathProblem, Solution
from sep_core.planning.question import Question, Spend
from sep_core.runtime.quote_view import (
    QUOTE_FORMAT,
    QUOTE_VERSION,
    QuoteCertificateView,
    QuoteLegView,
    QuoteView,
)
from sep_core.runtime.quotes import Told, chain_views
from sep_core.runtime.views import AmountView

_REAL_TOLERANCE: Final = 1e-9
"""How far doubles of two machines may differ, as a share."""

_MOST_PAIRS: Final = 128
"""In so many pairs of assets the search for a route that is not split is a full one."""

_MOST_HOPS: Final = 4
"""So many markets in a row that search goes through at most."""

_REFUTED: Final = (
    ("the bound is ", "/certificate/bound"),
    ("the gap is ", "/certificate/gap_before_gas"),
    ("the legs reach ", "/certificate/objective"),
    ("the price of ", "/certificate/prices"),
    ("neither covered nor named", "/left_out"),
    ("order", "/certificate/order"),
)
"""Which place of the file the core speaks of when it refuses a certificate."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A place of the file that does not hold: what it says, and what comes out."""

    pointer: str
    said: str
    found: str


@dataclass(frozen=True, slots=True)
class CheckedPlan:
    """A route that was looked at; without differences all of it holds on its snapshot, but for what is `unchecked`.

    `covered` markets are those that its proof speaks of, None where it was not computed anew.
    """

    answer: QuoteView
    differences: tuple[Difference, ...]
    covered: int | None
    unchecked: tuple[str, ...]


def check_answer(document: object, what: str, given: SnapshotData | None = None) -> CheckedPlan:
    """Compares every figure of an answer with what its snapshot gives. Raises `FileRefused` where it is no answer."""
    answer = _answer(document, what)
    data = _data(answer, what, given)
    if data.digest != answer.snapshot_digest:
        wrong = Difference("/snapshot_digest", printable(answer.snapshot_digest), data.digest)
        return CheckedPlan(answer, (wrong,), None, ())
    question = _question(answer, what)
    found = [
        *_surroundings(answer, data),
        *_gas(answer, question, data),
        *_legs(answer, question, data),
        *_limits(answer, question),
        *_path(answer, question, data),
    ]
    covered: int | None = None
    if not any(one.pointer.startswith(("/legs", "/spends", "/receives")) for one in found):
        proof = _proof(answer, question, data)
        if isinstance(proof, Difference):
            found.append(proof)
        else:
            covered = proof
            found += _net(answer, question, data)
    return CheckedPlan(answer, tuple(found), covered, _unchecked(answer, data))


def _answer(document: object, what: str) -> QuoteView:
    if not isinstance(document, dict):
        raise FileRefused(f"{what}: a {type(document).__name__} is no route")
    told = document.get("format"), document.get("version")
    if told != (QUOTE_FORMAT, QUOTE_VERSION) or type(told[1]) is not int:
        raise FileRefused(
            f"{what} says that it is {printable(told[0])!r}, version {printable(told[1])}; this release checks"
            f" {QUOTE_FORMAT!r}, version {QUOTE_VERSION}",
            next_step="save what `sep quote --json` prints",
        )
    snapshot = document.get("snapshot")
    if snapshot is not None and not isinstance(snapshot, dict):
        raise FileRefused(f"{what}: /snapshot is no object", pointer="/snapshot")
    try:
        # As JSON and strictly: no number passes for a text, no truth for a number. The snapshot has its own reader.
        bare = json.dumps({name: None if name == "snapshot" else value for name, value in document.items()})
        answer = QuoteView.model_validate_json(bare, strict=True)
        return answer.model_copy(update={"snapshot": snapshot})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = pointer_of(first["loc"])
        raise FileRefused(
            f"{what}: {place}: {first['msg'].removeprefix('Value error, ')}",
            pointer=place,
            next_step="save what `sep quote --json` prints",
        ) from None


def _data(answer: QuoteView, what: str, given: SnapshotData | None) -> SnapshotData:
    if given is not None:
        return given
    if answer.snapshot is None:
        raise FileRefused(
            f"{what} holds no snapshot", next_step="name the file that it was made on: --snapshot FILE"
        )
    return snapshot_of(answer.snapshot, what, "/snapshot")


def _question(answer: QuoteView, what: str) -> Question:
    said = answer.request
    question = Question(
        spends=tuple(
            Spend(
                AssetId(one.asset),
                None if one.amount is None else Amount(int(one.amount)),
                None if one.worth is None else (int(one.worth[0]), int(one.worth[1])),
            )
            for one in said.spend
        ),
        want=AssetId(said.want),
        amount=None if said.amount is None else Amount(int(said.amount)),
        max_legs=said.max_legs,
        max_hops=said.max_hops,
        time_ms=said.time_ms,
        arbitrage=said.arbitrage,
        exclude=tuple(MarketId(one) for one in said.exclude),
        gas_price=(int(said.gas_price[0]), int(said.gas_price[1])),
    )
    exact_in = said.kind == "exact_in"
    if exact_in is not question.exact_in or any(
        (one.amount is None) is exact_in or (one.worth is None) is not exact_in for one in question.spends
    ):
        raise FileRefused(f"{what}: /request contradicts itself", pointer="/request")
    try:
        question.problem()
    except (ValueError, OverflowError) as error:
        raise FileRefused(f"{what}: /request: {printable(error)}", pointer="/request") from None
    return question


def _surroundings(answer: QuoteView, data: SnapshotData) -> Iterator[Difference]:
    """What only repeats the snapshot."""
    yield from _different("/markets", answer.markets, len(data.markets))
    told = [one.model_dump() for one in answer.chains]
    for place, (said, at) in enumerate(zip(told, chain_views(data), strict=False)):
        for name, value in at.model_dump().items():
            yield from _different(f"/chains/{place}/{name}", said[name], value)
    yield from _different("/chains", len(answer.chains), len(data.chains))
    known = {one.name for one in data.left_out} | set(data.markets)
    for place, left in enumerate(answer.left_out):
        if left.name not in known:
            yield Difference(f"/left_out/{place}/name", printable(left.name), "no market of that name")
    named = {(one.name, one.reason) for one in answer.left_out}
    for one in data.left_out:
        if (one.name, one.reason) not in named:
            yield Difference("/left_out", "nothing of it", printable(f"{one.name}: {one.reason}"))


def _gas(answer: QuoteView, question: Question, data: SnapshotData) -> Iterator[Difference]:
    """What gas costs here, and what it comes to."""
    measure = question.want if question.exact_in else question.spends[0].asset
    price = None
    for at in data.chains:
        price = price or gas_price_in(data.network, at.fee_per_gas, at.gas_asset, measure)
    above, below = price or (0, 1)
    if above * question.gas_price[1] != question.gas_price[0] * below:
        yield Difference("/request/gas_price", "/".join(answer.request.gas_price), f"{above}/{below}")
    yield from _different("/gas_priced", answer.gas_priced, price is not None)
    gas = sum(leg.gas for leg in answer.legs)
    yield from _different("/gas", answer.gas, gas)
    yield from _different("/gas_worth", answer.gas_worth, str(_worth(gas, question)))


def _worth(gas: int, question: Question) -> int:
    above, below = question.gas_price
    return -(-gas * above // below)


def _legs(answer: QuoteView, question: Question, data: SnapshotData) -> Iterator[Difference]:
    """Each leg through its market again, and what all of them come to."""
    told = Told(data)
    sums: dict[str, int] = {}
    for place, leg in enumerate(answer.legs):
        pointer = f"/legs/{place}"
        fresh = _leg_again(told, question, leg, pointer, data)
        if isinstance(fresh, Difference):
            yield fresh
            continue
        for name, value in fresh.model_dump().items():
            yield from _different(f"{pointer}/{name}", getattr(leg, name), value)
        sums[leg.asset_in] = sums.get(leg.asset_in, 0) - int(fresh.amount_in)
        sums[leg.asset_out] = sums.get(leg.asset_out, 0) + int(fresh.amount_out)
    spent = {asset: -amount for asset, amount in sums.items() if amount < 0}
    gained = {asset: amount for asset, amount in sums.items() if amount > 0}
    yield from _amounts("/spends", answer.spends, spent, told)
    yield from _amounts("/receives", answer.receives, gained, told)


def _leg_again(
    told: Told,
    question: Question,
    leg: QuoteLegView,
    pointer: str,
    data: SnapshotData,
    *,
    asked: bool = False,
) -> QuoteLegView | Difference:
    """The same leg as its market gives it. `asked`: of what is bought exactly it may say what was asked for, where the
    market gives a rest of rounding more.
    """
    market = data.markets.get(MarketId(leg.market))
    if market is None:
        return Difference(f"{pointer}/market", printable(leg.market), "no market of that name")
    amount = leg.amount_in if question.exact_in else leg.amount_out
    try:
        quote = data.network.quote(leg.market, leg.asset_in, int(amount), question.exact_in, leg.asset_out)
    except (SepError, ValueError, KeyError, OverflowError) as error:
        return Difference(pointer, f"{leg.amount_in} for {leg.amount_out}", words_of(error))
    comes = quote.amount_out
    if asked and not question.exact_in:
        comes = min(comes, int(leg.amount_out))
    again = NativeLeg(leg.market, leg.asset_in, leg.asset_out, quote.amount_in, comes, market.gas)
    return told.leg(again)


def _amounts(
    at: str, said: Sequence[AmountView], found: Mapping[str, int], told: Told
) -> Iterator[Difference]:
    """Sums by asset, in whatever order."""
    left = dict(found)
    for place, one in enumerate(said):
        amount = left.pop(one.asset.id, None)
        if amount is None:
            yield Difference(f"{at}/{place}/asset/id", printable(one.asset.id), "nothing of it")
            continue
        if amount > MAX_AMOUNT:
            yield Difference(f"{at}/{place}/amount", one.amount, "more than 2^256 - 1 base units")
            continue
        fresh = told.amount(one.asset.id, amount)
        yield from _different(f"{at}/{place}/amount", one.amount, fresh.amount)
        yield from _different(f"{at}/{place}/text", one.text, fresh.text)
        for name, value in fresh.asset.model_dump().items():
            yield from _different(f"{at}/{place}/asset/{name}", getattr(one.asset, name), value)
    for asset, amount in left.items():
        yield Difference(at, "nothing", f"{amount} of {asset}")


def _path(answer: QuoteView, question: Question, data: SnapshotData) -> Iterator[Difference]:
    """The unsplit route: each leg again, one after the other."""
    path = answer.single_path
    yield from _best_path(answer, question, data)
    if path is None:
        return
    if not path.legs:
        yield Difference("/single_path/legs", "nothing", "a route has legs")
        return
    told = Told(data)
    held: tuple[str, str] | None = None
    for place, leg in enumerate(path.legs):
        pointer = f"/single_path/legs/{place}"
        if held is not None and held != (leg.asset_in, leg.amount_in):
            yield Difference(pointer, f"{leg.amount_in} of {leg.asset_in}", f"{held[1]} of {held[0]}")
        fresh = _leg_again(told, question, leg, pointer, data, asked=True)
        if isinstance(fresh, Difference):
            yield fresh
        else:
            for name, value in fresh.model_dump().items():
                yield from _different(f"{pointer}/{name}", getattr(leg, name), value)
        held = leg.asset_out, leg.amount_out
    gas = sum(leg.gas for leg in path.legs)
    yield from _different("/single_path/amount_in", path.amount_in, path.legs[0].amount_in)
    yield from _different("/single_path/amount_out", path.amount_out, path.legs[-1].amount_out)
    yield from _different("/single_path/gas", path.gas, gas)
    yield from _different("/single_path/gas_worth", path.gas_worth, str(_worth(gas, question)))


def _best_path(answer: QuoteView, question: Question, data: SnapshotData) -> Iterator[Difference]:
    """The unsplit route is one for what was asked, and the best one where that can be looked for in full."""
    path, at = answer.single_path, "/single_path"
    if path is not None and path.legs:
        ends, exact = (path.legs[0].asset_in, path.legs[-1].asset_out), path.amount_in
        paying = {str(one.asset) for one in question.spends}
        if ends[0] not in paying or ends[1] != question.want:
            yield Difference(
                at, f"{ends[0]} to {ends[1]}", f"{' or '.join(sorted(paying))} to {question.want}"
            )
            return
        if question.exact_in:
            asked = str(question.spends[0].amount) if len(question.spends) == 1 else "no one amount"
            yield from _different(f"{at}/amount_in", exact, asked)
        elif int(path.amount_out) < (question.amount or 0):
            yield Difference(f"{at}/amount_out", path.amount_out, f"at least {question.amount}")
    found = _searched(question, data)
    if found is None:
        return
    said = () if path is None else tuple((one.market, one.asset_out) for one in path.legs)
    if said != found:
        yield Difference(
            f"{at}/legs" if path is not None else at,
            " then ".join(printable(market) for market, _ in said) or "no route that is not split",
            " then ".join(market for market, _ in found) or "no route that is not split",
        )


def _searched(question: Question, data: SnapshotData) -> tuple[tuple[str, str], ...] | None:
    """The best unsplit route as markets and what each gives, empty where there is none; None where there are too many
    markets to look at all of them, or more than one thing is spent exactly.
    """
    pairs = sum(len(one.assets) * (len(one.assets) - 1) // 2 for one in data.markets.values())
    if pairs > _MOST_PAIRS or (question.exact_in and len(question.spends) > 1):
        return None
    amount = question.spends[0].amount if question.exact_in else question.amount
    hops = min(question.max_hops or _MOST_HOPS, question.max_legs or _MOST_HOPS, _MOST_HOPS)
    try:
        problem = PathProblem(
            question.want,
            int(amount or 0),
            question.exact_in,
            [one.asset for one in question.spends],
            [] if question.exact_in else [one.worth or (0, 1) for one in question.spends],
            hops,
            list(question.exclude),
        )
        return tuple((leg.market, leg.asset_out) for leg in data.network.best_path(problem).legs)
    except (SepError, ValueError, KeyError, OverflowError):
        return ()


def _limits(answer: QuoteView, question: Question) -> Iterator[Difference]:
    """How many markets were allowed, in all and in a row."""
    for at, count in (("/legs", len(answer.legs)), *_path_count(answer)):
        if question.max_legs is not None and count > question.max_legs:
            yield Difference(at, f"{count} markets", f"/request/max_legs is {question.max_legs}")
    hops = question.max_hops
    if hops is None or question.arbitrage:  # a loop is as long as it pays
        return
    for at, count in _path_count(answer):
        if count > hops:
            yield Difference(at, f"{count} markets in a row", f"/request/max_hops is {hops}")
    flows = [(leg.asset_in, leg.asset_out) for leg in answer.legs]
    before = _steps_to({str(one.asset) for one in question.spends}, flows)
    after = _steps_to({str(question.want)}, [(there, here) for here, there in flows])
    for place, (here, there) in enumerate(flows):
        if here in before and there in after and before[here] + 1 + after[there] > hops:
            least = before[here] + 1 + after[there]
            yield Difference(f"/legs/{place}", f"{least} markets in a row", f"/request/max_hops is {hops}")


def _path_count(answer: QuoteView) -> tuple[tuple[str, int], ...]:
    return () if answer.single_path is None else (("/single_path/legs", len(answer.single_path.legs)),)


def _steps_to(begin: set[str], flows: Sequence[tuple[str, str]]) -> dict[str, int]:
    """How few of the flows lead to each asset."""
    found = dict.fromkeys(begin, 0)
    reached, steps = set(begin), 0
    while reached:
        steps += 1
        reached = {there for here, there in flows if here in reached} - found.keys()
        found |= dict.fromkeys(reached, steps)
    return found


def _proof(answer: QuoteView, question: Question, data: SnapshotData) -> Difference | int:
    """The certificate, by the core: objective, bound and gap from the snapshot and the prices alone. How many markets
    it covers, or what does not hold.
    """
    said = answer.certificate
    try:
        claimed = Solution.claimed(
            question.problem(),
            [
                NativeLeg(
                    one.market, one.asset_in, one.asset_out, int(one.amount_in), int(one.amount_out), one.gas
                )
                for one in answer.legs
            ],
            [(one.asset.id, int(one.amount)) for one in answer.spends],
            [(one.asset.id, int(one.amount)) for one in answer.receives],
            float(said.objective),
            [(one.asset, float(one.price)) for one in said.prices],
            said.order,
            float(said.bound),
            float(said.gap_before_gas),
            [(one.name, one.reason) for one in answer.left_out],
        )
        return claimed.verify(data.network).covered
    except (SepError, ValueError, KeyError, OverflowError) as error:
        words = words_of(error)
        place = refuted_place(words)
        return Difference(place, _claim(said, place), words)


def _net(answer: QuoteView, question: Question, data: SnapshotData) -> Iterator[Difference]:
    """After gas a route is as far off as before it, and by its gas beyond that which any route needs: that is no less
    than the least that a market of what is wanted takes, and no more than the route's own last market does.
    """
    said = answer.certificate
    bound, gap = abs(float(said.bound)), float(said.gap_before_gas)
    net, free = float(said.net_gap), float(said.unlimited_gap)
    last = [leg.gas for leg in answer.legs if question.want in (leg.asset_in, leg.asset_out)]
    any_last = [one.gas for one in data.markets.values() if question.want in one.assets]
    least, most = (
        max(0.0, gap + (_worth(answer.gas, question) - _worth(gas, question)) / bound) if bound else gap
        for gas in (min(last, default=answer.gas), min(any_last, default=0))
    )
    tolerance = _REAL_TOLERANCE * max(1.0, most)
    if not least - tolerance <= net <= most + tolerance:
        yield Difference("/certificate/net_gap", said.net_gap, f"{least:g} to {most:g}")
    if free < 0:
        yield Difference("/certificate/unlimited_gap", said.unlimited_gap, "at least 0")


def _unchecked(answer: QuoteView, data: SnapshotData) -> tuple[str, ...]:
    """What neither the file nor its snapshot can tell, in words."""
    told = [
        "what the search tells of itself: method, iterations, evaluations, the time that it had and took, whether the"
        " clock stopped it, and the gap that it had without limits (unlimited_gap)",
    ]
    if answer.request.arbitrage and answer.request.max_hops is not None:
        told.append("how many markets in a row a route with loops goes through")
    if any(one.name in data.markets for one in answer.left_out):
        told.append(
            "the reasons for which markets were left out; those left out are not among the covered ones"
        )
    return tuple(told)


def _claim(said: QuoteCertificateView, place: str) -> str:
    name = place.rpartition("/")[2]
    value = getattr(said, name, None)
    return value if isinstance(value, str) else "what it says there"


def _different(pointer: str, said: object, found: object) -> Iterator[Difference]:
    if said != found:
        yield Difference(pointer, printable(said), printable(found))


def refuted_place(words: str) -> str:
    """The place of a certificate that the core speaks of when it refuses it."""
    return next((place for text, place in _REFUTED if text in words), "/certificate")


def words_of(error: Exception) -> str:
    """What an error of the core says, fit for a terminal."""
    return printable(error.message if isinstance(error, SepError) else error.args[0] if error.args else error)
