"""`sep submit`: an intent from a file to a running engine."""

import sys
from pathlib import Path

import click

from sep_core.cli.failure import EXIT_IN_DOUBT, EXIT_NEGATIVE, EXIT_OK
from sep_core.cli.options import config_option, json_option, settings_of
from sep_core.cli.output import emit_json


@click.command()
@click.argument("file", type=click.Path(allow_dash=True, path_type=Path))
@config_option
@json_option
@click.option("--dry-run", is_flag=True, help="Plan and assess it; record and send nothing.")
@click.option(
    "--wait", "wait_seconds", type=click.IntRange(0, 60), default=0, help="Wait for its end, in seconds."
)
def submit(file: Path, config: Path | None, as_json: bool, dry_run: bool, wait_seconds: int) -> int:
    """Submit the intent in FILE (JSON; - is standard input). The same file again changes nothing."""
    from sep_core.cli.engine import Engine

    body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    engine = Engine(settings_of(config))
    if dry_run:
        return _dry_run(engine.call("POST", "/v1/intents/dry-run", body), as_json=as_json)
    answer = engine.call("POST", "/v1/intents", body, prefer=f"wait={wait_seconds}" if wait_seconds else "")
    if as_json:
        emit_json(answer)
    else:
        again = "known already, " if answer.get("duplicate") else ""
        click.echo(f"{answer['intent_id']}  {again}{answer['status']}  position {answer['position']}")
        click.echo(f"next  sep explain {answer['intent_id']}")
    if answer["status"] == "IN_DOUBT":
        return EXIT_IN_DOUBT
    return EXIT_NEGATIVE if answer["status"] in ("REJECTED", "FAILED", "EXPIRED", "CANCELLED") else EXIT_OK


def _dry_run(answer: dict[str, object], *, as_json: bool) -> int:
    if as_json:
        emit_json(answer)
    elif answer["approved"]:
        plan = answer["plan"]
        assert isinstance(plan, dict)
        click.echo(f"would pay {plan['spends']['text']} (at most {plan['spend_limit']['text']})")
        click.echo(f"would get {plan['receives']['text']} (at least {plan['receive_limit']['text']})")
        click.echo("nothing was recorded or sent")
    else:
        click.echo(f"would be rejected: {answer['code']}: {answer['reason']}")
    return EXIT_OK if answer["approved"] else EXIT_NEGATIVE
