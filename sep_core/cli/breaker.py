"""`sep breaker`: what is stopped and why; let it go on."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from sep_core.cli.options import as_of_option, config_option, json_option, settings_of
from sep_core.cli.output import Waiting, emit_json, emit_table

if TYPE_CHECKING:
    from sep_core.runtime.queries import Queries
    from sep_core.runtime.views import BreakersView


@click.group()
def breaker() -> None:
    """Show what breakers stop and why, let it go on."""


@breaker.command(name="list")
@config_option
@json_option
@as_of_option
def list_(config: Path | None, as_json: bool, as_of: str | None) -> int:
    """List open breakers, and what the holdings that they guard are worth. Reads the log; needs no engine."""
    from sep_core.cli.reading import read

    async def all_of_them(queries: "Queries", _: object) -> "BreakersView":
        return await queries.breakers()

    found = read(settings_of(config), all_of_them, as_of=as_of).model_dump(mode="json")
    if as_json:
        emit_json(found)
    else:
        _show(found)
    return 0


@breaker.command()
@click.argument("name")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the log.")
@config_option
@json_option
def close(name: str, reason: str, config: Path | None, as_json: bool) -> int:
    """Close an open breaker, once you know what was lost and why. Needs a running engine (`sep serve`).

    Unit values begin anew: what was lost before is not counted again.
    """
    from sep_core.cli.engine import Engine

    settings, body = settings_of(config), json.dumps({"reason": reason}).encode()
    with Waiting("asking the engine"):
        answer = Engine(settings).call("POST", f"/v1/breakers/{quote(name, safe='')}/close", body)
    if as_json:
        emit_json(answer)
    else:
        _show(answer)
    return 0


def _show(found: dict[str, Any]) -> None:
    opened, equity = found["items"], found["equity"]
    if not opened:
        click.echo("no breaker is open")
    else:
        rows = [
            [
                one["name"],
                one["action"],
                "a person" if one["latched"] else "itself",
                one["since"],
                one["reason"],
            ]
            for one in opened
        ]
        emit_table(["BREAKER", "LEAVES", "CLOSED BY", "SINCE", "REASON"], rows)
    if equity:
        click.echo("")
        rows = [
            [one["scope"], one["text"], f"{one['drawdown_ppm'] / 10_000:.2f} %", one["at"]] for one in equity
        ]
        emit_table(["SCOPE", "WORTH", "BELOW ITS HIGH", "AT"], rows)
