"""`sep explain`: why an intent went as it did."""

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from sep_core.cli.options import as_of_option, config_option, json_option, settings_of
from sep_core.cli.output import emit_model, emit_table

if TYPE_CHECKING:
    from sep_core.runtime.views import ExplanationView, PlanView


@click.command()
@click.argument("intent", type=click.UUID)
@config_option
@json_option
@as_of_option
def explain(intent: UUID, config: Path | None, as_json: bool, as_of: str | None) -> int:
    """Show what INTENT wanted, what was decided and why, what happened, and where the money is."""
    from sep_core.cli.reading import read

    view = read(settings_of(config), lambda queries, _: queries.explain(intent), as_of=as_of)
    if as_json:
        emit_model(view)
    else:
        _tell(view)
    return 0


def _tell(view: "ExplanationView") -> None:
    click.echo(view.summary)
    click.echo(f"Money: {view.money}")
    click.echo()
    for one in view.timeline:
        click.echo(f"  {one.position:>6}  {one.at:%H:%M:%S.%f}  {one.what}")
    if view.plan is not None:
        _tell_plan(view.plan)
    if view.verdicts:
        click.echo()
        rows = [
            [one.rule, one.code, "ok" if one.ok else "NO", one.asked, one.limit, one.headroom, one.unit]
            for one in view.verdicts
        ]
        emit_table(["RULE", "CHECK", "", "ASKED", "LIMIT", "HEADROOM", "UNIT"], rows)
    click.echo()
    click.echo(f"next  {view.next_step}")


def _tell_plan(plan: "PlanView") -> None:
    click.echo()
    click.echo(
        f"  plan {plan.digest[:18]}… on block {plan.block_number}, {plan.markets} markets, {plan.method}"
    )
    click.echo(f"    expects   {plan.spends.text} for {plan.receives.text}, price {plan.expected_price}")
    click.echo(f"    marginal  {plan.marginal_price} before fees: slippage {plan.slippage}")
    click.echo(f"    on chain  the venue's own quote: {plan.quoted.text}")
    click.echo(f"    limits    at most {plan.spend_limit.text}, at least {plan.receive_limit.text}")
    click.echo(f"    slices    {plan.slices}: {plan.slices_reason}")
    for step in plan.steps:
        sent = f"  nonce {step.nonce} {step.status} {step.transaction_hash}" if step.nonce is not None else ""
        click.echo(f"    step {step.id}  {step.kind} {step.venue or step.to}{sent}")
    for left in plan.left_out:
        click.echo(f"    left out  {left.name}: {left.reason}")
