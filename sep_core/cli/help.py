"""`sep help`: the help of a verb, and the exit codes."""

import click

from sep_core.cli.failure import EXIT_CODES
from sep_core.cli.options import json_option
from sep_core.cli.output import emit_json, emit_table

EXIT_CODES_TOPIC = "exit-codes"


@click.command(name="help")
@click.argument("topic", nargs=-1, metavar="[VERB | exit-codes]")
@json_option
@click.pass_context
def help(context: click.Context, topic: tuple[str, ...], as_json: bool) -> int:
    """Explain a VERB as `sep VERB --help` does, or what the exit codes mean: `sep help exit-codes`."""
    if topic == (EXIT_CODES_TOPIC,):
        if as_json:
            emit_json({str(code): meaning for code, meaning in EXIT_CODES.items()})
        else:
            emit_table(["CODE", "MEANING"], [[str(code), meaning] for code, meaning in EXIT_CODES.items()])
        return 0
    root = context.find_root()
    if topic:
        group = root.command
        assert isinstance(group, click.Group)
        group.main([*topic, "--help"], prog_name="sep", standalone_mode=False)
    else:
        click.echo(root.get_help())
    return 0
