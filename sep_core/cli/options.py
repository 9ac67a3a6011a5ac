"""Options that verbs share, and where they lead."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sep_core.runtime.settings import Settings

CONFIG_VARIABLE = "SEP_CONFIG"
DEFAULT_CONFIG = "sep.toml"
_INTENT = re.compile(r"[0-9a-f-]{4,36}")


class IntentName(click.ParamType[str]):
    """An intent by its id, by the beginning of it, or by the id that its author gave it."""

    name = "intent"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text in lower case."""
        text = value.lower()
        if not _INTENT.fullmatch(text):
            self.fail(
                f"{value!r} is no intent: give its id, or at least the first four of its hex digits",
                param,
                ctx,
            )
        return text


def config_option[F: Callable[..., Any]](function: F) -> F:
    """`--config FILE`: by default $SEP_CONFIG, else ./sep.toml."""
    return click.option(
        "--config",
        "config",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help=f"The configuration. Default: ${CONFIG_VARIABLE}, else ./{DEFAULT_CONFIG}.",
    )(function)


def json_option[F: Callable[..., Any]](function: F) -> F:
    """`--json`: the same answer for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def standby_option[F: Callable[..., Any]](function: F) -> F:
    """`--standby`: waits for a log that another engine leads."""
    return click.option(
        "--standby", is_flag=True, help="Wait while another engine leads the log, and take over from it."
    )(function)


def log_option[F: Callable[..., Any]](function: F) -> F:
    """`--log FILE`: messages to a file, as JSON lines, instead of standard error."""
    return click.option(
        "--log",
        "log_file",
        metavar="FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Add messages to a file, as JSON lines.",
    )(function)


def as_of_option[F: Callable[..., Any]](function: F) -> F:
    """`--as-of WHEN`: the past instead of the present."""
    return click.option(
        "--as-of", metavar="WHEN", help="As of a position of the log, or an RFC 3339 moment."
    )(function)


def config_path(config: Path | None) -> Path:
    """The configuration that is meant."""
    return config or Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG)


def settings_of(config: Path | None) -> "Settings":
    """The settings that are meant. Raises `ConfigurationError`."""
    from sep_core.runtime.native import checksum_address
    from sep_core.runtime.settings import load_settings

    return load_settings(config_path(config), os.environ, checksum=checksum_address)
