"""`sep serve`: the engine with its HTTP interface."""

from dataclasses import replace
from pathlib import Path

import click

from sep_core.cli.options import config_option, json_option, log_option, settings_of, standby_option
from sep_core.cli.output import Waiting


@click.command()
@config_option
@json_option
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    help="Instead of the configured port; 0 takes a free one.",
)
@standby_option
@log_option
def serve(config: Path | None, as_json: bool, port: int | None, standby: bool, log_file: Path | None) -> int:
    """Run the engine and its HTTP interface until Ctrl-C.

    The address and the path of the token that writes need are printed once it answers. Messages go to standard
    error, or to the file that --log names.
    """
    with Waiting("starting the engine") as starting:
        from sep_core.cli.working import work

        settings = settings_of(config)
        if port is not None:
            settings = replace(settings, api=replace(settings.api, port=port))
        return work(starting, settings, log_file, with_api=True, as_json=as_json, standby=standby)
