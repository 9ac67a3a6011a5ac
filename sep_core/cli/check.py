"""`sep check`: is this configuration one that an engine would start with?"""

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sep_core.cli.failure import EXIT_OK, EXIT_UNAVAILABLE
from sep_core.cli.options import config_option, json_option, settings_of
from sep_core.cli.output import Waiting, emit_json, emit_wrapped

if TYPE_CHECKING:
    from sep_core.runtime.settings import Settings


@click.command()
@config_option
@json_option
@click.option("--offline", is_flag=True, help="Do not ask chains, buses and caches.")
def check(config: Path | None, as_json: bool, offline: bool) -> int:
    """Check a configuration: every mistake with its place, the plugins it names, and whether chains, buses
    and caches answer.

    Opens no log, records nothing, sends nothing. Exit code 3 for a mistake, 4 where one does not answer.
    """
    settings = settings_of(config)
    with Waiting("asking plugins and chains"):
        lines = asyncio.run(_look(settings, offline=offline))
    well = all(ok for ok, _ in lines)
    if as_json:
        emit_json({"ok": well, "checks": [{"ok": ok, "what": what} for ok, what in lines]})
    else:
        for ok, what in lines:
            emit_wrapped(what, first="ok  " if ok else "NO  ")
        click.echo(f"mode {settings.mode}" + (f"   next  sep run{_config_words(config)}" if well else ""))
    return EXIT_OK if well else EXIT_UNAVAILABLE


async def _look(settings: "Settings", *, offline: bool) -> list[tuple[bool, str]]:
    from sep_hooks.errors import SepError

    from sep_core.plugins.guard import Guard
    from sep_core.plugins.holding import Holding
    from sep_core.plugins.quarantine import Quarantine
    from sep_core.risk import RiskEngine
    from sep_core.runtime.clock import SystemClock
    from sep_core.runtime.executors import check_executor
    from sep_core.runtime.installation import Installer
    from sep_core.runtime.mirrors import Mirrors
    from sep_core.runtime.settings_secrets import Secrets
    from sep_core.runtime.stores import check_store

    lines = [(True, f"{settings.source}: well formed, every name resolves")]
    async with AsyncExitStack() as stack:
        secrets, holding = Secrets(os.environ, settings.folder), Holding()
        lines.append((True, f"log: {check_store(settings, secrets)}"))
        guard = Guard(lambda *_: None, holding=holding, redact=secrets.redact)
        installer = Installer(settings, secrets, guard, Quarantine(), SystemClock(), holding, lambda *_: None)
        made = await installer.install(stack)
        for plugin in made.refs.values():
            left_out = made.left_out.get(plugin)
            lines.append(
                (
                    left_out is None,
                    f"{plugin.label} from {plugin.dist} {plugin.version} {left_out or ''}".rstrip(),
                )
            )
        mirrors = Mirrors.of(settings, os.environ, SystemClock())
        stack.push_async_callback(mirrors.close)
        RiskEngine(made.rules)
        for name in settings.accounts:
            signer = (
                "key opens and fits the address" if name in made.signers else "no signer: paper needs none"
            )
            lines.append((True, f"account {name}: {signer}"))
        for part in made.chains.values() if not offline else ():
            try:
                await part.access.verify()
                head = await part.access.head()
                lines.append(
                    (True, f"chain {part.name} answers: id {part.preset.chain_id}, head {head.number}")
                )
            except SepError as error:
                lines.append((False, _named(f"chain {part.name}", str(error))))
        for account in settings.accounts.values() if not offline else ():
            if account.executor is None:
                continue
            try:
                await check_executor(account, made.chains[account.chain])
                lines.append((True, f"account {account.name}: {account.executor} is its executor"))
            except SepError as error:
                lines.append((False, _named(f"account {account.name}", str(error))))
        for name, open_mirror in mirrors.doors() if not offline else ():
            try:
                await open_mirror()
                lines.append((True, f"{name} answers"))
            except SepError as error:
                lines.append((False, _named(name, str(error))))
    return lines


def _named(what: str, text: str) -> str:
    return text if text.startswith(what) else f"{what}: {text}"


def _config_words(config: Path | None) -> str:
    return "" if config is None else f" --config {config}"
