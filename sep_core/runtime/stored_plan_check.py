"""Whether a plan of the log is what it claims, on the snapshot that it names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sep_hooks.errors import SepError
from sep_hooks.types import Certificate, Leg, LiquidityFamily, Plan

from sep_core.events.registry import value_codec
from sep_core.markets.snapshot_data import SnapshotData
from sep_core.markets.strict_json import FileRefused, printable
from sep_core.planning.digest import plan_digest
from sep_core.planning.native import Limits, NativeLeg, Problem, Solution
from sep_core.runtime.plan_check import Difference, refuted_place, words_of

_EXCLUDED = "excluded by the problem"
_, _decode_plan = value_codec(Plan)


@dataclass(frozen=True, slots=True)
class CheckedStoredPlan:
    """A plan that was looked at. `covered` markets are those that its proof speaks of, None where it was not computed
    anew; `notes` say why.
    """

    plan: Plan
    differences: tuple[Difference, ...]
    covered: int | None
    notes: tuple[str, ...]


def is_stored_plan(document: object) -> bool:
    """Whether a JSON value is a plan, or an event of the log that holds one."""
    return _plan_of(document) is not None


def check_stored_plan(document: object, what: str, data: SnapshotData) -> CheckedStoredPlan:
    """Replays a plan's legs on its snapshot and computes its bound anew. Raises `FileRefused` where it is no plan."""
    said = _plan_of(document)
    try:
        plan = _decode_plan(said)
        digest = plan_digest(plan)
    except (SepError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FileRefused(
            f"{what} is no plan of this release: {printable(error)}",
            next_step="save what `sep events --at POSITION` prints of an IntentPlanned",
        ) from None
    found: list[Difference] = []
    if digest != plan.digest:
        found.append(Difference("/plan/digest", printable(plan.digest), digest))
    if data.digest != plan.snapshot.digest:
        found.append(Difference("/plan/snapshot/digest", printable(plan.snapshot.digest), data.digest))
        return CheckedStoredPlan(plan, tuple(found), None, ())
    legs = (*plan.legs, *plan.later)
    sampled = [leg for leg in legs if _is_sampled(leg, data)]
    found += _legs(legs, data)
    notes = [f"{leg.market} is known by quotes alone: its amounts are the venue's word" for leg in sampled]
    problem = None if plan.certificate is None or sampled else _problem(plan, legs)
    covered: int | None = None
    if plan.certificate is None:
        notes.append("the plan has no certificate")
    elif problem is None:
        notes.append("the proof is not computed anew: the plan does not hold all that it was asked")
    elif not found:
        proof = _proof(plan.certificate, problem, legs, data)
        if isinstance(proof, Difference):
            found.append(proof)
        else:
            covered = proof
    return CheckedStoredPlan(plan, tuple(found), covered, tuple(notes))


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


def _legs(legs: Sequence[Leg], data: SnapshotData) -> Iterator[Difference]:
    for place, leg in enumerate(legs):
        pointer = f"/plan/legs/{place}"
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
        except (SepError, ValueError, KeyError) as error:
            yield Difference(pointer, f"{leg.amount_in} for {leg.amount_out}", words_of(error))
            continue
        if (quote.amount_in, quote.amount_out) != (leg.amount_in, leg.amount_out):
            told = f"{quote.amount_in} for {quote.amount_out}"
            yield Difference(pointer, f"{leg.amount_in} for {leg.amount_out}", told)


def _problem(plan: Plan, legs: Sequence[Leg]) -> Problem | None:
    """What the solver was asked, as far as a plan of one asset for another tells it."""
    spent, gained = _sums(legs)
    limits = Limits(exclude=sorted(one.name for one in plan.left_out if one.reason == _EXCLUDED))
    try:
        if plan.exact_in and len(gained) == 1:
            (want,) = gained
            return Problem.exact_in(sorted(spent.items()), want, limits)
        if not plan.exact_in and len(spent) == 1 and len(gained) == 1:
            (paid,), ((want, amount),) = spent, gained.items()
            return Problem.exact_out(want, amount, [(paid, (1, 1))], limits)
    except (ValueError, OverflowError):
        return None
    return None


def _sums(legs: Sequence[Leg]) -> tuple[dict[str, int], dict[str, int]]:
    sums: dict[str, int] = {}
    for leg in legs:
        sums[leg.asset_in] = sums.get(leg.asset_in, 0) - leg.amount_in
        sums[leg.asset_out] = sums.get(leg.asset_out, 0) + leg.amount_out
    spent = {asset: -amount for asset, amount in sums.items() if amount < 0}
    return spent, {asset: amount for asset, amount in sums.items() if amount > 0}


def _proof(proof: Certificate, problem: Problem, legs: Sequence[Leg], data: SnapshotData) -> Difference | int:
    """How many markets the bound covers, or what does not hold."""
    spent, gained = _sums(legs)
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
            float.fromhex(proof.objective),
            [(one.asset, float.fromhex(one.price)) for one in proof.prices],
            list(proof.order),
            float.fromhex(proof.bound),
            float.fromhex(proof.gap_before_gas),
            # A plan names some of what was left out only; how many markets are covered is told instead.
            [(market, "") for market in data.markets],
        )
        return claimed.verify(data.network).covered
    except (SepError, ValueError, KeyError, OverflowError) as error:
        words = words_of(error)
        return Difference("/plan" + refuted_place(words), "what the plan claims", words)
