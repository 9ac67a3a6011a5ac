"""`sep submit`: an intent from a file to a running engine."""

import sys
from pathlib import Path

import click

from sep_core.cli.failure import EXIT_IN_DOUBT, EXIT_NEGATIVE, EXIT_OK
from sep_core.cli.options import config_option, json_option, settings_of
from sep_core.cli.output import Waiting, emit_json, emit_wrapped

ENDED_BADLY = ("REJECTED", "FAILED", "EXPIRED", "CANCELLED")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@config_option
@json_option
@click.option("--dry-run", is_flag=True, help="Plan and assess it; record and send nothing.")
@click.option(
    "--wait",
    "wait_seconds",
    metavar="SECONDS",
    type=click.IntRange(0, 60),
    default=0,
    help="Wait for its end, at most so long (up to 60).",
)
def submit(file: Path, config: Path | None, as_json: bool, dry_run: bool, wait_seconds: int) -> int:
    """Submit the intent in FILE (JSON; - is standard input) to a running engine.

    The same file again changes nothing: it is answered with the intent that its id already names. Exit code 1 where
    the intent was refused or has ended badly, 5 where its outcome is in doubt.
    """
    from sep_core.cli.engine import Engine

    engine = Engine(settings_of(config))
    body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    with Waiting("waiting for the engine"):
        if dry_run:
            answer = engine.call("POST", "/v1/intents/dry-run", body)
        else:
            prefer = f"wait={wait_seconds}" if wait_seconds else ""
            answer = engine.call("POST", "/v1/intents", body, prefer=prefer)
    if as_json:
        emit_json(answer)
    if dry_run:
        return _dry_run(answer, silent=as_json)
    if not as_json:
        again = "known already, " if answer.get("duplicate") else ""
        click.echo(
            f"{answer['intent_id']}  {again}{answer['status']}  position {answer['position']} of the log"
        )
        click.echo(f"next  sep explain {answer['intent_id']}{_config_words(config)}")
    if answer["status"] == "IN_DOUBT":
        return EXIT_IN_DOUBT
    return EXIT_NEGATIVE if answer["status"] in ENDED_BADLY else EXIT_OK


def _dry_run(answer: dict[str, object], *, silent: bool) -> int:
    if silent:
        pass
    elif answer["approved"]:
        plan = answer["plan"]
        assert isinstance(plan, dict)
        click.echo(f"would pay {plan['spends']['text']} (at most {plan['spend_limit']['text']})")
        click.echo(f"would get {plan['receives']['text']} (at least {plan['receive_limit']['text']})")
        click.echo("nothing was recorded or sent")
    else:
        emit_wrapped(f"would be rejected: {answer['code']}: {answer['reason']}", rest="  ")
    return EXIT_OK if answer["approved"] else EXIT_NEGATIVE


def _config_words(config: Path | None) -> str:
    return "" if config is None else f" --config {config}"
