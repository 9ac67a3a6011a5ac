"""`sep explain`: why an intent went as it did."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sep_core.cli.options import IntentName, as_of_option, config_option, json_option, settings_of
from sep_core.cli.output import emit_model, emit_table, emit_wrapped
from sep_core.cli.slices import tell_slices

if TYPE_CHECKING:
    from sep_core.runtime.asset_book import AssetBook
    from sep_core.runtime.queries import Queries
    from sep_core.runtime.views import ExplanationView, OrderView, PlanView, StepView, VerdictView

_RULER = 21
_NUMBERS = re.compile(r"size (\d+), depth (\d+), gas per slice (\d+), in units of one asset")


@click.command()
@click.argument("intent", type=IntentName())
@config_option
@json_option
@as_of_option
def explain(intent: str, config: Path | None, as_json: bool, as_of: str | None) -> int:
    """Show what INTENT wanted, what was decided and why, what happened, and where the money is.

    INTENT is its id, the beginning of it, or the id that its author gave it. Reads the log; needs no engine.
    """
    from sep_core.cli.reading import read

    async def ask(queries: "Queries", _: object) -> "tuple[ExplanationView, AssetBook]":
        return await queries.explain(queries.named(intent)), queries.assets

    view, assets = read(settings_of(config), ask, as_of=as_of)
    if as_json:
        emit_model(view)
    else:
        _tell(view, assets)
    return 0


def _tell(view: "ExplanationView", assets: "AssetBook") -> None:
    click.echo(f"{view.intent.id}  {view.intent.type}  {view.intent.status}")
    emit_wrapped(view.summary)
    emit_wrapped(view.money, first="Money: ", rest="  ")
    click.echo()
    for one in view.timeline:
        emit_wrapped(
            one.what, first=f"{one.position:>6}  {one.at:%H:%M:%S}.{one.at.microsecond // 1000:03}  "
        )
    if view.intent.slices is not None:
        click.echo()
        tell_slices(view.intent.slices)
    if view.plan is not None:
        _tell_plan(view.plan, assets)
    if view.verdicts:
        click.echo()
        emit_table(
            ["RULE", "CHECK", "", "ASKED", "LIMIT", "ROOM LEFT"],
            [_row(one, assets) for one in view.verdicts],
        )
    click.echo()
    emit_wrapped(view.next_step, first="next  ")


def _row(one: "VerdictView", assets: "AssetBook") -> list[str]:
    numbers = [
        _rounded(assets.quantity(one.unit, int(number)), 8) for number in (one.asked, one.limit, one.headroom)
    ]
    return [one.rule, one.code, "ok" if one.ok else "NO", *numbers]


def _tell_plan(plan: "PlanView", assets: "AssetBook") -> None:
    sold, bought = plan.spends.asset.symbol, plan.receives.asset.symbol

    def line(name: str, text: str) -> None:
        emit_wrapped(text, first=f"    {name:<{_RULER - 4}}")

    in_book = any(step.order is not None for step in plan.steps)
    click.echo()
    click.echo(
        f"  plan {plan.digest[:18]}… on {'book' if in_book else 'block'} {plan.block_number},"
        f" {plan.markets} markets, {plan.method}"
    )
    line("mode", f"{plan.mode}: {assets.words(plan.mode_reason)}" if plan.mode_reason else plan.mode)
    spent, got = (
        " and ".join(one.expected.text for one in flows) for flows in (plan.all_spends, plan.all_receives)
    )
    line("expected", f"{spent} for {got}")
    line("its price", f"{plan.expected_price} {bought} for one {sold}")
    line(
        "price at size 0",
        f"{plan.marginal_price} before fees: {_percent(plan.slippage)} % are lost to size and fees",
    )
    if not in_book:
        line("quote on chain", f"{plan.quoted.text}, asked of the venue's own contract")
    most, least = (
        " and ".join(one.limit.text for one in flows) for flows in (plan.all_spends, plan.all_receives)
    )
    line("limits", f"at most {most}, at least {least}")
    line("slices", f"{plan.slices}, {_reason(plan, assets)}")
    for step in plan.steps:
        for leg in step.legs:
            line("market", f"{leg.market}: {leg.spends.text} for {leg.receives.text}")
    for leg in plan.later:
        line(
            "later",
            f"{leg.market}: {leg.spends.text} for {leg.receives.text}, planned anew before it is sent",
        )
    _tell_proof(plan, line)
    for step in plan.steps:
        if step.order is not None:
            line(step.id, _order(step.order, step.status))
            continue
        line(step.id, _transaction(step))
    for left in plan.left_out:
        line("left out", f"{left.name}: {assets.words(left.reason)}")


def _transaction(step: "StepView") -> str:
    if step.nonce is None:
        return "not sent"
    way = f"  through {step.relay} alone" if step.relay else ""
    return f"nonce {step.nonce}  {step.status}  {step.transaction_hash}{way}"


def _tell_proof(plan: "PlanView", line: Callable[[str, str], None]) -> None:
    proof, sandwich = plan.certificate, plan.sandwich
    if proof is not None:
        gaps = [
            f"{_basis_points(ratio)} bp {what}"
            for ratio, what in (
                (proof.gap_before_gas_ratio, "before gas"),
                (proof.net_gap_ratio, "after gas"),
            )
            if ratio is not None
        ]
        line(
            "gap",
            f"no route over the snapshot is better by more than {', '.join(gaps)}" if gaps else "not known",
        )
        path = proof.single_path
        if path is not None:
            line(
                "single path",
                f"{path.spends.text} for {path.receives.text} through {', '.join(leg.market for leg in path.legs)}",
            )
    if sandwich is not None:
        line(
            "sandwich",
            f"at most {sandwich.bound.text} can be taken, for gas of {sandwich.attack_gas} or more",
        )


def _basis_points(ratio: str) -> str:
    from decimal import Decimal

    return f"{Decimal(ratio) * 10_000:.4f}"


def _percent(ratio: str) -> str:
    from decimal import Decimal

    return f"{Decimal(ratio) * 100:.4f}"


def _reason(plan: "PlanView", assets: "AssetBook") -> str:
    """Why so many slices; the three numbers are base units of the exact side."""
    exact = plan.spends if plan.exact_in else plan.receives

    def numbers(found: re.Match[str]) -> str:
        size, depth, gas = (assets.quantity(exact.asset.id, int(number)) for number in found.groups())
        return f"size {size}, depth {_rounded(depth, 2)}, gas per slice {_rounded(gas, 8)}"

    return _NUMBERS.sub(numbers, plan.slices_reason)


def _rounded(amount: str, places: int) -> str:
    """An amount cut to so many decimal places, for a look; JSON has it exact."""
    number, _, symbol = amount.partition(" ")
    whole, _, rest = number.partition(".")
    return f"{whole}{'.' if rest else ''}{rest[:places]} {symbol}"


def _order(order: "OrderView", status: str | None) -> str:
    """An order in the venue's own steps of price and size."""
    wanted = f"{order.side.lower()} {order.size} lots of {order.market} at {order.price} ticks, {order.time_in_force}"
    if order.client_order_id is None:
        return f"{wanted}; not sent"
    state = status if order.outcome is None else f"{status} as {order.outcome}"
    return f"{wanted}; {order.client_order_id}  {state}, {order.filled} filled"
