"""`sep follow`: the log from a bus, on a machine that need not have it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from sep_core.cli.options import config_option, json_option, settings_of

if TYPE_CHECKING:
    from sep_hooks.bus import EventBus

    from sep_core.runtime.settings import Settings


@click.command()
@click.argument("bus")
@config_option
@json_option
@click.option("--log", "store_id", type=click.UUID, help="Which log, where the bus carries several.")
@click.option(
    "--after",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Begin behind position N.",
)
@click.option("--once", is_flag=True, help="End where the copy ends now.")
def follow(
    bus: str, config: Path | None, as_json: bool, store_id: UUID | None, after: int, once: bool
) -> int:
    """Follow the log over BUS, one of [buses], until Ctrl-C.

    Needs neither the log nor an engine, only `sep mirror` somewhere. Order, log and the hash chain of every stream are
    checked on the way; exit code 6 where they break. With --json, one event a line: keep the last position, and
    resume with --after.
    """
    settings = settings_of(config)
    asyncio.run(_follow(settings, bus, store_id, after, once=once, as_json=as_json))
    return 0


async def _follow(
    settings: "Settings", name: str, store_id: UUID | None, after: int, *, once: bool, as_json: bool
) -> None:
    import os

    from sep_hooks.store import CaughtUp

    from sep_core.cli.events import print_event
    from sep_core.events.witness import Witness
    from sep_core.runtime.clock import SystemClock
    from sep_core.runtime.mirrors import Mirrors
    from sep_core.runtime.queries import event_view

    mirrors = Mirrors.of(settings, os.environ, SystemClock())
    try:
        bus = mirrors.bus(name)
        witness = Witness(store_id if store_id is not None else await _only_log(bus, name), after=after)
        async for item in bus.follow(witness.store_id, after=after):
            if not isinstance(item, CaughtUp):
                witness.see(item)
                print_event(event_view(item), as_json=as_json)
            elif once:
                return
    finally:
        await mirrors.close()


async def _only_log(bus: "EventBus", name: str) -> UUID:  # type: ignore[type-arg]
    from sep_hooks.store import NotInLog

    logs = await bus.logs()
    if len(logs) == 1:
        return logs[0]
    if not logs:
        raise NotInLog(f"bus {name} carries no log yet", next_step="run `sep mirror` beside the log")
    raise NotInLog(
        f"bus {name} carries {len(logs)} logs: {', '.join(map(str, logs))}", next_step="name one with --log"
    )
