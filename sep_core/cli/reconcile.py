"""`sep reconcile`: the evidence held and missing."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sep_core.cli.failure import EXIT_IN_DOUBT, EXIT_OK
from sep_core.cli.options import IntentName, as_of_option, config_option, json_option, settings_of
from sep_core.cli.output import emit_json, emit_wrapped

if TYPE_CHECKING:
    from sep_core.execution.reconcile import Evidence
    from sep_core.runtime.queries import Queries
    from sep_core.runtime.world import World


@click.command()
@click.argument("intent", type=IntentName(), required=False)
@config_option
@json_option
@as_of_option
def reconcile(intent: str | None, config: Path | None, as_json: bool, as_of: str | None) -> int:
    """Show what is known and not known of INTENT's transactions, or of everything in doubt. Sends nothing."""
    from sep_core.cli.reading import read

    found = read(settings_of(config), lambda queries, world: _evidence(queries, world, intent), as_of=as_of)
    doubtful = any(one.status.in_doubt for one in found)
    if as_json:
        emit_json([asdict(one) for one in found])
    elif not found:
        click.echo("nothing is in doubt" if intent is None else f"nothing was signed for intent {intent}")
    for one in [] if as_json else found:
        _tell(one)
    return EXIT_IN_DOUBT if doubtful else EXIT_OK


async def _evidence(queries: "Queries", world: "World", intent: str | None) -> "list[Evidence]":
    from sep_hooks.types import IntentId

    from sep_core.execution.reconcile import doubts
    from sep_core.execution.reconcile import reconcile as evidence_of

    if intent is None:
        return [one for lane in world.lanes.values() for one in doubts(lane)]
    found = IntentId(queries.named(intent))
    return [one for lane in world.lanes.values() for one in evidence_of(lane, found)]


def _tell(one: "Evidence") -> None:
    click.echo(f"account {one.account}  nonce {one.nonce}  step {one.step_id}  {one.status}")
    click.echo(f"  transaction  {one.transaction_hash}")
    for held in one.held:
        emit_wrapped(held, first="  held         ")
    for missing in one.missing:
        emit_wrapped(missing, first="  missing      ")
    emit_wrapped(one.money, first="  money        ")
    emit_wrapped(one.next_step, first="  next         ")
