"""What the kernel checks itself, whatever rules are installed: funds, and the intent's own constraints."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from fractions import Fraction

from sep_hooks.types import (
    Amount,
    AssetId,
    BreakerAction,
    Constraints,
    Flow,
    Plan,
    Quantity,
    RiskView,
    Verdict,
    chain_id_of,
    chain_of,
    native_asset,
)

from sep_core.risk.breakers import BREAKER_OPEN, lets_pass

KERNEL_RULE = "kernel"
_VERSION = "1"
_PPM = 1_000_000
_ZERO = Quantity(0)


def money_of(plan: Plan) -> tuple[tuple[AssetId, Amount], ...]:
    """The most that may leave the account: the limit of what is spent, and gas at its cap."""
    gas = native_asset(chain_id_of(chain_of(plan.asset_in)))
    money: dict[AssetId, int] = {}
    for flow in plan.spends:
        money[flow.asset] = money.get(flow.asset, 0) + flow.limit
    money[gas] = money.get(gas, 0) + plan.gas_cost_limit
    return tuple((asset, Amount(amount)) for asset, amount in money.items() if amount)


def kernel_verdicts(plan: Plan, constraints: Constraints, view: RiskView) -> Iterator[Verdict]:
    """One verdict for each of the kernel's own checks, passing ones included."""
    for asset, amount in money_of(plan):
        yield _funds(asset, amount, view)
    yield from _breakers(plan, view)
    yield _slippage(plan, constraints)
    yield from _lists(plan, constraints)
    if constraints.max_fee is not None:
        yield _verdict(
            "fee_exceeds_constraint",
            "gas_cost",
            "wei",
            plan.gas_cost_limit,
            constraints.max_fee,
            "gas may cost {asked} wei at most, the intent allows {limit}",
        )


def charge_verdict(
    key: tuple[str, str], asked: int, held: Mapping[tuple[str, str], int], limit: Verdict
) -> Verdict:
    """Whether a claim fits under a rule's limit with what the kernel knows to be held, whatever the rule thought."""
    metric, scope = key
    others = held.get(key, 0)
    return Verdict(
        rule=KERNEL_RULE,
        version=_VERSION,
        code="limit_exceeded",
        scope=scope,
        metric=metric,
        unit=limit.unit,
        used=limit.used,
        held=Quantity(others),
        asked=Quantity(asked),
        limit=limit.limit,
        hard=True,
        ok=limit.used + others + asked <= limit.limit,
        detail=f"{limit.rule} limits {metric} of {scope} to {limit.limit}: "
        f"{limit.used} used, {others} held, {asked} asked",
    )


def _funds(asset: AssetId, asked: Amount, view: RiskView) -> Verdict:
    total, free = view.total.get(asset, Amount(0)), view.free.get(asset, Amount(0))
    return Verdict(
        rule=KERNEL_RULE,
        version=_VERSION,
        code="insufficient_funds",
        scope=f"account:{view.account}",
        metric="funds",
        unit=asset,
        used=_ZERO,
        held=Quantity(total - free),
        asked=Quantity(asked),
        limit=Quantity(total),
        hard=True,
        ok=asked <= free,
        detail=f"the plan may spend {asked} of {asset}, free are {free} of {total}",
    )


def _breakers(plan: Plan, view: RiskView) -> Iterator[Verdict]:
    numeraire = None if view.prices is None else view.prices.numeraire
    for name, action in view.breakers.items():
        stopped = not lets_pass(action, plan, numeraire)
        most = (
            "nothing new" if action is BreakerAction.BLOCK else "only what turns holdings into the numeraire"
        )
        yield _verdict(
            BREAKER_OPEN, name, "count", int(stopped), 0, f"breaker {name} is open, it lets pass {most}"
        )


def _slippage(plan: Plan, constraints: Constraints) -> Verdict:
    allowed = Fraction(constraints.max_slippage)
    sides = [_received(flow, allowed) if plan.exact_in else _spent(flow, allowed) for flow in _bounded(plan)]
    ok, asked = all(one for one, _ in sides), max(off for _, off in sides)
    parts = -(-asked.numerator * _PPM // asked.denominator)
    return Verdict(
        rule=KERNEL_RULE,
        version=_VERSION,
        code="slippage_exceeds_constraint",
        scope="intent",
        metric="slippage",
        unit="ppm",
        used=_ZERO,
        held=_ZERO,
        asked=Quantity(parts),
        limit=Quantity(int(allowed * _PPM)),
        hard=True,
        ok=ok,
        detail=f"the plan's limit is {parts} parts per million off its reference, the intent allows "
        f"{constraints.max_slippage}",
    )


def _bounded(plan: Plan) -> tuple[Flow, ...]:
    """The side of a plan that its limits bound: what comes (exact in) or what is spent (exact out)."""
    return plan.receives if plan.exact_in else plan.spends


def _received(flow: Flow, allowed: Fraction) -> tuple[bool, Fraction]:
    reference = max(flow.expected, flow.quoted)
    if reference <= 0:
        return False, Fraction(1)
    least = reference * (1 - allowed)
    return flow.limit >= least.numerator // least.denominator, Fraction(reference - flow.limit, reference)


def _spent(flow: Flow, allowed: Fraction) -> tuple[bool, Fraction]:
    reference = min(flow.expected, flow.quoted)
    off = Fraction(flow.limit - reference, flow.limit) if flow.limit else Fraction(1)
    return reference > 0 and flow.limit * (1 - allowed) < reference + 1, off


def _lists(plan: Plan, constraints: Constraints) -> Iterator[Verdict]:
    touched = {asset for leg in plan.legs for asset in (leg.asset_in, leg.asset_out)}
    spent = {flow.asset for flow in plan.spends}
    touched |= spent | {flow.asset for flow in plan.receives}
    if constraints.venues:
        yield _none_outside("venue", set(plan.venues), set(constraints.venues))
    if constraints.chains:
        yield _none_outside("chain", {step.chain for step in plan.steps}, set(constraints.chains))
    if constraints.assets:
        # What is spent follows from the account's funding, the list bounds what the path may touch besides.
        yield _none_outside("asset", touched - spent, set(constraints.assets))


def _none_outside(what: str, used: AbstractSet[str], allowed: AbstractSet[str]) -> Verdict:
    outside = sorted(used - allowed)
    names = ", ".join(outside) or "none"
    return _verdict(
        f"{what}_not_allowed",
        f"{what}s_outside",
        "count",
        len(outside),
        0,
        f"{what}s that the intent's list leaves out: {names}",
    )


def _verdict(code: str, metric: str, unit: str, asked: int, limit: int, detail: str) -> Verdict:
    return Verdict(
        rule=KERNEL_RULE,
        version=_VERSION,
        code=code,
        scope="intent",
        metric=metric,
        unit=unit,
        used=_ZERO,
        held=_ZERO,
        asked=Quantity(asked),
        limit=Quantity(limit),
        hard=True,
        ok=asked <= limit,
        detail=detail.format(asked=asked, limit=limit),
    )
