"""`sep store`: the place of the log, looked after while no engine works."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sep_core.cli.failure import EXIT_OK
from sep_core.cli.options import config_option, json_option, settings_of
from sep_core.cli.output import Progress, emit_json
from sep_core.cli.verify import check_log

if TYPE_CHECKING:
    from sep_core.runtime.settings import Settings
    from sep_core.runtime.settings_secrets import Secrets


_into = click.option(
    "--to",
    "target",
    metavar="FILE",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The configuration whose store takes it; it must hold no log.",
)


@click.group()
def store() -> None:
    """Migrate the schema of the log, copy it, restore an archive, give it a new key, check it."""


@store.command()
@config_option
@json_option
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def migrate(config: Path | None, as_json: bool, dry_run: bool) -> int:
    """Bring the schema of the log up to this release: forward only, all steps or none.

    In PostgreSQL this needs a role that owns the database's schema, and makes the roles sep_appender and sep_reader
    where it may. Exit code 6 for a log of a newer release, or while an engine writes.
    """
    from sep_core.runtime.log_moves import migrate_log
    from sep_core.runtime.stores import check_store

    settings, secrets = _opened(config)
    done = migrate_log(settings, secrets, dry_run=dry_run)
    if as_json:
        emit_json(
            {
                "dry_run": dry_run,
                "before": done.before,
                "after": done.after,
                "steps": done.steps,
                "notes": done.notes,
            }
        )
        return EXIT_OK
    click.echo(f"{check_store(settings, secrets)}: schema {done.before}, this release has {done.after}")
    for step in done.steps:
        click.echo(f"{'would do' if dry_run else 'did'}  {step}")
    if not done.steps:
        click.echo("nothing to do")
    for note in done.notes:
        click.echo(f"note  {note}")
    return EXIT_OK


@store.command()
@click.option(
    "--from",
    "source",
    metavar="FILE",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The configuration whose log is copied.",
)
@_into
@json_option
def copy(source: Path, target: Path, as_json: bool) -> int:
    """Copy a whole log with its keys to another store, byte for byte, then check the copy.

    Every proof and receipt stays valid. Start no engine on the old log afterwards: one log has one history.
    """
    from sep_core.runtime.log_moves import copy_between
    from sep_core.runtime.stores import check_store

    old, new = _opened(source), _opened(target)
    with Progress("positions copied") as progress:
        head = copy_between(old, new, progress)
    if not as_json:
        click.echo(f"copied  {head.pos} events of log {head.store_id}")
        click.echo(f"from  {check_store(*old)}")
        click.echo(f"to    {check_store(*new)}")
    code = check_log(None, target, None, [], as_json=as_json)
    if code == EXIT_OK and not as_json:
        click.echo("next  start the engine on the copy, and never again on the old log: put that away")
    return code


@store.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_into
@click.option(
    "--keys",
    metavar="FOLDER",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder `keys` of the archived log: no archive holds them.",
)
@json_option
def restore(file: Path, target: Path, keys: Path, as_json: bool) -> int:
    """Make a store again from an archive: FILE is an export of the whole log (`sep events export`).

    The archive is verified first, the log afterwards; every proof and receipt up to its end stays valid. What was
    recorded behind its end is lost: compare with the signer and the chains before an engine goes on from it.
    """
    from sep_core.events.archive import Archive
    from sep_core.runtime.log_moves import restore_archive
    from sep_core.runtime.stores import check_store

    new = _opened(target)
    with Progress("positions verified") as progress:
        archive = Archive(file, progress)
    with Progress("positions restored") as progress:
        head = restore_archive(archive, keys, new, progress)
    if not as_json:
        click.echo(f"restored  {head.pos} events of log {head.store_id}")
        click.echo(f"to    {check_store(*new)}")
    code = check_log(None, target, None, [], as_json=as_json)
    if code == EXIT_OK and not as_json:
        click.echo("next  start no engine on an older place of this log: one log has one history")
    return code


@store.command(name="rotate-key")
@config_option
@json_option
def rotate_key(config: Path | None, as_json: bool) -> int:
    """Give the log a new key for its checkpoints; the old one vouches for it, and is gone afterwards.

    No engine may run. What was signed before stays valid, under the key of its time. In PostgreSQL this needs a role
    that owns the schema. Cut short, it is done by the next start, or repeated.
    """
    from sep_core.runtime.clock import SystemClock
    from sep_core.runtime.log_moves import rotate_log_key

    settings, secrets = _opened(config)
    done = rotate_log_key(settings, secrets, SystemClock())
    if as_json:
        emit_json({"position": done.pos, "old": done.old.text(), "new": done.new.text()})
        return EXIT_OK
    click.echo(f"from position {done.pos} on the log is signed by  {done.new.text()}")
    click.echo(f"before it was signed by  {done.old.text()}")
    click.echo("next  hand log.pub to whoever checks the log, and archive it and its keys anew")
    return EXIT_OK


@store.command()
@config_option
@json_option
def verify(config: Path | None, as_json: bool) -> int:
    """Check the log of the configuration: hashes, chains, tree, signatures. The same as `sep verify`."""
    return check_log(None, config, None, [], as_json=as_json)


def _opened(config: Path | None) -> "tuple[Settings, Secrets]":
    from sep_core.runtime.settings_secrets import Secrets

    settings = settings_of(config)
    return settings, Secrets(os.environ, settings.folder)
