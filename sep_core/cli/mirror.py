"""`sep mirror`: feeds buses and caches from the log, beside the engine."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sep_core.cli.options import config_option, json_option, settings_of
from sep_core.cli.output import Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from sep_core.runtime.mirrors import Fed
    from sep_core.runtime.settings import Settings


@click.command()
@config_option
@json_option
@click.option("--once", is_flag=True, help="End when every mirror has what the log holds now.")
@click.option(
    "--metrics-port",
    metavar="N",
    type=click.IntRange(0, 65535),
    help="Serve sep_mirror_lag_events for Prometheus on this port of the loopback; 0 takes a free one.",
)
def mirror(config: Path | None, as_json: bool, once: bool, metrics_port: int | None) -> int:
    """Feed the configured [buses] and [caches] from the log until Ctrl-C.

    Reads the log read-only: an engine may work on it or not, and never waits for a mirror. A mirror that does not
    answer is asked again for ever and goes on from where it stands. One that holds what the log does not ends the
    command: exit code 1.
    """
    import asyncio

    with Waiting("reading the log") as starting:
        settings = settings_of(config)
        if not settings.buses and not settings.caches:
            from sep_hooks.errors import ConfigurationError

            raise ConfigurationError(
                f"{settings.source} has neither [buses] nor [caches]",
                next_step='add one, like [buses.main] with use = "nats" and servers = ["nats://127.0.0.1:4222"]',
            )
        telling = _Telling(starting, as_json=as_json)
        asyncio.run(_run(settings, telling, once=once, metrics_port=metrics_port))
    return 0


class _Telling:
    """What becomes of each mirror, in lines: its start, each trouble and its end, and its arrival at the head."""

    def __init__(self, starting: Waiting, *, as_json: bool) -> None:
        from prometheus_client import CollectorRegistry, Gauge

        self._starting = starting
        self._as_json = as_json
        self._said: dict[str, str] = {}
        self.registry = CollectorRegistry()
        documentation = "Events of the log that a mirror does not have yet"
        self._lag = Gauge("sep_mirror_lag_events", documentation, ["mirror"], registry=self.registry)

    def __call__(self, fed: "Fed") -> None:
        self._lag.labels(fed.mirror).set(fed.lag)
        state = fed.trouble or ("is up to date" if fed.lag == 0 else "catches up")
        known = self._said.get(fed.mirror)
        if state == known or (known == "is up to date" and not fed.trouble):
            return
        self._said[fed.mirror] = state
        self.say({"mirror": fed.mirror, "position": fed.pos, "lag": fed.lag, "trouble": fed.trouble or None})

    def say(self, said: dict[str, object]) -> None:
        """One line."""
        self._starting.end()
        if self._as_json:
            click.echo(json.dumps(said))
        elif "metrics" in said:
            click.echo(f"metrics at {said['metrics']}")
        elif said["trouble"]:
            click.echo(
                f"{said['mirror']}  {said['trouble']}; asked again, {said['lag']} events wait in the log"
            )
        else:
            waiting = f", {said['lag']} to go" if said["lag"] else ", up to date"
            click.echo(f"{said['mirror']}  at position {said['position']}{waiting}")


async def _run(settings: "Settings", telling: _Telling, *, once: bool, metrics_port: int | None) -> None:
    import os
    import signal
    from contextlib import AsyncExitStack

    import anyio

    from sep_core.cli.reading import log_of
    from sep_core.runtime.clock import SystemClock
    from sep_core.runtime.mirrors import Mirrors

    async with AsyncExitStack() as stack:
        store = await log_of(settings)
        stack.push_async_callback(store.close)
        mirrors = Mirrors.of(settings, os.environ, SystemClock())
        stack.push_async_callback(mirrors.close)
        if metrics_port is not None:
            stack.callback(_serve_metrics(telling, metrics_port))
        until = (await store.head()).pos if once else None
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with anyio.create_task_group() as group:

                async def until_signalled() -> None:
                    async for _ in signals:
                        group.cancel_scope.cancel()
                        return

                group.start_soon(until_signalled)
                async with anyio.create_task_group() as feeding:
                    for feed in mirrors.feeds(store, settings):
                        feeding.start_soon(lambda one: one.run(telling, until=until), feed)
                group.cancel_scope.cancel()


def _serve_metrics(telling: _Telling, port: int) -> "Callable[[], None]":
    from prometheus_client import start_http_server

    server, thread = start_http_server(port, addr="127.0.0.1", registry=telling.registry)
    telling.say({"metrics": f"http://127.0.0.1:{server.server_port}/metrics"})

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
