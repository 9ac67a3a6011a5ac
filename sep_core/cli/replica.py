"""`sep replica`: the HTTP interface beside the engine, for as many readers as one process cannot serve."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from sep_core.cli.engine import engine_url
from sep_core.cli.options import config_option, json_option, log_option, settings_of
from sep_core.cli.output import Waiting
from sep_core.cli.reading import log_of

if TYPE_CHECKING:
    import anyio

    from sep_core.runtime.settings import Settings


@click.command()
@config_option
@json_option
@click.option(
    "--leader",
    "leaders",
    metavar="URL",
    multiple=True,
    help="Where an engine may lead; again for each. Default: the engine of this data folder.",
)
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    default=0,
    help="Default: 0, which takes a free one.",
)
@log_option
def replica(
    config: Path | None, as_json: bool, leaders: tuple[str, ...], port: int, log_file: Path | None
) -> int:
    """Answer the HTTP interface beside the engine until Ctrl-C.

    Questions about the log (intents, events, portfolio, the live stream) are answered here, from the log of the
    configuration. Everything else goes to the engine that leads it, with the caller's own token: it is the engine's.
    """
    from sep_core.telemetry.log import configure_logging

    settings = settings_of(config)
    for url in leaders:
        _check(url)

    def urls() -> Sequence[str]:
        return [one.rstrip("/") for one in leaders] or [engine_url(settings)]

    with Waiting("reading the log") as waiting:
        stream = configure_logging(log_file, as_json=as_json)
        try:
            asyncio.run(_serve(settings, urls, port, waiting, as_json=as_json))
        finally:
            if log_file is not None:
                stream.close()
    return 0


async def _serve(
    settings: "Settings", urls: Callable[[], Sequence[str]], port: int, waiting: Waiting, *, as_json: bool
) -> None:
    import anyio
    from aiohttp import ClientSession

    from sep_core.api.leader import Leader
    from sep_core.api.replica import ReplicaApp
    from sep_core.api.server import serve_app
    from sep_core.cli.version import version
    from sep_core.runtime.replica import Replica

    def started(url: str) -> None:
        waiting.end()
        if as_json:
            said = {"event": "ready", "version": version(), "process_id": os.getpid(), "url": url}
            click.echo(json.dumps({**said, "position": reader.position}))
            return
        click.echo(f"answering at {url} from position {reader.position}, Ctrl-C stops")

    store = await log_of(settings)
    try:
        reader = Replica(store, settings, version())
        await reader.catch_up()
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with ClientSession() as session, anyio.create_task_group() as group:
                leader = Leader(session, urls, store.store_id)
                group.start_soon(reader.follow)
                group.start_soon(_until_signalled, signals, group.cancel_scope)
                await serve_app(
                    lambda stopping: ReplicaApp(reader, leader, stopping=stopping),
                    settings.api.host,
                    port,
                    started=started,
                )
    finally:
        await store.close()


async def _until_signalled(signals: AsyncIterator[signal.Signals], scope: "anyio.CancelScope") -> None:
    async for _ in signals:
        scope.cancel()
        return


def _check(url: str) -> None:
    said = urlsplit(url)
    if said.scheme not in ("http", "https") or not said.hostname or said.path.strip("/"):
        raise click.BadParameter(f"{url!r} is no address of an engine, like http://127.0.0.1:8765")
