"""`sep events`: the log itself."""

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from sep_core.cli.options import as_of_option, config_option, json_option, settings_of
from sep_core.cli.output import Progress, emit_json
from sep_core.cli.reading import log_of, place

if TYPE_CHECKING:
    from datetime import datetime

    from sep_core.runtime.settings import Settings
    from sep_core.runtime.views import EventView


@click.group(invoke_without_command=True)
@click.pass_context
@config_option
@json_option
@as_of_option
@click.option(
    "--after",
    metavar="N",
    type=click.IntRange(min=0),
    help="Begin behind position N. Default: so that the last ones are shown.",
)
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1, 500),
    default=20,
    show_default=True,
    help="How many events.",
)
@click.option(
    "--stream", metavar="NAME", help="Only this stream, or streams that begin so, e.g. intent: or account:1:"
)
@click.option(
    "--type", "types", metavar="TYPE", multiple=True, help="Only this type of event; may be given again."
)
@click.option("--at", "position", metavar="N", type=click.IntRange(min=1), help="Position N, with its body.")
@click.option("--follow", is_flag=True, help="Go on as events arrive, until Ctrl-C.")
def events(
    context: click.Context,
    config: Path | None,
    as_json: bool,
    as_of: str | None,
    after: int | None,
    limit: int,
    stream: str | None,
    types: tuple[str, ...],
    position: int | None,
    follow: bool,
) -> int:
    """Show events in the order of the log. Reads it read-only; needs no engine.

    With --json, one event a line, with its body: `sep events --json --follow | jq .type`.
    """
    if context.invoked_subcommand is not None:
        given = [
            one for one in context.params if context.get_parameter_source(one) is ParameterSource.COMMANDLINE
        ]
        if given:
            raise click.UsageError(
                f"options stand behind {context.invoked_subcommand}, not before it", context
            )
        return 0
    if follow and as_of is not None:
        raise click.BadParameter("the past does not go on: leave --follow out", param_hint="--as-of")
    settings = settings_of(config)
    when = None if as_of is None else place(as_of)
    if position is not None:
        return asyncio.run(_show(settings, position, when))
    asyncio.run(_list(settings, when, after, limit, stream, types, follow=follow, as_json=as_json))
    return 0


@events.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@config_option
@json_option
@as_of_option
@click.option("--stream", metavar="NAME", help="Only this stream, by its whole name, e.g. intent:ID.")
def export(file: Path, config: Path | None, as_json: bool, as_of: str | None, stream: str | None) -> int:
    """Write the log, or one stream of it, to FILE (.jsonl), which verifies alone: `sep verify FILE`.

    The file holds the records byte for byte, the way to a signed checkpoint, and the public key. It takes its name when
    it is complete. Reads the log read-only; needs no engine.
    """
    from sep_core.events.export import Header

    if file.suffix != ".jsonl":
        raise click.BadParameter(f"{file} must end in .jsonl", param_hint="FILE")
    header = asyncio.run(_export(settings_of(config), file, stream, as_of))
    said = Header.of_line(header)
    if as_json:
        emit_json(
            {"file": str(file), "stream": said.stream, "events": said.events, "public_key": said.public_key}
        )
    else:
        what = "of the log" if said.stream is None else f"of stream {said.stream}"
        click.echo(f"{file}  {said.events} events {what}")
        click.echo(f"key  {said.public_key}")
        click.echo(f"next  sep verify {file} --key KEY, with the key as you know it from elsewhere")
    return 0


async def _export(settings: "Settings", file: Path, stream: str | None, as_of: str | None) -> str:
    from sep_core.events.export import export_lines
    from sep_core.runtime.queries import public_key

    partial, header = file.with_suffix(".jsonl.part"), ""
    when = None if as_of is None else place(as_of)
    try:
        async with _Log(settings) as log:
            with Progress("events") as progress, partial.open("w", encoding="ascii") as target:
                key = public_key(log.store) or ""
                async for line in export_lines(log.store, key, stream, when, progress):
                    header = header or line
                    target.write(line + "\n")
                target.flush()
                os.fsync(target.fileno())
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return header


async def _show(settings: "Settings", position: int, when: "int | datetime | None") -> int:
    from sep_core.cli.output import emit_model

    async with _Log(settings, when) as log:
        emit_model(await log.queries.event(position))
    return 0


async def _list(
    settings: "Settings",
    when: "int | datetime | None",
    after: int | None,
    limit: int,
    stream: str | None,
    types: tuple[str, ...],
    *,
    follow: bool,
    as_json: bool,
) -> None:
    from sep_hooks.store import CaughtUp, EventFilter

    from sep_core.runtime.queries import event_view

    async with _Log(settings, when) as log:
        head = (await log.store.head()).pos if when is None else when
        # Where the last ones are is known of all events by position; else the log is looked through.
        last = max(0, head - limit) if isinstance(head, int) and stream is None and not types else 0
        start = last if after is None else after
        if not follow:
            for one in await _page(log, start, limit, stream, types, last=after is None):
                print_event(one, as_json=as_json)
            return
        wanted = EventFilter(types, () if stream is None else (stream,))
        async for recorded in log.store.subscribe(after=start, filter=wanted):
            if not isinstance(recorded, CaughtUp):
                print_event(event_view(recorded), as_json=as_json)


async def _page(
    log: "_Log", start: int, limit: int, stream: str | None, types: tuple[str, ...], *, last: bool
) -> "Sequence[EventView]":
    """The first events behind a position, or the last ones of the log."""
    found: deque[EventView] = deque(maxlen=limit)
    while True:
        page = await log.queries.events(after=start, limit=500 if last else limit, stream=stream, types=types)
        found.extend(page.items)
        if not last or page.next_after >= page.head:
            return found
        start = page.next_after


class _Log:
    """The log, open for reading, as long as the context lasts."""

    def __init__(self, settings: "Settings", when: "int | datetime | None" = None) -> None:
        self._settings, self._when = settings, when

    async def __aenter__(self) -> "_Log":
        from sep_core.runtime.queries import Queries
        from sep_core.runtime.world import World

        self.store = await log_of(self._settings)
        self.queries = Queries(World(), self.store, self._settings, as_of=self._when)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.store.close()


def print_event(event: "EventView", *, as_json: bool) -> None:
    """One event in a line."""
    if as_json:
        click.echo(event.model_dump_json())
        return
    click.echo(
        f"{event.position:>7}  {event.recorded_at:%H:%M:%S}.{event.recorded_at.microsecond // 1000:03}"
        f"  {event.type:<22} {event.stream} v{event.version}"
    )
