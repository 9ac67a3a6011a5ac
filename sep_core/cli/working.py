"""An engine in the foreground: started, announced, stopped by a signal, cleanly."""

import json
import os
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import anyio
import click
import uvloop

from sep_core.cli.engine import announce, withdraw
from sep_core.cli.output import Waiting
from sep_core.runtime.api_token import ensure_token
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.kernel import Kernel
from sep_core.runtime.settings import Settings
from sep_core.runtime.start import running_kernel
from sep_core.telemetry.log import configure_logging


def work(
    starting: Waiting,
    settings: Settings,
    log_file: Path | None,
    *,
    with_api: bool,
    as_json: bool,
    standby: bool = False,
) -> int:
    """Runs an engine until SIGINT or SIGTERM; `standby` waits until the log is free. Raises what stops a start, before
    anything was sent.
    """
    stream = configure_logging(log_file, as_json=as_json)
    try:
        uvloop.run(Foreground(starting, settings, as_json=as_json).run(with_api=with_api, standby=standby))
    finally:
        if log_file is not None:
            stream.close()
    return 0


class Foreground:
    """One run, and what it tells on standard output."""

    def __init__(self, starting: Waiting, settings: Settings, *, as_json: bool) -> None:
        self._starting = starting
        self._settings = settings
        self._as_json = as_json

    async def run(self, *, with_api: bool, standby: bool) -> None:
        """Works until a signal comes, or until it is drained."""
        waits = self._say_standby if standby else None
        async with running_kernel(self._settings, os.environ, SystemClock(), standby=waits) as kernel:
            # Listened for before anybody is told that the engine is ready.
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                try:
                    async with anyio.create_task_group() as group:
                        group.start_soon(self._until_signalled, signals, group.cancel_scope)
                        group.start_soon(self._until_drained, kernel, group.cancel_scope)
                        if with_api:
                            await self._serve(kernel)
                            group.cancel_scope.cancel()
                        else:
                            self._say_ready(kernel)
                finally:
                    withdraw(self._settings.store.path)

    async def _serve(self, kernel: Kernel) -> None:
        from sep_core.api import serve

        path, token = ensure_token(self._settings.store.path)
        api = self._settings.api
        await serve(kernel, token, api.host, api.port, started=partial(self._say_serving, kernel, path))

    def _say_standby(self, why: str) -> None:
        self._starting.end()
        if self._as_json:
            said = {"event": "standby", "process_id": os.getpid(), "reason": why}
            click.echo(json.dumps(said))
            return
        click.echo(f"standby: {why}; takes over when it is gone or silent, Ctrl-C stops")

    def _say_serving(self, kernel: Kernel, token: Path, url: str) -> None:
        announce(self._settings.store.path, url, os.getpid())
        self._say_ready(kernel, url=url, token=str(token))

    def _say_ready(self, kernel: Kernel, **served: str) -> None:
        self._starting.end()
        settings, health = self._settings, kernel.health()
        if self._as_json:
            said = {
                "event": "ready",
                "version": kernel.version,
                "mode": settings.mode,
                "process_id": os.getpid(),
            }
            said |= {"store": str(settings.store.path), "position": health.position, "epoch": health.epoch}
            said |= {"open_intents": health.open_intents, "in_doubt": health.in_doubt, **served}
            click.echo(json.dumps(said))
            return
        click.echo(
            f"SEP {kernel.version}  {settings.mode}  {_counted(len(settings.chains), 'chain')},"
            f" {_counted(len(settings.venues), 'venue')}, {_counted(len(settings.strategies), 'strateg', 'y', 'ies')}"
        )
        where = f"{settings.store.use}, folder " if settings.store.use != "sqlite" else ""
        click.echo(f"log {where}{settings.store.path} at position {health.position}, epoch {health.epoch}")
        if health.open_intents or health.in_doubt:
            effects = _counted(health.in_doubt, "effect")
            click.echo(f"going on with {_counted(health.open_intents, 'open intent')}, {effects} in doubt")
        if served:
            click.echo(f"serving {served['url']}  token {served['token']}")
        click.echo("ready, Ctrl-C stops")

    async def _until_signalled(
        self, signals: AsyncIterator[signal.Signals], scope: anyio.CancelScope
    ) -> None:
        async for _ in signals:
            if not self._as_json:
                click.echo("stopping: what was sent runs on, what is recorded goes on at the next start")
            scope.cancel()
            return

    async def _until_drained(self, kernel: Kernel, scope: anyio.CancelScope) -> None:
        await kernel.drain.done.wait()
        if not self._as_json:
            click.echo("drained: nothing is open, the engine ends")
        scope.cancel()


def _counted(number: int, what: str, one: str = "", many: str = "s") -> str:
    return f"{number} {what}{one if number == 1 else many}"
