"""`sep doctor`: everything that an engine needs, looked at one by one."""

import asyncio
import os
import platform
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sep_core.cli.failure import EXIT_NEGATIVE, EXIT_OK
from sep_core.cli.options import config_option, json_option, settings_of
from sep_core.cli.output import Waiting, emit_json, emit_wrapped

if TYPE_CHECKING:
    from sep_core.runtime.installation import ChainPart, Installation
    from sep_core.runtime.settings import Settings

LEAST_FREE_BYTES = 1 << 30
CLOCK_DRIFT_SECONDS = 120
STALE_HEAD_BLOCKS = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One look: what, how it is, and what to do where it is not well."""

    ok: bool
    what: str
    detail: str
    next_step: str = ""


@click.command()
@config_option
@json_option
def doctor(config: Path | None, as_json: bool) -> int:
    """Look at machine, log, keys, plugins, chains, accounts. Changes nothing.

    Exit code 1 where something is not well.
    """
    settings = settings_of(config)
    with Waiting("looking"):
        findings = asyncio.run(_look(settings))
    well = all(one.ok for one in findings)
    if as_json:
        emit_json({"ok": well, "findings": [vars_of(one) for one in findings]})
    else:
        for one in findings:
            emit_wrapped(one.detail, first=f"{'ok ' if one.ok else 'NO '} {one.what:<18}  ")
            if not one.ok and one.next_step:
                emit_wrapped(one.next_step, first="    next  ")
    return EXIT_OK if well else EXIT_NEGATIVE


def vars_of(finding: Finding) -> dict[str, object]:
    """A finding as JSON."""
    return {
        "ok": finding.ok,
        "what": finding.what,
        "detail": finding.detail,
        "next_step": finding.next_step,
    }


async def _look(settings: "Settings") -> list[Finding]:
    findings = [_machine(), _disk(settings), await asyncio.to_thread(_log, settings)]
    async with AsyncExitStack() as stack:
        installation = await _installed(settings, stack, findings)
        if installation is None:
            return findings
        findings += [
            await _guarded(f"chain {part.name}", partial(_head, part))
            for part in installation.chains.values()
        ]
        for name, account in settings.accounts.items():
            part = installation.chains[account.chain]
            findings.append(await _guarded(f"account {name}", partial(_account, settings, name, part)))
    return findings


def _machine() -> Finding:
    import apsw

    return Finding(
        True,
        "machine",
        f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}, {platform.system()}",
    )


def _disk(settings: "Settings") -> Finding:
    folder = settings.store.path
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    writable = os.access(folder, os.W_OK)
    detail = f"{free // 10**9} GB free, {'writable' if writable else 'not writable'}: {folder}"
    return Finding(
        free >= LEAST_FREE_BYTES and writable,
        "disk",
        detail,
        "make room or the folder writable; a full disk stops the log",
    )


def _log(settings: "Settings") -> Finding:
    from sep_hooks.errors import SepError

    from sep_core.runtime.settings_secrets import Secrets
    from sep_core.runtime.stores import SQLITE, verify_log

    if settings.store.use == SQLITE and not settings.store.path.exists():
        return Finding(True, "log", "none yet: the first start makes it")
    try:
        report = verify_log(settings, Secrets(os.environ, settings.folder))
    except SepError as error:
        return Finding(False, "log", error.message, error.next_step)
    if report.first_bad is not None:
        position, reason = report.first_bad
        return Finding(False, "log", f"broken at position {position}: {reason}", "sep verify")
    return Finding(True, "log", f"{report.positions} events, {report.checkpoints} checkpoints, verified")


async def _installed(
    settings: "Settings", stack: AsyncExitStack, findings: list[Finding]
) -> "Installation | None":
    from sep_hooks.errors import SepError

    from sep_core.plugins.guard import Guard
    from sep_core.plugins.holding import Holding
    from sep_core.plugins.quarantine import Quarantine
    from sep_core.runtime.clock import SystemClock
    from sep_core.runtime.installation import Installer
    from sep_core.runtime.settings_secrets import Secrets

    secrets, holding = Secrets(os.environ, settings.folder), Holding()
    guard = Guard(lambda *_: None, holding=holding, redact=secrets.redact)
    try:
        installer = Installer(settings, secrets, guard, Quarantine(), SystemClock(), holding, lambda *_: None)
        made = await installer.install(stack)
    except SepError as error:
        findings.append(Finding(False, "plugins", error.message, error.next_step))
        return None
    left_out = [f"{plugin.label}: {reason}" for plugin, reason in made.left_out.items()]
    detail = "; ".join(left_out) or f"{len(made.refs)} instances, contract and classes fit"
    findings.append(Finding(not left_out, "plugins", detail, "sep plugin list"))
    return made


async def _head(part: "ChainPart") -> Finding:
    from sep_core.runtime.asset_book import decimal_text

    await part.access.verify()
    head = await part.access.head()
    age = (datetime.now(UTC) - datetime.fromtimestamp(head.timestamp, UTC)).total_seconds()
    bound = max(CLOCK_DRIFT_SECONDS, STALE_HEAD_BLOCKS * part.preset.block_time_seconds)
    old = f"{age:.0f} s old, " if not part.preset.test else ""
    detail = (
        f"id {part.preset.chain_id}, head {head.number}, {old}base fee {decimal_text(head.base_fee, 9)} gwei"
    )
    fresh = abs(age) <= bound or part.preset.test
    return Finding(fresh, f"chain {part.name}", detail, "the node lags or the machine's clock is wrong")


async def _account(settings: "Settings", name: str, part: "ChainPart") -> Finding:
    from sep_hooks.types import native_asset

    from sep_core.cli.reading import fold_of
    from sep_core.runtime.asset_book import decimal_text

    account = settings.accounts[name]
    nonce = await part.access.nonce(account.address)
    native = native_asset(part.preset.chain_id)
    balances = await part.access.balances(account.address, [native])
    world = await fold_of(settings)
    lane = None if world is None else world.lane(name)
    gas = balances[native]
    detail = f"nonce {nonce}, {decimal_text(gas, 18)} ETH for gas"
    if lane is None:
        return Finding(gas > 0, f"account {name}", detail, "send it what it needs for gas")
    doubts = len(lane.in_doubt)
    detail += f", log at nonce {lane.next_nonce}, {len(lane.unfinished)} open, {doubts} in doubt"
    if lane.frozen is not None:
        return Finding(False, f"account {name}", f"{detail}, frozen: {lane.frozen}", "sep reconcile")
    if nonce > lane.next_nonce:
        return Finding(False, f"account {name}", f"{detail}: used outside SEP", "find out who holds its key")
    return Finding(
        gas > 0 and not doubts, f"account {name}", detail, "sep reconcile" if doubts else "fund it"
    )


async def _guarded(what: str, look: Callable[[], Awaitable[Finding]]) -> Finding:
    from sep_hooks.errors import SepError

    try:
        return await look()
    except SepError as error:
        return Finding(False, what, error.message, error.next_step)
