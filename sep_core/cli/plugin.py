"""`sep plugin`: what is installed, what it may do, whether it is sound."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sep_core.cli.failure import EXIT_CONFIGURATION, EXIT_NEGATIVE, EXIT_OK
from sep_core.cli.options import (
    CONFIG_VARIABLE,
    DEFAULT_CONFIG,
    config_option,
    config_path,
    json_option,
    settings_of,
)
from sep_core.cli.output import Waiting, emit_json, emit_table

if TYPE_CHECKING:
    from sep_core.plugins.policy import Policy


@click.group()
def plugin() -> None:
    """List, describe and check plugins. Nothing that is not enabled is ever imported by an engine."""


@plugin.command(name="list")
@config_option
@json_option
def list_(config: Path | None, as_json: bool) -> int:
    """List every installed plugin and whether the configuration lets it work. Imports none."""
    from sep_core.plugins.discovery import discover
    from sep_core.plugins.reports import list_plugins

    found = list_plugins(discover(), _policy(config))
    if as_json:
        emit_json({"plugins": [asdict(row) for row in found.rows], "missing": list(found.missing)})
    else:
        rows = [
            [row.kind, row.name, row.dist, row.version, row.status, row.reason or row.summary]
            for row in found.rows
        ]
        emit_table(["KIND", "NAME", "DISTRIBUTION", "VERSION", "STATUS", ""], rows)
        for missing in found.missing:
            click.echo(missing)
    return EXIT_OK if found.ok else EXIT_CONFIGURATION


@plugin.command()
@click.argument("name")
@config_option
@json_option
def info(name: str, config: Path | None, as_json: bool) -> int:
    """Describe the plugins of NAME, an implementation or a distribution. Imports none."""
    from sep_core.plugins.discovery import discover
    from sep_core.plugins.reports import plugin_info

    found = plugin_info(discover(), _policy(config), name)
    if as_json:
        emit_json([asdict(one) for one in found])
        return EXIT_OK
    for one in found:
        row = one.row
        click.echo(f"{row.kind} {row.name}  from {row.dist} {row.version}  {row.status}")
        click.echo(f"  {row.summary}")
        click.echo(f"  code          {one.target}{'  (editable)' if one.editable else ''}")
        click.echo(f"  contract      {one.api}")
        click.echo(f"  hash          {one.record_sha256 or 'none: an editable install'}")
        for what, allowed in one.permissions.items():
            click.echo(f"  wants {what:<7} {', '.join(allowed) or 'nothing'}")
        for capability, support in one.capabilities.items():
            click.echo(f"  can           {capability}: {support}")
        if row.reason:
            click.echo(f"  reason        {row.stage}: {row.reason}")
    return EXIT_OK


@plugin.command()
@click.argument("name")
@json_option
def check(name: str, as_json: bool) -> int:
    """Check the distribution of NAME as its author would: manifest, versions, import in a fresh process, class."""
    from sep_core.plugins.discovery import discover
    from sep_core.plugins.reports import check_plugins

    with Waiting("importing it in a process of its own"):
        found = check_plugins(discover(), name)
    if as_json:
        emit_json({"ok": found.ok, **asdict(found)})
    else:
        for line in found.lines:
            click.echo(f"{'ok ' if line.ok else 'NO '} {line.plugin}  {line.check}  {line.detail}".rstrip())
    return EXIT_OK if found.ok else EXIT_NEGATIVE


def _policy(config: Path | None) -> "Policy":
    """What the configuration enables; without one, nothing but what is built in."""
    from sep_core.plugins.policy import Policy

    named = config is not None or CONFIG_VARIABLE in os.environ
    if not named and not config_path(Path(DEFAULT_CONFIG)).exists():
        return Policy()
    return Policy.of(settings_of(config).plugins_enabled)
