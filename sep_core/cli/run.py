"""`sep run`: the engine alone."""

from pathlib import Path

import click

from sep_core.cli.options import config_option, json_option, log_option, settings_of, standby_option
from sep_core.cli.output import Waiting


@click.command()
@config_option
@json_option
@standby_option
@log_option
def run(config: Path | None, as_json: bool, standby: bool, log_file: Path | None) -> int:
    """Run the engine until Ctrl-C: strategies work, what is open goes on. Without the HTTP interface.

    Messages go to standard error, or to the file that --log names. Ctrl-C stops cleanly: what was
    sent runs on, what is recorded goes on at the next start.
    """
    with Waiting("starting the engine") as starting:
        from sep_core.cli.working import work

        return work(starting, settings_of(config), log_file, with_api=False, as_json=as_json, standby=standby)
