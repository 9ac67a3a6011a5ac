"""An engine in the foreground: started, announced, stopped by a signal, cleanly."""

import os
import signal
from functools import partial
from pathlib import Path

import anyio
import click
import uvloop

from sep_core.cli.engine import announce, withdraw
from sep_core.runtime.api_token import ensure_token
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.settings import Settings
from sep_core.runtime.start import running_kernel
from sep_core.telemetry.log import configure_logging


def work(settings: Settings, log_file: Path | None, *, with_api: bool) -> int:
    """Runs an engine until SIGINT or SIGTERM. Raises what stops a start, before anything was sent."""
    stream = configure_logging(log_file)
    try:
        uvloop.run(_work(settings, with_api=with_api))
    finally:
        if log_file is not None:
            stream.close()
    return 0


async def _work(settings: Settings, *, with_api: bool) -> None:
    async with running_kernel(settings, os.environ, SystemClock()) as kernel:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_until_signalled, group.cancel_scope)
                if with_api:
                    await _serve(kernel)
                    group.cancel_scope.cancel()
                else:
                    _say_ready(kernel)
        finally:
            withdraw(settings.store.path)
            click.echo(
                "stopping: what was sent runs on, what is recorded goes on at the next start", err=True
            )


async def _serve(kernel: Kernel) -> None:
    from sep_core.api import serve

    path, token = ensure_token(kernel.settings.store.path)
    api = kernel.settings.api
    await serve(kernel, token, api.host, api.port, started=partial(_say_serving, kernel, path))


def _say_serving(kernel: Kernel, token: Path, url: str) -> None:
    announce(kernel.settings.store.path, url, os.getpid())
    _say_ready(kernel)
    click.echo(f"serving {url}   token {token}")


def _say_ready(kernel: Kernel) -> None:
    settings, health = kernel.settings, kernel.health()
    click.echo(
        f"SEP {kernel.version}  {settings.mode}  {len(settings.chains)} chains, {len(settings.venues)} venues,"
        f" {len(settings.strategies)} strategies  log {settings.store.path} at {health.position}"
        f" (epoch {health.epoch})"
    )
    if health.open_intents or health.in_doubt:
        click.echo(f"going on with {health.open_intents} open intents, {health.in_doubt} effects in doubt")
    click.echo("ready")


async def _until_signalled(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return
