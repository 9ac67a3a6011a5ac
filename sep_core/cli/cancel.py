"""`sep cancel`: asks for the end of an intent."""

from pathlib import Path

import click

from sep_core.cli.options import IntentName, config_option, json_option, settings_of
from sep_core.cli.output import Waiting, emit_json


@click.command()
@click.argument("intent", type=IntentName())
@config_option
@json_option
def cancel(intent: str, config: Path | None, as_json: bool) -> int:
    """Ask for the end of INTENT. What was sent already runs to its evidence, and where it is stuck a cancel takes its
    place; the state says who won.

    INTENT is its id, the beginning of it, or the id that its author gave it. Needs a running engine.
    """
    from sep_core.cli.engine import Engine
    from sep_core.cli.reading import intent_id

    settings = settings_of(config)
    with Waiting("asking the engine"):
        found = intent_id(settings, intent)
        answer = Engine(settings).call("POST", f"/v1/intents/{found}/cancel", b"")
    if as_json:
        emit_json(answer)
    elif answer["cancel_requested"] and not answer["reason"]:
        click.echo(f"{found}  {answer['status']}  its end is asked for")
    else:
        click.echo(
            f"{found}  {answer['status']}  {answer['reason'] or 'it has ended already, nothing changes'}"
        )
    return 0
