"""`sep replay`: what the log folds to, as one number."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sep_core.cli.failure import EXIT_NEGATIVE, EXIT_OK
from sep_core.cli.options import as_of_option, config_option, json_option, settings_of
from sep_core.cli.output import Progress, emit_json, emit_wrapped
from sep_core.cli.reading import log_of, place

if TYPE_CHECKING:
    from sep_core.runtime.second_opinion import Opinion
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
    "--with",
    "other",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take every decision again by this configuration, and show where it would be another one.",
)
@click.option(
    "--expect",
    metavar="DIGEST",
    type=_Digest(),
    help="What it should fold to; exit code 1 where it does not.",
)
def replay(
    config: Path | None,
    as_json: bool,
    as_of: str | None,
    every: int | None,
    other: Path | None,
    expect: str | None,
) -> int:
    """Fold the log anew, and say what it folds to: a digest over all state, intents, lanes, holds and books.

    The same log has the same digest on every machine, in every run and in every store: compare copies, machines and
    releases by it. States that the engine has kept are compared on the way. Reads the log; needs no engine, sends
    nothing.

    With --with, each intent is checked against the bounds of another configuration and each plan against its risk
    rules, on the books of that moment; exit code 1 where something would have been decided otherwise.
    """
    if other is not None:
        if every is not None or expect is not None:
            raise click.UsageError("--with compares decisions, --every and --expect digests: use one of them")
        return _decide_again(settings_of(config), settings_of(other), as_of, as_json=as_json)
    found, astray = asyncio.run(_digests(settings_of(config), as_of, every))
    position, digest = found[-1]
    is_met = not astray and (expect is None or expect == digest)
    if as_json:
        emit_json(
            {
                "ok": is_met,
                "position": position,
                "digest": digest,
                "digests": [{"position": at, "digest": one} for at, one in found],
                "kept_states_astray": astray,
            }
        )
    else:
        width = len(str(position))
        for at, one in found:
            click.echo(f"position {at:>{width}}  {one}")
        for at in astray:
            click.echo(f"ASTRAY  the state that is kept of position {at} is not what the log folds to")
            click.echo("next  delete the folder `state` in the data folder, and report this")
        if expect not in (None, digest):
            click.echo(f"DIFFERS  expected {expect}")
            click.echo("next  compare `sep replay --every 1000` of both, and look at the events between")
    return EXIT_OK if is_met else EXIT_NEGATIVE


async def _digests(
    settings: "Settings", as_of: str | None, every: int | None
) -> tuple[list[tuple[int, str]], list[int]]:
    """Positions with their digests, and where a state that is kept is another one."""
    from sep_core.events.reading import read_facts
    from sep_core.runtime.state_cache import StateCache
    from sep_core.runtime.state_digest import state_digest
    from sep_core.runtime.world import World

    store = await log_of(settings)
    try:
        head = (await store.head()).pos
        world, found, astray = World(), list[tuple[int, str]](), list[int]()
        cache = StateCache(settings.store.path, store)
        kept = cache.positions()
        with Progress("events") as progress:
            async for recorded, fact in read_facts(store, as_of=None if as_of is None else place(as_of)):
                world.apply(recorded.stream, fact)
                progress(recorded.pos, head)
                if every is not None and recorded.pos % every == 0:
                    found.append((recorded.pos, state_digest(world)))
                state = cache.at(recorded.pos) if recorded.pos in kept else None
                if state is not None and state_digest(state) != state_digest(world):
                    astray.append(recorded.pos)
        if not found or found[-1][0] != world.position:
            found.append((world.position, state_digest(world)))
        return found, astray
    finally:
        await store.close()


def _decide_again(settings: "Settings", other: "Settings", as_of: str | None, *, as_json: bool) -> int:
    opinions = asyncio.run(_opinions(settings, other, as_of))
    differing = [one for one in opinions if one.differs]
    if as_json:
        shown = [
            {
                "position": one.position,
                "intent_id": str(one.intent_id),
                "about": one.about,
                "recorded": one.recorded,
                "now": one.now,
                "reason": one.reason,
            }
            for one in differing
        ]
        emit_json({"ok": not differing, "decisions": len(opinions), "differences": shown})
        return EXIT_NEGATIVE if differing else EXIT_OK
    for one in differing:
        click.echo(
            f"position {one.position}  intent {one.intent_id}  {one.about}: {one.recorded} -> {one.now}"
        )
        if one.reason:
            emit_wrapped(one.reason, first="  ")
    click.echo(f"taken again  {len(opinions)} decisions, {len(differing)} of them would be others")
    return EXIT_NEGATIVE if differing else EXIT_OK


async def _opinions(settings: "Settings", other: "Settings", as_of: str | None) -> "list[Opinion]":
    from sep_core.events.reading import read_facts
    from sep_core.runtime.clock import SystemClock
    from sep_core.runtime.installation import installed_apart
    from sep_core.runtime.second_opinion import SecondOpinion
    from sep_core.runtime.world import World

    store = await log_of(settings)
    try:
        async with installed_apart(other, os.environ, SystemClock()) as installation:
            head, world, second = (await store.head()).pos, World(), SecondOpinion(installation)
            opinions: list[Opinion | None] = []
            with Progress("events") as progress:
                async for recorded, fact in read_facts(store, as_of=None if as_of is None else place(as_of)):
                    world.apply(recorded.stream, fact)
                    opinions.append(second.hear(world, recorded, fact))
                    progress(recorded.pos, head)
            return [one for one in opinions if one is not None]
    finally:
        await store.close()
