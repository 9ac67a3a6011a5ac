"""`sep replay`: what the log folds to, as one number."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sep_core.cli.failure import EXIT_NEGATIVE, EXIT_OK
from sep_core.cli.options import as_of_option, config_option, json_option, settings_of
from sep_core.cli.output import Progress, emit_json
from sep_core.cli.reading import log_of, place

if TYPE_CHECKING:
    from sep_core.runtime.settings import Settings

_DIGEST_DIGITS = 64


class _Digest(click.ParamType[str]):
    name = "digest"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = value.lower()
        if len(text) != _DIGEST_DIGITS or set(text) - set("0123456789abcdef"):
            self.fail(f"{value!r} is no digest: {_DIGEST_DIGITS} hex digits, as `sep replay` prints them")
        return text


@click.command()
@config_option
@json_option
@as_of_option
@click.option(
    "--every", metavar="N", type=click.IntRange(min=1), help="Also after each N events: where two logs part."
)
@click.option(
    "--expect",
    metavar="DIGEST",
    type=_Digest(),
    help="What it should fold to; exit code 1 where it does not.",
)
def replay(
    config: Path | None, as_json: bool, as_of: str | None, every: int | None, expect: str | None
) -> int:
    """Fold the log anew, and say what it folds to: a digest over all state, intents, lanes, holds and books.

    The same log has the same digest on every machine, in every run and in every store: compare copies, machines and
    releases by it. Reads the log; needs no engine, sends nothing.
    """
    found = asyncio.run(_digests(settings_of(config), as_of, every))
    position, digest = found[-1]
    is_met = expect is None or expect == digest
    if as_json:
        emit_json(
            {
                "ok": is_met,
                "position": position,
                "digest": digest,
                "digests": [{"position": at, "digest": one} for at, one in found],
            }
        )
    else:
        width = len(str(position))
        for at, one in found:
            click.echo(f"position {at:>{width}}  {one}")
        if not is_met:
            click.echo(f"DIFFERS  expected {expect}")
            click.echo("next  compare `sep replay --every 1000` of both, and look at the events between")
    return EXIT_OK if is_met else EXIT_NEGATIVE


async def _digests(settings: "Settings", as_of: str | None, every: int | None) -> list[tuple[int, str]]:
    from sep_core.events.reading import read_facts
    from sep_core.runtime.state_digest import state_digest
    from sep_core.runtime.world import World

    store = await log_of(settings)
    try:
        head = (await store.head()).pos
        world, found = World(), list[tuple[int, str]]()
        with Progress("events") as progress:
            async for recorded, fact in read_facts(store, as_of=None if as_of is None else place(as_of)):
                world.apply(recorded.stream, fact)
                progress(recorded.pos, head)
                if every is not None and recorded.pos % every == 0:
                    found.append((recorded.pos, state_digest(world)))
        if not found or found[-1][0] != world.position:
            found.append((world.position, state_digest(world)))
        return found
    finally:
        await store.close()
