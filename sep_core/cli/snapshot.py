"""`sep snapshot`: the markets of a configuration, read once, as a file that anybody can use."""

import asyncio
import json
import os
from pathlib import Path

import click

from sep_core.cli.failure import EXIT_OK
from sep_core.cli.options import config_option, json_option, settings_of
from sep_core.cli.output import Waiting, emit_json, emit_wrapped


@click.command()
@config_option
@click.option(
    "--out",
    required=True,
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Where to; - is standard output.",
)
@json_option
def snapshot(config: Path | None, out: Path, as_json: bool) -> int:
    """Write the markets of a configuration with their states to a file: all families, one format.

    Reads each chain once, at its latest block; needs no engine, opens no log and no key. `sep quote --snapshot FILE`
    quotes on it offline; docs/snapshot.md describes it.
    """
    from sep_core.markets.snapshot_writer import snapshot_document
    from sep_core.runtime.clock import SystemClock
    from sep_core.runtime.snapshots import snapshot_of_settings

    settings = settings_of(config)
    with Waiting("reading the chains"):
        data = asyncio.run(snapshot_of_settings(settings, os.environ, SystemClock()))
    text = json.dumps(snapshot_document(data), ensure_ascii=False) + "\n"
    if str(out) == "-":
        click.echo(text, nl=False)
        return EXIT_OK
    out.write_text(text, encoding="utf-8")
    if as_json:
        emit_json(
            {
                "file": str(out),
                "digest": data.digest,
                "markets": len(data.markets),
                "assets": len(data.assets),
                "left_out": [{"name": one.name, "reason": one.reason} for one in data.left_out],
            }
        )
        return EXIT_OK
    blocks = ", ".join(f"{at.chain} block {at.block.number}" for at in data.chains)
    click.echo(f"{out}  {len(data.markets)} markets of {len(data.assets)} assets at {blocks}")
    click.echo(f"digest  {data.digest}")
    for left in data.left_out:
        emit_wrapped(f"{left.name}: {left.reason}", first="left out  ")
    click.echo(f"next  sep quote --snapshot {out} --sell SYMBOL --amount NUMBER --buy SYMBOL")
    return EXIT_OK
