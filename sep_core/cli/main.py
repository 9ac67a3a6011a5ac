"""The entry of the command line. Typing a verb imports that verb alone; nothing heavy is imported before."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import cast

import click

VERBS = {
    "demo": "see the main job work: offline, on a simulated chain, nothing to configure",
    "init": "make a folder with a configuration to start from",
    "check": "check a configuration: every mistake, with its place",
    "run": "run the engine",
    "serve": "run the engine and its HTTP interface",
    "replica": "answer questions about the log beside the engine, and hand all else to it",
    "submit": "submit an intent from a file",
    "quote": "price a route without an intent, with proof",
    "snapshot": "write the markets of a configuration to a file",
    "verify-plan": "check a route and its certificate from its file alone",
    "cancel": "ask for the end of an intent",
    "drain": "let the engine finish what is open, and end",
    "status": "show where intents and money are",
    "explain": "show why an intent went as it did",
    "events": "show the log",
    "mirror": "feed buses and caches from the log",
    "follow": "follow the log over a bus, without having it",
    "verify": "check the log: hashes, chains, tree, signatures",
    "replay": "fold the log anew: one digest of all state, to compare",
    "store": "migrate, copy or check the place of the log",
    "reconcile": "show the evidence held and missing for what is in doubt",
    "doctor": "look at everything that an engine needs",
    "venue": "show venues, keep one out of plans, let it in again",
    "account": "show accounts, let a frozen one sign again",
    "breaker": "show what is stopped and why, let it go on",
    "plugin": "list, describe and check plugins",
    "help": "explain a verb, or `sep help exit-codes`",
}


class Verbs(click.Group):
    """Verbs of our own by name, verbs of plugins by their manifests; each imported when it is typed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our verbs in the order of a first day, then the plugins'."""
        return [*VERBS, *_plugin_verbs()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb, imported now; None for a word that nobody declares."""
        if cmd_name in VERBS:
            module = import_module(f"sep_core.cli.{cmd_name.replace('-', '_')}")
            return cast(click.Command, getattr(module, cmd_name.replace("-", "_")))
        if cmd_name in _plugin_verbs():
            return _plugin_command(cmd_name)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that is meant; a word that is none gets a suggestion."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from sep_core.plugins.names import nearest

            hint = nearest(args[0], self.list_commands(ctx))
            raise click.UsageError(f"there is no verb {args[0]!r}" + (f"; {hint}" if hint else ""), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists verbs without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl([*VERBS.items(), *_plugin_verbs().items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The exit codes, where the whole help is shown."""
        from sep_core.cli.failure import EXIT_CODES

        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in EXIT_CODES.items()])


def _show_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from sep_core.cli.version import version

        click.echo(f"sep {version()}")
        context.exit()


@click.group(
    cls=Verbs,
    subcommand_metavar="VERB ...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=False,
    invoke_without_command=True,
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    help="Show the version.",
    callback=_show_version,
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error. May stand anywhere.")
@click.pass_context
def sep(context: click.Context, debug: bool) -> None:
    """SEP, the Strategy Execution Platform: declare an outcome, get it executed once, with proof.

    First: `sep demo`. Then: `sep init mybot && cd mybot && sep check && sep run`.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a verb and ends the process with its exit code; an error is a message, never a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = [word for word in given if word != "--debug"]
    sys.exit(_run(words, debug=len(words) < len(given)))


def _run(words: list[str], *, debug: bool) -> int:
    as_json, output = "--json" in words, sys.stdout
    try:
        result = sep.main(args=words, prog_name="sep", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        from sep_core.cli.failure import report_usage

        return report_usage(_usage_words(error), _usage_step(error), as_json=as_json)
    except (click.Abort, KeyboardInterrupt):
        from sep_core.cli.failure import EXIT_INTERRUPTED

        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit as leave:
        # Click leaves so where a pipe broke under a verb, having replaced the output; so may the verb of a plugin.
        if sys.stdout is not output:
            return _reader_gone()
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except BaseException as error:
        from sep_core.cli.failure import report

        return report(error, debug=debug, as_json=as_json)
    return result if isinstance(result, int) else 0


def _reader_gone() -> int:
    """Nothing is left to say; what is still buffered goes nowhere."""
    from sep_core.cli.failure import EXIT_PIPE

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return EXIT_PIPE


def _usage_words(error: click.ClickException) -> str:
    text = error.format_message().rstrip(".")
    return text[:1].lower() + text[1:]


def _usage_step(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{'sep' if context is None else context.command_path} --help"


def _plugin_verbs() -> dict[str, str]:
    from sep_core.plugins.verbs import declared_verbs

    return dict(declared_verbs())


def _plugin_command(name: str) -> click.Command:
    from sep_core.plugins.verbs import run_verb

    @click.command(
        name=name,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
        add_help_option=False,
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def plugin_command(arguments: tuple[str, ...]) -> int:
        return run_verb(name, arguments)

    return plugin_command
