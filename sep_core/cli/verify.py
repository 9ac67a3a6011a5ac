"""`sep verify`: is this log what was written, all of it, in this order?"""

import base64
import json
import os
from contextlib import suppress
from pathlib import Path

import click
from sep_hooks.errors import Permanent
from sep_hooks.store import StoreUnavailable

from sep_core.cli.failure import EXIT_NEGATIVE, EXIT_OK
from sep_core.cli.options import config_option, json_option, settings_of
from sep_core.cli.output import Progress, emit_json


@click.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@config_option
@json_option
@click.option(
    "--key",
    metavar="KEY",
    help="The log's public key, known from elsewhere; by default the one beside the log.",
)
@click.option(
    "--anchor",
    "anchors",
    metavar="FILE",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that was kept outside; may be given again.",
)
def verify(
    path: Path | None, config: Path | None, as_json: bool, key: str | None, anchors: tuple[Path, ...]
) -> int:
    """Check a log (data folder or its file), one receipt (.json) or an export (.jsonl), offline: hashes, chains, tree,
    signatures.

    Without PATH, the log of the configuration. Names the first bad position and why. Exit code 1 where the log, the
    receipt or the export does not hold, 6 where there is no log to read.
    """
    _check_key(key)
    if path is not None and path.is_file() and path.suffix == ".json":
        return _receipt(path, key, as_json=as_json)
    if path is not None and path.is_file() and path.suffix == ".jsonl":
        return _export(path, key, as_json=as_json)
    return check_log(path, config, key, [_anchor(anchor) for anchor in anchors], as_json=as_json)


def _anchor(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError as error:
        raise click.BadParameter(
            f"{path} is no text, so it holds no signed checkpoint", param_hint="--anchor"
        ) from error


def _check_key(key: str | None) -> None:
    from sep_core.events.signing import BadCheckpoint, PublicKey

    try:
        if key is not None:
            PublicKey.parse(key)
    except BadCheckpoint as error:
        raise click.BadParameter(error.message, param_hint="--key") from error


def check_log(
    path: Path | None, config: Path | None, key: str | None, anchors: list[str], *, as_json: bool
) -> int:
    """Checks a log, by default that of the configuration, and says what was found."""
    from sep_core.events.signing import PublicKey
    from sep_core.runtime.settings_secrets import Secrets
    from sep_core.runtime.stores import verify_folder, verify_log

    with Progress("positions") as progress:
        verifier = None if key is None else PublicKey.parse(key)
        try:
            if path is not None:
                report = verify_folder(path, verifier=verifier, anchors=anchors, progress=progress)
            else:
                settings = settings_of(config)
                secrets = Secrets(os.environ, settings.folder)
                report = verify_log(settings, secrets, verifier=verifier, anchors=anchors, progress=progress)
        except StoreUnavailable as error:
            if "sep verify" not in error.next_step:
                raise
            step = "keep this folder as it is, and restore a backup beside it"
            raise StoreUnavailable(error.message, next_step=step) from error
    if as_json:
        bad = report.first_bad
        emit_json(
            {
                "ok": report.ok,
                "positions": report.positions,
                "checkpoints": report.checkpoints,
                "first_bad": None if bad is None else {"position": bad[0], "reason": bad[1]},
                "public_key": report.verifier,
            }
        )
    elif report.first_bad is None:
        click.echo(
            f"verified  {report.positions} events, {report.checkpoints} signed checkpoints:"
            " hashes, chains, order, tree and signatures agree"
        )
        click.echo(f"key  {report.verifier}")
    else:
        position, reason = report.first_bad
        click.echo(f"BROKEN at position {position}: {reason}")
        click.echo(f"{report.positions} events before it are sound")
        click.echo("next  stop the engine, keep this folder as it is, compare with a backup")
    return EXIT_OK if report.ok else EXIT_NEGATIVE


def _receipt(target: Path, key: str | None, *, as_json: bool) -> int:
    from sep_core.events.proof import Receipt
    from sep_core.events.signing import PublicKey
    from sep_core.events.verify import verify_receipt

    receipt = None
    with suppress(ValueError, RecursionError):
        receipt = receipt_of(json.loads(target.read_text()))
    if receipt is None:
        raise Permanent(f"{target} is no receipt", next_step="save the answer of GET /v1/intents/ID/receipt")
    claimed = Receipt(*receipt)
    try:
        event = verify_receipt(claimed, PublicKey.parse(key or claimed.verifier))
    except Permanent as error:
        if as_json:
            emit_json({"ok": False, "reason": error.message})
        else:
            click.echo(f"BROKEN: {error.message}")
            click.echo(f"next  {error.next_step or 'ask for the receipt again, from a log that verifies'}")
        return EXIT_NEGATIVE
    if as_json:
        emit_json({"ok": True, "position": event.pos, "type": event.type, "store_id": str(event.store_id)})
    else:
        click.echo(f"verified  {event.type} stands at position {event.pos} of log {event.store_id}")
        if key is None:
            click.echo(
                "by the key that the receipt itself names; give --key to hold it against one that you know"
            )
    return EXIT_OK


def _export(target: Path, key: str | None, *, as_json: bool) -> int:
    from sep_hooks.store import LogBroken

    from sep_core.events.export import verify_export
    from sep_core.events.signing import PublicKey

    known = None if key is None else PublicKey.parse(key)
    try:
        with Progress("events") as progress, target.open(encoding="utf-8", errors="replace") as lines:
            report = verify_export(lines, known, progress)
    except Permanent as error:
        at = f" at position {error.pos}" if isinstance(error, LogBroken) else ""
        if as_json:
            emit_json({"ok": False, "position": getattr(error, "pos", None), "reason": error.message})
        else:
            click.echo(f"BROKEN{at}: {error.message}")
            click.echo(f"next  {error.next_step or 'export it again, from a log that verifies'}")
        return EXIT_NEGATIVE
    proven = report.checkpoint
    if as_json:
        emit_json(
            {
                "ok": True,
                "stream": report.stream,
                "events": report.events,
                "first": report.first,
                "last": report.last,
                "store_id": str(proven.store_id),
                "checkpoint": proven.pos,
            }
        )
        return EXIT_OK
    what = "the beginning of the log" if report.stream is None else f"stream {report.stream}"
    click.echo(f"verified  {report.events} events, positions {report.first} to {report.last}: {what}")
    click.echo(f"proven by the signed checkpoint of size {proven.pos} of log {proven.store_id}")
    if key is None:
        click.echo("by the key that the file itself names; give --key to hold it against one that you know")
    return EXIT_OK


def receipt_of(said: object) -> tuple[bytes, int, tuple[bytes, ...], str, str] | None:
    """Record, position, path, checkpoint and key of a receipt as the HTTP interface answers it, else None."""
    if not isinstance(said, dict):
        return None
    try:
        return (
            base64.b64decode(said["record"], validate=True),
            int(said["position"]),
            tuple(bytes.fromhex(node[2:]) for node in said["path"]),
            str(said["checkpoint"]),
            str(said["public_key"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
