"""Whether what a plan says of itself fits together: flows, orders, allowances, bounds. What needs no market."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from sep_hooks.errors import SepError
from sep_hooks.types import (
    Address,
    Bundle,
    Certificate,
    Flow,
    Leg,
    Plan,
    Step,
    StepKind,
    SwapOrder,
    token_address,
)

from sep_core.markets.strict_json import printable
from sep_core.planning.approvals import Approval
from sep_core.planning.bundle import EXECUTE, REST
from sep_core.planning.sandwich import sandwich_bound
from sep_core.runtime.native import decode_call
from sep_core.runtime.plan_check import Difference, words_of


def sums_of(legs: Sequence[Leg]) -> tuple[dict[str, int], dict[str, int]]:
    """What legs spend and what they gain, net, by asset."""
    sums: dict[str, int] = {}
    for leg in legs:
        sums[leg.asset_in] = sums.get(leg.asset_in, 0) - leg.amount_in
        sums[leg.asset_out] = sums.get(leg.asset_out, 0) + leg.amount_out
    spent = {asset: -amount for asset, amount in sums.items() if amount < 0}
    return spent, {asset: amount for asset, amount in sums.items() if amount > 0}


def terms_differences(plan: Plan, account: Address | None = None) -> Iterator[Difference]:
    """Every place of a plan that contradicts another one of it, or pays another address than the account's."""
    yield from _flows(plan)
    for place, step in enumerate(plan.steps if account is not None else ()):
        if step.order is not None and step.kind is not StepKind.ORDER:
            yield from _unlike(f"/plan/steps/{place}/order/recipient", step.order.recipient, account)
    yield from _steps(plan)
    yield from _sandwich(plan)
    if plan.certificate is not None:
        yield from _reals(plan.certificate)
        yield from _path(plan.certificate)


def unchecked(plan: Plan, account: Address | None = None) -> tuple[str, ...]:
    """What of a plan nothing in it or in its snapshot can tell, in words."""
    who = printable(plan.account)
    said = ["the limits against the intent's max_slippage, which stands in the intent"]
    for step in plan.steps:
        name = printable(step.id)
        if step.bundle is not None:
            said.append(
                f"that {step.bundle.executor}, which runs {name}, is the executor of the account {who}, and"
                " what its calls to venues do"
            )
        elif step.kind is StepKind.ORDER:
            said.append(f"what the order {name} asks of the book of {printable(step.venue)}")
        elif step.order is not None:
            if account is None:
                said.append(f"that {step.order.recipient}, to whom {name} pays, is the account {who}")
            said.append(f"what the call of {name} to {step.call.to} does")
            if bytes.fromhex(step.order.recipient[2:]) not in step.call.data:
                said.append(f"where the call of {name} pays to: it does not name {step.order.recipient}")
        elif step.spender is not None and step.allowance and not _bundled(plan):
            said.append(f"that {step.spender}, which {name} lets take what is spent, belongs to the venue")
    if plan.sandwich is None and not any(step.kind is StepKind.ORDER for step in plan.steps):
        said.append("what can be taken from it before it is included: it does not say")
    told = ["method", "slices", "gas limits and fees", "the reasons of left_out"]
    if plan.certificate is not None:
        told.append("net_gap, for the worth of gas is not in the plan")
    return (*said, "what the planner tells of itself: " + ", ".join(told))


def _bundled(plan: Plan) -> bool:
    return any(step.bundle is not None for step in plan.steps)


def _flows(plan: Plan) -> Iterator[Difference]:
    """What the plan's own legs exchange against what it says is spent and received."""
    spent, gained = sums_of(plan.legs)
    left = dict(spent)
    for place, flow in enumerate(plan.spends):
        pointer = f"/plan/spends/{place}"
        amount = left.pop(flow.asset, None)
        yield from _unlike(f"{pointer}/expected", flow.expected, amount or 0)
        if flow.limit < flow.expected:
            yield Difference(f"{pointer}/limit", str(flow.limit), f"{flow.expected} are spent")
    for asset, amount in left.items():
        yield Difference("/plan/spends", "nothing", f"{amount} of {asset}")
    if not plan.receives:
        yield Difference("/plan/receives", "nothing", "a plan that receives nothing")
    seen: set[str] = set()
    for place, flow in enumerate(plan.receives):
        pointer = f"/plan/receives/{place}"
        comes = 0 if flow.asset in seen else gained.get(flow.asset, 0)
        seen.add(flow.asset)
        # What is bought exactly may come with a rest of rounding.
        if flow.expected != comes and not (not plan.exact_in and flow.expected < comes):
            yield Difference(f"{pointer}/expected", str(flow.expected), str(comes))
        if not 0 < flow.limit <= max(flow.expected, flow.quoted):
            yield Difference(f"{pointer}/limit", str(flow.limit), f"above 0, at most {flow.expected}")
    yield from _unlike("/plan/gas_limit", plan.gas_limit, sum(step.gas_limit for step in plan.steps))


def _steps(plan: Plan) -> Iterator[Difference]:
    exchanges = [step for step in plan.steps if step.exchanges]
    if len(exchanges) != 1:
        yield Difference("/plan/steps", f"{len(exchanges)} exchanges", "one exchange")
        return
    (exchange,) = exchanges
    for place, step in enumerate(plan.steps):
        pointer = f"/plan/steps/{place}"
        if step.call.value:
            yield Difference(f"{pointer}/call/value", str(step.call.value), "0: tokens are spent")
        if step.bundle is not None:
            yield from _bundle(plan, step, step.bundle, f"{pointer}/bundle")
        elif step.order is not None:
            yield from _order(plan, step.order, f"{pointer}/order")
        else:
            yield from _approval(plan, step, exchange, pointer)


def _order(plan: Plan, order: SwapOrder, at: str) -> Iterator[Difference]:
    """The one order of a plan, which carries the plan's own limits."""
    yield from _legs(order, plan.exact_in, at)
    if len(plan.spends) != 1 or len(plan.receives) != 1:
        yield Difference(at, "one asset for another", "several assets in /plan/spends or /plan/receives")
        return
    (spent,), (received,) = plan.spends, plan.receives
    yield from _unlike(f"{at}/amount_in", order.amount_in, spent.limit)
    yield from _unlike(f"{at}/amount_out", order.amount_out, received.limit)


def _legs(order: SwapOrder, exact_in: bool, at: str) -> Iterator[Difference]:
    yield from _unlike(f"{at}/exact_in", order.exact_in, exact_in)
    for place, (one, other) in enumerate(zip(order.legs, order.legs[1:], strict=False), start=1):
        yield from _unlike(f"{at}/legs/{place}/asset_in", other.asset_in, one.asset_out)
        yield from _unlike(f"{at}/legs/{place}/amount_in", other.amount_in, one.amount_out)


def _bundle(plan: Plan, step: Step, bundle: Bundle, at: str) -> Iterator[Difference]:
    yield from _same_flows(f"{at}/spends", bundle.spends, plan.spends)
    yield from _same_flows(f"{at}/receives", bundle.receives, plan.receives)
    spends = {flow.asset: flow for flow in bundle.spends}
    for place, trade in enumerate(bundle.trades):
        pointer, order = f"{at}/trades/{place}/order", trade.order
        yield from _legs(order, plan.exact_in, pointer)
        yield from _unlike(f"{pointer}/recipient", order.recipient, bundle.executor)
        yield from _unlike(f"{pointer}/deadline", order.deadline, bundle.deadline)
        most, least = int(order.legs[0].amount_in), 1
        if not plan.exact_in:
            least = int(order.legs[-1].amount_out)
            flow = spends.get(order.asset_in)
            if flow is not None and flow.expected:
                most = most * flow.limit // flow.expected
        yield from _unlike(f"{pointer}/amount_in", order.amount_in, most)
        yield from _unlike(f"{pointer}/amount_out", order.amount_out, least)
    yield from _bundle_call(step, bundle, at.removesuffix("/bundle") + "/call")


def _bundle_call(step: Step, bundle: Bundle, at: str) -> Iterator[Difference]:
    """What the executor is asked to take, to bring and to trade, as it stands in the call."""
    yield from _unlike(f"{at}/to", step.call.to, bundle.executor)
    try:
        # Words of a shape that the signature gives.
        tokens, taken, least, rows, _, deadline = cast(tuple[Any, ...], decode_call(EXECUTE, step.call.data))
    except (SepError, ValueError) as error:
        yield Difference(f"{at}/data", "a call of the executor", words_of(error))
        return
    yield from _unlike(f"{at}/data", deadline, bundle.deadline)
    for words, amounts, flows in (("takes", taken, bundle.spends), ("asks for", least, bundle.receives)):
        found = {one: amount for one, amount in zip(tokens, amounts, strict=True) if amount}
        wanted: dict[str, int] = {token_address(flow.asset): int(flow.limit) for flow in flows}
        if found != wanted:
            yield Difference(f"{at}/data", f"it {words} {_listed(found)}", _listed(wanted))
    asked = [
        (tokens[row[2]] if row[2] < len(tokens) else "", REST if row[3] == REST else row[3]) for row in rows
    ]
    meant = [
        (token_address(one.order.asset_in), REST if one.takes_rest else int(one.order.amount_in))
        for one in bundle.trades
    ]
    if asked != meant:
        yield Difference(f"{at}/data", f"it trades {asked}", str(meant))


def _approval(plan: Plan, step: Step, exchange: Step, at: str) -> Iterator[Difference]:
    """An allowance is of exactly what the exchange may take, or of nothing, and its call says just that."""
    if (
        step.kind is not StepKind.APPROVE
        or step.token is None
        or step.spender is None
        or step.allowance is None
    ):
        yield Difference(at, "a step", "neither an exchange nor an allowance")
        return
    call = Approval(step.token, step.spender, step.allowance).call
    if step.call != call:
        yield Difference(
            f"{at}/call", f"{step.call.to} 0x{step.call.data.hex()}", f"{call.to} 0x{call.data.hex()}"
        )
    if exchange.bundle is not None:
        yield from _unlike(f"{at}/spender", step.spender, exchange.bundle.executor)
    flow = next((one for one in plan.spends if one.asset == step.token), None)
    if step.allowance:
        yield from _unlike(f"{at}/allowance", step.allowance, 0 if flow is None else flow.limit)


def _sandwich(plan: Plan) -> Iterator[Difference]:
    if plan.sandwich is None or not plan.receives or not plan.spends:
        return
    found = sandwich_bound(plan.spends, plan.receives, exact_in=plan.exact_in)
    yield from _unlike("/plan/sandwich/asset", plan.sandwich.asset, found.asset)
    yield from _unlike("/plan/sandwich/amount", plan.sandwich.amount, found.amount)
    yield from _unlike("/plan/sandwich/attack_gas", plan.sandwich.attack_gas, found.attack_gas)


def _reals(proof: Certificate) -> Iterator[Difference]:
    """Numbers that are numbers: finite, and the gaps and the bound of a sign that they can have."""
    for name in ("objective", "bound", "gap_before_gas", "net_gap"):
        text = getattr(proof, name)
        if not text and not proof.prices:
            continue
        value = real(text)
        if value is None or (name.endswith(("gap", "gas")) and value < 0):
            yield Difference(f"/plan/certificate/{name}", printable(text), "a finite number of at least 0")
    for place, price in enumerate(proof.prices):
        if not (real(price.price) or 0) > 0:
            pointer = f"/plan/certificate/prices/{place}/price"
            yield Difference(pointer, printable(price.price), "a finite number above 0")


def real(text: str) -> float | None:
    """A double by its exact text (`float.hex`), None where it is no finite one so written."""
    try:
        value = float.fromhex(text)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and value.hex() == text else None


def _path(proof: Certificate) -> Iterator[Difference]:
    """The unsplit route, its ends and amounts; its legs are replayed with the others."""
    path, at = proof.single_path, "/plan/certificate/single_path"
    if path is None:
        return
    if not path.legs:
        yield Difference(f"{at}/legs", "nothing", "a route has legs")
        return
    yield from _unlike(f"{at}/amount_in", path.amount_in, path.legs[0].amount_in)
    yield from _unlike(f"{at}/amount_out", path.amount_out, path.legs[-1].amount_out)
    for place, (one, other) in enumerate(zip(path.legs, path.legs[1:], strict=False), start=1):
        yield from _unlike(f"{at}/legs/{place}/asset_in", other.asset_in, one.asset_out)
        yield from _unlike(f"{at}/legs/{place}/amount_in", other.amount_in, one.amount_out)


def _same_flows(at: str, said: Sequence[Flow], found: Sequence[Flow]) -> Iterator[Difference]:
    if tuple(said) != tuple(found):
        yield Difference(at, _told(said), _told(found))


def _told(flows: Sequence[Flow]) -> str:
    return ", ".join(f"{one.expected} of {one.asset}, limit {one.limit}" for one in flows) or "nothing"


def _listed(amounts: Mapping[str, int]) -> str:
    return ", ".join(f"{amount} of {one}" for one, amount in sorted(amounts.items())) or "nothing"


def _unlike(pointer: str, said: object, found: object) -> Iterator[Difference]:
    if said != found:
        yield Difference(pointer, printable(said), printable(found))
