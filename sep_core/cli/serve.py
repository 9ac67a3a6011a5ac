"""`sep serve`: the engine with its HTTP interface."""

from dataclasses import replace
from pathlib import Path

import click

from sep_core.cli.options import config_option, settings_of


@click.command()
@config_option
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Instead of the configured port; 0 takes a free one."
)
@click.option("--log", "log_file", type=click.Path(path_type=Path), help="Write messages to a file.")
def serve(config: Path | None, port: int | None, log_file: Path | None) -> int:
    """Run the engine and its HTTP interface until Ctrl-C."""
    from sep_core.cli.working import work

    settings = settings_of(config)
    if port is not None:
        settings = replace(settings, api=replace(settings.api, port=port))
    return work(settings, log_file, with_api=True)
