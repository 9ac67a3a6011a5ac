"""Whether a plan of the log is what it claims, on the snapshot that it names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from sep_hooks.errors import SepError
from sep_hooks.types import Address, Certificate, Leg, LiquidityFamily, Plan

from sep_core.events.codec import encode
from sep_core.events.values import value_codec
from sep_core.markets.snapshot_data import SnapshotData
from sep_core.markets.strict_json import FileRefused, printable
from sep_core.planning.digest import plan_digest
from sep_core.planning.native import Limits, NativeLeg, Problem, Solution
from sep_core.planning.split import rebalance_problem
from sep_core.runtime.plan_check import Difference, refuted_place, words_of
from sep_core.runtime.plan_terms_check import real, sums_of, terms_differences, unchecked

_MOST_VENUES = 5
"""Of so many venues that took no part each choice is tried."""

_EXCLUDED = "excluded by the problem"
_, _decode_plan = value_codec(Plan)


@dataclass(frozen=True, slots=True)
class CheckedStoredPlan:
    """A plan that was looked at. `covered` markets are those that its proof speaks of, None where it was not computed
    anew; `notes` say why. `unchecked` names what of it cannot be told from itself and its snapshot.
    """

    plan: Plan
    differences: tuple[Difference, ...]
    covered: int | None
    notes: tuple[str, ...]
    unchecked: tuple[str, ...]


def is_stored_plan(document: object) -> bool:
    """Whether a JSON value is a plan, or an event of the log that holds one."""
    return _plan_of(document) is not None


def check_stored_plan(
    document: object, what: str, data: SnapshotData, account: Address | None = None
) -> CheckedStoredPlan:
    """Replays a plan's legs on its snapshot, computes its bound anew and compares what the plan says of itself: flows,
    orders, allowances, and whom it pays where the account's address is given. Raises `FileRefused` where it is none.
    """
    said = _plan_of(document)
    try:
        plan = _decode_plan(encode(said))
        digest = plan_digest(plan)
    except (SepError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise FileRefused(
            f"{what} is no plan of this release: {printable(error)}",
            next_step="save what `sep events --at POSITION` prints of an IntentPlanned",
        ) from None
    found: list[Difference] = []
    if digest != plan.digest:
        found.append(Difference("/plan/digest", printable(plan.digest), digest))
    if data.digest != plan.snapshot.digest:
        found.append(Difference("/plan/snapshot/digest", printable(plan.snapshot.digest), data.digest))
        return CheckedStoredPlan(plan, tuple(found), None, (), ())
    found += _differences(plan, data, account)
    legs = (*plan.legs, *plan.later)
    sampled = [leg for leg in legs if _is_sampled(leg, data)]
    found += _legs(legs, data, "/plan/legs")
    notes = [f"{leg.market} is known by quotes alone: its amounts are the venue's word" for leg in sampled]
    problem = None if plan.certificate is None or sampled else _problem(plan, legs, ())
    covered: int | None = None
    if plan.certificate is None:
        notes.append("the plan has no certificate")
    elif not plan.certificate.prices:
        notes.append("the plan's method proves nothing")
    elif problem is None:
        notes.append("the proof is not computed anew: the plan does not hold all that it was asked")
    elif not found:
        proof = _any_proof(plan, plan.certificate, legs, data)
        if isinstance(proof, Difference):
            found.append(proof)
        else:
            covered = proof
    return CheckedStoredPlan(plan, tuple(found), covered, tuple(notes), unchecked(plan, account))


def _plan_of(document: object) -> Any:
    """The plan inside a plan, a fact's body, or an event as it is shown."""
    for _ in range(3):
        if not isinstance(document, dict):
            return None
        if "steps" in document and "snapshot" in document:
            return document
        document = document.get("plan", document.get("body"))
    return None


def _is_sampled(leg: Leg, data: SnapshotData) -> bool:
    market = data.markets.get(leg.market)
    return market is not None and market.family is LiquidityFamily.SAMPLED


def _differences(plan: Plan, data: SnapshotData, account: Address | None) -> Iterator[Difference]:
    """What the plan says of itself, of the size of its snapshot, and of the route that is not split."""
    if plan.snapshot.markets != len(data.markets):
        yield Difference("/plan/snapshot/markets", str(plan.snapshot.markets), str(len(data.markets)))
    yield from terms_differences(plan, account)
    path, at = (
        None if plan.certificate is None else plan.certificate.single_path,
        "/plan/certificate/single_path",
    )
    if path is None:
        return
    yield from _legs(path.legs, data, f"{at}/legs", asked=not plan.exact_in)
    gas = sum(data.markets[leg.market].gas for leg in path.legs if leg.market in data.markets)
    if path.gas != gas:
        yield Difference(f"{at}/gas", str(path.gas), str(gas))
    spent, gained = sums_of((*plan.legs, *plan.later))
    pays, brings = sums_of(path.legs)
    if plan.exact_in:
        fits = pays == spent and brings.keys() <= gained.keys()
    else:
        # Any asset that may pay may pay for it; of several transactions the whole is not in one plan.
        least = 0 if plan.whole is not None else plan.receives[0].expected if plan.receives else 0
        fits = brings.keys() <= gained.keys() and sum(brings.values()) >= least
    if not fits:
        yield Difference(
            at, f"{_listed(pays)} for {_listed(brings)}", f"{_listed(spent)} for {_listed(gained)}"
        )


def _listed(amounts: Mapping[str, int]) -> str:
    return printable(" and ".join(f"{amount} of {asset}" for asset, amount in amounts.items()))


def _legs(legs: Sequence[Leg], data: SnapshotData, at: str, *, asked: bool = False) -> Iterator[Difference]:
    """Each leg through its market again. `asked`: of what is bought exactly a leg may say what was asked for, where the
    market gives a rest of rounding more.
    """
    for place, leg in enumerate(legs):
        pointer = f"{at}/{place}"
        if leg.market not in data.markets:
            yield Difference(pointer, printable(leg.market), "no market of that name")
            continue
        if _is_sampled(leg, data):
            continue
        try:
            quote = data.network.quote(leg.market, leg.asset_in, leg.amount_in, True, leg.asset_out)
            if quote.amount_out != leg.amount_out:
                # What is bought exactly is quoted from the other end.
                quote = data.network.quote(leg.market, leg.asset_in, leg.amount_out, False, leg.asset_out)
        except (SepError, ValueError, KeyError, OverflowError) as error:
            yield Difference(pointer, f"{leg.amount_in} for {leg.amount_out}", words_of(error))
            continue
        comes = min(quote.amount_out, leg.amount_out) if asked else quote.amount_out
        if (quote.amount_in, comes) != (leg.amount_in, leg.amount_out):
            told = f"{quote.amount_in} for {quote.amount_out}"
            yield Difference(pointer, f"{leg.amount_in} for {leg.amount_out}", told)


def _excluded(plan: Plan, data: SnapshotData) -> Iterator[list[str]]:
    """What the solver may not have used, the least first: markets that the plan names, and all those of some of the
    venues that it names, for one that failed while it was planned took no part. How many are covered is told.
    """
    markets = {one.name for one in plan.left_out if one.reason == _EXCLUDED}
    used = {data.markets[leg.market].venue for leg in (*plan.legs, *plan.later) if leg.market in data.markets}
    venues = {one.venue for one in data.markets.values()} & {one.name for one in plan.left_out} - used
    named = sorted(venues)[:_MOST_VENUES]
    for count in range(len(named) + 1):
        for some in combinations(named, count):
            yield sorted(markets | {one.id for one in data.markets.values() if one.venue in some})


def _problem(plan: Plan, legs: Sequence[Leg], exclude: Sequence[str]) -> Problem | None:
    """What the solver was asked, as far as the plan tells it."""
    spent, gained = sums_of(legs)
    limits = Limits(exclude=exclude)
    weights = () if plan.certificate is None else plan.certificate.weights
    try:
        if weights:
            return rebalance_problem(weights, limits)
        if plan.exact_in and len(gained) == 1:
            (want,) = gained
            return Problem.exact_in(sorted(spent.items()), want, limits)
        if not plan.exact_in and len(spent) == 1 and len(gained) == 1:
            (paid,), ((want, amount),) = spent, gained.items()
            return Problem.exact_out(want, amount, [(paid, (1, 1))], limits)
    except (ValueError, OverflowError):
        return None
    return None


def _any_proof(
    plan: Plan, proof: Certificate, legs: Sequence[Leg], data: SnapshotData
) -> Difference | int | None:
    """The first that holds, else what is wrong with the one that excludes least."""
    first: Difference | None = None
    for exclude in _excluded(plan, data):
        problem = _problem(plan, legs, exclude)
        found = None if problem is None else _proof(proof, problem, legs, data)
        if isinstance(found, int):
            return found
        first = first or found
    return first


def _proof(proof: Certificate, problem: Problem, legs: Sequence[Leg], data: SnapshotData) -> Difference | int:
    """How many markets the bound covers, or what does not hold."""
    spent, gained = sums_of(legs)
    try:
        claimed = Solution.claimed(
            problem,
            [
                NativeLeg(
                    leg.market,
                    leg.asset_in,
                    leg.asset_out,
                    leg.amount_in,
                    leg.amount_out,
                    data.markets[leg.market].gas,
                )
                for leg in legs
            ],
            sorted(spent.items()),
            sorted(gained.items()),
            _number(proof.objective),
            [(one.asset, _number(one.price)) for one in proof.prices],
            list(proof.order),
            _number(proof.bound),
            _number(proof.gap_before_gas),
            # A plan names some of what was left out only; how many markets are covered is told instead.
            [(market, "") for market in data.markets],
        )
        return claimed.verify(data.network).covered
    except (SepError, ValueError, KeyError, OverflowError) as error:
        words = words_of(error)
        return Difference("/plan" + refuted_place(words), "what the plan claims", words)


def _number(text: str) -> float:
    value = real(text)
    if value is None:
        raise ValueError(f"{text[:64]!r} is no finite number")
    return value
