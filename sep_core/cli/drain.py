"""`sep drain`: lets an engine finish what it has begun, and end."""

from pathlib import Path

import click

from sep_core.cli.options import config_option, json_option, settings_of
from sep_core.cli.output import Waiting, emit_json


@click.command()
@config_option
@json_option
def drain(config: Path | None, as_json: bool) -> int:
    """Let the running engine finish what is open and end; new intents are refused from here on.

    Intents that wait for their time (slices, windows) are open until then: `sep cancel` ends one, SIGTERM the engine
    at once. What is open goes on at the next start, or with the standby that takes over.
    """
    from sep_core.cli.engine import Engine

    settings = settings_of(config)
    with Waiting("asking the engine"):
        answer = Engine(settings).call("POST", "/v1/drain", b"")
    if as_json:
        emit_json(answer)
    elif count := answer["open_intents"]:
        click.echo(f"draining: {count} open, the engine ends when all have ended  (sep status)")
    else:
        click.echo("draining: nothing is open, the engine ends")
    return 0
