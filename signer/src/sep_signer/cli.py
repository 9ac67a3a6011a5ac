"""`sep-signer`: makes a signer, runs it, asks it, stops all signing."""

import json
import os
import secrets
import signal
import socket
import sys
from pathlib import Path

import anyio
import click
from sep_hooks.errors import ConfigurationError, SepError
from sep_hooks.types import Json

from sep_signer.settings import SignerSettings, read_settings

_ASK_SECONDS = 30.0

_TEMPLATE = """\
# What this signer signs. Nothing is allowed but what stands here; docs/signer.md of SEP says what each key means.
socket = "signer.sock"
database = "signer.db"
engines = [{uid}]              # user ids whose processes may have something signed
operators = []                 # user ids that may move the kill switch and the withdrawal list
recipient_delay_hours = 24

[accounts.{account}]           # {address}
key = "{account}.json"
password_file = "{account}.password"
chains = [{chain}]
max_gas_cost = "100000000000000000"
# tokens = ["0x…"]             # may be approved, to `spenders` alone, and moved, to the withdrawal list alone
# spenders = ["0x…"]

# [[accounts.{account}.calls]]
# to = "0x…"                   # a contract
# selector = "0x…"             # one of its functions
# recipient = 3                # the argument word that names who receives

# [accounts.{account}.daily]
# native = "500000000000000000"
"""

_config = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("signer.toml"),
    show_default=True,
    help="The signer's configuration.",
)


@click.group()
def cli() -> None:
    """The process that alone holds keys."""


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--account", default="main", show_default=True)
@click.option("--chain", type=click.IntRange(1), required=True, help="The chain id that may be signed for.")
@click.option("--engine-uid", type=int, default=None, help="The engine's user id; your own by default.")
def init(folder: Path, account: str, chain: int, engine_uid: int | None) -> None:
    """Make a folder with a new key, its password and a configuration that allows nothing yet."""
    from sep_native.sign import Keystore

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = folder / f"{account}.password"
    for path in (folder / "signer.toml", password):
        if path.exists():
            raise ConfigurationError(f"{path} is there already; nothing was changed")
    text = secrets.token_urlsafe(32)
    address = Keystore.create(folder / f"{account}.json", text.encode()).address
    _write(password, text)
    uid = os.getuid() if engine_uid is None else engine_uid
    said = _TEMPLATE.format(uid=uid, account=account, address=address, chain=chain)
    _write(folder / "signer.toml", said)
    click.echo(
        f"{account} is {address}\nsay in {folder / 'signer.toml'} what it may sign, then: sep-signer run"
    )


@cli.command()
@_config
def run(config: Path) -> None:
    """Sign until Ctrl-C or SIGTERM."""
    from sep_signer.server import serve

    settings = read_settings(config)

    async def until_told() -> None:
        async with anyio.create_task_group() as group:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                group.start_soon(serve, settings, lambda: click.echo(f"ready at {settings.socket}"))
                async for _ in signals:
                    group.cancel_scope.cancel()
                    return

    anyio.run(until_told)


@cli.command()
@_config
def status(config: Path) -> None:
    """Accounts, how much was signed, refusals by reason, the kill switch."""
    _say(_asked(read_settings(config), {"do": "status"}))


@cli.command("kill-switch")
@click.argument("state", type=click.Choice(["on", "off"]))
@click.option("--reason", required=True, help="Why; it stays on record.")
@_config
def kill_switch(state: str, reason: str, config: Path) -> None:
    """Sign nothing but cancels from now on, over restarts too; `off` needs an operator."""
    _say(_asked(read_settings(config), {"do": "kill_switch", "engaged": state == "on", "reason": reason}))


@cli.command()
@click.argument("account")
@click.argument("address")
@_config
def recipient(account: str, address: str, config: Path) -> None:
    """Want ADDRESS on the withdrawal list of ACCOUNT: it counts once two operators do, after the delay."""
    _say(_asked(read_settings(config), {"do": "propose_recipient", "account": account, "address": address}))


def main() -> None:
    """The console script; errors are one line, with what to do next."""
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except (SepError, BaseExceptionGroup) as error:
        ours, others = _sorted(error)
        if others:
            raise
        for one in ours:
            click.echo(f"error: {one}", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def _sorted(error: BaseException) -> tuple[list[SepError], list[BaseException]]:
    """What was raised on purpose, and what else."""
    if isinstance(error, SepError):
        return [error], []
    if not isinstance(error, BaseExceptionGroup):
        return [], [error]
    parts = [_sorted(one) for one in error.exceptions]
    return [one for ours, _ in parts for one in ours], [one for _, others in parts for one in others]


def _asked(settings: SignerSettings, request: dict[str, Json]) -> Json:
    """What the running signer answers. Raises `SepError`."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ASK_SECONDS)
            connection.connect(os.fspath(settings.socket))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline())
    except (OSError, ValueError) as error:
        raise SepError(
            f"no signer answers at {settings.socket}: {error}", next_step="sep-signer run"
        ) from error
    if "refused" in answer:
        raise SepError(answer["refused"]["message"], next_step=answer["refused"]["next_step"])
    said: Json = answer["ok"]
    return said


def _say(answer: Json) -> None:
    click.echo(json.dumps(answer, indent=2))


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
