"""`sep run`: the engine alone."""

from pathlib import Path

import click

from sep_core.cli.options import config_option, settings_of


@click.command()
@config_option
@click.option("--log", "log_file", type=click.Path(path_type=Path), help="Write messages to a file.")
def run(config: Path | None, log_file: Path | None) -> int:
    """Run the engine until Ctrl-C: strategies work, what is open goes on. Without the HTTP interface."""
    from sep_core.cli.working import work

    return work(settings_of(config), log_file, with_api=False)
