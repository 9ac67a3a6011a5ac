"""`sep cancel`: asks for the end of an intent."""

from pathlib import Path
from uuid import UUID

import click

from sep_core.cli.options import config_option, json_option, settings_of
from sep_core.cli.output import emit_json


@click.command()
@click.argument("intent", type=click.UUID)
@config_option
@json_option
def cancel(intent: UUID, config: Path | None, as_json: bool) -> int:
    """Ask for the end of INTENT. What was sent already runs to its evidence; the state says who won."""
    from sep_core.cli.engine import Engine

    answer = Engine(settings_of(config)).call("POST", f"/v1/intents/{intent}/cancel", b"")
    if as_json:
        emit_json(answer)
    else:
        click.echo(f"{intent}  {answer['status']}  {answer['reason'] or 'cancel requested'}")
    return 0
