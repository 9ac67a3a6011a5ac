"""Plans and verdicts as answers show them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from math import isfinite

from sep_hooks.types import BookOrder, Certificate, Flow, Leg, Plan, SandwichBound, Step, Verdict

from sep_core.execution import NonceEntry
from sep_core.execution.orders import OrderEntry
from sep_core.runtime.asset_book import AssetBook
from sep_core.runtime.native import checksum_address
from sep_core.runtime.views import (
    CertificateView,
    FlowView,
    LeftOutView,
    LegView,
    OrderView,
    PlanView,
    SandwichView,
    SinglePathView,
    StepView,
    VerdictView,
)

PRICE_DIGITS = 12


def plan_view(
    plan: Plan,
    attempt: int,
    assets: AssetBook,
    entries: Mapping[str, NonceEntry],
    orders: Mapping[str, OrderEntry],
) -> PlanView:
    """A plan; prices are whole units received for one spent, slippage is what the plan expects to lose."""
    scale = assets.asset(plan.asset_in).decimals - assets.asset(plan.asset_out).decimals
    marginal = _ratio(plan.marginal[0], plan.marginal[1])
    expected = _ratio(plan.expected_out, plan.expected_in)
    quoted = (
        assets.amount(plan.asset_out, plan.quoted_out)
        if plan.exact_in
        else assets.amount(plan.asset_in, plan.quoted_in)
    )
    return PlanView(
        digest=plan.digest,
        attempt=attempt,
        snapshot_digest=plan.snapshot.digest,
        block_number=plan.snapshot.block.number,
        block_hash=plan.snapshot.block.hash,
        block_time=datetime.fromtimestamp(plan.snapshot.timestamp, UTC),
        markets=plan.snapshot.markets,
        method=plan.method,
        mode=plan.mode,
        mode_reason=plan.mode_reason,
        all_spends=[_flow(flow, assets) for flow in plan.spends],
        all_receives=[_flow(flow, assets) for flow in plan.receives],
        exact_in=plan.exact_in,
        spends=assets.amount(plan.asset_in, plan.expected_in),
        receives=assets.amount(plan.asset_out, plan.expected_out),
        spend_limit=assets.amount(plan.asset_in, plan.limit_in),
        receive_limit=assets.amount(plan.asset_out, plan.limit_out),
        quoted=quoted,
        marginal_price=_text(marginal.scaleb(scale)),
        expected_price=_text(expected.scaleb(scale)),
        slippage=_text(max(Decimal(0), 1 - expected / marginal) if marginal else Decimal(0)),
        slices=plan.slices,
        slices_reason=plan.slices_reason,
        gas_limit=plan.gas_limit,
        max_fee_per_gas=str(plan.max_fee_per_gas),
        steps=[_step(step, assets, entries.get(step.id), orders.get(step.id)) for step in plan.steps],
        later=[_leg(leg, assets) for leg in plan.later],
        certificate=None if plan.certificate is None else _certificate(plan, plan.certificate, assets),
        sandwich=None if plan.sandwich is None else _sandwich(plan.sandwich, assets),
        left_out=[LeftOutView(name=one.name, reason=one.reason) for one in plan.left_out],
    )


def verdict_views(verdicts: Sequence[Verdict]) -> list[VerdictView]:
    """What the rules said, with their numbers."""
    return [
        VerdictView(
            rule=one.rule,
            version=one.version,
            code=one.code,
            scope=one.scope,
            metric=one.metric,
            unit=one.unit,
            used=str(one.used),
            held=str(one.held),
            asked=str(one.asked),
            limit=str(one.limit),
            headroom=str(one.headroom),
            hard=one.hard,
            ok=one.ok,
            detail=one.detail,
        )
        for one in verdicts
    ]


def _leg(leg: Leg, assets: AssetBook) -> LegView:
    return LegView(
        market=leg.market,
        spends=assets.amount(leg.asset_in, leg.amount_in),
        receives=assets.amount(leg.asset_out, leg.amount_out),
    )


def _flow(flow: Flow, assets: AssetBook) -> FlowView:
    return FlowView(
        expected=assets.amount(flow.asset, flow.expected),
        limit=assets.amount(flow.asset, flow.limit),
        quoted=assets.amount(flow.asset, flow.quoted),
    )


def _certificate(plan: Plan, proof: Certificate, assets: AssetBook) -> CertificateView:
    measured = plan.asset_out if plan.exact_in else plan.asset_in
    if plan.whole is not None:
        measured = plan.whole[1].asset if plan.exact_in else plan.whole[0].asset
    path = proof.single_path
    return CertificateView(
        method=proof.method,
        measure=measured,
        bound=proof.bound,
        gap_before_gas=proof.gap_before_gas,
        gap_before_gas_ratio=_double(proof.gap_before_gas),
        net_gap=proof.net_gap,
        net_gap_ratio=_double(proof.net_gap),
        arbitrage=proof.arbitrage,
        prices={one.asset: one.price for one in proof.prices},
        iterations=proof.iterations,
        single_path=None
        if path is None
        else SinglePathView(
            legs=[_leg(leg, assets) for leg in path.legs],
            spends=assets.amount(path.legs[0].asset_in, path.amount_in),
            receives=assets.amount(path.legs[-1].asset_out, path.amount_out),
            gas=path.gas,
        ),
    )


def _sandwich(bound: SandwichBound, assets: AssetBook) -> SandwichView:
    return SandwichView(bound=assets.amount(bound.asset, bound.amount), attack_gas=bound.attack_gas)


def _double(text: str) -> str | None:
    """A double's exact text as a rounded decimal; None where there is none."""
    if not text:
        return None
    number = float.fromhex(text)
    return _text(Decimal(number)) if isfinite(number) else None


def _step(step: Step, assets: AssetBook, entry: NonceEntry | None, order: OrderEntry | None) -> StepView:
    status = entry.status if entry is not None else order.status if order is not None else None
    return StepView(
        id=step.id,
        kind=step.kind,
        venue=step.venue or None,
        to=checksum_address(step.call.to),
        gas_limit=step.gas_limit,
        spender=None if step.spender is None else checksum_address(step.spender),
        allowance=None if step.allowance is None else str(step.allowance),
        legs=[_leg(leg, assets) for leg in step.legs],
        status=status,
        nonce=None if entry is None else entry.nonce,
        transaction_hash=None if entry is None or not entry.hash else entry.hash,
        relay=None if entry is None or not entry.relay else entry.relay,
        order=None if step.book is None else _order(step.book, order),
    )


def _order(book: BookOrder, entry: OrderEntry | None) -> OrderView:
    return OrderView(
        market=book.market,
        side=book.side,
        price=book.price,
        size=book.size,
        time_in_force=book.time_in_force,
        client_order_id=None if entry is None else entry.client_order_id,
        filled=0 if entry is None else entry.filled,
        outcome=None if entry is None else entry.outcome,
        evidence=None if entry is None else entry.evidence or None,
    )


def _ratio(numerator: int, denominator: int) -> Decimal:
    with localcontext() as context:
        context.prec = 60
        return Decimal(numerator) / Decimal(denominator) if denominator else Decimal(0)


def _text(value: Decimal) -> str:
    with localcontext() as context:
        context.prec = PRICE_DIGITS
        text = format(+value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
