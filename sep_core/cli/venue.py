"""`sep venue`: how venues are; keep one out of plans, let it in again."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from sep_core.cli.options import as_of_option, config_option, json_option, settings_of
from sep_core.cli.output import Waiting, emit_json, emit_table, emit_wrapped

_WELL = ("ok", "degraded")


@click.group()
def venue() -> None:
    """Show venues, keep one out of plans, let it in again. Needs a running engine (`sep serve`)."""


@venue.command(name="list")
@config_option
@json_option
@as_of_option
def list_(config: Path | None, as_json: bool, as_of: str | None) -> int:
    """List every venue: whether plans use it, how it answers, what is wrong with it."""
    answer = _ask(config, "GET", f"/v1/venues{_past(as_of)}")
    if as_json:
        emit_json(answer)
        return 0
    rows = [
        [
            one["name"],
            one["chain"] or "-",
            one["status"],
            one["circuit"] or "-",
            "-" if one["markets"] is None else str(one["markets"]),
            _pace(one),
            one["reason"] or "",
        ]
        for one in answer["items"]
    ]
    emit_table(["venue", "chain", "status", "circuit", "markets", "median", "reason"], rows)
    return 0


@venue.command()
@click.argument("name")
@config_option
@json_option
@as_of_option
def info(name: str, config: Path | None, as_json: bool, as_of: str | None) -> int:
    """Show one venue with every market that takes no part, and why."""
    one = _ask(config, "GET", f"{_path(name)}{_past(as_of)}")
    if as_json:
        emit_json(one)
        return 0
    _say(one)
    calls = one["calls"]
    if calls is None:
        return 0
    click.echo(f"  {calls['answered']} calls answered, {calls['failed']} failed, median {_pace(one)}")
    if calls["last_failure"]:
        emit_wrapped(calls["last_failure"], first="  last failure: ")
    for left_out in one["left_out"]:
        emit_wrapped(left_out["reason"], first=f"  left out: {left_out['name']}: ")
    return 0


@venue.command()
@click.argument("name")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the log.")
@config_option
@json_option
def disable(name: str, reason: str, config: Path | None, as_json: bool) -> int:
    """Keep a venue out of plans, over restarts too. What was sent through it runs to its evidence."""
    return _tell(name, "disable", reason, config, as_json=as_json)


@venue.command()
@click.argument("name")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the log.")
@config_option
@json_option
def enable(name: str, reason: str, config: Path | None, as_json: bool) -> int:
    """Let plans use a venue again, where it answers."""
    return _tell(name, "enable", reason, config, as_json=as_json)


def _tell(name: str, order: str, reason: str, config: Path | None, *, as_json: bool) -> int:
    answer = _ask(config, "POST", f"{_path(name)}/{order}", json.dumps({"reason": reason}).encode())
    if as_json:
        emit_json(answer)
    else:
        _say(answer)
    return 0


def _ask(config: Path | None, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
    from sep_core.cli.engine import Engine

    settings = settings_of(config)
    with Waiting("asking the engine"):
        return Engine(settings).call(method, path, body)


def _say(one: dict[str, Any]) -> None:
    used = "plans use it" if one["status"] in _WELL else "plans do not use it"
    seen = "" if one["markets"] is None else f"; {one['markets']} markets, circuit {one['circuit']}"
    click.echo(f"{one['name']}  {one['status']}  {used}{seen}")
    if one["reason"]:
        emit_wrapped(one["reason"], first="  ")


def _pace(one: dict[str, Any]) -> str:
    median = None if one["calls"] is None else one["calls"]["median_microseconds"]
    return "-" if median is None else f"{median / 1000:g} ms"


def _past(as_of: str | None) -> str:
    return "" if as_of is None else f"?as_of={quote(as_of, safe='')}"


def _path(name: str) -> str:
    return f"/v1/venues/{quote(name, safe='')}"
