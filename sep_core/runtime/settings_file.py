"""The raw configuration: the tables of the file, with the environment laid over them."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Final

from sep_hooks.errors import ConfigurationError

from sep_core.runtime.settings_mistakes import InvalidSettings, Mistake

type Toml = bool | int | str | Decimal | datetime | date | time | list[Toml] | dict[str, Toml]
"""What a file can say; numbers with a point keep their digits."""

SECTIONS: Final = (
    "mode", "store", "plugins", "chains", "venues", "accounts", "risk", "assets", "strategies", "intents", "api",
)  # fmt: skip

_PREFIX: Final = "SEP_"
_LARGEST_BYTES: Final = 1024 * 1024
_REFERENCE_KEYS: Final = {"env", "file"}


def read_tables(path: Path) -> dict[str, Toml]:
    """The tables of a file. Raises `ConfigurationError`; broken TOML is named by line and column."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path}: no such file", next_step="name one with --config, or make one with `sep init`"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}", next_step="name the file that is meant"
        ) from None
    if len(data) > _LARGEST_BYTES:
        raise ConfigurationError(
            f"{path} has {len(data)} bytes, more than 1 MiB", next_step="name the file that is meant"
        )
    try:
        return tomllib.loads(data.decode("utf-8"), parse_float=Decimal)
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path} is not UTF-8: byte {error.start}", next_step="name the file that is meant"
        ) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}", next_step="mend that line") from None


def overridden(tables: dict[str, Toml], environ: Mapping[str, str]) -> dict[str, Toml]:
    """The tables with `SEP_<SECTION>__<KEY>__…` laid over; upper case and `_` stand for any case and `-`.

    A text that begins with `[` or `{` is TOML, everything else is a string. Raises `InvalidSettings`.
    """
    result = _copied(tables)
    assert isinstance(result, dict)
    mistakes = []
    for name in sorted(environ):
        if not name.startswith(_PREFIX) or ("__" not in name and name != f"{_PREFIX}MODE"):
            continue
        parts = name.removeprefix(_PREFIX).split("__")
        try:
            _lay(result, parts, _value(environ[name]))
        except ValueError as error:
            mistakes.append(Mistake(name, str(error)))
    if mistakes:
        raise InvalidSettings("the environment", mistakes, next_step="mend or unset these variables")
    return result


def _lay(table: dict[str, Toml], parts: list[str], value: Toml) -> None:
    if not all(parts):
        raise ValueError("has an empty part between its underscores")
    if parts[0].lower() not in SECTIONS:
        raise ValueError(f"names no section; sections are {', '.join(SECTIONS)}")
    for depth, part in enumerate(parts[:-1]):
        key = _key(table, part)
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise ValueError(f"{'.'.join(parts[: depth + 1]).lower()} holds a value, not a table")
        table = inner
    last = _key(table, parts[-1])
    if last in _REFERENCE_KEYS and set(table) <= _REFERENCE_KEYS:
        table.clear()
    table[last] = value


def _key(table: dict[str, Toml], part: str) -> str:
    """The key that is there already, whatever its case and hyphens; else the part in lower case."""
    wanted = part.lower().replace("-", "_")
    known = [key for key in table if key.lower().replace("-", "_") == wanted]
    if len(known) > 1:
        raise ValueError(f"could mean any of {', '.join(known)}")
    return known[0] if known else part.lower()


def _value(text: str) -> Toml:
    if not re.match(r"\s*[\[{]", text):
        return text
    try:
        return tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]  # type: ignore[no-any-return]
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"is not TOML: {error}") from None


def _copied(value: Toml) -> Toml:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value
