"""`sep reconcile`: the evidence held and missing."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sep_core.cli.failure import EXIT_IN_DOUBT, EXIT_OK
from sep_core.cli.options import IntentName, as_of_option, config_option, json_option, settings_of
from sep_core.cli.output import emit_json, emit_wrapped

if TYPE_CHECKING:
    from sep_core.execution.orders.reconcile import OrderEvidence
    from sep_core.execution.reconcile import Evidence
    from sep_core.runtime.queries import Queries
    from sep_core.runtime.world import World


@click.command()
@click.argument("intent", type=IntentName(), required=False)
@config_option
@json_option
@as_of_option
def reconcile(intent: str | None, config: Path | None, as_json: bool, as_of: str | None) -> int:
    """Show what is known and not known of what INTENT sent, or of everything in doubt. Sends nothing."""
    from sep_core.cli.reading import read

    found = read(settings_of(config), lambda queries, world: _evidence(queries, world, intent), as_of=as_of)
    doubtful = any(one.status.in_doubt for one in found)
    if as_json:
        emit_json([asdict(one) for one in found])
    elif not found:
        none = f"nothing was signed or ordered for intent {intent}"
        click.echo("nothing is in doubt" if intent is None else none)
    for one in [] if as_json else found:
        _tell(one)
    return EXIT_IN_DOUBT if doubtful else EXIT_OK


async def _evidence(
    queries: "Queries", world: "World", intent: str | None
) -> "list[Evidence | OrderEvidence]":
    from sep_hooks.types import IntentId

    from sep_core.execution.orders.reconcile import doubtful_orders, reconcile_orders
    from sep_core.execution.reconcile import doubts
    from sep_core.execution.reconcile import reconcile as evidence_of

    if intent is None:
        return [
            *(one for lane in world.lanes.values() for one in doubts(lane)),
            *(one for orders in world.orders.values() for one in doubtful_orders(orders)),
        ]
    found = IntentId(queries.named(intent))
    return [
        *(one for lane in world.lanes.values() for one in evidence_of(lane, found)),
        *(one for orders in world.orders.values() for one in reconcile_orders(orders, found)),
    ]


def _tell(one: "Evidence | OrderEvidence") -> None:
    from sep_core.execution.reconcile import Evidence

    if isinstance(one, Evidence):
        click.echo(f"account {one.account}  nonce {one.nonce}  step {one.step_id}  {one.status}")
        click.echo(f"  transaction  {one.transaction_hash}")
    else:
        click.echo(f"account {one.account}  venue {one.venue}  step {one.step_id}  {one.status}")
        click.echo(f"  order        {one.client_order_id}")
    for held in one.held:
        emit_wrapped(held, first="  held         ")
    for missing in one.missing:
        emit_wrapped(missing, first="  missing      ")
    emit_wrapped(one.money, first="  money        ")
    emit_wrapped(one.next_step, first="  next         ")
