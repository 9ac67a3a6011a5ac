"""`sep account`: how accounts are; let a frozen one go."""

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from sep_core.cli.options import as_of_option, config_option, json_option, settings_of
from sep_core.cli.output import Waiting, emit_json, emit_table

if TYPE_CHECKING:
    from sep_core.runtime.queries import Queries
    from sep_core.runtime.views import AccountView


@click.group()
def account() -> None:
    """Show accounts on chains, let a frozen one sign again."""


@account.command(name="list")
@config_option
@json_option
@as_of_option
def list_(config: Path | None, as_json: bool, as_of: str | None) -> int:
    """List every account of the log: whether it signs, what of it is open. Reads the log; needs no engine."""
    from sep_core.cli.reading import read

    async def all_of_them(queries: "Queries", _: object) -> "list[AccountView]":
        return await queries.accounts()

    found = read(settings_of(config), all_of_them, as_of=as_of)
    if as_json:
        emit_json({"items": [one.model_dump(mode="json") for one in found]})
    elif not found:
        click.echo("no accounts yet")
    else:
        rows = [
            [
                one.name,
                one.address,
                one.status,
                str(one.next_nonce),
                ", ".join(map(str, one.open_nonces)) or "-",
                one.reason or "",
            ]
            for one in found
        ]
        emit_table(["ACCOUNT", "ADDRESS", "STATUS", "NEXT NONCE", "OPEN", "REASON"], rows)
    return 0


@account.command()
@click.argument("name")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the log.")
@config_option
@json_option
def release(name: str, reason: str, config: Path | None, as_json: bool) -> int:
    """Let a frozen account sign again, once you know who used it. Needs a running engine (`sep serve`).

    The account goes on at the nonce that its chain has for good; what its holdings changed by meanwhile is booked as
    come from outside, or gone there.
    """
    from sep_core.cli.engine import Engine

    settings, body = settings_of(config), json.dumps({"reason": reason}).encode()
    with Waiting("asking the engine"):
        answer = Engine(settings).call("POST", f"/v1/accounts/{quote(name, safe='')}/release", body)
    if as_json:
        emit_json(answer)
    else:
        click.echo(f"{answer['name']}  {answer['status']}  next nonce {answer['next_nonce']}")
    return 0
